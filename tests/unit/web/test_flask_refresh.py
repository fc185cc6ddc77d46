"""`login.api` over the life of a session: refreshed, kept with it, and revoked at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from codegrant.client.memory import MemoryTokenStore
from codegrant.web.flask import Login
from tests.support.application import Clock
from tests.support.flask_client import BASE, carry_cookies, get, log_in
from tests.support.mock_provider import Answer, Lie, Listener, MockProvider, Received, as_json
from tests.unit.web.conftest import MakeClient, MakeFlask


class Site:
    """A Flask application that calls an API, and both clocks."""

    def __init__(self, app: flask.Flask, provider: MockProvider, clock: Clock) -> None:
        self.app, self.provider, self.clock = app, provider, clock
        self.api = Listener()
        self.api.routes["/me"] = self._me
        login: Login = app.extensions["test.login"]

        @app.route("/call", methods=["GET", "POST"])
        @login.required
        def call() -> dict[str, object]:
            before = login.tokens.access_token
            status = login.api.get(f"{self.api.origin}/me").status_code
            again = login.api.get(f"{self.api.origin}/me").status_code
            return {"status": [status, again], "changed": login.tokens.access_token != before}

    def _me(self, request: Received) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        known = token in self.provider.access_tokens
        return as_json({}, 200 if known else 401)

    def browser(self, ahead: int = 301) -> FlaskClient:
        """Return a browser that has signed in, `ahead` seconds ago."""
        browser = self.app.test_client()
        log_in(browser, self.provider)
        self.clock.ahead += ahead
        return browser

    def refreshes(self) -> int:
        return len(self.provider.sent("refresh_token"))

    def revoked(self) -> list[str]:
        found = [r for r in self.provider.received if r.path == "/revoke"]
        return [request.form["token"] for request in found]


@pytest.fixture
def clock(provider: MockProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def site(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider, clock: Clock
) -> Iterator[Site]:
    client = client_of(provider, clock=clock)
    site = Site(make_flask(client, clock=clock), provider, clock)
    yield site
    site.api.close()


def who(browser: FlaskClient) -> object:
    return get(browser, "/").json["subject"]  # type: ignore[index]


def test_new_tokens_are_kept_with_the_session(
    site: Site, make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider, clock: Clock
) -> None:
    browser = site.browser()
    assert get(browser, "/call").json == {"status": [200, 200], "changed": True}
    assert get(browser, "/call").json == {"status": [200, 200], "changed": False}
    assert site.refreshes() == 1
    # Another process: its client remembers nothing, the store does.
    other = Site(make_flask(client_of(provider, clock=clock), clock=clock), provider, clock)
    elsewhere = other.app.test_client()
    carry_cookies(browser, elsewhere)
    assert get(elsewhere, "/call").json == {"status": [200, 200], "changed": False}
    clock.ahead += 301
    assert get(elsewhere, "/call").json == {"status": [200, 200], "changed": True}
    assert get(browser, "/call").json == {"status": [200, 200], "changed": False}
    assert site.refreshes() == 2
    other.api.close()


@pytest.mark.requirement("CL-TOK-07")
def test_requests_at_the_same_time_make_one_refresh(site: Site) -> None:
    browser = site.browser()

    def call(_: int) -> object:
        tab = site.app.test_client()
        carry_cookies(browser, tab)
        return get(tab, "/call").json["status"]  # type: ignore[index]

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(call, range(10))) == [[200, 200]] * 10
    assert site.refreshes() == 1


def test_a_session_does_not_live_longer_for_a_refresh(site: Site, clock: Clock) -> None:
    browser = site.browser(13 * 86_400)
    assert get(browser, "/call").status_code == 200
    clock.ahead += 86_400
    assert who(browser) is None


@pytest.mark.requirement("CL-TOK-08")
def test_tokens_that_are_dead_end_the_session_and_lead_through_a_login_and_back(
    site: Site, provider: MockProvider
) -> None:
    browser = site.browser()
    provider.refresh_tokens.clear()
    assert get(browser, "/call?a=b").location == "/login?return_to=%2Fcall%3Fa%3Db"
    assert who(browser) is None
    assert get(browser, "/call").location == "/login?return_to=%2Fcall"
    back = log_in(browser, provider, "/login?return_to=/call?a=b")
    assert back.location == "/call?a=b"
    assert get(browser, "/call?a=b").json == {"status": [200, 200], "changed": False}


def test_a_form_is_told_and_not_sent_round(site: Site, provider: MockProvider) -> None:
    browser = site.browser()
    provider.refresh_tokens.clear()
    assert browser.post("/call", base_url=BASE).status_code == 401


def test_tokens_that_are_dead_after_a_login_do_not_send_the_browser_round(
    site: Site, provider: MockProvider
) -> None:
    provider.token = Lie({"expires_in": 1, "refresh_token": "of-no-use"})
    browser = site.browser(ahead=2)
    page = get(browser, "/call")
    assert page.status_code == 502
    assert "Location" not in page.headers
    assert '<code id="error-code">invalid_grant</code>' in page.text
    assert 'href="/login?return_to=%2Fcall"' in page.text


def test_tokens_that_die_after_a_refresh_lead_to_a_login(
    site: Site, provider: MockProvider, clock: Clock
) -> None:
    browser = site.browser()
    provider.refreshed = Lie({"expires_in": 1})
    assert get(browser, "/call").status_code == 200
    clock.ahead += 1  # the refresh is young, the login is not
    provider.refresh_tokens.clear()
    assert get(browser, "/call").location == "/login?return_to=%2Fcall"


def test_a_provider_in_trouble_costs_no_session(site: Site, provider: MockProvider) -> None:
    browser, truth = site.browser(), provider.routes["/token"]
    site.app.testing = False
    for answer in (Answer(500, b""), Answer(503, b""), Answer(200, b"<html>")):
        provider.routes["/token"] = lambda _, answer=answer: answer  # type: ignore[misc]
        assert get(browser, "/call").status_code == 500
        assert who(browser) == "person-1"
    provider.routes["/token"] = truth
    assert get(browser, "/call").json == {"status": [200, 200], "changed": True}


@pytest.mark.requirement("CL-TOK-12")
def test_signing_out_ends_the_session_and_then_revokes_its_tokens(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    store, left = MemoryTokenStore(), list[int]()
    browser = make_flask(client_of(provider), store=store).test_client()
    log_in(browser, provider)
    (token,) = provider.refresh_tokens
    truth = provider.routes["/revoke"]

    def look(request: Received) -> Answer:
        left.append(len(store._sessions))
        return truth(request)

    provider.routes["/revoke"] = look
    assert len(store._sessions) == 1
    assert browser.post("/logout", base_url=BASE).location == "/"
    assert left == [0]
    assert [r.form["token"] for r in provider.received if r.path == "/revoke"] == [token]
    assert who(browser) is None
    assert browser.post("/logout", base_url=BASE).location == "/"
    assert provider.count("/revoke") == 1


@pytest.mark.requirement("CL-TOK-12")
def test_what_a_refresh_gave_is_revoked(site: Site, provider: MockProvider) -> None:
    browser = site.browser()
    get(browser, "/call")
    (token,) = provider.refresh_tokens
    browser.post("/logout", base_url=BASE)
    assert site.revoked() == [token]
    assert provider.refresh_tokens == {}


@pytest.mark.requirement("CL-TOK-12")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda p: p.routes.update({"/revoke": p.hang}), id="hangs"),
        pytest.param(lambda p: p.routes.update({"/revoke": lambda _: Answer(500, b"")}), id="500"),
        pytest.param(lambda p: p.routes.update({"/revoke": lambda _: Answer(503, b"")}), id="503"),
        pytest.param(
            lambda p: p.routes.update({"/revoke": lambda _: as_json({"error": "x"}, 400)}), id="400"
        ),
        pytest.param(lambda p: p.close(), id="is gone"),
    ],
)
def test_a_provider_in_trouble_keeps_nobody_signed_in(
    make_flask: MakeFlask, client_of: MakeClient, trouble: Callable[[MockProvider], object]
) -> None:
    provider = MockProvider()
    browser = make_flask(client_of(provider, timeout=0.3)).test_client()
    log_in(browser, provider)
    assert who(browser) == "person-1"
    trouble(provider)
    answer = browser.post("/logout", base_url=BASE)
    assert (answer.status_code, answer.location) == (303, "/")
    assert who(browser) is None
    if not provider.released.is_set():
        provider.close()


def test_a_provider_without_revocation_signs_out_as_well(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    provider.metadata = Lie({"revocation_endpoint": None})
    browser = make_flask(client_of(provider)).test_client()
    log_in(browser, provider)
    assert browser.post("/logout", base_url=BASE).location == "/"
    assert who(browser) is None
    assert provider.count("/revoke") == 0


def test_a_refresh_does_not_bring_back_who_signed_out_meanwhile(
    site: Site, provider: MockProvider
) -> None:
    browser, truth = site.browser(), provider.routes["/token"]
    arrived, go_on = threading.Event(), threading.Event()

    def slow(request: Received) -> Answer:
        answer = truth(request)
        arrived.set()
        go_on.wait(20)
        return answer

    provider.routes["/token"] = slow
    tab = site.app.test_client()
    carry_cookies(browser, tab)
    with ThreadPoolExecutor(1) as pool:
        calling: Any = pool.submit(get, tab, "/call")
        arrived.wait()
        browser.post("/logout", base_url=BASE)
        go_on.set()
        assert calling.result().location == "/login?return_to=%2Fcall"
    assert who(browser) is None
    assert who(tab) is None
    assert provider.refresh_tokens == {}
    assert site.api.received == []
