"""`web.login_tokens`: the tokens of a session, kept while the session lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant import Secret, Tokens
from codegrant.client.effects import DeleteSession, FindSession
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


def test_of_two_refreshes_of_a_session_either_may_be_kept(make: Make) -> None:
    mine, its = make(), make()
    old = mine.load()
    assert mine.save(other(old, "one"), replacing=old)
    assert its.save(other(old, "two"), replacing=old)
    assert mine.load() == other(old, "two")


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
