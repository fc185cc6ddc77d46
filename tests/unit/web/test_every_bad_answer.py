"""What a provider that lies, stalls or is broken gets, in every framework.

A page that says so in calm words, with the reference under which the log has the cause; no
session, no credential for anybody else, and the session from before as it was.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.application import Clock
from tests.support.login_sites import Reply, SiteBrowser
from tests.support.mock_provider import (
    BROKEN,
    CLIENT_SECRET,
    HUGE,
    Answer,
    Lie,
    Listener,
    MockProvider,
    Received,
    as_json,
    html,
    redirect,
)
from tests.unit.web.conftest import MakeSite

Bend: TypeAlias = Callable[[MockProvider, str], None]


class Bad(NamedTuple):
    """A provider's fault, the code that it has, and the status of the page."""

    bend: Bend
    code: str
    status: int = 502


def answers(path: str, answer: Answer) -> Bend:
    """Return what has an endpoint answer so."""

    def bend(provider: MockProvider, _: str) -> None:
        provider.routes[path] = lambda _: answer

    return bend


def leads_away(path: str, status: int = 307) -> Bend:
    """Return what has an endpoint redirect to somebody else, with body and method."""

    def bend(provider: MockProvider, elsewhere: str) -> None:
        provider.routes[path] = lambda _: redirect(f"{elsewhere}{path}", status)

    return bend


def stalls(path: str) -> Bend:
    def bend(provider: MockProvider, _: str) -> None:
        provider.routes[path] = provider.hang

    return bend


def lies(what: str, **members: object) -> Bend:
    def bend(provider: MockProvider, _: str) -> None:
        setattr(provider, what, Lie(members))

    return bend


def tells_another_person(provider: MockProvider, _: str) -> None:
    """The ID token has no address, so userinfo is asked, and is about somebody else."""
    provider.claims = Lie({"email": None})
    provider.userinfo = Lie({"sub": "somebody-else", "email": "eve@example.test"})


def signs_with_a_key_of_nobody(provider: MockProvider, _: str) -> None:
    provider.routes["/jwks"] = lambda _: as_json({"keys": []})


def tells_in_a_token_of_a_forger(provider: MockProvider, _: str) -> None:
    """Userinfo is a JWT, as some providers have it, and its signature is not the provider's."""
    whole = provider.sign({"iss": provider.issuer, "sub": provider.subject, "email": "eve@x.test"})
    forged = f"{whole.rpartition('.')[0]}.{'A' * 86}"
    answer = Answer(200, forged.encode(), [("content-type", "application/jwt")])
    provider.routes["/userinfo"] = lambda _: answer


# Seconds, where answers that stall and answers that come are for one client.
PATIENCE = 1.0
DISCOVERY = "/.well-known/openid-configuration"
CASES = {
    "discovery: a page": Bad(answers(DISCOVERY, html()), "discovery_failed"),
    "discovery: 10 MB": Bad(answers(DISCOVERY, HUGE), "too_large", 503),
    "discovery: leads away": Bad(leads_away(DISCOVERY, 302), "discovery_failed"),
    "discovery: stalls": Bad(stalls(DISCOVERY), "timeout", 503),
    "discovery: another issuer": Bad(
        lies("metadata", issuer="https://evil.example"), "issuer_mismatch"
    ),
    "keys: a page": Bad(answers("/jwks", html()), "malformed_json"),
    "keys: 10 MB": Bad(answers("/jwks", HUGE), "too_large", 503),
    "keys: none": Bad(signs_with_a_key_of_nobody, "unknown_key"),
    "keys: lead away": Bad(leads_away("/jwks", 302), "keys_unavailable"),
    "keys: stall": Bad(stalls("/jwks"), "timeout", 503),
    "token: a page": Bad(answers("/token", html()), "not_json"),
    "token: a page about an error": Bad(answers("/token", html(500)), "server_failed"),
    "token: 10 MB": Bad(answers("/token", HUGE), "too_large", 503),
    "token: half of it": Bad(answers("/token", BROKEN), "malformed_token_response"),
    "token: leads away": Bad(leads_away("/token"), "redirect_refused"),
    "token: stalls": Bad(stalls("/token"), "timeout", 503),
    "token: of a type unknown": Bad(lies("token", token_type="mac"), "token_type_unknown"),
    "token: none": Bad(lies("token", access_token=None), "malformed_token_response"),
    "token: no ID token": Bad(lies("token", id_token=None), "id_token_missing"),
    "ID token: for another client": Bad(lies("claims", aud="another"), "audience_mismatch"),
    "ID token: of another login": Bad(lies("claims", nonce="n" * 43), "nonce_mismatch"),
    "ID token: of another issuer": Bad(
        lies("claims", iss="https://evil.example"), "issuer_mismatch"
    ),
    "ID token: of nobody": Bad(lies("claims", sub=None), "claim_missing"),
    "userinfo: another person": Bad(tells_another_person, "sub_mismatch"),
}
# Without these the person is known all the same, and signed in without an address.
USERINFO = {
    "a page": Bad(answers("/userinfo", html()), "not_json"),
    "a page about an error": Bad(answers("/userinfo", html(500)), "server_failed"),
    "10 MB": Bad(answers("/userinfo", HUGE), "too_large"),
    "half of it": Bad(answers("/userinfo", BROKEN), "malformed_userinfo"),
    "leads away": Bad(leads_away("/userinfo"), "redirect_refused"),
    "stalls": Bad(stalls("/userinfo"), "timeout"),
    "of nobody": Bad(lies("userinfo", sub=None), "sub_missing"),
    "signed by somebody else": Bad(tells_in_a_token_of_a_forger, "signed_userinfo"),
}
REFRESH = {
    "a page": Bad(answers("/token", html()), "not_json"),
    "a page about an error": Bad(answers("/token", html(500)), "server_failed"),
    "10 MB": Bad(answers("/token", HUGE), "too_large"),
    "half of it": Bad(answers("/token", BROKEN), "malformed_token_response"),
    "leads away": Bad(leads_away("/token"), "redirect_refused"),
    "stalls": Bad(stalls("/token"), "timeout"),
    "of a type unknown": Bad(lies("refreshed", token_type="mac"), "token_type_unknown"),
    "none": Bad(lies("refreshed", access_token=None), "malformed_token_response"),
    "of another person": Bad(lies("refreshed_claims", sub="eve"), "subject_mismatch"),
    "of another login": Bad(lies("refreshed_claims", nonce="n" * 43), "nonce_mismatch"),
}
REVOCATION = {
    "a page": Bad(answers("/revoke", html(404)), "not_json"),
    "a page about an error": Bad(answers("/revoke", html(500)), "server_failed"),
    "10 MB": Bad(answers("/revoke", HUGE), "too_large"),
    "half of it": Bad(answers("/revoke", BROKEN._replace(status=400)), "not_json"),
    "leads away": Bad(leads_away("/revoke"), "redirect_refused"),
    "stalls": Bad(stalls("/revoke"), "timeout"),
}


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    listener = Listener()

    def take(_: Received) -> Answer:
        return as_json({"access_token": "x", "token_type": "Bearer", "sub": "eve", "keys": []})

    for path in ("/token", "/jwks", "/userinfo", "/revoke", DISCOVERY):
        listener.routes[path] = take
    yield listener
    listener.close()


def log_in(browser: SiteBrowser, provider: MockProvider) -> tuple[Reply, set[str]]:
    """Go as far as the login leads; return the answer, and what the callback held."""
    started = browser.get("/login?return_to=/profile")
    if started.status != 303:
        return started, set()
    callback = provider.authorize(started.location)
    asked = parse_qs(urlsplit(started.location).query)
    held = parse_qs(urlsplit(callback).query)
    return browser.get(callback), {*asked["nonce"], *held["code"], *held["state"]}


def session_of(browser: SiteBrowser) -> list[str]:
    return [value for name, value in browser.cookies.items() if "cg-app-" in name]


def secrets_of(provider: MockProvider) -> set[str]:
    """Return what only the provider and the application may see."""
    verifiers = {form["code_verifier"] for form in provider.sent("authorization_code")}
    return {CLIENT_SECRET, *provider.minted, *verifiers}


def shown_of(secrets: set[str], *texts: str) -> list[str]:
    return [secret for secret in secrets if any(secret in text for text in texts)]


@contextmanager
def bent(provider: MockProvider, bad: Bad, elsewhere: Listener) -> Iterator[None]:
    """Have the provider do so for a while; no refresh token is spent meanwhile."""
    truth, routes = dict(vars(provider)), dict(provider.routes)
    tokens = dict(provider.refresh_tokens)
    bad.bend(provider, elsewhere.origin)
    yield
    vars(provider).update(truth)
    provider.routes.update(routes)
    provider.refresh_tokens.update(tokens)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_answer_ends_in_a_page_and_costs_nothing(
    make_site: MakeSite,
    provider: MockProvider,
    elsewhere: Listener,
    case: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = CASES[case]
    before = make_site()
    before.log_in(provider)
    session, rows = session_of(before), before.site.rows()
    # Another worker, which knows neither metadata nor keys yet; the browser is the same.
    # Its patience is short only where it is tried: a busy machine, too, keeps a client waiting.
    client = {"timeout": 0.3} if bad.code == "timeout" else {}
    browser = before.tab(make_site(client=client).site)
    stranger = SiteBrowser(browser.site)
    bad.bend(provider, elsewhere.origin)
    caplog.clear()
    caplog.set_level(logging.DEBUG, "codegrant")
    for visitor in (browser, stranger):
        page, held = log_in(visitor, provider)
        assert (page.status, page.code) == (bad.status, bad.code)
        found = re.search(r'id="reference">([0-9a-f]{12})<', page.text)
        assert found, page.text
        assert any(found[1] in line and bad.code in line for line in caplog.messages)
        secrets, cookies = held | secrets_of(provider), set(visitor.cookies.values())
        assert shown_of(secrets, page.text, json.dumps(page.headers.pairs()), caplog.text) == []
        assert shown_of(cookies, page.text, caplog.text) == []
        assert shown_of(secrets | cookies, browser.site.kept().decode("latin-1")) == []
        assert "Traceback" not in page.text + caplog.text
    assert elsewhere.received == []
    assert browser.site.rows() == rows
    assert len(rows) >= 1
    assert (session_of(browser), session_of(stranger)) == (session, [])
    assert (before.who(), stranger.who()) == ("person-1", None)


def test_without_userinfo_the_person_is_known_and_nothing_of_it_is_kept(
    make_site: MakeSite,
    provider: MockProvider,
    elsewhere: Listener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = make_site(client={"timeout": PATIENCE})
    provider.claims = Lie({"email": None})  # so that userinfo is asked
    caplog.set_level(logging.DEBUG, "codegrant")
    for case, bad in USERINFO.items():
        caplog.clear()
        asked = provider.count("/userinfo")
        with bent(provider, bad, elsewhere):
            page, held = log_in(browser, provider)
        assert (page.status, page.location) == (303, "/profile"), case
        assert provider.count("/userinfo") == asked + 1, case
        assert f"code='{bad.code}'" in caplog.text, case
        assert browser.who() == "person-1", case
        assert shown_of(held | secrets_of(provider), caplog.text) == [], case
    assert elsewhere.received == []


def test_a_bad_answer_to_a_refresh_costs_no_session_and_reaches_nobody(
    make_site: MakeSite,
    provider: MockProvider,
    elsewhere: Listener,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = make_site(client={"timeout": PATIENCE})
    browser.site.api_url = f"{elsewhere.origin}/me"
    elsewhere.routes["/me"] = lambda _: as_json({})
    browser.log_in(provider)
    assert browser.get("/call").json == {"status": [200, 200], "changed": False}
    elsewhere.received.clear()
    clock.ahead += 301
    rows = browser.site.rows()
    caplog.set_level(logging.DEBUG, "codegrant")
    for case, bad in REFRESH.items():
        asked = len(provider.sent("refresh_token"))
        with bent(provider, bad, elsewhere):
            page = browser.get("/call")
        assert (page.status, page.location) == (500, ""), case
        assert len(provider.sent("refresh_token")) == asked + 1, case
        assert elsewhere.received == [], case
        assert browser.site.rows() == rows, case
        assert browser.who() == "person-1", case
        secrets = secrets_of(provider) | set(browser.cookies.values())
        assert shown_of(secrets, page.text, caplog.text) == [], case
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}


def test_a_bad_answer_to_a_revocation_keeps_nobody_signed_in_and_reaches_nobody(
    make_site: MakeSite,
    provider: MockProvider,
    elsewhere: Listener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser, other = make_site(client={"timeout": PATIENCE}), make_site()
    other.log_in(provider)
    rows = other.site.rows()
    caplog.set_level(logging.DEBUG, "codegrant")
    for case, bad in REVOCATION.items():
        browser.log_in(provider)
        caplog.clear()
        asked = provider.count("/revoke")
        with bent(provider, bad, elsewhere):
            page = browser.post("/logout")
        assert (page.status, page.location) == (303, "/"), case
        assert provider.count("/revoke") == asked + 1, case
        assert f"code='{bad.code}'" in caplog.text, case
        assert browser.who() is None, case
        assert other.site.rows() == rows, case
        assert shown_of(secrets_of(provider), page.text, caplog.text) == [], case
    assert elsewhere.received == []
    assert other.who() == "person-1"
