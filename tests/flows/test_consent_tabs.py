"""Consent in several tabs of one browser, whose session is replaced while pages are open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.server.effects import SaveCode
from tests.flows.house import Browser, House, parameters_of


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def browser(house: House) -> Browser:
    """A browser where alice has just logged in."""
    browser = Browser(house)
    browser.log_in(browser.start())
    return browser


def test_a_page_still_counts_when_its_person_logs_in_once_more_in_another_tab(
    house: House, browser: Browser
) -> None:
    page = browser.start()
    before = browser.session_cookie
    browser.log_in(browser.start(prompt="login"))
    assert browser.session_cookie != before
    assert "code" in parameters_of(browser.submit(page, "consent-allow"))
    assert house.last_event("consent_given").facts["subject"] == "person-alice"


def test_it_does_not_count_for_anybody_else_or_anywhere_else(
    house: House, browser: Browser
) -> None:
    page = browser.start()
    same_person = Browser(house)
    same_person.log_in(same_person.start())
    assert same_person.post(page, "consent-allow").status == 400
    browser.log_in(browser.start(prompt="login"), "bob")
    assert browser.post(page, "consent-allow").status == 403
    assert house.times(SaveCode) == 0
    browser.log_in(browser.start(prompt="login"))
    assert "code" in parameters_of(browser.submit(page, "consent-allow"))
