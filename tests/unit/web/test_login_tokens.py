"""`web.login_tokens`: the tokens of a session, kept while the session lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant import Secret, Tokens
from codegrant.client import LeasedTokens
from codegrant.client.effects import DeleteSession, FindSession, SaveSession
from codegrant.flow import Effect, Flow, run
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_tokens import SessionTokens
from tests.support.mock_provider import MockProvider
from tests.support.website import Visitor, Website

Make = Callable[[], SessionTokens]


@pytest.fixture
def told() -> list[SignedIn]:
    return []


@pytest.fixture
def make(visitor: Visitor, provider: MockProvider, told: list[SignedIn]) -> Make:
    """Makes what a request of the one who signed in has."""
    visitor.log_in(provider)
    site: Website = visitor.site

    def drive(flow: Flow[Any]) -> Any:
        return run(flow, site.perform)

    def make_one() -> SessionTokens:
        who = visitor.who()
        assert who is not None
        return SessionTokens(
            site.web.sessions, who, drive=drive, clock=lambda: site.now, tell=told.append
        )

    return make_one


def other(tokens: Tokens | None, name: str = "other") -> Tokens:
    assert tokens is not None
    return replace(tokens, access_token=Secret(name))


def test_the_first_load_is_what_the_request_has_found(make: Make, visitor: Visitor) -> None:
    tokens, seen = make(), list[Effect[Any]]()
    visitor.site.before = seen.append
    first = tokens.load()
    assert seen == []
    assert tokens.load() == first
    assert [type(effect) for effect in seen] == [FindSession]


def test_what_is_saved_is_there_for_the_next_request(
    make: Make, visitor: Visitor, told: list[SignedIn]
) -> None:
    mine, its = make(), make()
    old = mine.load()
    assert its.load() == old
    new = other(old)
    assert mine.save(new, replacing=old)
    assert its.load() == new
    assert make().load() == new
    assert [signed_in.tokens for signed_in in told] == [new, new]
    who = visitor.who()
    assert who is not None
    assert (who.tokens, who.since, who.expires_at) == (new, told[0].since, told[0].expires_at)


def test_of_two_refreshes_of_a_session_the_first_is_kept(make: Make, told: list[SignedIn]) -> None:
    mine, its = make(), make()
    old = mine.load()
    assert its.load() == old
    assert mine.save(other(old, "one"), replacing=old)
    assert not its.save(other(old, "two"), replacing=old)
    assert [signed_in.tokens for signed_in in told] == [other(old, "one")]
    assert its.load() == other(old, "one")
    assert its.save(other(old, "two"), replacing=other(old, "one"))
    assert its.save(other(old, "three"))
    assert mine.load() == other(old, "three")


def test_what_is_saved_between_a_look_and_its_write_is_not_undone(
    make: Make, visitor: Visitor
) -> None:
    mine, its = make(), make()
    old, effects = mine.load(), list[Effect[Any]]()

    def sibling_is_quicker(effect: Effect[Any]) -> None:
        if isinstance(effect, SaveSession) and not effects:
            effects.append(effect)
            assert its.save(other(old, "its"), replacing=old)

    visitor.site.before = sibling_is_quicker
    assert not mine.save(other(old, "mine"), replacing=old)
    assert mine.load() == other(old, "its")


ME, YOU, NOW = b"m" * 16, b"y" * 16, 1_800_000_000


def test_requests_of_a_session_share_its_lease(make: Make) -> None:
    mine, its = make(), make()
    assert isinstance(mine, LeasedTokens)
    assert mine.take_lease(ME, NOW, 5)
    assert not its.take_lease(YOU, NOW + 4, 5)
    assert mine.take_lease(ME, NOW + 4, 5)
    assert not its.release_lease(YOU)
    assert its.take_lease(YOU, NOW + 9, 5)
    assert not mine.release_lease(ME)
    assert its.release_lease(YOU)


def test_each_session_has_a_lease_of_its_own(
    make: Make, visitor: Visitor, provider: MockProvider
) -> None:
    mine = make()
    visitor.log_in(provider)
    other_session, its_sibling = make(), make()
    assert mine.take_lease(ME, NOW, 5)
    assert other_session.take_lease(YOU, NOW, 5)
    assert not its_sibling.take_lease(ME, NOW, 5)


def test_a_session_that_has_ended_gets_no_tokens(
    make: Make, visitor: Visitor, told: list[SignedIn]
) -> None:
    tokens = make()
    old, who = tokens.load(), visitor.who()
    assert who is not None
    visitor.site.store.perform(DeleteSession(who.session))
    assert not tokens.save(other(old), replacing=old)
    assert tokens.load() is None
    assert not tokens.delete()
    assert told == []
    assert visitor.who() is None


def test_a_session_ends_only_with_the_tokens_that_are_dead(make: Make, visitor: Visitor) -> None:
    tokens = make()
    old = tokens.load()
    new = other(old)
    tokens.save(new)
    assert not tokens.delete(old)
    assert visitor.who() is not None
    assert tokens.delete(new)
    assert visitor.who() is None
    assert not tokens.delete()
