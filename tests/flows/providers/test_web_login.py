"""Web logins at personas, in every framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from codegrant.client import LoginOptions
from codegrant.testing.personas import Person, Persona
from codegrant.testing.wire import Wire
from tests.support.application import Clock
from tests.support.login_sites import FORM, SITES, SYNC, Reply, SiteBrowser
from tests.support.personas import CLIENT_ID, SECRET, known, make_client, make_persona

CALLBACK = "http://127.0.0.1:5000/callback"

MakeSite: TypeAlias = Callable[..., SiteBrowser]


@pytest.fixture(params=sorted(SITES))
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def make(framework: str, clock: Clock, tmp_path: Path, wire: Wire) -> Iterator[MakeSite]:
    """Makes applications with a login at one provider, or several by their names."""
    sites: list[Any] = []
    clients: list[Any] = []

    def make(*personas: Persona, ask: Any = None, **arguments: Any) -> SiteBrowser:
        made: dict[str, Any] = {}
        for persona in personas:
            persona.serve(wire)
            client = make_client(
                known(persona.facts.id),
                is_async=framework not in SYNC,
                clock=clock,
                redirect_uri=None,
                **arguments,
            )
            made[persona.facts.id] = client
        clients.extend(made.values())
        one = next(iter(made.values()))
        login = made if len(made) > 1 else one
        settings = {"clock": clock, "session_lifetime": 30 * 86_400, "ask": ask}
        sites.append(SITES[framework](tmp_path, login, **settings))
        return SiteBrowser(sites[-1])

    yield make
    for site in sites:
        site.close()
    for client in clients if framework in SYNC else []:
        client.close()


def persona_at(name: str, clock: Clock, callback: str = CALLBACK) -> Persona:
    return make_persona(name, redirect_uri=callback, clock=clock)


def pass_through(browser: SiteBrowser, persona: Persona, url: str = "/login") -> Reply:
    """Log in as far as the callback's answer."""
    sent = browser.get(url)
    assert sent.status == 303, sent.text
    return browser.get(persona.authorize(sent.location))


def post_through(browser: SiteBrowser, persona: Persona, url: str) -> Reply:
    """As `pass_through`, with a form of the provider's site, which brings no session."""
    return browser.post_from_provider(persona.authorize(browser.get(url).location))


def asked(persona: Persona, grant_type: str) -> int:
    forms = [parse_qs(r.body.decode()) for r in persona.requests if r.method == "POST"]
    return sum(form.get("grant_type") == [grant_type] for form in forms)


def test_somebody_is_identified_without_openid(make: MakeSite, clock: Clock) -> None:
    github = persona_at("github", clock)
    browser = make(github)
    assert pass_through(browser, github, "/login?return_to=/profile").location == "/profile"
    assert browser.who() == Person().subject
    # Found once, at the callback: a page asks the provider nothing.
    before = len(github.requests)
    assert browser.get("/profile").json["subject"] == Person().subject
    assert len(github.requests) == before
    clock.ahead = 86_400
    assert browser.who() == Person().subject


def test_a_login_whose_tokens_are_bound_to_a_key_lasts(make: MakeSite, clock: Clock) -> None:
    bluesky = persona_at("bluesky", clock)
    browser = make(bluesky)
    assert pass_through(browser, bluesky, "/login?return_to=/profile").location == "/profile"
    assert browser.who() == f"did:plc:{Person().subject}"
    # The key is kept with the session: a day later it proves the refresh, and the call.
    clock.ahead = 86_400
    bluesky.change_nonces()
    browser.site.api_url = bluesky.facts.userinfo
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}
    assert asked(bluesky, "refresh_token") == 2  # refused for want of the nonce, and with it


def test_a_login_that_cannot_be_identified_is_none(make: MakeSite, clock: Clock) -> None:
    github = persona_at("github", clock)
    browser = make(github)
    sent = browser.get("/login")
    callback = github.authorize(sent.location)
    github.facts = replace(github.facts, user=lambda _: {"login": "ada"})
    failed = browser.get(callback)
    assert (failed.status, failed.code) == (502, "sub_missing")
    assert browser.who() is None


def test_two_providers_side_by_side_are_two_people(make: MakeSite, clock: Clock) -> None:
    github = persona_at("github", clock, f"{CALLBACK}/github")
    discord = persona_at("discord", clock, f"{CALLBACK}/discord")
    browser = make(github, discord)
    pass_through(browser, github, "/login/github")
    assert browser.get("/profile").json["provider"] == "https://github.com/login/oauth"
    pass_through(browser, discord, "/login/discord")
    assert browser.get("/profile").json["subject"] == Person().subject


def test_google_is_asked_for_consent_once_when_no_refresh_token_is_there(
    make: MakeSite, clock: Clock
) -> None:
    google = persona_at("google", clock)
    google.authorize(make(google).get("/login").location)  # consented before, somewhere else
    browser = make(google)
    first = pass_through(browser, google, "/login?return_to=/profile")
    # Signed in already; the way back leads through Google once more.
    assert browser.who() == Person().subject
    assert urlsplit(first.location).path == "/login"
    sent = browser.get(first.location)
    assert parse_qs(urlsplit(sent.location).query)["prompt"] == ["consent"]
    second = browser.get(google.authorize(sent.location))
    assert second.location == "/profile"
    assert asked(google, "authorization_code") == 2
    # The refresh token is there: an hour later the page still works.
    clock.ahead = 7200
    browser.site.api_url = "https://openidconnect.googleapis.com/v1/userinfo"
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}


def test_the_refresh_token_of_the_session_before_is_kept(make: MakeSite, clock: Clock) -> None:
    google = persona_at("google", clock)
    browser = make(google)
    assert pass_through(browser, google).location == "/"
    again = pass_through(browser, google, "/login?return_to=/profile")
    assert again.location == "/profile"
    clock.ahead = 7200
    browser.site.api_url = "https://openidconnect.googleapis.com/v1/userinfo"
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}
    assert asked(google, "refresh_token") == 1


def test_another_person_s_refresh_token_is_not(make: MakeSite, clock: Clock) -> None:
    google = persona_at("google", clock)
    browser = make(google)
    pass_through(browser, google)
    google.person = Person(number=7, email="eve@example.com")
    google.authorize(browser.get("/login").location)  # Eve has consented before
    answer = pass_through(browser, google)
    assert browser.who() == "7"
    assert "consent=1" in answer.location


def test_a_provider_that_gives_no_refresh_token_at_all_makes_no_loop(
    make: MakeSite, clock: Clock
) -> None:
    google = persona_at("google", clock)
    google.facts = replace(google.facts, offline="never")
    browser = make(google)
    first = pass_through(browser, google, "/login?return_to=/profile")
    assert "consent=1" in first.location
    second = pass_through(browser, google, first.location)
    assert second.location == "/profile"
    assert browser.get("/profile").status == 200


def test_nor_does_one_whose_answers_are_forms(make: MakeSite, clock: Clock) -> None:
    """With a form of another site the browser brings no session that would tell."""
    google = persona_at("google", clock)
    google.facts = replace(google.facts, offline="never")
    browser = make(google, response_mode="form_post")
    first = post_through(browser, google, "/login?return_to=/profile")
    assert "consent=1" in first.location
    assert post_through(browser, google, first.location).location == "/profile"


def test_what_a_login_asks_for_is_asked_for_again_with_the_consent(
    make: MakeSite, clock: Clock
) -> None:
    google = persona_at("google", clock)
    ask = {"default": LoginOptions(), "known": LoginOptions(login_hint="person@example.com")}
    browser = make(google, ask=ask)
    google.authorize(browser.get("/login").location)  # consented before
    first = pass_through(browser, google, "/login?ask=known&return_to=/profile")
    assert dict(parse_qsl(urlsplit(first.location).query)) == {
        "consent": "1", "ask": "known", "return_to": "/profile",
    }  # fmt: skip
    sent = browser.get(first.location)
    assert parse_qs(urlsplit(sent.location).query)["login_hint"] == ["person@example.com"]


def test_without_offline_nobody_is_asked(make: MakeSite, clock: Clock) -> None:
    google = persona_at("google", clock)
    browser = make(google, offline=False)
    for _ in range(2):
        assert pass_through(browser, google, "/login?return_to=/profile").location == "/profile"
    sent = browser.get("/login?consent=1")
    assert "prompt" not in parse_qs(urlsplit(sent.location).query)


def test_no_cookie_and_no_page_shows_a_secret(make: MakeSite, clock: Clock) -> None:
    google = persona_at("google", clock)
    browser = make(google)
    answer = pass_through(browser, google)
    told = f"{browser.jar}{answer.text}{answer.location}"
    for one in (SECRET, Person().email, Person().name):
        assert one not in told
    assert CLIENT_ID not in answer.text


def test_apple_s_form_is_a_callback_and_brings_the_name_once(make: MakeSite, clock: Clock) -> None:
    apple = persona_at("apple", clock)
    browser = make(apple)
    for _ in range(2):
        sent = browser.get("/login?return_to=/profile")
        _, form = apple.authorize_form(sent.location)
        assert (b"firstName" in form) is (browser.who() is None)
        back = browser.post("/callback", FORM, form)
        assert (back.status, back.location) == (303, "/profile"), back.text
        # A second delivery leads to the same place, and no code is sent twice.
        assert browser.post("/callback", FORM, form).location == "/profile"
        assert browser.who() == Person().subject
    assert asked(apple, "authorization_code") == 2
    # The same in the address is none of Apple's answers: the browser could have been lured.
    assert browser.post("/callback", FORM, b"state=x&code=y").status >= 400
