"""Logging in without an application, to see one's account; and logging out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from codegrant.accounts.effects import FindSession
from codegrant.secret import digest_of
from tests.flows.authorization_server import NOW
from tests.flows.house import Browser, House

LOGIN = {"username": "alice", "password": "wonderland"}


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(getattr(request, "param", "https://issuer.test"))
    yield made
    made.close()


with_and_without_path = pytest.mark.parametrize(
    "house", ["https://issuer.test", "https://issuer.test/tenant/one"], indirect=True
)


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


@with_and_without_path
def test_the_account_page_asks_to_log_in_and_comes_back(house: House, browser: Browser) -> None:
    page = browser.get(f"{house.policy.path}/account")
    assert page.url == house.policy.endpoint("login")
    assert page.title == "Sign in to your account"
    assert "transaction" not in page.inputs
    done = browser.log_in(page)
    assert done.url == house.policy.endpoint("account")
    assert done.by_id["account-username"] == "alice"
    assert house.last_event("login_succeeded").facts.keys() == {"source", "subject", "sid"}
    again = browser.get(f"{house.policy.path}/login")
    assert again.url == house.policy.endpoint("account")


@with_and_without_path
@pytest.mark.requirement("AS-AUTHN-13")
def test_nothing_in_an_address_or_a_form_says_where_the_login_leads(
    house: House, browser: Browser
) -> None:
    names = ("next", "return_to", "continue", "redirect_uri", "url", "done")
    evil: dict[str, str] = dict.fromkeys(names, "https://evil.test/")
    path = house.policy.path
    page = browser.get(f"{path}/account?{urlencode(evil)}")
    assert "evil" not in page.url + page.text
    page = browser.get(f"{path}/login?{urlencode(evil)}")
    assert "evil" not in page.text
    answer = browser.post(page, "login-submit", {**LOGIN, **evil})
    assert (answer.status, answer.headers.get("location")) == (
        303,
        house.policy.endpoint("account"),
    )


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", "wrong"), ("nobody", "wonderland"), ("", ""), ("alice", "")],
)
def test_a_wrong_password_is_told_and_the_next_attempt_works(
    house: House, browser: Browser, username: str, password: str
) -> None:
    page = browser.get(f"{house.policy.path}/login")
    wrong = browser.submit(page, "login-submit", {"username": username, "password": password})
    assert wrong.status == 400
    assert wrong.by_id["login-error"] == "The username or the password is not right."
    assert wrong.inputs["username"] == username
    assert browser.session_cookie is None
    assert "account-username" in browser.log_in(wrong).by_id


@pytest.mark.requirement("AS-AUTHN-06")
def test_guessing_is_limited_here_too(house: House, browser: Browser) -> None:
    page = browser.get(f"{house.policy.path}/login")
    for _ in range(10):
        browser.log_in(page, "alice", "wrong")
    limited = browser.log_in(page)
    assert limited.status == 429
    assert limited.headers.get("retry-after")
    login = browser.start()
    assert browser.log_in(login).status == 429


@pytest.mark.requirement("AS-AUTHN-01")
@pytest.mark.parametrize("csrf", [None, "", "A" * 43], ids=["absent", "empty", "made up"])
def test_a_form_that_is_not_this_browsers_logs_nobody_in(
    house: House, browser: Browser, csrf: str | None
) -> None:
    page = browser.get(f"{house.policy.path}/login")
    answer = browser.post(page, "login-submit", {**LOGIN, "csrf": csrf})
    assert answer.status == 403
    assert browser.session_cookie is None
    assert house.passwords_hashed() == 0
    assert house.last_event("page_refused").facts["reason"] == "csrf token missing or wrong"
    assert "account-username" in browser.log_in(page).by_id


@pytest.mark.requirement("AS-AUTHN-01")
def test_nobody_can_log_another_browser_in_as_themselves(house: House) -> None:
    attacker, victim = Browser(house), Browser(house)
    path = house.policy.path
    page = attacker.get(f"{path}/login")
    victims = victim.get(f"{path}/login")
    tokens = (page.inputs["csrf"], attacker.start().inputs["csrf"])
    for csrf in tokens:
        answer = victim.post(victims, "login-submit", {**LOGIN, "csrf": csrf})
        assert answer.status == 403
    # As a browser sends a form of another site: without any cookie.
    victim.cookies.clear()
    assert victim.post(page, "login-submit", LOGIN).status == 403
    assert victim.session_cookie is None
    assert house.passwords_hashed() == 0


def test_two_cookies_are_nobodys(house: House, browser: Browser) -> None:
    page = browser.get(f"{house.policy.path}/login")
    (name,) = browser.cookies
    for planted in ("0" * 64, browser.cookies[name], ""):
        browser.extra_cookies = [(name, planted)]
        assert browser.post(page, "login-submit", LOGIN).status == 403
    browser.extra_cookies = []
    assert browser.post(page, "login-submit", LOGIN).status == 303


@pytest.mark.parametrize("planted", ["", "short", "g" * 64, "0" * 65, "A" * 64])
def test_a_cookie_of_another_form_is_replaced(house: House, browser: Browser, planted: str) -> None:
    browser.get(f"{house.policy.path}/login")
    (name,) = browser.cookies
    browser.cookies[name] = planted
    page = browser.get(f"{house.policy.path}/login")
    assert browser.cookies[name] != planted
    assert browser.post(page, "login-submit", LOGIN).status == 303


@with_and_without_path
def test_two_tabs_may_both_log_in(house: House, browser: Browser) -> None:
    one, two = (browser.get(f"{house.policy.path}/login") for _ in range(2))
    assert "account-username" in browser.log_in(one).by_id
    assert "account-username" in browser.log_in(two).by_id


@pytest.mark.requirement("AS-AUTHN-04")
def test_the_forms_cookie_is_host_only_secure_and_hidden_from_scripts(
    house: House, browser: Browser
) -> None:
    answer = browser.send("GET", f"{house.policy.path}/login")
    (line,) = answer.headers.get_all("set-cookie")
    assert line.startswith("__Host-cg-login-")
    for attribute in ("; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"):
        assert attribute in line
    assert "Domain" not in line


def test_the_login_of_an_application_is_another(house: House, browser: Browser) -> None:
    account, login = browser.get(f"{house.policy.path}/login"), browser.start()
    transaction = login.inputs["transaction"]
    for fields in (
        {"transaction": transaction},
        {"transaction": transaction, "csrf": account.inputs["csrf"]},
    ):
        answer = browser.post(account, "login-submit", {**LOGIN, **fields})
        assert answer.status == 403
    answer = browser.post(login, "login-submit", {**LOGIN, "transaction": None})
    assert answer.status == 403
    assert browser.session_cookie is None


def test_a_session_from_here_serves_applications(house: House, browser: Browser) -> None:
    browser.sign_in()
    page = browser.start()
    assert "consent-allow" in page.buttons
    assert "code=" in browser.submit(page, "consent-allow").url


def test_the_logout_page_of_nobody_says_so(house: House, browser: Browser) -> None:
    page = browser.get(f"{house.policy.path}/logout")
    assert page.title == "Signed out"
    assert not page.forms
    answer = browser.send("POST", f"{house.policy.path}/logout", "decision=yes&csrf=x")
    assert (answer.status, answer.headers.get("location")) == (303, house.policy.endpoint("logout"))
    assert "logout" not in house.event_names()


@with_and_without_path
def test_logging_out_ends_one_session_and_no_grant(house: House, browser: Browser) -> None:
    elsewhere = Browser(house)
    elsewhere.sign_in()
    browser.sign_in()
    code, token = browser.allow(), house.access_token(browser.allow())
    cookie = browser.session_cookie or ""
    asked = browser.get(f"{house.policy.path}/logout")
    answer = browser.post(asked, "logout-yes")
    (line,) = answer.headers.get_all("set-cookie")
    assert line.startswith("__Host-cg-session-")
    assert "=; Max-Age=0; Path=/;" in line
    assert house.perform(FindSession(digest_of(cookie), NOW, 0)) is None
    assert "account-username" in elsewhere.get(f"{house.policy.path}/account").by_id
    assert house.userinfo(token) == 200
    assert house.redeem(code).status == 200


@pytest.mark.parametrize("decision", [None, "", "no", "YES", "yes please"])
def test_anything_but_yes_logs_nobody_out(
    house: House, browser: Browser, decision: str | None
) -> None:
    browser.sign_in()
    asked = browser.get(f"{house.policy.path}/logout")
    answer = browser.post(asked, "", {"decision": decision})
    assert (answer.status, answer.headers.get("location")) == (
        303,
        house.policy.endpoint("account"),
    )
    assert "account-username" in browser.get(f"{house.policy.path}/account").by_id


def test_what_a_person_saw_is_not_there_after_the_logout(house: House, browser: Browser) -> None:
    browser.sign_in()
    path = house.policy.path
    for name in ("account", "logout"):
        answer = browser.send("GET", f"{path}/{name}")
        assert answer.headers.get("cache-control") == "no-store"
    browser.submit(browser.get(f"{path}/logout"), "logout-yes")
    for name in ("account", "logout"):
        page = browser.get(f"{path}/{name}")
        assert "Alice" not in page.text
        assert "alice" not in page.text
