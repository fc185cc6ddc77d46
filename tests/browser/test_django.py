"""The lines of `docs/django.md` in Chromium: signed in, an API call, back and forth, signed out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.support.django_shop import SETTINGS, make_shop, serve_asgi, serve_wsgi
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server")).start() as server:
        server.add_user()
        yield server


@pytest.fixture(
    params=[("urls.py", serve_wsgi), ("async_urls.py", serve_asgi)], ids=["wsgi", "asgi"]
)
def shop(request: pytest.FixtureRequest, server: Serving, tmp_path: Path) -> Iterator[WebProgram]:
    urls, serve = request.param
    start: Callable[..., WebProgram] = serve
    port = free_port()
    registered: Any = server.add_client(
        f"shop-{port}", redirect_uri=f"http://127.0.0.1:{port}/callback"
    )
    environment = {
        "ISSUER": server.issuer,
        "CLIENT_ID": f"shop-{port}",
        "CLIENT_SECRET": registered["client_secret"],
    }
    make_shop(tmp_path, urls, SETTINGS[0], environment)
    with start(tmp_path, port, environment) as program:
        yield program


def test_a_person_signs_in_goes_back_and_forth_and_signs_out(
    server: Serving, shop: WebProgram, new_context: NewContext
) -> None:
    subject = server.run("users", "show", "alice").json["sub"]
    page = new_context().new_page()
    page.goto(f"{shop.origin}/profile?a=b")
    page.locator("#username").fill("alice")
    page.locator("#password").fill("wonderland")
    page.locator("#login-submit").click()
    page.locator("#consent-allow").click()
    expect(page).to_have_url(f"{shop.origin}/profile?a=b")
    assert json.loads(page.inner_text("body"))["sub"] == subject
    page.reload()
    page.go_back()
    page.goto(f"{shop.origin}/profile")
    assert json.loads(page.inner_text("body"))["sub"] == subject
    page.goto(f"{shop.origin}/logout")
    page.locator("#logout-yes").click()
    expect(page).to_have_url(f"{shop.origin}/")
    page.goto(f"{shop.origin}/profile")  # the server still knows who it is
    expect(page).to_have_url(f"{shop.origin}/profile")
    other = new_context().new_page()
    other.goto(f"{shop.origin}/profile")
    expect(other.locator("#login-submit")).to_be_visible()
    assert "Traceback" not in shop.log
