"""The API of `docs/fastapi.md`: its Swagger page in Chromium logs in with PKCE and calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import NewContext
from tests.support.documents import ROOT, example
from tests.support.node import find_packages
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving

pytestmark = [pytest.mark.needs("chromium", "node"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server")).start() as server:
        server.add_user()
        yield server


@pytest.fixture
def api(server: Serving, tmp_path: Path) -> Iterator[WebProgram]:
    """Serve the program of the document; its client is registered as the document says."""
    example("fastapi_api.py", ROOT / "docs" / "fastapi.md").write(tmp_path)
    port = free_port()
    server.run("resources", "add", "https://api.example", "--id", "api", "--scope", "profile")
    redirect_uri = f"http://127.0.0.1:{port}/docs/oauth2-redirect"
    options = ("--public", "--audience", "https://api.example", "--redirect-uri", redirect_uri)
    server.run("clients", "add", "swagger", *options)
    with WebProgram.uvicorn("fastapi_api:app", tmp_path, port, {"ISSUER": server.issuer}) as api:
        yield api


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """A tab that has the scripts of Swagger's page from npm, and nothing else from afar."""
    scripts = find_packages() / "swagger-ui-dist"

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.hostname == "127.0.0.1":
            route.continue_()
        elif "/swagger-ui-dist@5/" in address.path:
            route.fulfill(path=scripts / Path(address.path).name)
        else:
            route.abort()

    context = new_context()
    context.route("**/*", answer)
    return context.new_page()


def test_the_page_logs_in_and_calls_the_api(server: Serving, api: WebProgram, page: Page) -> None:
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.goto(f"{api.origin}/docs")
    page.locator("button.authorize").first.click()
    dialog = page.locator(".dialog-ux")
    expect(dialog.locator("#client_id_authorizationCode")).to_have_value("swagger")
    expect(dialog.locator("#profile-authorizationCode-checkbox-OAuth2")).to_be_checked()
    with page.expect_popup() as opened:
        dialog.locator("button.authorize").click()
    login = opened.value
    login.locator("#username").fill("alice")
    login.locator("#password").fill("wonderland")
    login.locator("#login-submit").click()
    login.locator("#consent-allow").click()
    expect(dialog.get_by_text("Logout")).to_be_visible()
    (sent,) = (url for url in asked if url.startswith(f"{server.issuer}/authorize?"))
    assert parse_qs(urlsplit(sent).query)["code_challenge_method"] == ["S256"]
    dialog.locator("button.btn-done").click()
    page.locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_have_text("200")
    subject = server.run("users", "show", "alice").json["sub"]
    assert json.loads(answer.locator("pre code").first.inner_text()) == {"subject": subject}
