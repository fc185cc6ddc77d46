"""What a provider that lies, stalls or is broken gets, in every framework.

A page that says so in calm words, with the reference under which the log has the cause; no
session, no credential for anybody else, and the session from before as it was.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import pytest

from tests.support.login_sites import Reply, SiteBrowser
from tests.support.mock_provider import (
    CLIENT_SECRET,
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

JSON = [("content-type", "application/json")]
HUGE = Answer(200, b'{"a":"' + b"x" * (10 << 20) + b'"}', JSON)
BROKEN = Answer(200, b'{"access_token": "x', JSON)


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
    "keys: none": Bad(signs_with_a_key_of_nobody, "unknown_key"),
    "keys: lead away": Bad(leads_away("/jwks", 302), "keys_unavailable"),
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


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    listener = Listener()

    def take(_: Received) -> Answer:
        return as_json({"access_token": "x", "token_type": "Bearer", "keys": []})

    for path in ("/token", "/jwks", DISCOVERY):
        listener.routes[path] = take
    yield listener
    listener.close()


def log_in(browser: SiteBrowser, provider: MockProvider) -> Reply:
    """Go as far as the login leads."""
    started = browser.get("/login?return_to=/profile")
    if started.status != 303:
        return started
    return browser.get(provider.authorize(started.location))


def session_of(browser: SiteBrowser) -> list[str]:
    return [value for name, value in browser.cookies.items() if "cg-app-" in name]


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
    session = session_of(before)
    # Another worker, which knows neither metadata nor keys yet; the browser is the same.
    browser = before.tab(make_site(client={"timeout": 0.3}).site)
    bad.bend(provider, elsewhere.origin)
    caplog.clear()
    caplog.set_level(logging.DEBUG, "codegrant")
    page = log_in(browser, provider)
    assert (page.status, page.code) == (bad.status, bad.code)
    found = re.search(r'id="reference">([0-9a-f]{12})<', page.text)
    assert found, page.text
    assert any(found[1] in line and bad.code in line for line in caplog.messages)
    told = page.text + json.dumps(page.headers.pairs()) + caplog.text
    for secret in (CLIENT_SECRET, *provider.access_tokens, *provider.refresh_tokens):
        assert secret not in told
    assert "Traceback" not in told
    assert elsewhere.received == []
    assert session_of(browser) == session
    assert before.who() == "person-1"
