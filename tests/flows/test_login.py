"""Logging in at the pages, on a real database, as a browser does it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.accounts.effects import (
    EndSessionsOf,
    FindSession,
    ListAccounts,
    ReplacePassword,
    SaveSession,
    VerifyPassword,
)
from codegrant.accounts.hashing import PasswordHasher
from codegrant.errors import StoreError
from codegrant.secret import digest_of
from codegrant.server.effects import SaveCode
from codegrant.server.interaction import ANSWER_SECONDS
from tests.flows.authorization_server import CALLBACK, NOW
from tests.flows.house import (
    PASSWORDS,
    Browser,
    House,
    Page,
    account,
    hashed,
    parameters_of,
    read_page,
)

WRONG = "The username or the password is not right."


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


def at_client(page: Page) -> bool:
    """Return whether the browser went back to client a with a code."""
    return page.url.startswith(f"{CALLBACK}?") and "code" in parameters_of(page)


def test_a_person_logs_in_allows_and_arrives_at_the_client(house: House, browser: Browser) -> None:
    login = browser.start()
    assert login.status == 200
    assert "Application <A>" in login.title
    assert login.url.partition("?")[0] == "https://issuer.test/login"
    consent = browser.log_in(login)
    assert consent.status == 200
    assert "consent-allow" in consent.buttons
    page = browser.submit(consent, "consent-allow")
    assert at_client(page)
    assert parameters_of(page)["state"] == "the state"
    assert parameters_of(page)["iss"] == "https://issuer.test"
    assert house.event_names() == [
        "authorization_requested",
        "login_succeeded",
        "authorization_granted",
        "consent_given",
    ]


@pytest.mark.requirement("AS-AUTHN-13")
def test_addresses_of_the_pages_carry_the_transaction_alone(browser: Browser) -> None:
    login = browser.start(login_hint="alice", state="marker-state", nonce="marker-nonce")
    query = login.url.partition("?")[2]
    assert query.startswith("transaction=")
    assert "&" not in query
    assert "marker" not in login.url
    # Whatever is added to the address or to the form is nobody's destination.
    again = browser.get(f"{login.url}&next=//evil.test&return_to=https://evil.test")
    answer = browser.post(
        again,
        "login-submit",
        {"username": "alice", "password": PASSWORDS["alice"], "next": "//evil.test"},
    )
    assert answer.status == 303
    assert answer.headers.get("location").startswith("https://issuer.test/consent?transaction=")


def test_a_login_hint_is_filled_in_and_nothing_more(browser: Browser) -> None:
    page = browser.start(login_hint='bob"><script>alert(1)</script>')
    assert page.inputs["username"] == 'bob"><script>alert(1)</script>'
    assert "script" not in {tag for tag, _ in page.tags}
    assert "consent-allow" in browser.log_in(page, "alice").buttons


@pytest.mark.requirement("AS-AUTHN-03", "AS-AUTHN-04")
def test_every_login_makes_a_new_session_and_ends_the_old(house: House, browser: Browser) -> None:
    browser.log_in(browser.start())
    first = browser.session_cookie
    browser.log_in(browser.start(prompt="login"))
    second = browser.session_cookie
    assert first is not None
    assert second is not None
    assert first != second
    assert house.perform(FindSession(digest_of(first), NOW, 0)) is None
    assert house.perform(FindSession(digest_of(second), NOW, 0)) is not None
    (name,) = (name for name in browser.cookies if "session" in name)
    assert name.startswith("__Host-cg-session-")


def test_a_session_id_that_somebody_planted_is_never_taken_up(
    house: House, browser: Browser
) -> None:
    name = "__Host-cg-session-" + digest_of("https://issuer.test").hex()[:6]
    browser.cookies[name] = "planted"
    browser.log_in(browser.start())
    assert browser.cookies[name] != "planted"
    assert house.perform(FindSession(digest_of("planted"), NOW, 0)) is None


def test_another_person_who_logs_in_ends_the_session_of_the_first(
    house: House, browser: Browser
) -> None:
    browser.log_in(browser.start())
    alices = browser.session_cookie or ""
    consent = browser.log_in(browser.start(prompt="login"), "bob")
    page = browser.submit(consent, "consent-allow")
    assert at_client(page)
    assert house.perform(FindSession(digest_of(alices), NOW, 0)) is None
    assert house.last_event("authorization_granted").facts["subject"] == "person-bob"
    assert browser.get("/account").by_id["account-username"] == "bob"


@pytest.mark.requirement("AS-AUTHN-05")
@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("nobody", "wonderland", id="unknown person"),
        pytest.param("alice", "wrong", id="wrong password"),
        pytest.param("bob", PASSWORDS["bob"], id="disabled"),
        pytest.param("alice", "Wonderland", id="case of the password"),
        pytest.param("alice", "wonderland ", id="a space after the password"),
        pytest.param("al\N{LATIN SMALL LETTER DOTLESS I}ce", "wonderland", id="dotless i"),
        pytest.param("bob", "wonderland", id="another's password"),
        pytest.param("alice", "", id="no password"),
        pytest.param("", "wonderland", id="no username"),
        pytest.param("alice", "a" * 1025, id="a long password"),
        pytest.param("a" * 2000, "wonderland", id="a long username"),
        pytest.param("' OR 1=1--", "wonderland", id="SQL"),
        pytest.param("alice%", "wonderland", id="a wildcard"),
    ],
)
def test_every_failure_looks_the_same(
    house: House, browser: Browser, username: str, password: str
) -> None:
    house.change_account("bob", enabled=False)
    login = browser.start()
    page = browser.log_in(login, username, password)
    assert page.status == 400
    assert page.by_id["login-error"] == WRONG
    assert browser.session_cookie is None
    # But for what was typed, the page is one and the same.
    other = browser.log_in(login, "somebody else", "wrong")
    assert page.text.replace(f'value="{username}"', "").count("\n") == other.text.count("\n")
    assert page.headers == other.headers
    assert page.inputs["transaction"] == login.inputs["transaction"]
    assert "retry-after" not in page.headers


@pytest.mark.parametrize(
    "username",
    [
        pytest.param("alice", id="as it is"),
        pytest.param("ALICE", id="upper case"),
        pytest.param(" alice ", id="spaces around, as phones add them"),
        pytest.param("ａｌｉｃｅ", id="full width"),  # noqa: RUF001
    ],
)
def test_spellings_of_a_username_reach_their_one_person(
    house: House, browser: Browser, username: str
) -> None:
    browser.log_in(browser.start(), username, "wonderland")
    assert house.last_event("login_succeeded").facts["subject"] == "person-alice"


@pytest.mark.requirement("AS-AUTHN-07")
def test_long_passwords_are_compared_whole_and_huge_ones_refused_unhashed(
    house: House, browser: Browser
) -> None:
    long = "a" * 80
    house.perform(ReplacePassword("person-alice", hashed(long), NOW))
    login = browser.start()
    assert browser.log_in(login, "alice", "a" * 72).status == 400
    assert browser.log_in(login, "alice", "a" * 79 + "b").status == 400
    before = house.passwords_hashed()
    assert browser.log_in(login, "alice", "a" * 2000).status == 400
    huge = browser.log_in(login, "alice", "a" * 2**20)
    assert huge.status == 413
    assert house.passwords_hashed() == before
    assert "consent-allow" in browser.log_in(login, "alice", long).buttons


@pytest.mark.requirement("AS-AUTHN-01")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"csrf": None}, 403, id="csrf absent"),
        pytest.param({"csrf": ""}, 403, id="csrf empty"),
        pytest.param({"csrf": "A" * 43}, 403, id="csrf made up"),
        pytest.param({"transaction": None}, 403, id="transaction absent"),
        pytest.param({"transaction": "A" * 43}, 400, id="transaction made up"),
    ],
)
def test_a_form_that_is_not_this_pages_is_refused_before_the_password_is_looked_at(
    house: House, browser: Browser, changes: dict[str, str | None], status: int
) -> None:
    login = browser.start()
    fields = {"username": "alice", "password": "wonderland", **changes}
    answer = browser.post(login, "login-submit", fields)
    assert answer.status == status
    assert browser.session_cookie is None
    assert house.passwords_hashed() == 0
    assert "consent-allow" in browser.log_in(login).buttons


@pytest.mark.requirement("AS-AUTHN-01")
def test_the_token_of_another_browser_transaction_or_page_is_refused(house: House) -> None:
    browser, other = Browser(house), Browser(house)
    login, second, foreign = browser.start(), browser.start(), other.start()
    consent = other.log_in(foreign)
    for stolen in (second.inputs["csrf"], foreign.inputs["csrf"], consent.inputs["csrf"]):
        answer = browser.post(
            login, fields={"username": "alice", "password": "wonderland", "csrf": stolen}
        )
        assert answer.status == 403
        assert read_page(answer).by_id["error-code"] == "access_denied"
    assert house.passwords_hashed() == 1


def test_a_transaction_that_another_browser_opened_is_a_400_page(house: House) -> None:
    browser, thief = Browser(house), Browser(house)
    login = browser.start()
    stolen = thief.get(login.url)
    assert stolen.status == 400
    assert not stolen.forms
    answer = thief.post(login, fields={"username": "alice", "password": "wonderland"})
    assert answer.status == 400
    assert thief.session_cookie is None
    assert house.passwords_hashed() == 0
    assert "consent-allow" in browser.log_in(login).buttons


def test_the_fixation_of_a_flow_ends_where_it_began(house: House) -> None:
    # The attacker starts, the victim is lured to the address: only one of them can go on.
    attacker, victim = Browser(house), Browser(house)
    started = attacker.start()
    lured = victim.get(started.url)
    assert lured.status == 400
    assert "login-submit" not in lured.buttons


@pytest.mark.parametrize("tossed_first", [True, False], ids=["tossed first", "tossed last"])
def test_two_binding_cookies_of_one_name_are_refused(
    house: House, browser: Browser, *, tossed_first: bool
) -> None:
    login = browser.start()
    (name,) = browser.cookies
    value = browser.cookies.pop(name)
    pair = [(name, "tossed"), (name, value)]
    browser.extra_cookies = pair if tossed_first else pair[::-1]
    answer = browser.post(login, fields={"username": "alice", "password": "wonderland"})
    assert answer.status == 400
    assert house.passwords_hashed() == 0


def test_an_expired_transaction_is_a_calm_page(house: House, browser: Browser) -> None:
    login = browser.start()
    house.now += house.policy.transaction_lifetime
    late = browser.log_in(login)
    assert late.status == 400
    assert late.by_id["error-code"] == "invalid_request"
    assert "expired" in late.by_id["error-description"]
    assert house.passwords_hashed() == 0
    assert browser.get(login.url).status == 400


def test_going_back_after_the_end_is_a_calm_page(house: House, browser: Browser) -> None:
    login = browser.start()
    consent = browser.log_in(login)
    assert at_client(browser.submit(consent, "consent-allow"))
    house.now += ANSWER_SECONDS
    for page in (
        browser.get(login.url),
        browser.get(consent.url),
        browser.log_in(login),
        browser.submit(consent, "consent-allow"),
        browser.submit(consent, "consent-deny"),
    ):
        assert page.status == 400
        assert "finished" in page.by_id["error-description"]
    assert house.times(SaveCode) == 1


def test_going_back_after_the_login_shows_what_is_still_to_do(browser: Browser) -> None:
    login = browser.start()
    browser.log_in(login)
    assert "consent-allow" in browser.get(login.url).buttons


def test_a_login_form_sent_twice_logs_in_twice_and_goes_on(house: House, browser: Browser) -> None:
    login = browser.start()
    fields: dict[str, str | None] = {"username": "alice", "password": "wonderland"}
    first = browser.post(login, "login-submit", fields)
    second = browser.post(login, "login-submit", fields)
    assert (first.status, second.status) == (303, 303)
    consent = browser.get(second.headers.get("location"))
    assert at_client(browser.submit(consent, "consent-allow"))
    assert house.event_names().count("login_succeeded") == 2


def test_ten_tabs_started_at_once_all_arrive(browser: Browser) -> None:
    tabs = [browser.start() for _ in range(10)]
    consents = [browser.log_in(tabs[0])]
    # Who is logged in in one tab is logged in in all of them.
    consents += [browser.get(tab.url) for tab in tabs[1:]]
    assert all("consent-allow" in page.buttons for page in consents)
    assert at_client(browser.submit(consents[0], "consent-allow"))
    # The consent is remembered: the other tabs go on without asking.
    assert all(at_client(browser.get(tab.url)) for tab in tabs[1:])


def test_beyond_twelve_tabs_the_oldest_is_given_up(browser: Browser) -> None:
    tabs = [browser.start() for _ in range(13)]
    assert browser.get(tabs[0].url).status == 400
    assert browser.get(tabs[1].url).status == 200
    assert sum("cg-txn" in name for name in browser.cookies) == 12


def test_a_client_without_consent_ends_at_the_login(house: House, browser: Browser) -> None:
    request = {"client_id": "trusted", "redirect_uri": "https://trusted.test/cb"}
    page = browser.log_in(browser.start(**request))
    assert page.url.startswith("https://trusted.test/cb?")
    assert "code" in parameters_of(page)
    assert browser.session_cookie is not None
    assert browser.start(**request).url.startswith("https://trusted.test/cb?")
    assert house.event_names().count("login_succeeded") == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"prompt": "login"}, id="prompt=login"),
        pytest.param({"max_age": "0"}, id="max_age=0"),
        pytest.param({"prompt": "select_account"}, id="prompt=select_account"),
    ],
)
def test_a_login_that_the_client_demands_is_asked_for_once(
    browser: Browser, changes: dict[str, str | None]
) -> None:
    browser.submit(browser.log_in(browser.start()), "consent-allow")
    page = browser.start(**changes)
    assert page.by_id.keys() >= {"username", "login-submit"}
    assert "again" in page.text
    assert at_client(browser.log_in(page))


def test_a_session_ends_when_it_is_not_used(house: House, browser: Browser) -> None:
    browser.log_in(browser.start())
    house.now += house.policy.session_idle - 1
    assert "account-username" in browser.get("/account").by_id
    house.now += house.policy.session_idle
    assert "account-username" not in browser.get("/account").by_id
    assert "login-submit" in browser.start().buttons


def test_a_session_that_is_always_used_ends_all_the_same(house: House, browser: Browser) -> None:
    browser.log_in(browser.start())
    for _ in range(99):
        house.now += house.policy.session_absolute // 100
        assert "account-username" in browser.get("/account").by_id
    house.now += house.policy.session_absolute // 100
    assert "account-username" not in browser.get("/account").by_id


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda h: h.change_account("alice", enabled=False), id="disabled"),
        pytest.param(lambda h: h.perform(EndSessionsOf("person-alice")), id="ended"),
        pytest.param(
            lambda h: h.perform(ReplacePassword("person-alice", hashed("another one"), NOW)),
            id="new password",
        ),
    ],
)
def test_an_operator_ends_a_session_at_once(house: House, browser: Browser, end: object) -> None:
    consent = browser.log_in(browser.start())
    assert callable(end)
    end(house)
    assert "login-submit" in browser.submit(consent, "consent-allow").buttons
    assert house.times(SaveCode) == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda h: h.perform(ReplacePassword("person-alice", hashed("another one"), NOW)),
            id="new password",
        ),
        pytest.param(lambda h: h.change_account("alice", enabled=False), id="disabled"),
    ],
)
def test_a_change_during_the_login_wins(house: House, browser: Browser, change: object) -> None:
    assert callable(change)
    login = browser.start()
    house.before[SaveSession] = lambda: change(house)
    page = browser.log_in(login)
    assert page.status == 400
    assert page.by_id["login-error"] == WRONG
    assert browser.session_cookie is None


def test_a_flood_of_passwords_is_a_503_page(house: House, browser: Browser) -> None:
    login = browser.start()
    house.broken[VerifyPassword] = StoreError("busy", code="store_busy")
    page = browser.log_in(login)
    assert page.status == 503
    assert page.headers.get("retry-after")
    del house.broken[VerifyPassword]
    assert "consent-allow" in browser.log_in(login).buttons


@pytest.mark.requirement("AS-AUTHN-06")
def test_guessing_is_limited_for_one_person_from_one_source_alone(house: House) -> None:
    guesser, neighbour = Browser(house), Browser(house)
    elsewhere = Browser(house, peer="198.51.100.7")
    login = guesser.start()
    for _ in range(10):
        assert guesser.log_in(login, "alice", "wrong").status == 400
    limited = guesser.log_in(login, "alice", "wonderland")
    assert limited.status == 429
    assert 0 < int(limited.headers.get("retry-after")) <= 300
    assert limited.by_id["login-error"].startswith("Too many attempts have failed.")
    assert house.passwords_hashed() == 10
    assert house.event_names()[-1] == "login_limited"
    # Neither another person from there nor this person from elsewhere is locked out.
    assert "consent-allow" in neighbour.log_in(neighbour.start(), "bob").buttons
    assert "consent-allow" in elsewhere.log_in(elsewhere.start(), "alice").buttons
    house.now += 301
    assert "consent-allow" in guesser.log_in(guesser.start(), "alice").buttons


def test_guessing_at_many_names_is_limited_by_its_source(house: House, browser: Browser) -> None:
    house.close()
    house = House(limits=type(house.policy.limits)(account_failures=2, source_failures=4))
    browser = Browser(house)
    login = browser.start()
    statuses = [browser.log_in(login, f"name{n}", "x").status for n in range(6)]
    assert statuses == [400, 400, 400, 400, 429, 429]
    assert house.passwords_hashed() == 4


def test_an_ipv6_subscriber_is_one_source(house: House) -> None:
    for n in range(10):
        browser = Browser(house, peer=f"2001:db8::{n:x}")
        assert browser.log_in(browser.start(), "alice", "wrong").status == 400
    browser = Browser(house, peer="2001:db8::ffff")
    assert browser.log_in(browser.start(), "alice").status == 429


def test_success_is_never_counted(house: House, browser: Browser) -> None:
    for _ in range(15):
        assert "consent-allow" in browser.log_in(browser.start(prompt="login")).buttons
    assert "login_limited" not in house.event_names()


def test_nothing_secret_goes_into_an_event(house: House, browser: Browser) -> None:
    login = browser.start()
    browser.log_in(login, "alice", "my other password")
    consent = browser.log_in(login)
    page = browser.submit(consent, "consent-allow")
    told = repr([(event.name, event.facts) for event in house.events])
    secrets = [
        "my other password",
        "wonderland",
        login.inputs["csrf"],
        login.inputs["transaction"],
        parameters_of(page)["code"],
        browser.session_cookie or "-",
        account("alice").password_hash,
    ]
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.requirement("AS-AUTHN-08")
def test_passwords_are_in_the_database_as_argon2id_alone(house: House) -> None:
    for person in house.perform(ListAccounts()):
        assert person.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PASSWORDS[person.username] not in person.password_hash


@pytest.mark.requirement("AS-AUTHN-04")
def test_on_https_every_cookie_is_host_only_secure_and_hidden_from_scripts(house: House) -> None:
    browser = Browser(house)
    login = browser.start()
    lines = list(login.headers.get_all("set-cookie"))
    answer = browser.post(login, fields={"username": "alice", "password": "wonderland"})
    lines += answer.headers.get_all("set-cookie")
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("__Host-")
        for attribute in ("; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"):
            assert attribute in line
        assert "Domain" not in line


def test_two_issuers_on_one_host_keep_apart(house: House) -> None:
    one, other = House("http://127.0.0.1:8001"), House("http://127.0.0.1:8002/tenant")
    browser = Browser(one)
    browser.log_in(browser.start())
    elsewhere = Browser(other)
    elsewhere.cookies = browser.cookies
    assert "login-submit" in elsewhere.start().buttons
    elsewhere.log_in(elsewhere.start(), "bob")
    assert browser.get("/account").by_id["account-username"] == "alice"
    assert elsewhere.get("/tenant/account").by_id["account-username"] == "bob"
    one.close()
    other.close()


def test_logging_out_asks_and_then_ends_the_session(house: House, browser: Browser) -> None:
    browser.log_in(browser.start())
    cookie = browser.session_cookie or ""
    asked = browser.get("/logout")
    assert asked.buttons.keys() == {"logout-yes", "logout-no"}
    assert house.perform(FindSession(digest_of(cookie), NOW, 0)) is not None
    stayed = browser.submit(asked, "logout-no")
    assert stayed.by_id["account-username"] == "alice"
    done = browser.submit(asked, "logout-yes")
    assert done.status == 200
    assert not done.forms
    assert browser.session_cookie is None
    assert house.perform(FindSession(digest_of(cookie), NOW, 0)) is None
    assert house.event_names()[-1] == "logout"
    assert browser.submit(asked, "logout-yes").status == 200


@pytest.mark.parametrize("csrf", [None, "", "A" * 43], ids=["absent", "empty", "made up"])
def test_a_form_of_another_site_logs_nobody_out(browser: Browser, csrf: str | None) -> None:
    browser.log_in(browser.start())
    asked = browser.get("/logout")
    answer = browser.post(asked, "logout-yes", {"csrf": csrf})
    assert answer.status == 403
    assert browser.session_cookie is not None
    assert "account-username" in browser.get("/account").by_id
    # As a browser sends a form of another site: without the cookie.
    kept = dict(browser.cookies)
    browser.cookies.clear()
    answer = browser.post(asked, "logout-yes")
    assert answer.status == 303
    assert "set-cookie" not in answer.headers
    browser.cookies = kept
    assert "account-username" in browser.get("/account").by_id


def test_another_sessions_token_logs_nobody_out(house: House, browser: Browser) -> None:
    other = Browser(house)
    other.log_in(other.start(), "bob")
    browser.log_in(browser.start())
    stolen = other.get("/logout").inputs["csrf"]
    assert browser.post(browser.get("/logout"), "logout-yes", {"csrf": stolen}).status == 403


def test_the_account_page_shows_its_person_and_no_other(house: House, browser: Browser) -> None:
    house.change_account("alice", name="<b>Alice</b>", email="alice@people.test")
    assert "account-username" not in browser.get("/account").by_id
    browser.log_in(browser.start())
    page = browser.get("/account")
    assert page.by_id["account-name"] == "<b>Alice</b>"
    assert page.by_id["account-email"] == "alice@people.test"
    assert "bob" not in page.text
    assert browser.submit(page, "logout-yes").title == "Signed out"


def test_a_hasher_that_was_closed_serves_the_next_login(house: House, browser: Browser) -> None:
    assert isinstance(house.hasher, PasswordHasher)
    house.hasher.close()
    assert "consent-allow" in browser.log_in(browser.start()).buttons
