"""The signing keys: made once, published first, kept long enough; and where they are read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from codegrant.errors import StoreError, TokenRejected
from codegrant.jose import KeySet, PrivateKey, sign_jwt
from codegrant.sealing import KeyRing
from codegrant.server.keys import SigningKeys, make_key, open_key, rotate_key
from codegrant.server.policy import Policy
from codegrant.server.records import KeyRecord
from tests.flows.authorization_server import (
    ISSUER,
    KEY_RING,
    NOW,
    Bench,
    document,
    first_keys,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def algorithms(records: Sequence[KeyRecord]) -> list[str]:
    return [record.alg for record in records]


def test_the_first_start_makes_one_key_of_each_kind(bench: Bench) -> None:
    bench.store.keys = ()
    bench.run(bench.server.prepare(NOW))
    assert algorithms(bench.store.keys) == ["RS256", "ES256"]
    assert bench.event_names() == ["key_created", "key_created"]
    bench.run(bench.server.prepare(NOW + 60))
    assert algorithms(bench.store.keys) == ["RS256", "ES256"]


def test_of_two_processes_at_their_first_start_one_wins(bench: Bench) -> None:
    bench.store.keys = ()
    policy = bench.server.policy
    one, two = SigningKeys(policy, KEY_RING), SigningKeys(policy, KEY_RING)
    flows = [one.published(NOW), two.published(NOW)]
    # Both read the empty store before either writes.
    effects = [next(flow) for flow in flows]
    answers = [bench.store.perform(effect) for effect in effects]
    documents = []
    for flow, answer in zip(flows, answers, strict=True):
        effect = flow.send(answer)
        while True:
            try:
                effect = flow.send(bench.store.perform(effect))
            except StopIteration as stop:
                documents.append(stop.value.document)
                break
    assert documents[0] == documents[1]
    assert algorithms(bench.store.keys) == ["RS256", "ES256"]
    assert bench.event_names() == ["key_created", "key_created"]


@pytest.mark.parametrize("alg", ["PS256", "EdDSA"])
def test_another_key_is_made_when_it_is_first_needed(bench: Bench, alg: str) -> None:
    kids = KeySet.parse(bench.send("GET", "/jwks").body).kids
    bench.change_client("a", id_token_signed_response_alg=alg)
    assert bench.token(bench.code()).status == 200
    assert algorithms(bench.store.keys) == ["RS256", "ES256", alg]
    published = KeySet.parse(bench.send("GET", "/jwks").body)
    assert len(published.kids) == len(kids) + 1
    bench.token(bench.code())
    assert len(bench.store.keys) == 3


def test_keys_are_read_again_after_five_seconds_and_parsed_once(bench: Bench) -> None:
    keys = bench.server.keys
    first = bench.run(keys.published(NOW))
    signer = bench.run(keys.signer("ES256", NOW))
    assert bench.run(keys.published(NOW + 4)) is first
    assert bench.store.asked.count("LoadKeys") == 1
    bench.store.keys = (*bench.store.keys, make_key(KEY_RING, "EdDSA", NOW))
    assert bench.run(keys.published(NOW + 4)) is first
    second = bench.run(keys.published(NOW + 5))
    assert len(second.key_set.keys) == 3
    assert bench.run(keys.signer("ES256", NOW + 5)) is signer
    assert bench.store.asked.count("LoadKeys") == 2


def test_a_key_that_another_process_has_just_made_is_known_at_once(bench: Bench) -> None:
    keys = bench.server.keys
    bench.run(keys.published(NOW))
    made = make_key(KEY_RING, "EdDSA", NOW)
    token = sign_jwt(open_key(KEY_RING, made), {"iss": ISSUER}, typ="JWT")
    with pytest.raises(TokenRejected) as unknown:
        bench.run(keys.verify(token, NOW))
    assert unknown.value.code == "unknown_key"
    bench.store.keys = (*bench.store.keys, made)
    assert bench.run(keys.verify(token, NOW)).kid == made.kid
    # From now on it is known; only what is not costs another look.
    asked = bench.store.asked.count("LoadKeys")
    bench.run(keys.verify(token, NOW + 1))
    assert bench.store.asked.count("LoadKeys") == asked


def test_the_key_set_is_never_older_than_the_answer(bench: Bench) -> None:
    before = document(bench.send("GET", "/jwks"))["keys"]
    made = make_key(KEY_RING, "PS256", NOW)
    bench.store.keys = (*bench.store.keys, made)
    after = document(bench.send("GET", "/jwks"))["keys"]
    assert [key["kid"] for key in after if key not in before] == [made.kid]


def test_a_clock_that_goes_back_reads_again(bench: Bench) -> None:
    bench.run(bench.server.keys.published(NOW))
    bench.run(bench.server.keys.published(NOW - 1))
    assert bench.store.asked.count("LoadKeys") == 2


def test_a_successor_is_published_before_it_signs(bench: Bench) -> None:
    policy, keys = bench.server.policy, bench.server.keys
    old = bench.run(keys.signer("ES256", NOW))
    token = sign_jwt(old, {"iss": ISSUER}, typ="JWT")
    bench.run(rotate_key(policy, KEY_RING, "ES256", NOW))
    successor = bench.store.keys[-1]
    assert successor.activates_at == NOW + 3600
    published = bench.run(keys.published(NOW + 5))
    assert {old.kid, successor.kid} <= published.key_set.kids
    assert bench.run(keys.signer("ES256", NOW + 3599)).kid == old.kid
    assert bench.run(keys.signer("ES256", NOW + 3600)).kid == successor.kid
    last = NOW + 3600 + 300
    assert bench.run(keys.published(last)).verify(token).kid == old.kid
    gone = bench.run(keys.published(last + 120))
    assert old.kid not in gone.key_set.kids
    assert successor.kid in gone.key_set.kids


def test_a_rotation_at_once_keeps_the_old_key_for_its_tokens(bench: Bench) -> None:
    keys = bench.server.keys
    old = bench.run(keys.signer("RS256", NOW))
    bench.run(rotate_key(bench.server.policy, KEY_RING, "RS256", NOW, immediately=True))
    new = bench.run(keys.signer("RS256", NOW + 5))
    assert new.kid != old.kid
    assert old.kid in bench.run(keys.published(NOW + 300)).key_set.kids
    # The other algorithm is left alone.
    assert bench.run(keys.signer("ES256", NOW + 5)).kid == first_keys()[1].kid


def test_the_first_key_signs_although_another_clock_is_ahead(bench: Bench) -> None:
    signer = bench.run(bench.server.keys.signer("ES256", NOW - 102))
    assert signer.kid == first_keys()[1].kid
    assert len(bench.store.keys) == 2


def test_a_wrong_key_ring_says_so(bench: Bench) -> None:
    other = KeyRing(["another key ring of thirty-two characters"])
    keys = SigningKeys(bench.server.policy, other)
    with pytest.raises(StoreError) as caught:
        bench.run(keys.published(NOW))
    assert caught.value.code == "store_key"


def test_the_private_half_is_sealed() -> None:
    record = make_key(KEY_RING, "ES256", NOW)
    assert "PRIVATE" not in record.sealed_private_key
    assert b"PRIVATE" in KEY_RING.open("signing key", record.sealed_private_key)
    assert open_key(KEY_RING, record).kid == record.kid


def test_the_key_set_holds_public_members_alone(bench: Bench) -> None:
    bench.change_client("a", id_token_signed_response_alg="EdDSA")
    bench.token(bench.code())
    answer = bench.send("GET", "/jwks")
    assert answer.status == 200
    assert answer.headers.get("cache-control") == "public, max-age=300"
    assert answer.headers.get("access-control-allow-origin") == "*"
    keys = document(answer)["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) == 3
    for key in keys:
        assert key["use"] == "sig"
        assert {"kty", "alg", "kid"} <= key.keys()
        assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & key.keys()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_key_set_is_only_read(bench: Bench, method: str) -> None:
    answer = bench.send(method, "/jwks")
    assert (answer.status, answer.headers.get("allow")) == (405, "GET, HEAD")
    assert bench.send("HEAD", "/jwks").status == 200
    assert bench.send("OPTIONS", "/jwks").status == 204


def test_a_failing_store_is_said_as_such(bench: Bench) -> None:
    bench.store.broken["LoadKeys"] = StoreError("locked", code="store_busy")
    assert bench.send("GET", "/jwks").status == 503


def test_keys_outlive_the_longest_token() -> None:
    bench = Bench(id_token_lifetime=7200)
    policy: Policy = bench.server.policy
    assert policy.longest_token_lifetime == 7200
    records = bench.run(rotate_key(policy, KEY_RING, "ES256", NOW, immediately=True))
    old = next(record for record in records if record.retires_at is not None)
    assert old.removes_at is not None
    assert old.removes_at >= NOW + 7200


def test_a_forged_signature_causes_no_look_for_newer_keys(bench: Bench) -> None:
    token = document(bench.token(bench.code(scope="openid")))["access_token"]
    head, payload, signature = token.split(".")
    other = "B" if signature[10] != "B" else "C"
    forged = f"{head}.{payload}.{signature[:10]}{other}{signature[11:]}"
    bench.store.asked.clear()
    assert status_at_userinfo(bench, forged) == 401
    assert "LoadKeys" not in bench.store.asked
    # A key that nobody here has heard of may be one that another process has just made.
    unknown = sign_jwt(PrivateKey.generate("ES256"), {}, typ="at+jwt")
    assert status_at_userinfo(bench, unknown) == 401
    assert "LoadKeys" in bench.store.asked


def status_at_userinfo(bench: Bench, token: str) -> int:
    return bench.send("GET", "/userinfo", headers=[("authorization", f"Bearer {token}")]).status
