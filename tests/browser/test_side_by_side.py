"""Two applications and two servers on one host, in one Chromium, in ten tabs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext
from tests.support.flask_site import Side, side_by_side
from tests.support.tls import self_signed

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

TABS = range(10)
_PATIENCE = 30_000


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    folder: Path = tmp_path_factory.mktemp("sides")
    with side_by_side(folder, str(self_signed(folder).file)) as sides:
        yield sides


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    return new_context()


def side_of(sides: list[Side], tab: int) -> Side:
    return sides[tab % 2]


def open_tabs(context: BrowserContext, sides: list[Side]) -> list[Page]:
    """Open all tabs in one stroke, as somebody does who restores a window."""
    opener = context.new_page()
    opener.goto(f"{sides[0].site.origin}/")
    urls = [f"{side_of(sides, tab).site.origin}/profile?tab={tab}" for tab in TABS]
    before = len(context.pages)
    with context.expect_page(lambda _: len(context.pages) == before + len(urls)):
        opener.evaluate("urls => urls.forEach(url => window.open(url, '_blank'))", urls)
    opener.close()
    return context.pages[-len(urls) :]


def press(page: Page, button: str) -> None:
    """Press a button and wait for nothing."""
    page.evaluate(
        "id => { const b = document.getElementById(id);"
        " setTimeout(() => b.form.requestSubmit(b)) }",
        button,
    )


def check_profiles(pages: list[Page], sides: list[Side]) -> None:
    for page in pages:
        expect(page.locator("#subject")).to_be_visible(timeout=_PATIENCE)
    seen: set[int] = set()
    for page in pages:
        tab = int(page.locator("#tab").inner_text())
        side = side_of(sides, tab)
        expect(page).to_have_url(f"{side.site.origin}/profile?tab={tab}")
        expect(page.locator("#issuer")).to_have_text(side.server.issuer)
        expect(page.locator("#subject")).to_have_text(side.subject)
        seen.add(tab)
    assert seen == set(TABS)


def test_ten_tabs_started_at_once_all_log_in(sides: list[Side], context: BrowserContext) -> None:
    pages = open_tabs(context, sides)
    for page in pages:
        page.locator("#username").fill("alice", timeout=_PATIENCE)
        page.locator("#password").fill("wonderland")
    # Nobody has finished; now all of them go on together, and race.
    for page in pages:
        press(page, "login-submit")
    for page in pages:
        expect(page.locator("#consent-allow, #subject")).to_be_visible(timeout=_PATIENCE)
    for page in pages:
        if page.locator("#consent-allow").count():
            press(page, "consent-allow")
    check_profiles(pages, sides)
    # A reload of each finds its application's session.
    for page in pages:
        page.reload()
    check_profiles(pages, sides)


def test_ten_tabs_of_somebody_who_is_known_at_the_servers_all_log_in(
    sides: list[Side], context: BrowserContext
) -> None:
    first = context.new_page()
    for side in sides:
        first.goto(f"{side.site.origin}/profile")
        first.fill("#username", "alice")
        first.fill("#password", "wonderland")
        first.click("#login-submit")
        expect(first.locator("#consent-allow, #subject")).to_be_visible()
        if first.locator("#consent-allow").count():
            first.click("#consent-allow")
        expect(first.locator("#subject")).to_have_text(side.subject)
    first.close()
    # The applications forget them, the servers do not: nothing waits for a person any more.
    context.clear_cookies(name=re.compile("^cg-(app|login)-"))
    check_profiles(open_tabs(context, sides), sides)


def test_signing_out_of_one_application_leaves_the_other(
    sides: list[Side], context: BrowserContext
) -> None:
    page = context.new_page()
    for side in sides:
        page.goto(f"{side.site.origin}/profile?tab=1")
        page.fill("#username", "alice")
        page.fill("#password", "wonderland")
        page.click("#login-submit")
        expect(page.locator("#consent-allow, #subject")).to_be_visible()
        if page.locator("#consent-allow").count():
            page.click("#consent-allow")
        expect(page.locator("#subject")).to_have_text(side.subject)
    one, two = (side.site.origin for side in sides)
    page.goto(f"{one}/logout")  # a typed address is asked about
    expect(page.locator("#logout-yes")).to_be_visible()
    page.goto(f"{one}/")
    page.click("#sign-out")  # a link of the application's own is not
    expect(page).to_have_url(f"{one}/")
    names = {str(cookie.get("name")) for cookie in context.cookies()}
    assert len({name for name in names if name.startswith("cg-app-")}) == 1
    page.goto(f"{two}/profile?tab=1")
    expect(page.locator("#subject")).to_have_text(sides[1].subject)


def test_the_other_name_of_the_host_is_another_application_to_a_browser(
    sides: list[Side], context: BrowserContext
) -> None:
    site = sides[0].site
    page = context.new_page()
    page.goto(f"http://localhost:{site.port}/login")
    # The redirect URI follows the name that was asked for, and is not registered.
    expect(page.locator("#error-code")).to_have_text("invalid_request")
    page.goto(f"{site.origin}/login?return_to=/profile?tab=3")
    expect(page.locator("#username")).to_be_visible()
