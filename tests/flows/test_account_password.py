"""Changing one's own password: what it needs, what it ends, and what comes in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from codegrant.accounts.effects import (
    ChangePassword,
    EndSessionsOf,
    FindSession,
    HashPassword,
    ReplacePassword,
    VerifyPassword,
)
from codegrant.errors import StoreError
from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server.interaction import ANSWER_SECONDS
from tests.flows.authorization_server import NOW
from tests.flows.house import PASSWORDS, Browser, House, Page, hashed, read_page

OLD, NEW = PASSWORDS["alice"], "through the looking glass"
WRONG = "The current password is not right."


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def browser(house: House) -> Browser:
    made = Browser(house)
    made.sign_in()
    return made


def fields(
    current: str | None = OLD, new: str | None = NEW, again: str | None = NEW
) -> dict[str, str | None]:
    return {"current_password": current, "new_password": new, "new_password_again": again}


def press(browser: Browser, page: Page | None = None, **typed: str | None) -> Response:
    """Fill in and send the form of the account page."""
    page = page or browser.get("/account")
    return browser.post(page, "password-submit", fields(**typed))


def change(browser: Browser, **typed: str | None) -> Page:
    """As `press`; return the page that it leads to."""
    page = browser.get("/account")
    return browser.submit(page, "password-submit", fields(**typed))


def is_in(browser: Browser) -> bool:
    return "account-username" in browser.get("/account").by_id


def opens(house: House, password: str) -> bool:
    """Return whether alice can log in with it, from somewhere else."""
    browser = Browser(house, peer="198.51.100.77")
    page = browser.log_in(browser.get("/account"), "alice", password)
    return "account-username" in page.by_id


@pytest.mark.requirement("AS-RT-08", "AS-AUTHN-03")
@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_a_new_password_ends_all_but_the_browser_it_was_chosen_in(access_format: str) -> None:
    house = House(access_format=access_format)
    here, there, bob = Browser(house), Browser(house), Browser(house)
    here.sign_in()
    there.sign_in()
    bob.sign_in("bob")
    token, bobs = house.access_token(here.allow()), house.access_token(bob.allow())
    waiting = there.allow()
    before = here.session_cookie

    done = change(here)

    assert done.by_id["account-username"] == "alice"
    assert done.by_id["account-notice"].startswith("Your password is changed.")
    assert here.session_cookie not in {before, None}
    assert house.perform(FindSession(digest_of(before or ""), NOW, 0)) is None
    assert [is_in(one) for one in (here, there, bob)] == [True, False, True]
    assert house.userinfo(token) == 401
    assert house.redeem(waiting).status == 400
    assert house.userinfo(bobs) == 200
    assert (opens(house, OLD), opens(house, NEW)) == (False, True)
    event = house.last_event("password_changed")
    assert event.facts == {"subject": "person-alice", "source": "192.0.2.1"}
    # What was agreed to is remembered; the application gets a new grant with the new session.
    assert house.userinfo(house.access_token(here.allow())) == 200
    house.close()


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        pytest.param({"current": "wrong"}, WRONG, id="wrong password"),
        pytest.param({"current": ""}, WRONG, id="no current password"),
        pytest.param({"current": None}, WRONG, id="current password absent"),
        pytest.param({"current": NEW}, WRONG, id="the new one"),
        pytest.param({"current": "a" * 2000}, WRONG, id="current password too long"),
        pytest.param({"again": f"{NEW} "}, "not the same", id="a space more"),
        pytest.param({"again": ""}, "not the same", id="not typed again"),
        pytest.param({"again": None}, "not the same", id="again absent"),
        pytest.param({"new": "", "again": ""}, "at least 8", id="no new password"),
        pytest.param({"new": None, "again": None}, "at least 8", id="new password absent"),
        pytest.param({"new": "1234567", "again": "1234567"}, "at least 8", id="short"),
        pytest.param({"new": "ä" * 7, "again": "ä" * 7}, "at least 8", id="characters, not bytes"),
        pytest.param({"new": "a" * 1025, "again": "a" * 1025}, "too long", id="long"),
        pytest.param({"new": "ä" * 1024, "again": "ä" * 1024}, "too long", id="long in bytes"),
        pytest.param({"new": "a\tbcdefgh", "again": "a\tbcdefgh"}, "no key makes", id="a tab"),
    ],
)
def test_a_password_that_cannot_be_taken_changes_nothing(
    house: House, browser: Browser, typed: dict[str, str | None], error: str
) -> None:
    token, cookie = house.access_token(browser.allow()), browser.session_cookie
    page = read_page(press(browser, None, **typed))
    assert page.status == 400
    assert error in page.by_id["password-error"]
    assert page.title.startswith("Error: ")
    assert browser.session_cookie == cookie
    assert is_in(browser)
    assert house.userinfo(token) == 200
    assert opens(house, OLD)
    for name in ("current_password", "new_password", "new_password_again"):
        assert page.form_of("password-submit").inputs[name] == ""
    # From the page that says so the next attempt works.
    assert browser.post(page, "password-submit", fields()).status == 303
    assert opens(house, NEW)


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        pytest.param("12345678", "12345678", id="eight characters"),
        pytest.param("  two  spaces ", "  two  spaces ", id="spaces count"),
        pytest.param("pa\u0308ssword", "p\u00e4ssword", id="another spelling"),
        pytest.param("a" * 1024, "a" * 1024, id="as long as can be"),
    ],
)
def test_a_password_is_taken_whole(
    house: House, browser: Browser, typed: str, password: str
) -> None:
    assert press(browser, new=typed, again=password).status == 303
    assert opens(house, password)
    assert not opens(house, password[:-1])


@pytest.mark.requirement("AS-AUTHN-06")
def test_guessing_at_the_current_password_is_limited_as_at_the_login(
    house: House, browser: Browser
) -> None:
    page = browser.get("/account")
    for _ in range(10):
        assert press(browser, page, current="wrong").status == 400
    before = house.passwords_hashed()
    limited = press(browser, page)
    assert limited.status == 429
    assert 0 < int(limited.headers.get("retry-after")) <= 300
    assert "Try again in 5 minutes" in read_page(limited).by_id["password-error"]
    assert house.passwords_hashed() == before
    assert house.last_event("password_refused").facts["reason"] == "limited"
    assert house.times(HashPassword) == 0
    # The login counts with it, and nobody else is locked out.
    login = Browser(house)
    assert login.log_in(login.get("/login"), "alice", "wrong").status == 429
    assert Browser(house).sign_in("bob").by_id["account-username"] == "bob"
    assert opens(house, OLD)
    house.now += 301
    assert press(browser, page).status == 303


def test_guesses_at_the_login_count_at_the_account(house: House, browser: Browser) -> None:
    login = Browser(house)
    page = login.get("/login")
    for _ in range(10):
        login.log_in(page, "alice", "wrong")
    assert press(browser).status == 429


def test_a_failure_is_an_event_that_holds_no_password(house: House, browser: Browser) -> None:
    press(browser, current="my other password")
    change(browser)
    told = repr([(event.name, event.facts) for event in house.events])
    for secret in ("my other password", OLD, NEW, browser.session_cookie or "-"):
        assert secret not in told
    event = house.last_event("password_refused")
    assert event.facts == {
        "subject": "person-alice",
        "source": "192.0.2.1",
        "reason": "password",
    }
    for effect in house.effects:
        assert NEW not in repr(effect)


def replace_it(house: House) -> None:
    house.perform(ReplacePassword("person-alice", hashed("set by an operator"), NOW))


def disable(house: House) -> None:
    house.change_account("alice", enabled=False)


def log_out(house: House) -> None:
    house.perform(EndSessionsOf("person-alice"))


@pytest.mark.parametrize("moment", [VerifyPassword, HashPassword, ChangePassword])
@pytest.mark.parametrize("happen", [replace_it, disable, log_out])
def test_whatever_comes_in_between_wins(
    house: House,
    browser: Browser,
    moment: type[ChangePassword],
    happen: Callable[[House], None],
) -> None:
    page = browser.get("/account")
    house.before[moment] = lambda: happen(house)
    answer = press(browser, page)
    assert "set-cookie" not in answer.headers
    assert (answer.status, answer.headers.get("location")) == (303, "https://issuer.test/account")
    assert not is_in(browser)
    assert not opens(house, NEW)
    assert "password_changed" not in house.event_names()
    assert house.last_event("password_refused").facts["reason"] == "changed"


def test_a_person_who_is_renamed_in_between_is_still_the_same(
    house: House, browser: Browser
) -> None:
    house.before[VerifyPassword] = lambda: house.change_account("alice", username_key="alicia")
    assert press(browser).status == 303
    assert house.last_event("password_changed").facts["subject"] == "person-alice"


def test_of_two_changes_at_the_same_moment_one_wins(house: House) -> None:
    one, other = Browser(house), Browser(house)
    one.sign_in()
    other.sign_in()
    late = other.get("/account")
    house.before[ChangePassword] = lambda: press(
        one, new="the first of two", again="the first of two"
    )
    assert press(other, late).status == 303
    assert [is_in(one), is_in(other)] == [True, False]
    assert (opens(house, "the first of two"), opens(house, NEW)) == (True, False)


def test_a_second_press_gets_the_session_of_the_first(house: House, browser: Browser) -> None:
    page, before = browser.get("/account"), dict(browser.cookies)
    first = press(browser, page)
    kept, browser.cookies = browser.cookies, before
    second = press(browser, page)
    assert browser.cookies == kept
    assert first.headers.get("location") == second.headers.get("location")
    assert is_in(browser)
    assert house.event_names().count("password_changed") == 1


def test_two_presses_at_the_very_same_moment_have_one_session(
    house: House, browser: Browser
) -> None:
    page, before = browser.get("/account"), dict(browser.cookies)
    first: list[Response] = []

    def press_first() -> None:
        first.append(press(browser, page))
        browser.cookies = dict(before)

    house.before[ChangePassword] = press_first
    second = press(browser, page)
    assert [one.headers.get("set-cookie") for one in first] == [second.headers.get("set-cookie")]
    assert is_in(browser)
    assert "password_refused" not in house.event_names()


def test_a_press_that_comes_after_the_new_cookie_and_before_the_new_page_is_the_second_one(
    house: House, browser: Browser
) -> None:
    page = browser.get("/account")
    first = press(browser, page)
    cookie = browser.session_cookie
    second = press(browser, page)
    assert second.headers.get("location") == first.headers.get("location")
    assert browser.session_cookie == cookie
    assert house.event_names().count("password_changed") == 1
    assert "password_refused" not in house.event_names()
    # Another form of the page that is gone is none, nor is the same one later.
    assert press(browser, page, new=f"{NEW}!", again=f"{NEW}!").status == 403
    house.now += ANSWER_SECONDS
    assert press(browser, page).status == 403


@pytest.mark.parametrize(
    "typed",
    [{"new": f"{NEW}!", "again": f"{NEW}!"}, {"current": "wrong"}, {"again": f"{NEW}!"}],
    ids=["another password", "another current one", "mistyped"],
)
def test_another_form_is_no_second_press(
    house: House, browser: Browser, typed: dict[str, str | None]
) -> None:
    page, before = browser.get("/account"), dict(browser.cookies)
    press(browser, page)
    browser.cookies = before
    answer = press(browser, page, **typed)
    assert answer.status == 303
    assert "set-cookie" not in answer.headers


def test_a_second_press_comes_soon_and_from_the_same_browser(
    house: House, browser: Browser
) -> None:
    page, before = browser.get("/account"), dict(browser.cookies)
    press(browser, page)
    stranger = Browser(house)
    assert "set-cookie" not in press(stranger, page).headers
    (name,) = before.keys() - {n for n in before if "session" not in n}
    stranger.cookies = {name: "A" * 43}
    assert "set-cookie" not in press(stranger, page).headers
    browser.cookies = dict(before)
    house.now += ANSWER_SECONDS - 1
    assert "set-cookie" in press(browser, page).headers
    browser.cookies = dict(before)
    house.now += 1
    assert "set-cookie" not in press(browser, page).headers


def test_a_flood_of_passwords_is_a_503_page_and_changes_nothing(
    house: House, browser: Browser
) -> None:
    house.broken[HashPassword] = StoreError("busy", code="store_busy")
    assert press(browser).status == 503
    assert is_in(browser)
    del house.broken[HashPassword]
    assert opens(house, OLD)
