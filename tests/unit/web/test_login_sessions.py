"""`web.login_sessions`: who is signed in, and who no longer is."""

from __future__ import annotations

from typing import Any

import pytest

from codegrant import KeyRing
from codegrant.client.effects import FindSession, StoredSession
from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.secret import digest_of
from tests.support.mock_provider import MockProvider
from tests.support.website import Visitor, Website
from tests.unit.web.conftest import MakeClient


def test_nobody_is_signed_in_without_a_session_that_is_there(
    visitor: Visitor, provider: MockProvider
) -> None:
    assert visitor.who() is None
    visitor.log_in(provider)
    who = visitor.who()
    assert who is not None
    assert (who.identity.issuer, who.identity.subject) == (provider.issuer, "person-1")
    name = next(n for n in visitor.cookies if "cg-app-" in n)
    good = visitor.cookies[name]
    for bad in ("", "x", good[:-1], good.swapcase(), f"{good}; {name}={good}"):
        visitor.cookies[name] = bad
        assert visitor.who() is None
    visitor.cookies[name] = good
    visitor.site.now += 14 * 86_400 - 1
    assert visitor.who() is not None
    visitor.site.now += 1
    assert visitor.who() is None


def test_looking_up_who_it_is_asks_the_store_once(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    seen: list[Effect[Any]] = []
    visitor.site.before = seen.append
    assert visitor.who() is not None
    assert [type(effect) for effect in seen] == [FindSession]


def test_a_store_holds_neither_a_token_nor_a_session_id(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    (stored,) = visitor.site.store._sessions.values()
    assert visitor.session is not None
    assert stored.digest == digest_of(visitor.session)
    text = repr(visitor.site.store.__dict__)
    assert not any(secret in text for secret in [*provider.minted, visitor.session])


def test_a_session_moved_to_another_id_is_nobodys(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    (stored,) = visitor.site.store._sessions.values()
    stolen = StoredSession(
        digest=digest_of("x" * 43), sealed=stored.sealed, expires_at=stored.expires_at
    )
    visitor.site.store._sessions[stolen.digest] = stolen
    thief = Visitor(visitor.site)
    name = next(n for n in visitor.cookies if "cg-app-" in n)
    thief.cookies[name] = "x" * 43
    assert thief.who() is None
    assert visitor.who() is not None


def test_a_session_of_a_client_that_is_gone_counts_as_none(
    visitor: Visitor, provider: MockProvider, other_provider: MockProvider, client_of: MakeClient
) -> None:
    visitor.log_in(provider)
    cookie, store = visitor.session, visitor.site.store
    for clients in (
        {"default": client_of(other_provider)},
        {"renamed": client_of(provider)},
    ):
        later = Visitor(Website(clients, store=store))
        later.cookies.update(visitor.cookies)
        assert later.session == cookie
        assert later.who() is None
    same = Visitor(Website({"default": client_of(provider)}, store=store))
    same.cookies.update(visitor.cookies)
    assert same.who() is not None


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        pytest.param(["w" * 32], True, id="the same"),
        pytest.param(["n" * 32, "w" * 32], True, id="rotated"),
        pytest.param(["n" * 32], False, id="another"),
    ],
)
def test_sessions_follow_the_key_ring(
    visitor: Visitor, provider: MockProvider, client_of: MakeClient, keys: list[str], known: bool
) -> None:
    visitor.log_in(provider)
    clients = {"default": client_of(provider)}
    later = Visitor(Website(clients, store=visitor.site.store, ring=KeyRing(keys)))
    later.cookies.update(visitor.cookies)
    assert (later.who() is not None) is known


@pytest.mark.requirement("CL-LO-03")
def test_the_session_id_is_another_after_each_login_and_the_old_one_is_dead(
    visitor: Visitor, provider: MockProvider
) -> None:
    name = visitor.site.web._addresses.cookies(visitor.request("GET", "/")).session
    visitor.cookies[name] = "fixed-by-somebody-else"
    before = [visitor.session]
    for _ in range(3):
        visitor.log_in(provider)
        assert visitor.session not in before
        old = Visitor(visitor.site)
        old.cookies[name] = before[-1] or ""
        assert old.who() is None
        assert visitor.who() is not None
        before.append(visitor.session)
    assert len(visitor.site.store._sessions) == 1


def test_a_store_that_fails_is_told_to_the_caller(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)

    def fail(effect: Effect[Any]) -> None:
        raise StoreError("the disk is full")

    visitor.site.before = fail
    with pytest.raises(StoreError):
        visitor.who()
