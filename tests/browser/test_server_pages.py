"""The pages of the authorization server in Chromium, the application on another site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.looks import has_focus_ring, is_dark, log_in, overflow
from tests.support.callback_site import CallbackSite
from tests.support.relying_party import RelyingParty, administer, read_callback, register
from tests.support.serving import Serving

pytestmark = pytest.mark.needs("chromium")

API = "https://api.books.example/v1"
LONG_NAME = "Verkehrsinfrastrukturfinanzierungsangelegenheiten " * 3 + "Ltd"
MOST_FAILURES = 3


class World(NamedTuple):
    """One server, the application's site, and its two clients.

    Attributes:
        web: confidential, asks for much.
        native: public, asks every time, with a long name.
    """

    server: Serving
    site: CallbackSite
    web: RelyingParty
    native: RelyingParty


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    limit = {"CODEGRANT_LIMITS_ACCOUNT_FAILURES": str(MOST_FAILURES)}
    server = Serving(tmp_path_factory.mktemp("pages"), environment=limit)
    with server.start(), CallbackSite() as site:
        server.add_user("alice", "wonderland", "--name", "Alice Liddell")
        server.add_user("bob", "the builder", "--name", "Bob")
        administer(server, "resources", "add", API, "--id", "api", "--scope", "read write")
        scope = "openid profile email offline_access read write"
        web = register(
            server,
            *("web", "--name", "Travel Planner", "--scope", scope, "--audience", API),
            redirect_uri=site.redirect_uri,
            scope=scope,
        )
        native = register(
            server,
            *("native", "--public", "--native", "--name", LONG_NAME),
            redirect_uri=site.redirect_uri,
        )
        yield World(server, site, web, native)


def arrived(page: Page, world: World) -> dict[str, str]:
    """Wait until the page is back at the application; return the callback's parameters."""
    page.wait_for_selector("#done")
    assert page.url.startswith(f"{world.site.redirect_uri}?")
    assert page.url == world.site.callbacks[-1]
    return read_callback(page.url)


@pytest.mark.parametrize("javascript", [True, False], ids=["JavaScript", "no JavaScript"])
@pytest.mark.parametrize("way", ["by-get", "by-post"])
def test_a_person_logs_in_across_sites(
    world: World, new_context: NewContext, javascript: bool, way: str
) -> None:
    page = new_context(java_script_enabled=javascript).new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    party = world.native
    world.site.link = party.authorize_url()
    world.site.form = (f"{party.issuer}/authorize", party.authorization_request())
    page.goto(world.site.start)
    page.click(f"#{way}")
    log_in(page)
    page.click("#consent-allow")
    callback = arrived(page, world)
    assert callback["state"] == party.state
    assert party.token(callback["code"]).status == 200
    # The session is there now, also for a form that comes from the other site.
    page.goto(world.site.start)
    page.click(f"#{way}")
    page.click("#consent-deny")
    assert arrived(page, world)["error"] == "access_denied"
    assert complaints == []


def test_a_wrong_password_is_told_and_the_next_attempt_works(
    world: World, new_context: NewContext
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(world.native.authorize_url())
    assert page.locator("#login-error").count() == 0
    log_in(page, password="looking glass")
    expect(page.get_by_role("alert")).to_have_text("The username or the password is not right.")
    expect(page).to_have_title(f"Error: Sign in to {LONG_NAME}")
    expect(page.get_by_label("Username")).to_have_value("alice")
    expect(page.get_by_label("Password")).to_have_value("")
    for field in ("Username", "Password"):
        described = page.get_by_label(field).get_attribute("aria-describedby")
        assert described == "login-error"
    log_in(page)
    expect(page.locator("#consent-allow")).to_be_visible()


def test_too_many_wrong_passwords_are_told(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    for _ in range(MOST_FAILURES):
        log_in(page, "nobody-1", "wrong")
        expect(page.locator("#login-error")).to_contain_text("is not right")
    with page.expect_response(f"{world.server.issuer}/login") as answer:
        log_in(page, "nobody-1", "wrong")
    assert answer.value.status == 429
    expect(page.locator("#login-error")).to_contain_text("Try again in 5 minutes")
    log_in(page)
    expect(page.locator("#consent-allow")).to_be_visible()


def test_the_keyboard_alone_is_enough(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Tab")
    expect(page.locator("#login-submit")).to_be_focused()
    assert has_focus_ring(page)
    page.keyboard.press("Enter")
    expect(page.locator("#login-error")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("wonderland")
    page.keyboard.press("Enter")
    page.wait_for_selector("#consent-allow")
    for button in ("consent-allow", "consent-deny", "consent-switch"):
        page.keyboard.press("Tab")
        expect(page.locator(f"#{button}")).to_be_focused()
        assert has_focus_ring(page)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    callback = arrived(page, world)
    assert world.native.token(callback["code"]).status == 200


def test_another_account_can_be_used(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    log_in(page)
    page.get_by_role("button", name="Use another account").click()
    log_in(page, "bob", "the builder")
    expect(page.locator("main")).to_contain_text("You are signed in as Bob")
    page.click("#consent-allow")
    assert "code" in arrived(page, world)


PAGES = (
    *("login", "wrong password", "too many", "consent", "consent of a native client"),
    *("account", "logout", "signed out", "account login", "bad request", "ended", "no such page"),
)


def visit(page: Page, world: World, suffix: str) -> Iterator[str]:
    """Show every page in turn and yield its name."""
    page.goto(world.web.authorize_url(login_hint=f"guesser-{suffix}"))
    yield "login"
    for _ in range(MOST_FAILURES):
        log_in(page, f"guesser-{suffix}", "wrong")
        expect(page.locator("#login-error")).to_contain_text("not right")
    yield "wrong password"
    log_in(page, f"guesser-{suffix}", "wrong")
    expect(page.locator("#login-error")).to_contain_text("Too many")
    yield "too many"
    log_in(page)
    page.wait_for_selector("#consent-allow")
    yield "consent"
    page.goto(world.native.authorize_url())
    page.wait_for_selector("#consent-allow")
    yield "consent of a native client"
    page.goto(f"{world.server.issuer}/account")
    expect(page.locator("#account-username")).to_have_text("alice")
    yield "account"
    page.goto(f"{world.server.issuer}/logout")
    yield "logout"
    page.click("#logout-yes")
    expect(page.locator("h1")).to_have_text("You are signed out")
    yield "signed out"
    page.goto(f"{world.server.issuer}/account")
    expect(page.locator("main")).to_contain_text("to see your account")
    yield "account login"
    page.goto(world.web.authorize_url(redirect_uri="https://evil.example/"))
    expect(page.locator("#error-code")).to_have_text("invalid_request")
    yield "bad request"
    page.goto(f"{world.server.issuer}/login?transaction=gone")
    expect(page.locator("h1")).to_have_text("This sign-in is over")
    yield "ended"
    page.goto(f"{world.server.issuer}/nowhere")
    expect(page.locator("#error-code")).to_have_text("not_found")
    yield "no such page"


@pytest.mark.parametrize(
    ("scheme", "width"),
    [pytest.param("light", 1280, id="light desk"), pytest.param("dark", 390, id="dark phone")],
)
def test_every_page_is_accessible_and_fits(
    world: World, new_context: NewContext, scheme: str, width: int
) -> None:
    context = new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    shown: list[str] = []
    faults: list[str] = []
    for name in visit(page, world, f"{scheme}-{width}"):
        shown.append(name)
        results = Axe().run(page)
        if results.violations_count:
            faults.append(f"{name}: {results.generate_report()}")
        if overflow(page):
            faults.append(f"{name}: {overflow(page)} pixels too wide")
        if is_dark(page) is not (scheme == "dark"):
            faults.append(f"{name}: not {scheme}")
    assert not faults, "\n".join(faults)
    assert tuple(shown) == PAGES


def test_a_narrow_window_with_large_text_needs_no_sideways_scrolling(
    world: World, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 320, "height": 568}).new_page()
    for name in visit(page, world, "narrow"):
        assert overflow(page) == 0, name
        page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        assert overflow(page) == 0, f"{name}, large text"


def test_a_fault_of_a_page_would_be_seen(world: World, new_context: NewContext) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(world.web.authorize_url())
    page.evaluate(
        "() => { document.querySelector('label').remove();"
        " document.querySelector('main').style.width = '500px'; }"
    )
    assert Axe().run(page).violations_count >= 1
    assert overflow(page) > 0


def test_back_after_the_login_shows_the_consent_page(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(world.site.start)
    page.goto(world.native.authorize_url())
    log_in(page)
    page.wait_for_selector("#consent-allow")
    page.go_back()
    page.wait_for_selector("#consent-allow")
    assert urlsplit(page.url).path == "/consent"
    page.click("#consent-allow")
    assert world.native.token(arrived(page, world)["code"]).status == 200


def test_back_after_the_consent_says_that_it_is_over(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    log_in(page)
    page.click("#consent-allow")
    callback = arrived(page, world)
    seen = len(world.site.callbacks)
    page.go_back()
    expect(page.locator("h1")).to_have_text("This sign-in is over")
    expect(page.locator("#error-code")).to_have_text("invalid_request")
    assert page.locator("form").count() == 0
    assert len(world.site.callbacks) == seen
    assert world.native.token(callback["code"]).status == 200
    page.goto(world.native.authorize_url())
    page.click("#consent-allow")
    assert "code" in arrived(page, world)


def two_tabs(world: World, new_context: NewContext) -> tuple[Page, Page]:
    """Return two tabs of one browser, each at the login page of another application."""
    context = new_context()
    one, two = context.new_page(), context.new_page()
    one.goto(world.web.authorize_url(state="one", prompt="consent"))
    two.goto(world.native.authorize_url(state="two"))
    expect(one.locator("main")).to_contain_text("Travel Planner")
    expect(two.locator("main")).to_contain_text("Verkehrs")
    return one, two


def test_two_tabs_log_in_each_for_its_own(world: World, new_context: NewContext) -> None:
    one, two = two_tabs(world, new_context)
    log_in(one)
    one.wait_for_selector("#consent-allow")
    two.reload()
    for tab, party, state in ((two, world.native, "two"), (one, world.web, "one")):
        tab.click("#consent-allow")
        callback = arrived(tab, world)
        assert callback["state"] == state
        assert party.token(callback["code"]).status == 200


def test_two_tabs_may_both_log_in_before_either_allows(
    world: World, new_context: NewContext
) -> None:
    one, two = two_tabs(world, new_context)
    for tab in (two, one):
        log_in(tab)
        tab.wait_for_selector("#consent-allow")
    for tab, state in ((two, "two"), (one, "one")):
        tab.click("#consent-allow")
        assert arrived(tab, world)["state"] == state


def test_a_login_of_another_person_voids_the_page_of_the_other_tab(
    world: World, new_context: NewContext
) -> None:
    one, two = two_tabs(world, new_context)
    log_in(two)
    expect(two.locator("main")).to_contain_text("You are signed in as Alice Liddell")
    log_in(one, "bob", "the builder")
    one.wait_for_selector("#consent-allow")
    seen = len(world.site.callbacks)
    two.click("#consent-allow")
    expect(two.locator("h1")).to_have_text("This form is out of date")
    assert len(world.site.callbacks) == seen
    two.go_back()
    expect(two.locator("main")).to_contain_text("You are signed in as Bob")
    two.click("#consent-allow")
    assert arrived(two, world)["state"] == "two"


def test_a_double_click_at_the_login_is_as_good_as_one(
    world: World, new_context: NewContext
) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wonderland")
    page.dblclick("#login-submit")
    page.click("#consent-allow")
    assert "code" in arrived(page, world)


@pytest.mark.parametrize("delay", [0, 5, 20])
def test_a_double_click_at_the_consent_is_as_good_as_one(
    world: World, new_context: NewContext, delay: int
) -> None:
    page = new_context().new_page()
    page.goto(world.native.authorize_url())
    log_in(page)
    page.wait_for_selector("#consent-allow")
    page.evaluate(
        """delay => {
            const button = document.querySelector("#consent-allow");
            button.click();
            setTimeout(() => button.click(), delay);
        }""",
        delay,
    )
    assert "code" in arrived(page, world)


def test_another_browser_cannot_take_over_a_page(world: World, new_context: NewContext) -> None:
    victim, thief = new_context().new_page(), new_context().new_page()
    victim.goto(world.native.authorize_url())
    thief.goto(victim.url)
    expect(thief.locator("#error-description")).to_contain_text("opened in another browser")
    assert thief.locator("form").count() == 0
    log_in(victim)
    victim.click("#consent-allow")
    assert "code" in arrived(victim, world)


def test_an_error_page_leads_nowhere(world: World, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    answer = page.goto(world.web.authorize_url(redirect_uri="https://evil.example/"))
    assert answer is not None
    assert answer.status == 400
    assert page.locator("a, form, script, iframe, meta[http-equiv]").count() == 0
    expect(page.locator("#error-description")).to_have_text(
        "the redirect_uri is not registered for this application"
    )
    assert "evil.example" not in page.content()
