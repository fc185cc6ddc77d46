"""The demo in a real browser: a person clicks through it, in all sorts of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from codegrant.demo.parties import Parties, start_parties

pytestmark = pytest.mark.needs("chromium")

FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Window(NamedTuple):
    """How somebody looks at the pages."""

    scheme: Literal["light", "dark"]
    width: int


WINDOWS = [
    pytest.param(Window("light", 1100), id="light"),
    pytest.param(Window("dark", 1100), id="dark"),
    pytest.param(Window("light", 390), id="light, phone"),
    pytest.param(Window("dark", 390), id="dark, phone"),
]


@pytest.fixture(scope="module")
def chromium(services: Mapping[str, str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=services["chromium"], args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def parties() -> Iterator[Parties]:
    with start_parties() as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that was never here before and runs no JavaScript."""
    with chromium.new_context(java_script_enabled=False) as context:
        context.set_default_timeout(15_000)
        yield context.new_page()


def log_in(page: Page, parties: Parties) -> None:
    page.goto(parties.application)
    page.click("#sign-in")
    page.fill("#username", "alice")
    page.fill("#password", "wonderland")
    page.click("#login-submit")
    page.click("#consent-allow")
    expect(page).to_have_url(f"{parties.application}/profile")


def messages(page: Page) -> list[str]:
    """The sequence picture as a screen reader tells it."""
    texts = page.locator(".messages li").all_text_contents()
    return [" ".join(text.split()) for text in texts]


PICTURE = [
    "Step 1 Install",
    "Step 2 Set up client credentials",
    "Step 3 browser to application: GET /login",
    "Step 3 application to authorization server: GET …/openid-configuration",
    "Step 3 authorization server to application: 200 OK",
    "Step 3 application to browser: 303 to /authorize",
    "Step 3 browser to authorization server: GET /authorize",
    "Step 3 authorization server to browser: 303 to /login",
    "Step 3 browser to authorization server: GET /login",
    "Step 3 authorization server to browser: 200 OK",
    "Step 3 browser to authorization server: POST /login",
    "Step 3 authorization server to browser: 303 to /consent",
    "Step 3 browser to authorization server: GET /consent",
    "Step 3 authorization server to browser: 200 OK",
    "Step 3 browser to authorization server: POST /consent",
    "Step 3 authorization server to browser: 303 to /callback",
    "Step 4 browser to application: GET /callback",
    "Step 5 application to authorization server: POST /token",
    "Step 5 authorization server to application: 200 OK",
    "Step 5 application to authorization server: GET /jwks",
    "Step 5 authorization server to application: 200 OK",
    "Step 5 application to authorization server: GET /userinfo",
    "Step 5 authorization server to application: 200 OK",
    "Step 4 application to browser: 303 to /profile",
    "Step 6 browser to application: GET /profile",
    "Step 6 application to API: GET /profile",
    "Step 6 API to authorization server: GET …/openid-configuration",
    "Step 6 authorization server to API: 200 OK",
    "Step 6 API to authorization server: GET /jwks",
    "Step 6 authorization server to API: 200 OK",
    "Step 6 API to application: 200 OK",
]


@pytest.mark.parametrize(
    ("application", "server"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="one site"),
        pytest.param("127.0.0.1", "localhost", id="server on localhost"),
        pytest.param("localhost", "127.0.0.1", id="application on localhost"),
    ],
)
def test_alice_logs_in_and_sees_her_profile_and_what_was_said(
    page: Page, application: str, server: str
) -> None:
    with start_parties(application_host=application, server_host=server) as parties:
        page.goto(parties.application)
        page.click("#sign-in")
        assert page.url.startswith(f"{parties.issuer}/login?")
        page.fill("#username", "alice")
        page.fill("#password", "wonderland")
        page.click("#login-submit")
        assert page.url.startswith(f"{parties.issuer}/consent?")
        page.click("#consent-allow")
        expect(page).to_have_url(f"{parties.application}/profile")
        expect(page.locator("#profile-name")).to_have_text("Alice Liddell")
        expect(page.locator("#profile-email")).to_have_text("alice@example.org")
        assert messages(page) == PICTURE
        page.click("#sign-out")
        expect(page.locator("#sign-in")).to_be_visible()


def test_a_wrong_password_is_a_part_of_what_was_said(page: Page, parties: Parties) -> None:
    page.goto(parties.application)
    page.click("#sign-in")
    page.fill("#username", "alice")
    page.fill("#password", "Wunderland1")
    page.click("#login-submit")
    expect(page.locator("#login-error")).to_be_visible()
    page.fill("#password", "wonderland")
    page.click("#login-submit")
    page.click("#consent-allow")
    assert messages(page).count("Step 3 browser to authorization server: POST /login") == 2
    assert "Wunderland1" not in page.content()


def test_a_message_of_the_picture_leads_to_its_words(page: Page, parties: Parties) -> None:
    log_in(page, parties)
    words = page.get_by_text("&username=alice")
    expect(words).to_be_hidden()
    page.get_by_role("link", name="browser to authorization server: POST /login").click()
    expect(words).to_be_visible()
    expect(words).to_be_in_viewport()


def test_the_whole_demo_works_with_the_keyboard(page: Page, parties: Parties) -> None:
    page.goto(parties.application)
    for _ in range(2):  # the brand, the button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#username")
    page.keyboard.type("alice")  # it has the focus
    page.keyboard.press("Tab")
    page.keyboard.type("wonderland")
    page.keyboard.press("Enter")
    page.wait_for_selector("#consent-allow")
    page.focus("#consent-allow")
    page.keyboard.press("Enter")
    page.wait_for_selector("#profile-name")
    for _ in range(3):  # brand, sign out, the first step
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{parties.application}/profile#step-1")


@pytest.mark.parametrize("window", WINDOWS)
def test_pages_are_good_in_any_window(
    chromium: Browser, parties: Parties, tmp_path: Path, window: Window
) -> None:
    with chromium.new_context(
        color_scheme=window.scheme, viewport={"width": window.width, "height": 844}
    ) as context:
        page = context.new_page()
        page.goto(parties.application)
        look(page, tmp_path / "start.png")
        ask_axe(page)
        page.click("#sign-in")
        look(page, tmp_path / "login.png")
        page.fill("#username", "alice")
        page.fill("#password", "wonderland")
        page.click("#login-submit")
        look(page, tmp_path / "consent.png")
        page.click("#consent-allow")
        expect(page.locator("#profile-name")).to_be_visible()
        look(page, tmp_path / "profile.png")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        look(page, tmp_path / "profile, all open.png")
        ask_axe(page)


def look(page: Page, picture: Path) -> None:
    """Nothing sticks out sideways; keep a picture to be looked at."""
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 1000
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0, f"{picture.name} is {width} pixels too wide"


def ask_axe(page: Page) -> None:
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
