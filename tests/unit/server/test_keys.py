from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.errors import StoreError, TokenRejected
from codegrant.jose import KeySet, PrivateKey, sign_jwt
from codegrant.server.keys import PublishedKeys, make_key
from codegrant.server.records import KeyRecord
from tests.flows.authorization_server import KEY_RING, NOW, Bench, first_keys


def record(
    kid: str, activates_at: int, retires_at: int | None = None, alg: str = "ES256"
) -> KeyRecord:
    return KeyRecord(
        kid=kid,
        alg=alg,
        sealed_private_key="sealed",
        created_at=0,
        activates_at=activates_at,
        retires_at=retires_at,
    )


@pytest.mark.parametrize(
    ("records", "kid"),
    [
        pytest.param((), None, id="none at all"),
        pytest.param((record("rsa", 0, alg="RS256"),), None, id="of another algorithm"),
        pytest.param((record("old", 0), record("new", NOW)), "new", id="the newest"),
        pytest.param((record("new", NOW), record("old", 0)), "new", id="in any order"),
        pytest.param((record("old", 0), record("next", NOW + 1)), "old", id="not the next one yet"),
        pytest.param((record("old", 0, NOW), record("next", NOW)), "next", id="the hand-over"),
        pytest.param((record("old", 0, NOW + 1),), "old", id="until it retires"),
        pytest.param((record("old", 0, NOW),), None, id="retired"),
        pytest.param((record("b", NOW + 2), record("a", NOW + 1)), "a", id="a clock ahead"),
        pytest.param((record("old", 0, NOW), record("b", NOW + 9)), "b", id="a gap"),
    ],
)
def test_the_newest_active_key_signs(records: tuple[KeyRecord, ...], kid: str | None) -> None:
    found = PublishedKeys(b"", KeySet(()), records).find_signer("ES256", NOW)
    assert (None if found is None else found.kid) == kid


def test_when_every_key_has_retired_nothing_is_signed() -> None:
    bench = Bench()
    bench.store.keys = tuple(replace(key, retires_at=NOW) for key in first_keys())
    with pytest.raises(StoreError) as failed:
        bench.run(bench.server.keys.signer("ES256", NOW))
    assert failed.value.message == "no active key for ES256"


def test_what_was_signed_here_is_verified_here_and_nothing_else() -> None:
    bench = Bench()
    published = bench.run(bench.server.keys.published(NOW))
    key = bench.run(bench.server.keys.signer("ES256", NOW))
    token = sign_jwt(key, {"sub": "alice"}, typ="JWT")
    assert published.verify(token).claims == {"sub": "alice"}
    foreign = sign_jwt(PrivateKey.generate("ES256"), {"sub": "alice"}, typ="JWT")
    altered = f"{token[:-4]}{'AAAA' if token[-4:] != 'AAAA' else 'BBBB'}"
    for other in (foreign, altered, "", token + "." + "x" * 9000):
        with pytest.raises(TokenRejected):
            published.verify(other)


def test_a_sealed_key_shows_nothing() -> None:
    for key in first_keys():
        assert "PRIVATE" not in repr(key)
        assert "PRIVATE" not in key.sealed_private_key
        assert b"PRIVATE KEY" in KEY_RING.open("signing key", key.sealed_private_key)


def test_a_signature_is_verified_once_while_its_key_is_published() -> None:
    bench = Bench()
    keys = bench.server.keys
    token = sign_jwt(bench.run(keys.signer("ES256", NOW)), {"sub": "alice"}, typ="JWT")
    published = bench.run(keys.published(NOW))
    once = published.verify(token)
    assert published.verify(token) is once
    for altered in (token[:-1], token + "A", token[:-8] + "AAAAAAAA", f" {token}"):
        with pytest.raises(TokenRejected):
            published.verify(altered)
    assert published.verify(token) is once
    # No longer published, no longer known.
    rsa, old = first_keys()
    successor = make_key(KEY_RING, "ES256", NOW)
    bench.store.keys = (rsa, replace(old, removes_at=NOW + 10), successor)
    assert bench.run(keys.current(NOW + 9)).verify(token).claims == once.claims
    with pytest.raises(TokenRejected) as refused:
        bench.run(keys.verify(token, NOW + 15))
    assert refused.value.code == "unknown_key"


def test_what_is_remembered_of_signatures_is_bounded() -> None:
    bench = Bench()
    key = bench.run(bench.server.keys.signer("ES256", NOW))
    published = bench.run(bench.server.keys.published(NOW))
    first = sign_jwt(key, {"n": -1}, typ="JWT")
    once = published.verify(first)
    for number in range(1000):
        published.verify(sign_jwt(key, {"n": number}, typ="JWT"))
    again = published.verify(first)
    assert again is not once
    assert again.claims == once.claims
