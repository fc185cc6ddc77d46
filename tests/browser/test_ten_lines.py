"""The lines of README and docs in Chromium: signed in, an API call, back and forth, signed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.support.django_shop import SETTINGS, make_shop, serve_asgi, serve_wsgi
from tests.support.documents import ROOT, example
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

Serve: TypeAlias = Callable[[Path, int, Mapping[str, str]], WebProgram]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server")).start() as server:
        server.add_user()
        yield server


def flask(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    return WebProgram.flask(example("app.py").write(folder), folder, port, environment)


def starlette(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    example("starlette_login.py", ROOT / "docs" / "starlette.md").write(folder)
    return WebProgram.uvicorn("starlette_login:app", folder, port, environment)


def fastapi(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    example("fastapi_login.py", ROOT / "docs" / "fastapi.md").write(folder)
    return WebProgram.uvicorn("fastapi_login:app", folder, port, environment)


def django(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    make_shop(folder, "urls.py", SETTINGS[0], environment)
    return serve_wsgi(folder, port, environment)


def async_django(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    make_shop(folder, "async_urls.py", SETTINGS[0], environment)
    return serve_asgi(folder, port, environment)


@pytest.fixture(params=[flask, starlette, fastapi, django, async_django])
def application(
    request: pytest.FixtureRequest, server: Serving, tmp_path: Path
) -> Iterator[WebProgram]:
    """Serve the program of a page, as the page says, registered at the server."""
    serve: Serve = request.param
    port = free_port()
    client_id = f"app-{port}"
    registered = server.add_client(client_id, redirect_uri=f"http://127.0.0.1:{port}/callback")
    environment = {
        "ISSUER": server.issuer,
        "CLIENT_ID": client_id,
        "CLIENT_SECRET": registered["client_secret"],
        "XDG_STATE_HOME": str(tmp_path),
    }
    with serve(tmp_path, port, environment) as program:
        yield program


def test_a_person_signs_in_goes_back_and_forth_and_signs_out(
    server: Serving, application: WebProgram, new_context: NewContext
) -> None:
    subject = server.run("users", "show", "alice").json["sub"]
    profile = f"{application.origin}/profile"
    page = new_context().new_page()
    page.goto(f"{profile}?a=b")
    page.locator("#username").fill("alice")
    page.locator("#password").fill("wonderland")
    page.locator("#login-submit").click()
    page.locator("#consent-allow").click()
    expect(page).to_have_url(f"{profile}?a=b")
    assert subject in page.inner_text("body")
    page.reload()
    page.go_back()
    page.goto(profile)
    assert subject in page.inner_text("body")
    page.goto(f"{application.origin}/logout")
    page.locator("#logout-yes").click()
    expect(page).to_have_url(f"{application.origin}/")
    page.goto(profile)  # the server still knows who it is
    expect(page).to_have_url(profile)
    other = new_context().new_page()
    other.goto(profile)
    expect(other.locator("#login-submit")).to_be_visible()
    assert "Traceback" not in application.log
