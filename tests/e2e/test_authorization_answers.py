"""Denial, redirects, bounds and texts: what the authorization endpoint and its pages answer."""

from __future__ import annotations

import re

import pytest

from tests.support.authorization_world import (
    CALLBACK,
    NATIVE,
    World,
    build_world,
    error_code,
)
from tests.support.relying_party import (
    Answer,
    Change,
    RelyingParty,
    read_callback,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    return build_world(shared_server)


@pytest.mark.requirement("AS-AZ-13", "AS-AZ-11")
def test_a_denial_reaches_the_client_and_ends_the_transaction(world: World) -> None:
    page = world.native.open(world.alice)
    denied = world.alice.submit(page, button="consent-deny")
    assert denied.location.startswith(f"{NATIVE}?")
    callback = read_callback(denied.location)
    assert callback["error"] == "access_denied"
    assert (callback["state"], callback["iss"]) == (world.native.state, world.server.issuer)
    assert "code" not in callback
    after = world.alice.allow(page)
    assert error_code(after) == "invalid_request"
    assert "code" in world.native.authorize(world.alice)


@pytest.mark.requirement("AS-AZ-14")
def test_every_form_is_answered_with_303(world: World) -> None:
    party = register(world.server, "answers-303")
    browser = party.new_browser()
    posted = browser.post(f"{party.issuer}/authorize", party.authorization_request(), follow=False)
    login = browser.get(posted.location)
    typed = {"username": "alice", "password": "wonderland"}
    logged_in = browser.submit(login, typed, follow=False)
    consent = browser.get(logged_in.location)
    allowed = browser.submit(consent, button="consent-allow", follow=False)
    assert allowed.location.startswith(f"{CALLBACK}?code=")
    again = browser.get(party.authorize_url(prompt="consent"))
    denied = browser.submit(again, button="consent-deny", follow=False)
    account = browser.get(f"{party.issuer}/logout")
    logged_out = browser.submit(account, button="logout-yes", follow=False)
    answers = [posted, logged_in, allowed, denied, logged_out]
    assert [answer.status for answer in answers] == [303] * 5


@pytest.mark.requirement("AS-AZ-14")
def test_a_form_with_a_wrong_password_is_no_redirect(world: World) -> None:
    browser = world.asking.new_browser()
    page = world.asking.open(browser)
    wrong = browser.submit(page, {"username": "alice", "password": "wrong"}, follow=False)
    assert (wrong.status, wrong.location) == (400, "")
    assert wrong.has("login-error")


def by_get(party: RelyingParty, **changes: Change) -> Answer:
    return send("GET", party.authorize_url(**changes))


def by_post(party: RelyingParty, **changes: Change) -> Answer:
    return send_form(f"{party.issuer}/authorize", party.authorization_request(**changes))


@pytest.mark.requirement("AS-AZ-15")
@pytest.mark.parametrize("size", [20_000, 65_536, 200_000])
@pytest.mark.parametrize("name", ["state", "scope", "redirect_uri", "client_id", "unknown"])
def test_input_that_is_too_long_is_refused(world: World, name: str, size: int) -> None:
    for ask in (by_get, by_post):
        refused = ask(world.trusted, **{name: "x" * size})
        assert refused.status in {400, 413, 414, 431}, (ask.__name__, refused.status)
        assert not refused.location
        assert ask(world.trusted).status == 303


@pytest.mark.requirement("AS-AZ-15")
def test_a_thousand_parameters_are_refused(world: World) -> None:
    many = {f"p{number}": "x" for number in range(1000)}
    for ask in (by_get, by_post):
        refused = ask(world.trusted, **many)
        assert (refused.status, refused.location) == (400, "")


@pytest.mark.requirement("AS-AZ-15")
@pytest.mark.parametrize("field", ["username", "password", "csrf", "transaction", "unknown"])
def test_a_form_that_is_too_long_is_refused(world: World, field: str) -> None:
    browser = world.asking.new_browser()
    page = world.asking.open(browser)
    fields = {**dict(page.form.fields), "username": "alice", "password": "wonderland"}
    long = browser.post(page.form.action, [*{**fields, field: "x" * 65_536}.items()])
    assert (long.status, long.location) == (413, "")
    assert browser.post(page.form.action, [*fields.items()], follow=False).status == 303


@pytest.mark.requirement("AS-AZ-15")
@pytest.mark.parametrize(
    "query",
    [
        pytest.param("client_id=%ff%fe", id="no UTF-8"),
        pytest.param("client_id=%00", id="NUL"),
        pytest.param("client_id=trusted&state=%07", id="a bell in state"),
        pytest.param("client_id=trusted&scope=%zz", id="broken escape"),
        pytest.param("%", id="a percent sign"),
        pytest.param("&&&===&", id="separators"),
        pytest.param("", id="nothing"),
    ],
)
def test_malformed_input_is_a_page_and_never_a_failure(world: World, query: str) -> None:
    answer = send("GET", f"{world.server.issuer}/authorize?{query}")
    assert (answer.status, answer.location) == (400, "")
    assert "set-cookie" not in answer.headers


def test_a_line_end_in_state_starts_no_header(world: World) -> None:
    state = "a\r\nSet-Cookie: evil=1\r\n\r\n<html>"
    answer = by_get(world.trusted, state=state, response_type="token")
    assert answer.status == 303
    assert read_callback(answer.location)["state"] == state
    assert "set-cookie" not in answer.headers
    assert answer.body == b""


# %x20-21 / %x23-5B / %x5D-7E. RFC 6749 §4.1.2.1
ERROR_TEXT = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")
NASTY = 'a"b\\c ü 日 \r\n\t <b>'


@pytest.mark.requirement("AS-AZ-16")
@pytest.mark.parametrize(
    "name",
    [
        *("response_type", "scope", "code_challenge", "code_challenge_method", "prompt"),
        *("max_age", "response_mode", "resource", "claims", "id_token_hint", "request"),
    ],
)
def test_error_texts_have_no_character_that_is_not_allowed(world: World, name: str) -> None:
    location = world.trusted.open(world.alice, **{name: NASTY}).location
    assert location.isascii()
    assert not re.search(r"[\s<>\"\\]", location)
    refused = read_callback(location)
    assert ERROR_TEXT.fullmatch(refused["error"])
    assert ERROR_TEXT.fullmatch(refused["error_description"])


@pytest.mark.requirement("AS-AZ-16")
@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_an_error_page_shows_nothing_that_was_sent(world: World, name: str) -> None:
    page = world.trusted.open(world.alice, **{name: "<b>evil-marker</b>"})
    assert error_code(page) == "invalid_request"
    assert "evil-marker" not in page.text
    assert ERROR_TEXT.fullmatch(page.text_of("error-description"))


@pytest.mark.requirement("AS-AZ-17")
def test_the_consent_page_says_who_asks_for_what_and_where_it_leads(world: World) -> None:
    party = register(
        world.server,
        *("spoken", "--name", "Réservations & Co"),
        redirect_uri="https://booking.example:8443/cb",
    )
    page = party.open(world.alice, scope="openid profile offline_access")
    assert page.has("consent-allow"), page.text
    for text in (
        "Réservations &amp; Co",
        "booking.example:8443",
        "Confirm who you are",
        "See your name and profile",
        "Keep this access while you are not using the application",
    ):
        assert text in page.text
    assert "e-mail" not in page.text
    assert "alice" in page.text


@pytest.mark.requirement("AS-AZ-17")
def test_a_client_name_is_text_and_never_markup(world: World) -> None:
    name = '<img src=x onerror="alert(1)">'
    party = register(world.server, "markup", "--name", name)
    page = party.open(world.alice)
    assert "<img" not in page.text
    assert "&lt;img src=x" in page.text
    login = party.open(party.new_browser(), login_hint='"><script>alert(1)</script>')
    assert "<script" not in login.text
    assert login.has("login-submit")


@pytest.mark.requirement("AS-AZ-18")
def test_a_public_client_on_loopback_asks_every_time(world: World) -> None:
    for _ in range(2):
        page = world.native.open(world.alice)
        assert page.has("consent-allow")
        assert "code" in read_callback(world.alice.allow(page).location)
    silent = read_callback(world.native.open(world.alice, prompt="none").location)
    assert silent["error"] == "consent_required"


@pytest.mark.requirement("AS-AZ-18")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="confidential"),
        pytest.param(("--public",), id="public behind https"),
    ],
)
def test_a_client_that_is_assured_asks_once(world: World, options: tuple[str, ...]) -> None:
    party = register(world.server, f"once-{len(options)}", *options)
    page = party.open(world.alice)
    assert page.has("consent-allow")
    world.alice.allow(page)
    assert "code" in read_callback(party.open(world.alice).location)
    assert "code" in read_callback(party.open(world.alice, prompt="none").location)
    more = party.open(world.alice, scope="openid profile email offline_access")
    assert more.has("consent-allow")
