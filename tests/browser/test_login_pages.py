"""The pages of the web login in a real browser: readable, accessible, and usable by keyboard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page, expect

from codegrant import Client
from codegrant.client.memory import MemoryTokenStore
from tests.browser.conftest import NewContext
from tests.support.flask_site import FlaskSite
from tests.support.relying_party import free_port

pytestmark = pytest.mark.needs("chromium")

PAGES = {
    "failure": "/callback/corporate-directory?code=x&state=" + "x" * 60,
    "denied-by-network": "/login/corporate-directory?return_to=/orders",
    "chooser": "/login?return_to=/orders",
    "logout": "/logout",
}
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 750}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 750}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 800}},
    "dark-phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 320, "height": 640}},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskSite]:
    """An application with two providers, none of which answers."""
    issuer = f"http://127.0.0.1:{free_port()}"
    clients = {name: Client(issuer, client_id="app") for name in ("corporate-directory", "partner")}
    with FlaskSite(tmp_path_factory.mktemp("site")) as site:
        yield site.start(clients, store=MemoryTokenStore())


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def keep_screenshot(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for one, to be looked at."""
    folder = os.environ.get("CODEGRANT_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_its_window(
    site: FlaskSite, new_context: NewContext, view: str, name: str
) -> None:
    page = new_context(**VIEWS[view]).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{site.origin}{PAGES[name]}")
    keep_screenshot(page, f"login-{name}-{view}")
    expect(page.locator("h1")).to_have_count(1)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= VIEWS[view]["viewport"]["width"], "it scrolls sideways"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(ground.removeprefix("rgb(").partition(",")[0])
    assert (red < 128) is (VIEWS[view]["color_scheme"] == "dark"), "the style did not apply"
    assert not any("Content Security Policy" in text for text in complaints), complaints
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize(
    ("name", "steps", "target"),
    [
        pytest.param("failure", 1, "#retry", id="failure"),
        pytest.param("logout", 1, "#logout-yes", id="logout"),
        pytest.param("chooser", 2, "a.button >> nth=1", id="chooser"),
    ],
)
def test_the_keyboard_reaches_each_button_and_shows_where_it_is(
    site: FlaskSite, new_context: NewContext, name: str, steps: int, target: str
) -> None:
    page = new_context().new_page()
    page.goto(f"{site.origin}{PAGES[name]}")
    for _ in range(steps):
        page.keyboard.press("Tab")
    expect(page.locator(target)).to_be_focused()
    outline = page.locator(target).evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"


def test_without_javascript_a_person_signs_out(site: FlaskSite, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{site.origin}/logout")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.origin}/")


def test_a_form_of_another_site_signs_nobody_out(
    site: FlaskSite, new_context: NewContext, tmp_path: Path
) -> None:
    evil = FlaskSite(tmp_path, host="localhost")
    add_form(evil.app, f"{site.origin}/logout")
    with evil:
        evil.start(Client("http://127.0.0.1:9", client_id="evil"))
        page = new_context().new_page()
        page.goto(f"{evil.origin}/evil")
        page.click("button")
        expect(page.locator("#logout-yes")).to_be_visible()
        expect(page).to_have_url(f"{site.origin}/logout")


def add_form(app: Flask, action: str) -> None:
    form = f'<form method="post" action="{action}"><button>Win</button></form>'
    view: Callable[[], str] = lambda: f"<!doctype html><title>Win</title>{form}"  # noqa: E731
    app.add_url_rule("/evil", "evil", view)
