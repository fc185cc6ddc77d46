"""Two applications and two servers on one host, in one browser: nobody disturbs anybody."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Browser, Page
from tests.support.flask_site import Side, side_by_side


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, ca_file: str) -> Iterator[list[Side]]:
    with side_by_side(tmp_path_factory.mktemp("sides"), ca_file) as sides:
        yield sides


@pytest.fixture
def browser(sides: list[Side]) -> Browser:
    servers = [f"http://{urlsplit(side.server.issuer).netloc}" for side in sides]
    return Browser(*servers, *(side.site.origin for side in sides))


def check_profile(page: Page, side: Side, tab: int) -> None:
    assert page.status == 200, page.text
    assert page.url == f"{side.site.origin}/profile?tab={tab}"
    assert page.text_of("issuer") == side.server.issuer
    assert page.text_of("subject") == side.subject
    assert page.text_of("tab") == str(tab)


def test_ten_tabs_that_start_together_all_log_in(sides: list[Side], browser: Browser) -> None:
    tabs = [(number, sides[number % 2]) for number in range(10)]
    pages = {n: browser.get(f"{side.site.origin}/profile?tab={n}") for n, side in tabs}
    assert all(page.has("login-submit") for page in pages.values())
    # The last that started is the first to go on, and each step is taken in all tabs.
    for number in sorted(pages, reverse=True):
        pages[number] = browser.log_in(pages[number])
    # Nobody has agreed to anything before: each tab asks, and each answer counts.
    for number in (4, 1, 8, 3, 0, 9, 6, 7, 2, 5):
        pages[number] = browser.allow(pages[number])
    for number, side in tabs:
        check_profile(pages[number], side, number)
    for number, side in tabs:
        check_profile(browser.get(f"{side.site.origin}/profile?tab={number}"), side, number)
    assert not any("code_replayed" in side.server.log for side in sides)


def test_logins_at_two_servers_are_interleaved_step_by_step(
    sides: list[Side], browser: Browser
) -> None:
    pages = [browser.get(f"{side.site.origin}/profile?tab={n}") for n, side in enumerate(sides)]
    pages = [browser.log_in(page) for page in pages]
    for number in (1, 0):
        if pages[number].has("consent-allow"):
            pages[number] = browser.allow(pages[number])
    for number, side in enumerate(sides):
        check_profile(pages[number], side, number)
    # Each session is still there, and one ends without the other.
    one, two = (side.site.origin for side in sides)
    assert browser.post(f"{one}/logout", []).url == f"{one}/"
    assert browser.get(f"{one}/profile", follow=False).status == 303
    check_profile(browser.get(f"{two}/profile?tab=1"), sides[1], 1)
    names = list(browser.cookies["127.0.0.1"])
    assert len([name for name in names if name.startswith("cg-app-")]) == 1


def test_a_callback_that_reaches_the_other_application_is_refused(
    sides: list[Side], browser: Browser
) -> None:
    one, two = (side.site.origin for side in sides)
    browser.within -= {one, two}
    page = browser.log_in(browser.get(f"{one}/login?return_to=/profile"))
    callback = (browser.allow(page) if page.has("consent-allow") else page).location
    assert callback.startswith(f"{one}/callback?")
    crossed = browser.get(callback.replace(one, two))
    assert (crossed.status, crossed.text_of("error-code")) == (400, "state_unknown")
    assert browser.get(callback).header("location") == "/profile"
