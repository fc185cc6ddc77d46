"""Every way to lose the state of a login, in Flask: each has its own code and the right hint.

The letters are those of the collected causes; the two that cannot occur have a test as well.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.flask_client import BASE, carry_cookies, cookies_of, get, log_in
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient, MakeFlask

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IN_APP = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS]"


class Now:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = int(time.time())

    def __call__(self) -> int:
        return self.now


class Shop:
    """An application with a login, its clock, and a browser in front of it."""

    def __init__(self, make_flask: MakeFlask, client: Any, provider: MockProvider) -> None:
        self.make_flask, self.client, self.provider = make_flask, client, provider
        self.clock = Now()
        self.app = self.build()
        self.browser = self.app.test_client()

    def build(self, **arguments: Any) -> Flask:
        return self.make_flask(self.client, clock=self.clock, **arguments)

    def start(self, browser: FlaskClient | None = None) -> str:
        """Begin a login and return the callback that the provider sends the browser to."""
        started = self.get("/login?return_to=/orders", browser)
        assert started.status_code == 303
        return self.provider.authorize(started.location)

    def get(self, url: str, browser: FlaskClient | None = None, **more: Any) -> TestResponse:
        return get(browser or self.browser, url, **{"headers": {"User-Agent": FIREFOX}, **more})


@pytest.fixture
def shop(make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider) -> Shop:
    return Shop(make_flask, client_of(provider), provider)


def host_changed(shop: Shop, callback: str) -> TestResponse:
    return shop.get(callback.replace("127.0.0.1", "localhost"))


def scheme_changed(shop: Shop, callback: str) -> TestResponse:
    return shop.get(callback.replace("http://", "https://", 1))


def cookie_did_not_come_back(shop: Shop, callback: str) -> TestResponse:
    return shop.get(callback, shop.app.test_client())


def jar_has_too_many(shop: Shop, callback: str) -> TestResponse:
    crowded = shop.app.test_client()
    for number in range(150):
        crowded.set_cookie(f"other-{number}", "x", domain="127.0.0.1")
    return shop.get(callback, crowded)


def jar_is_too_large(shop: Shop, callback: str) -> TestResponse:
    crowded = shop.app.test_client()
    for number in range(3):
        crowded.set_cookie(f"other-{number}", "x" * 3000, domain="127.0.0.1")
    return shop.get(callback, crowded)


def replica_with_another_secret(shop: Shop, callback: str) -> TestResponse:
    other = shop.build(secret_key="another secret of forty characters and so")
    replica = other.test_client()
    carry_cookies(shop.browser, replica)
    return shop.get(callback, replica)


def posted(shop: Shop, callback: str) -> TestResponse:
    path, _, query = callback.partition("?")
    form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": FIREFOX}
    bare = shop.app.test_client()
    return bare.post(path, base_url=BASE, data=query, headers=form)


def pushed_out_by_other_tabs(shop: Shop, callback: str) -> TestResponse:
    for _ in range(12):
        shop.clock.now += 1
        shop.start()
    return shop.get(callback)


def expired(shop: Shop, callback: str) -> TestResponse:
    shop.clock.now += 601
    return shop.get(callback)


def replayed(shop: Shop, callback: str) -> TestResponse:
    assert shop.get(callback).location == "/orders"
    shop.clock.now += 61
    return shop.get(callback)


def in_another_browser(shop: Shop, callback: str) -> TestResponse:
    return shop.get(callback, shop.app.test_client(), headers={"User-Agent": IN_APP})


Losing = Callable[[Shop, str], TestResponse]
CAUSES = [
    pytest.param(host_changed, "state_host_changed", "use one address", id="a: host"),
    pytest.param(scheme_changed, "state_host_changed", "use one address", id="a: scheme"),
    pytest.param(cookie_did_not_come_back, "state_cookie_missing", "cookies are off", id="a: none"),
    pytest.param(jar_has_too_many, "state_cookies_full", "fewer and smaller", id="b: many"),
    pytest.param(jar_is_too_large, "state_cookies_full", "fewer and smaller", id="b: large"),
    pytest.param(replica_with_another_secret, "state_unknown", "the same secret", id="d"),
    pytest.param(posted, "state_posted", "response_mode=form_post", id="e"),
    pytest.param(pushed_out_by_other_tabs, "state_superseded", "keeps 12 logins", id="f"),
    pytest.param(expired, "state_expired", "took longer", id="g"),
    pytest.param(replayed, "state_already_used", "loaded twice", id="h"),
    pytest.param(in_another_browser, "state_other_browser", "another one", id="i"),
]


def code_of(page: TestResponse) -> str:
    found = re.search(r'id="error-code"[^>]*>([^<]*)<', page.text)
    assert found, page.text
    return found[1]


@pytest.mark.parametrize(("lose", "code", "hint"), CAUSES)
def test_each_cause_has_its_own_code_and_a_hint_that_is_right(
    shop: Shop, caplog: pytest.LogCaptureFixture, lose: Losing, code: str, hint: str
) -> None:
    callback = shop.start()
    with caplog.at_level(logging.WARNING, "codegrant.web.login"):
        page = lose(shop, callback)
    assert (page.status_code, code_of(page)) == (400, code)
    line = caplog.records[-1].getMessage()
    assert code in line
    assert hint in line
    # The same callback, undisturbed, is what a login is.
    if code not in {"state_expired", "state_already_used", "state_superseded"}:
        assert shop.get(callback).location == "/orders"


def test_no_two_causes_share_a_code() -> None:
    by_letter: dict[str, set[str]] = {}
    for cause in CAUSES:
        by_letter.setdefault(str(cause.id)[0], set()).add(str(cause.values[1]))
    codes = [code for letter in by_letter.values() for code in letter]
    assert set(by_letter) == set("abdefghi")
    assert len(codes) == len(set(codes))


def test_numbers_are_in_the_log_line(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    callback = shop.start()
    shop.clock.now += 700
    shop.get(callback)
    assert "the login began 700 s ago, 600 s are allowed" in caplog.records[-1].getMessage()


def test_the_same_browser_after_an_update_of_another_application_is_not_another_browser(
    shop: Shop,
) -> None:
    """A browser that says nothing about itself is not accused of being another one."""
    callback = shop.start()
    page = shop.get(callback, shop.app.test_client(), headers={"User-Agent": ""})
    assert code_of(page) == "state_cookie_missing"


def test_eleven_more_logins_do_not_push_the_first_one_out(shop: Shop) -> None:
    callback = shop.start()
    for _ in range(11):
        shop.clock.now += 1
        shop.start()
    assert shop.get(callback).location == "/orders"


def test_c_a_concurrent_answer_that_rewrites_the_session_does_no_harm(shop: Shop) -> None:
    @shop.app.get("/poll")
    def poll() -> str:
        flask.session.clear()
        flask.session["polled"] = True
        return "polled"

    callback = shop.start()
    before = {cookie.key for cookie in cookies_of(shop.browser)}
    assert shop.get("/poll").text == "polled"
    assert before < {cookie.key for cookie in cookies_of(shop.browser)}
    assert shop.get(callback).location == "/orders"


class _NeverSaves(SecureCookieSessionInterface):
    """A session that is lost with every answer."""

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Do not save it."""


def test_j_an_application_that_does_not_save_its_session_logs_people_in(
    shop: Shop, provider: MockProvider
) -> None:
    shop.app.session_interface = _NeverSaves()
    started = shop.get("/login")
    # All that the login needs is in the very answer that sends the browser away.
    assert [cookie.partition("=")[0][:9] for cookie in started.headers.getlist("Set-Cookie")] == [
        "cg-login-"
    ]
    answer = log_in(shop.browser, provider)
    assert (answer.status_code, answer.location) == (303, "/")
