"""`web.flask.Login` where a view cannot be served: useless tokens, a store that fails."""

from __future__ import annotations

from typing import Any

import pytest

from codegrant import LoginRequired, StoreError
from codegrant.client.effects import FindSession
from codegrant.client.memory import MemoryTokenStore
from codegrant.flow import Effect
from codegrant.web.flask import Login
from tests.support.flask_client import BASE, get, log_in
from tests.support.mock_provider import Lie, MockProvider
from tests.unit.web.conftest import MakeClient, MakeFlask


@pytest.mark.parametrize("expires_in", [0, 1, 20])
def test_tokens_that_are_of_no_use_after_a_login_do_not_send_the_browser_round(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider, expires_in: int
) -> None:
    provider.token = Lie({"expires_in": expires_in, "refresh_token": None})
    app = make_flask(client_of(provider))
    clock = {"ahead": 0.0}
    login: Login = app.extensions["test.login"]
    real = login._clock
    login._clock = lambda: real() + clock["ahead"]
    browser = app.test_client()
    log_in(browser, provider, "/login?return_to=/tokens?a=b")
    clock["ahead"] = expires_in
    page = get(browser, "/tokens?a=b")
    assert page.status_code == 502
    assert "Location" not in page.headers
    assert '<code id="error-code">invalid_token</code>' in page.text
    assert 'href="/login?return_to=%2Ftokens%3Fa%3Db"' in page.text
    assert browser.post("/tokens", base_url=BASE).status_code == 401
    assert get(browser, "/profile").status_code == 200  # it needs no token
    clock["ahead"] = 31
    assert get(browser, "/tokens").location == "/login?return_to=%2Ftokens"


class _Full(MemoryTokenStore):
    """Cannot say any more who is signed in, once it `is_full`."""

    is_full = False

    def perform(self, effect: Effect[Any]) -> Any:
        if self.is_full and isinstance(effect, FindSession):
            raise StoreError("the disk is full", code="store_full")
        return super().perform(effect)


@pytest.mark.parametrize("path", ["/", "/profile", "/tokens", "/again"])
def test_a_store_that_cannot_say_who_is_signed_in_is_a_page_and_no_traceback(
    make_flask: MakeFlask,
    client_of: MakeClient,
    provider: MockProvider,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = _Full()
    app = make_flask(client_of(provider), store=store)

    @app.get("/again")
    def again() -> str:
        raise LoginRequired("invalid_token")

    browser = app.test_client()
    log_in(browser, provider)
    store.is_full = True
    page = get(browser, f"{path}?a=b")
    assert page.status_code == 503
    assert '<code id="error-code">store_full</code>' in page.text
    assert f'href="{path}?a=b"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "looking up who is signed in failed" in caplog.text
    assert "the disk is full" in caplog.text
    assert "the disk is full" not in page.text


def test_after_a_form_the_page_of_a_failed_store_leads_home(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    store = _Full()
    app = make_flask(client_of(provider), store=store)
    browser = app.test_client()
    log_in(browser, provider)
    store.is_full = True
    page = browser.post("/tokens", base_url=BASE)
    assert page.status_code == 503
    assert 'href="/"' in page.text
