"""`stores.named_tokens`: one login by its name, in every store of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from codegrant import ConfigurationError, KeyRing, Secret, StoreError
from codegrant.client import LeasedTokens
from codegrant.client.effects import FindSession, SaveSession, StoredSession
from codegrant.jose import PrivateKey
from codegrant.secret import digest_of
from codegrant.stores.named_tokens import NamedTokens
from tests.support.token_stores import ALL, TokenPlace
from tests.unit.client.samples import TOKENS
from tests.unit.stores.examples import NOW

RING = KeyRing(["k" * 32])
NEXT = replace(TOKENS, access_token=Secret("at-2"), refresh_token=Secret("rt-2"))
DIGEST = digest_of("named tokens report")
ME, YOU = b"m" * 16, b"y" * 16


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=ALL)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, services: Mapping[str, str]
) -> Iterator[TokenPlace]:
    place = TokenPlace(request.param, tmp_path, services)
    yield place
    place.close()


@pytest.fixture
def saved(place: TokenPlace, clock: Clock) -> NamedTokens:
    return NamedTokens(place.open(), "report", key_ring=RING, clock=clock)


def test_what_was_saved_is_loaded_until_it_is_deleted(
    saved: NamedTokens, place: TokenPlace, clock: Clock
) -> None:
    assert isinstance(saved, LeasedTokens)
    assert saved.load() is None
    assert not saved.delete()
    assert saved.save(TOKENS)
    assert saved.load() == TOKENS
    assert saved.save(NEXT)
    other = NamedTokens(place.open(), "report", key_ring=RING, clock=clock)
    assert other.load() == NEXT
    assert NamedTokens(place.open(), "another", key_ring=RING, clock=clock).load() is None
    assert other.delete()
    assert saved.load() is None
    assert not saved.delete()


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_the_key_that_tokens_are_bound_to_is_kept_with_them(
    saved: NamedTokens, place: TokenPlace, clock: Clock, alg: str
) -> None:
    key = PrivateKey.generate(alg)
    bound = replace(TOKENS, token_type="DPoP", dpop_key=key)
    assert saved.save(bound)
    found = NamedTokens(place.open(), "report", key_ring=RING, clock=clock).load()
    assert found == bound != TOKENS
    assert found is not None
    assert found.dpop_key is not None
    key.public.verify(found.dpop_key.sign(b"a proof"), b"a proof")
    other = replace(NEXT, token_type="DPoP", dpop_key=PrivateKey.generate(alg))
    assert saved.save(other, replacing=bound)
    assert saved.load() == other


def test_only_the_tokens_that_are_there_are_replaced_or_deleted(saved: NamedTokens) -> None:
    assert not saved.save(NEXT, replacing=TOKENS)
    saved.save(TOKENS)
    assert not saved.save(NEXT, replacing=NEXT)
    assert not saved.delete(NEXT)
    assert saved.save(NEXT, replacing=TOKENS)
    assert not saved.save(TOKENS, replacing=TOKENS)
    assert not saved.delete(TOKENS)
    assert saved.load() == NEXT
    assert saved.delete(NEXT)
    assert not saved.delete(NEXT)
    assert not saved.delete()
    assert saved.load() is None
    assert saved.save(TOKENS)
    assert saved.load() == TOKENS


def test_of_many_that_replace_the_same_tokens_one_wins(
    saved: NamedTokens, place: TokenPlace, clock: Clock
) -> None:
    saved.save(TOKENS)
    other = NamedTokens(place.open(), "report", key_ring=RING, clock=clock)
    rivals = [replace(NEXT, access_token=Secret(f"at-{n}")) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(
            pool.map(lambda n: (saved, other)[n % 2].save(rivals[n], replacing=TOKENS), range(8))
        )
    assert won.count(True) == 1
    assert saved.load() == rivals[won.index(True)]


def test_processes_share_the_lease(saved: NamedTokens, place: TokenPlace, clock: Clock) -> None:
    other = NamedTokens(place.open(), "report", key_ring=RING, clock=clock)
    elsewhere = NamedTokens(place.open(), "another", key_ring=RING, clock=clock)
    assert saved.take_lease(ME, NOW, 5)
    assert not other.take_lease(YOU, NOW + 4, 5)
    assert elsewhere.take_lease(YOU, NOW, 5)
    assert not other.release_lease(YOU)
    assert saved.release_lease(ME)
    assert other.take_lease(YOU, NOW, 5)


def test_tokens_that_nobody_saves_again_are_forgotten_in_the_end(
    saved: NamedTokens, clock: Clock
) -> None:
    saved.save(TOKENS)
    clock.now += 399 * 86_400
    assert saved.load() == TOKENS
    saved.save(NEXT, replacing=TOKENS)
    clock.now += 399 * 86_400
    assert saved.load() == NEXT
    clock.now += 86_400
    assert saved.load() is None


def test_the_store_sees_no_token_and_no_name(saved: NamedTokens, place: TokenPlace) -> None:
    saved.save(TOKENS)
    found = place.open().perform(FindSession(DIGEST, NOW))
    assert found is not None
    for secret in (TOKENS.access_token, TOKENS.refresh_token):
        assert secret is not None
        assert secret.reveal() not in repr(found)
    assert "report" not in repr(found)


def test_tokens_of_another_key_are_kept_until_they_are_deleted(
    saved: NamedTokens, place: TokenPlace, clock: Clock
) -> None:
    saved.save(TOKENS)
    stranger = NamedTokens(place.open(), "report", key_ring=KeyRing(["x" * 32]), clock=clock)
    for call in (stranger.load, lambda: stranger.delete(TOKENS)):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "store_key"
    rotated = KeyRing(["x" * 32, "k" * 32])
    assert NamedTokens(place.open(), "report", key_ring=rotated, clock=clock).load() == TOKENS
    assert stranger.delete()


def test_what_is_damaged_is_told(saved: NamedTokens, place: TokenPlace) -> None:
    saved.save(TOKENS)
    broken = StoredSession(digest=DIGEST, sealed="no tokens", expires_at=NOW + 60)
    assert place.open().perform(SaveSession(broken, NOW))
    with pytest.raises(StoreError) as caught:
        saved.load()
    assert caught.value.code == "store_damaged"


def test_a_key_comes_from_the_environment_or_is_missed(
    place: TokenPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)
    keyless = NamedTokens(place.open(), "report")
    with pytest.raises(ConfigurationError, match="key ring"):
        keyless.save(TOKENS)
    monkeypatch.setenv("CODEGRANT_SECRET", "e" * 32)
    assert keyless.save(TOKENS)
    assert keyless.load() == TOKENS
