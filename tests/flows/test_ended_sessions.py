"""A session that ends while an answer is on its way: whoever has lost it gets nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from codegrant.accounts.effects import EndSessionsOf, ReplacePassword
from codegrant.server.effects import SaveCode
from tests.flows.house import PASSWORDS, Browser, House, hashed, parameters_of


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def log_out(house: House) -> None:
    house.perform(EndSessionsOf("person-alice"))


def change_password(house: House) -> None:
    house.perform(ReplacePassword("person-alice", hashed(PASSWORDS["bob"]), house.now))


def lock_out_for_a_moment(house: House) -> None:
    house.change_account("alice", enabled=False)
    house.change_account("alice", enabled=True)


def change_nothing(_: House) -> None:
    pass


endings = pytest.mark.parametrize(
    ("happen", "status"),
    [
        pytest.param(change_nothing, 303, id="nothing"),
        pytest.param(log_out, 400, id="logout"),
        pytest.param(change_password, 400, id="new password"),
        pytest.param(lock_out_for_a_moment, 400, id="disabled and enabled"),
    ],
)


@endings
def test_without_a_page_a_code_needs_a_session_to_the_end(
    house: House, happen: Callable[[House], None], status: int
) -> None:
    browser = Browser(house)
    browser.submit(browser.log_in(browser.start()), "consent-allow")
    house.before[SaveCode] = lambda: happen(house)
    answer = browser.start()
    assert answer.status == status
    assert ("code" in parameters_of(answer)) is (status == 303)


@endings
def test_consent_needs_a_session_to_the_end(
    house: House, happen: Callable[[House], None], status: int
) -> None:
    browser = Browser(house)
    page = browser.log_in(browser.start())
    house.before[SaveCode] = lambda: happen(house)
    answer = browser.submit(page, "consent-allow")
    assert answer.status == status
    assert ("code" in parameters_of(answer)) is (status == 303)
    assert ("consent_given" in house.event_names()) is (status == 303)
