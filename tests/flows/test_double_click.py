"""A button pressed twice: the form is sent twice, and the browser shows the second answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.accounts.effects import VerifyPassword
from codegrant.http import Response
from codegrant.server.effects import FinishTransaction, SaveCode
from codegrant.server.interaction import ANSWER_SECONDS
from tests.flows.house import Browser, House


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def browser(house: House) -> Browser:
    made = Browser(house)
    made.log_in(made.start())
    return made


@pytest.mark.parametrize("button", ["consent-allow", "consent-deny"])
def test_the_second_press_gets_the_answer_to_the_first(
    house: House, browser: Browser, button: str
) -> None:
    page = browser.start()
    first, second = browser.post(page, button), browser.post(page, button)
    assert first.status == second.status == 303
    assert first.headers.get("location") == second.headers.get("location") != ""
    assert house.times(SaveCode) + house.times(FinishTransaction) == 1
    assert f"Max-Age={ANSWER_SECONDS};" in second.headers.get("set-cookie")


def test_two_presses_at_the_very_same_moment_get_one_answer(house: House, browser: Browser) -> None:
    page = browser.start()
    first: list[Response] = []
    house.before[SaveCode] = lambda: first.append(browser.post(page, "consent-allow"))
    second = browser.post(page, "consent-allow")
    assert [one.headers.get("location") for one in first] == [second.headers.get("location")]
    assert len([event for event in house.events if event.name == "authorization_granted"]) == 1


def test_a_login_that_leads_straight_to_the_client_may_be_sent_twice(house: House) -> None:
    browser = Browser(house)
    page = browser.start(client_id="trusted", redirect_uri="https://trusted.test/cb")
    typed = {"username": "alice", "password": "wonderland"}
    answers = [browser.post(page, "", typed), browser.post(page, "", typed)]
    assert {answer.status for answer in answers} == {303}
    first, second = (answer.headers.get("location") for answer in answers)
    assert first == second
    assert "code=" in first
    assert house.times(SaveCode) == 1


@pytest.mark.parametrize("arrives", ["second", "first"])
def test_whichever_answer_arrives_the_browser_is_logged_in(house: House, arrives: str) -> None:
    browser = Browser(house)
    page = browser.start(client_id="trusted", redirect_uri="https://trusted.test/cb")
    typed = {"username": "alice", "password": "wonderland"}
    before = dict(browser.cookies)
    browser.post(page, "", typed)
    kept, browser.cookies = browser.cookies, dict(before)
    second = browser.post(page, "", typed)
    assert len(second.headers.get_all("set-cookie")) == 2
    if arrives == "first":
        browser.cookies = kept
    assert browser.cookies == kept
    assert browser.get("/account").by_id["account-username"] == "alice"
    # Somebody who sends another form has it neither.
    browser.cookies = dict(before)
    third = browser.post(page, "", {**typed, "password": "wonderlane"})
    assert (third.status, browser.session_cookie) == (400, None)


def test_a_session_that_waits_for_a_second_press_is_sealed(house: House) -> None:
    browser = Browser(house)
    page = browser.start(client_id="trusted", redirect_uri="https://trusted.test/cb")
    answer = browser.post(page, "", {"username": "alice", "password": "wonderland"})
    told = repr([effect for effect in house.effects if not isinstance(effect, VerifyPassword)])
    code = answer.headers.get("location").partition("code=")[2].partition("&")[0]
    for secret in (browser.session_cookie, code):
        assert secret
        assert secret not in told
    (saved,) = (effect for effect in house.effects if isinstance(effect, SaveCode))
    assert saved.end is not None
    assert (browser.session_cookie or "-") not in saved.end.sealed_answer


def test_another_button_is_no_second_press(house: House, browser: Browser) -> None:
    page = browser.start()
    assert browser.post(page, "consent-allow").status == 303
    assert browser.post(page, "consent-deny").status == 400
    assert browser.post(page, "consent-allow").status == 303


@pytest.mark.parametrize("field", ["csrf", "transaction", "extra"])
def test_another_form_is_no_second_press(house: House, browser: Browser, field: str) -> None:
    page = browser.start()
    assert browser.post(page, "consent-allow").status == 303
    changed = browser.post(page, "consent-allow", {field: "x"})
    assert changed.status in {400, 403}
    assert "location" not in changed.headers


def test_a_browser_without_the_cookie_gets_nothing(house: House, browser: Browser) -> None:
    page = browser.start()
    assert browser.post(page, "consent-allow").status == 303
    assert Browser(house).post(page, "consent-allow").status == 400


def test_a_later_press_is_too_late(house: House, browser: Browser) -> None:
    page = browser.start()
    assert browser.post(page, "consent-allow").status == 303
    house.now += ANSWER_SECONDS - 1
    assert browser.post(page, "consent-allow").status == 303
    house.now += 1
    assert browser.post(page, "consent-allow").status == 400
