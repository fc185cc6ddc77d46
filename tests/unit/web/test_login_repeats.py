"""`web.login_repeats`: a repeat leads to the same place and brings no session back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant.client.effects import FinishCallback
from codegrant.flow import Effect
from tests.support.mock_provider import MockProvider
from tests.support.website import Visitor, Website
from tests.unit.web.conftest import MakeClient


@pytest.fixture
def two(provider: MockProvider, other_provider: MockProvider, client_of: MakeClient) -> Visitor:
    """A browser at a site with a provider that answers with a query and one with a form."""
    other_provider.subject = "person-2"
    clients = {
        "one": client_of(provider),
        "two": client_of(other_provider, response_mode="form_post"),
    }
    return Visitor(Website(clients))


def person(visitor: Visitor) -> str | None:
    who = visitor.who()
    return None if who is None else who.identity.subject


def post_from_provider(visitor: Visitor, callback: str) -> None:
    """Bring a callback as a form of another site: without the cookies that are `Lax`."""
    path, _, query = callback.partition("?")
    host, mine = next(iter(visitor.jar.items()))
    visitor.jar[host] = {n: v for n, v in mine.items() if n in visitor.pending[-1:]}
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert visitor.send("POST", path, form, query.encode()).status == 303
    visitor.jar[host] = {**mine, **visitor.jar[host]}


def test_a_repeat_takes_the_place_of_no_session_that_came_later_as_a_form(
    two: Visitor, provider: MockProvider, other_provider: MockProvider
) -> None:
    callback = provider.authorize(two.start("/login/one?return_to=/orders"))
    two.get(callback)
    assert person(two) == "person-1"
    # The form brings no session, so the first one is still there.
    post_from_provider(two, other_provider.authorize(two.start("/login/two")))
    assert person(two) == "person-2"
    assert len(two.site.store._sessions) == 2

    repeat = two.get(callback)
    assert (repeat.status, repeat.headers.get("location")) == (303, "/orders")
    assert not repeat.headers.get_all("set-cookie")
    assert person(two) == "person-2"


def test_signing_out_ends_the_sessions_of_all_logins_that_could_be_repeated(
    two: Visitor, provider: MockProvider, other_provider: MockProvider
) -> None:
    callback = provider.authorize(two.start("/login/one?return_to=/orders"))
    two.get(callback)
    post_from_provider(two, other_provider.authorize(two.start("/login/two")))
    assert two.send("POST", "/logout").status == 303
    assert not two.site.store._sessions
    assert provider.refresh_tokens == other_provider.refresh_tokens == {}

    repeat = two.get(callback)
    assert (repeat.status, repeat.headers.get("location")) == (303, "/orders")
    assert person(two) is None


def test_signing_out_leaves_the_logins_of_other_tabs_alone(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    begun = provider.authorize(visitor.start("/login?return_to=/other"))
    visitor.send("POST", "/logout")
    assert person(visitor) is None
    assert visitor.get(begun).headers.get("location") == "/other"
    assert person(visitor) == "person-1"


def test_a_session_that_the_end_of_a_login_knew_of_is_replaced_by_a_repeat_as_well(
    visitor: Visitor, provider: MockProvider
) -> None:
    """The browser has not seen the first answer: it still brings the older session."""
    visitor.log_in(provider)
    older = visitor.session
    provider.subject = "person-2"
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    visitor.site.respond(replace(visitor.request("GET", callback)))
    assert visitor.session == older
    assert visitor.get(callback).headers.get("location") == "/orders"
    assert person(visitor) == "person-2"
    assert len(visitor.site.store._sessions) == 1


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lambda mine: "planted", id="instead"),
        pytest.param(lambda mine: f"{mine}; {{0}}=planted", id="beside"),
    ],
)
def test_a_repeat_gives_no_session_to_who_brings_an_unknown_one(
    visitor: Visitor, provider: MockProvider, plant: Callable[[str], str]
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    visitor.get(callback)
    (name,) = (name for name in visitor.cookies if "cg-app-" in name)
    visitor.cookies[name] = plant(visitor.cookies[name]).format(name)
    repeat = visitor.get(callback)
    assert (repeat.status, repeat.headers.get("location")) == (303, "/orders")
    assert not repeat.headers.get_all("set-cookie")


def test_of_two_logins_that_end_at_once_neither_ends_the_other_and_signing_out_ends_both(
    visitor: Visitor, provider: MockProvider
) -> None:
    one, two = (provider.authorize(visitor.start(f"/login?return_to=/{n}")) for n in "12")
    other = Visitor(visitor.site)
    other.jar = {host: dict(jar) for host, jar in visitor.jar.items()}
    before = dict(visitor.cookies)

    def come_between(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback):
            visitor.site.before = lambda _: None
            assert other.get(two).status == 303

    visitor.site.before = come_between
    assert visitor.get(one).status == 303
    assert len(visitor.site.store._sessions) == 2
    assert (person(visitor), person(other)) == ("person-1", "person-1")
    # It is one browser, and the other answer came last.
    visitor.cookies.update({n: v for n, v in other.cookies.items() if before.get(n) != v})
    session = visitor.session
    for number, callback in (("1", one), ("2", two)):
        kept = dict(visitor.cookies)
        assert visitor.get(callback).headers.get("location") == f"/{number}"
        assert visitor.session == session
        visitor.cookies.update(kept)
    visitor.send("POST", "/logout")
    assert not visitor.site.store._sessions


def test_a_mark_that_somebody_has_put_on_a_cookie_ends_nothing_of_others(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    visitor.log_in(provider)
    for name in visitor.pending:
        visitor.cookies[name] = visitor.cookies[name].rstrip(".") + "."
    visitor.cookies[f"{visitor.pending[0][:-8]}00000000"] = "x."
    assert visitor.get(callback).headers.get("location") == "/orders"
    assert person(visitor) == "person-1"
