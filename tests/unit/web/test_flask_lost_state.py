"""Two ways to lose a login that cannot occur: it does not live in Flask's session.

Every other cause is in `test_every_lost_state.py`, for every framework.
"""

from __future__ import annotations

from typing import Any

import flask
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.support.flask_client import cookies_of, get, log_in
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient, MakeFlask


@pytest.fixture
def app(make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider) -> Flask:
    return make_flask(client_of(provider))


def test_c_a_concurrent_answer_that_rewrites_the_session_does_no_harm(
    app: Flask, provider: MockProvider
) -> None:
    @app.get("/poll")
    def poll() -> str:
        flask.session.clear()
        flask.session["polled"] = True
        return "polled"

    browser = app.test_client()
    callback = provider.authorize(get(browser, "/login?return_to=/orders").location)
    before = {cookie.key for cookie in cookies_of(browser)}
    assert get(browser, "/poll").text == "polled"
    assert before < {cookie.key for cookie in cookies_of(browser)}
    assert get(browser, callback).location == "/orders"


class _NeverSaves(SecureCookieSessionInterface):
    """A session that is lost with every answer."""

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Do not save it."""


def test_j_an_application_that_does_not_save_its_session_logs_people_in(
    app: Flask, provider: MockProvider
) -> None:
    app.session_interface = _NeverSaves()
    browser = app.test_client()
    started = get(browser, "/login")
    # All that the login needs is in the very answer that sends the browser away.
    assert [cookie.partition("=")[0][:9] for cookie in started.headers.getlist("Set-Cookie")] == [
        "cg-login-"
    ]
    answer = log_in(app.test_client(), provider)
    assert (answer.status_code, answer.location) == (303, "/")
