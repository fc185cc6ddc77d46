"""The account page in Chromium, as a person uses it: with and without JavaScript."""

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
from tests.support.relying_party import RelyingParty, read_callback, register
from tests.support.serving import Serving

pytestmark = pytest.mark.needs("chromium")

LONG_NAME = "Verkehrsinfrastrukturfinanzierungsangelegenheiten " * 2 + "Ltd"
PASSWORD = "wonderland"


class World(NamedTuple):
    """One server, the applications' site, and two applications."""

    server: Serving
    site: CallbackSite
    planner: RelyingParty
    notes: RelyingParty


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    server = Serving(tmp_path_factory.mktemp("account"))
    with server.start(), CallbackSite() as site:
        for name in ("alice", "bob", "carol", "dave", "erin"):
            server.add_user(name, PASSWORD, "--name", f"{name.title()} Liddell")
        yield World(
            server,
            site,
            register(server, "planner", "--name", "Travel Planner", redirect_uri=site.redirect_uri),
            register(server, "notes", "--name", LONG_NAME, redirect_uri=site.redirect_uri),
        )


def open_account(page: Page, world: World, username: str, password: str = PASSWORD) -> None:
    page.goto(f"{world.server.issuer}/account")
    log_in(page, username, password)
    expect(page.locator("#account-username")).to_have_text(username)


def allow(page: Page, party: RelyingParty) -> str:
    """Let an application have access; return its access token."""
    page.goto(party.authorize_url())
    page.click("#consent-allow")
    page.wait_for_selector("#done")
    answer = party.token(read_callback(page.url)["code"])
    assert answer.status == 200
    return str(answer.json["access_token"])


@pytest.mark.parametrize("javascript", [True, False], ids=["JavaScript", "no JavaScript"])
def test_a_person_looks_after_their_account(
    world: World, new_context: NewContext, javascript: bool
) -> None:
    username = "alice" if javascript else "bob"
    here, there = (new_context(java_script_enabled=javascript).new_page() for _ in range(2))
    complaints: list[str] = []
    here.on("console", lambda message: complaints.append(message.text))
    open_account(there, world, username)
    open_account(here, world, username)
    assert urlsplit(here.url).query == ""
    token, kept = allow(here, world.planner), allow(here, world.notes)
    assert world.planner.userinfo(token) == world.notes.userinfo(kept) == 200

    here.goto(f"{world.server.issuer}/account")
    planner = here.locator("li", has=here.get_by_role("heading", name="Travel Planner"))
    planner.get_by_role("button", name="Withdraw access").click()
    expect(here.get_by_role("status")).to_have_text("The access is withdrawn.")
    assert here.get_by_text("Travel Planner").count() == 0
    assert world.planner.userinfo(token) == 401
    assert world.notes.userinfo(kept) == 200

    expect(here.locator("#this-browser")).to_have_count(1)
    here.get_by_role("button", name="Sign out there").click()
    expect(here.get_by_role("status")).to_have_text("That browser is signed out.")
    assert here.get_by_role("button", name="Sign out there").count() == 0
    there.reload()
    expect(there.locator("#login-submit")).to_be_visible()

    # Reload and Back send no form again: every form led to an address of its own.
    here.reload()
    expect(here.locator("#account-username")).to_have_text(username)
    here.go_back()
    expect(here.locator("#account-username")).to_have_text(username)
    assert [text for text in complaints if "favicon" not in text] == []


def change_password(page: Page, current: str, new: str, again: str) -> None:
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password, once more").fill(again)
    page.get_by_role("button", name="Change password").click()


def test_a_person_changes_the_password(world: World, new_context: NewContext) -> None:
    here, there = (new_context(java_script_enabled=False).new_page() for _ in range(2))
    open_account(there, world, "carol")
    open_account(here, world, "carol")
    token = allow(here, world.planner)
    here.goto(f"{world.server.issuer}/account")

    change_password(here, "wrong", "looking glass", "looking glass")
    expect(here.get_by_role("alert")).to_have_text("The current password is not right.")
    expect(here).to_have_title("Error: Your account")
    expect(here.get_by_label("Current password")).to_have_value("")
    change_password(here, PASSWORD, "looking glass", "looking grass")
    expect(here.get_by_role("alert")).to_have_text("The two new passwords are not the same.")
    assert world.planner.userinfo(token) == 200

    change_password(here, PASSWORD, "looking glass", "looking glass")
    expect(here.get_by_role("status")).to_contain_text("Your password is changed.")
    assert world.planner.userinfo(token) == 401
    there.reload()
    log_in(there, "carol", PASSWORD)
    expect(there.get_by_role("alert")).to_contain_text("is not right")
    log_in(there, "carol", "looking glass")
    expect(there.locator("#account-username")).to_have_text("carol")


@pytest.mark.parametrize("delay", [0, 40, 120])
def test_a_double_click_at_the_password_is_as_good_as_one(
    world: World, new_context: NewContext, delay: int
) -> None:
    page = new_context().new_page()
    before, after = (PASSWORD if delay == 0 else f"password after {delay}"), "looking glass"
    if delay:
        world.server.run("users", "passwd", "dave", "--password-stdin", stdin=f"{before}\n")
    open_account(page, world, "dave", before)
    page.get_by_label("Current password").fill(before)
    page.get_by_label("New password", exact=True).fill(after)
    page.get_by_label("New password, once more").fill(after)
    page.evaluate(
        """delay => {
            const button = document.querySelector("#password-submit");
            button.click();
            setTimeout(() => button.click(), delay);
        }""",
        delay,
    )
    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")
    expect(page.locator("#account-username")).to_have_text("dave")


def test_after_the_logout_back_shows_nothing_of_the_person(
    world: World, new_context: NewContext
) -> None:
    page = new_context().new_page()
    open_account(page, world, "alice")
    page.goto(f"{world.server.issuer}/logout")
    expect(page.locator("main")).to_contain_text("You are signed in as Alice Liddell")
    page.click("#logout-no")
    expect(page.locator("#account-username")).to_have_text("alice")
    page.click("#logout-yes")
    expect(page.locator("h1")).to_have_text("You are signed out")
    for _ in range(3):
        page.go_back()
        expect(page.locator("h1")).not_to_have_text("Your account")
        assert "Alice" not in page.content()
        assert "alice" not in page.content()


def test_the_keyboard_alone_is_enough(world: World, new_context: NewContext) -> None:
    page = new_context().new_page()
    open_account(page, world, "erin")
    allow(page, world.planner)
    page.goto(f"{world.server.issuer}/account")
    reached: list[str] = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(str(page.evaluate("() => document.activeElement.id")))
        assert has_focus_ring(page)
    assert reached == [
        *("logout-yes", "withdraw-1", "current-password"),
        *("new-password", "new-password-again", "password-submit"),
    ]
    page.locator("#withdraw-1").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The access is withdrawn.")


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param("light", 1280, id="light desk"),
        pytest.param("dark", 390, id="dark phone"),
        pytest.param("light", 320, id="narrow"),
    ],
)
def test_the_account_page_is_accessible_and_fits(
    world: World, new_context: NewContext, scheme: str, width: int
) -> None:
    open_account(new_context().new_page(), world, "alice")
    context = new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    open_account(page, world, "alice")
    for party in (world.planner, world.notes):
        page.goto(party.authorize_url())
        if page.locator("#consent-allow").count():
            page.click("#consent-allow")
        page.wait_for_selector("#done")
    page.goto(f"{world.server.issuer}/account")
    expect(page.get_by_role("button", name="Withdraw access")).to_have_count(2)
    look_at(page, scheme)
    change_password(page, "wrong", "looking glass", "looking glass")
    expect(page.get_by_role("alert")).to_be_visible()
    look_at(page, scheme)
    page.goto(f"{world.server.issuer}/account")
    page.click("#end-others")
    expect(page.get_by_role("status")).to_be_visible()
    look_at(page, scheme)


def look_at(page: Page, scheme: str) -> None:
    """Check what a person would see, also with large text."""
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()
    assert is_dark(page) is (scheme == "dark")
    assert overflow(page) == 0
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    assert overflow(page) == 0
    page.evaluate("() => { document.documentElement.style.fontSize = ''; }")
