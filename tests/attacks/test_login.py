"""Section B of the catalogue: who is logged in, and how one might pass for somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from codegrant.accounts import hashing
from codegrant.accounts.effects import AddAccount, FindAccount, HashPassword, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.secret import Secret
from codegrant.server.policy import Limits
from tests.attacks.steps import R, SecondHouse, ask, code_of, document, redeem, send, sign_in
from tests.flows.house import PASSWORDS, Browser, House, Page, account, hashed
from tests.support.relying_party import read_claims


def claims_of(house: House, page: Page) -> Mapping[str, object]:
    """Redeem the code with which a browser arrived; return the claims of the ID token."""
    answer = redeem(house, code_of(page))
    assert answer.status == 200, answer.body
    return read_claims(document(answer)["id_token"])


def try_password(browser: Browser, username: str, password: str) -> Page:
    """Type a username and a password on a fresh login page."""
    return browser.submit(
        ask(browser, prompt="login"), "login-submit", {"username": username, "password": password}
    )


# --- one person's session, another person's login ---


@pytest.mark.parametrize("asked", ["prompt=login", "max_age=0", "prompt=select_account"])
def test_atk_030_a_demanded_login_by_another_person_takes_nothing_from_the_first(
    house: House, browser: Browser, asked: str
) -> None:
    sign_in(browser, "alice")
    before = claims_of(house, ask(browser))
    old = Browser(house)
    old.cookies.update(browser.cookies)
    name, _, value = asked.partition("=")
    page = ask(browser, **{name: value})
    assert "login-submit" in page.buttons
    after = claims_of(house, browser.log_in(page, "bob"))
    assert (before["sub"], after["sub"]) == ("person-alice", "person-bob")
    logins = [e.facts for e in house.events if e.name == "login_succeeded"]
    assert [login["subject"] for login in logins] == ["person-alice", "person-bob"]
    assert logins[0]["sid"] != logins[1]["sid"]
    assert old.session_cookie != browser.session_cookie
    # The cookie that alice had before opens nothing any more.
    assert "login-submit" in ask(old).buttons


def test_atk_030_the_session_from_before_does_not_answer_a_demand_for_a_login(
    house: House, alice: Browser
) -> None:
    for asked in ({"prompt": "login"}, {"max_age": "0"}, {"prompt": "login consent"}):
        page = ask(alice, **asked)
        assert "login-submit" in page.buttons
        # Neither by opening the page again, nor by going on to the next one.
        assert "login-submit" in alice.get(page.url).buttons
        assert "login-submit" in alice.get(page.url.replace("/login?", "/consent?")).buttons
        form = urlencode({**page.inputs, "decision": "allow"})
        assert alice.send("POST", "/consent", form).status == 403
    assert "authorization_granted" not in house.event_names()[3:]
    assert code_of(ask(alice))


def test_atk_030_a_hint_at_one_person_is_not_answered_by_another(
    house: House, alice: Browser
) -> None:
    answer = document(redeem(house, code_of(ask(alice))))
    bob = sign_in(Browser(house), "bob")
    page = ask(bob, id_token_hint=answer["id_token"])
    assert "login-submit" in page.buttons
    page = bob.log_in(page, "bob")
    assert "code=" not in page.url
    assert "error=login_required" in page.url
    subject = json.dumps({"id_token": {"sub": {"value": "person-alice"}}})
    assert "error=login_required" in send(bob, claims=subject, prompt="none").headers.get(
        "location"
    )
    assert code_of(ask(alice, id_token_hint=answer["id_token"], prompt="none"))


@pytest.mark.parametrize("lost", ["nothing", "session", "transactions", "everything"])
def test_atk_032_what_is_left_of_one_person_does_not_speak_for_the_next(
    house: House, browser: Browser, lost: str
) -> None:
    sign_in(browser, "alice")
    waiting = ask(browser, prompt="login")
    page = browser.get("/logout")
    browser.submit(page, "logout-yes")
    for name in tuple(browser.cookies):
        gone = {"session": "session" in name, "transactions": "txn" in name}
        if lost == "everything" or gone.get(lost, False):
            del browser.cookies[name]
    sign_in(browser, "bob")
    assert claims_of(house, ask(browser))["sub"] == "person-bob"
    # The tab from before asks anew, and is then about who is logged in now.
    again = browser.get(waiting.url)
    if again.status == 200:
        assert "login-submit" in again.buttons
        assert claims_of(house, browser.log_in(again, "bob"))["sub"] == "person-bob"
    else:
        assert again.status == 400
    assert "person-alice" not in str(house.last_event("authorization_granted").facts)


def test_atk_032_a_session_cookie_that_was_kept_is_dead_after_the_logout(
    house: House, alice: Browser
) -> None:
    thief = Browser(house)
    thief.cookies.update(alice.cookies)
    assert code_of(ask(thief))
    alice.submit(alice.get("/logout"), "logout-yes")
    assert "login-submit" in ask(thief).buttons
    assert "error=login_required" in send(thief, prompt="none").headers.get("location")
    assert "logout-yes" not in thief.get("/logout").buttons


# --- forms from elsewhere ---


def test_atk_033_credentials_that_another_site_sends_log_nobody_in(
    house: House, browser: Browser
) -> None:
    page = ask(browser)
    attacker = ask(Browser(house, peer="198.51.100.1"))
    typed = {"username": "bob", "password": PASSWORDS["bob"]}
    mine, theirs = page.inputs, attacker.inputs
    forms: list[dict[str, str]] = [
        {"transaction": mine["transaction"]},
        {"transaction": mine["transaction"], "csrf": ""},
        {"transaction": mine["transaction"], "csrf": theirs["csrf"]},
        {"transaction": mine["transaction"], "csrf": mine["csrf"][:-1]},
        {"transaction": mine["transaction"], "csrf": mine["csrf"].swapcase()},
        {"transaction": theirs["transaction"], "csrf": theirs["csrf"]},
        {"transaction": theirs["transaction"], "csrf": mine["csrf"]},
        {"csrf": mine["csrf"]},
        {},
    ]
    for form in forms:
        answer = browser.send(
            "POST", "/login", urlencode({**form, **typed}), {"origin": "https://evil.test"}
        )
        assert answer.status in {400, 403}
        assert not browser.session_cookie
    # A cross-site form carries no Lax cookie, so the browser is nobody's.
    kept, browser.cookies = browser.cookies, {}
    assert browser.send("POST", "/login", urlencode({**mine, **typed})).status == 400
    browser.cookies = kept
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        body = urlencode({**mine, **typed})
        assert browser.send("POST", "/login", body, {"content-type": kind}).status == 400
    assert browser.send("GET", f"/login?{urlencode({**mine, **typed})}").status == 200
    assert not browser.session_cookie
    assert code_of(browser.log_in(page, "alice"))


def test_atk_033_nor_do_they_at_the_login_page_of_the_account(
    house: House, browser: Browser
) -> None:
    typed = {"username": "alice", "password": PASSWORDS["alice"]}
    page = browser.get("/login")
    attacker = Browser(house, peer="198.51.100.1")
    theirs = attacker.get("/login").inputs
    ((name, value),) = attacker.cookies.items()
    for form in ({}, {"csrf": ""}, theirs, {"csrf": page.inputs["csrf"][:-1]}):
        answer = browser.send("POST", "/login", urlencode({**form, **typed}))
        assert answer.status == 403
    nobody = Browser(house)
    for form in (page.inputs, theirs):
        assert nobody.send("POST", "/login", urlencode({**form, **typed})).status == 403
    # A cookie that was placed beside the real one makes both worthless.
    browser.extra_cookies = [(name, value)]
    for form in (page.inputs, theirs):
        assert browser.send("POST", "/login", urlencode({**form, **typed})).status == 403
    browser.extra_cookies = []
    assert not browser.session_cookie
    assert browser.send("POST", "/login", urlencode({**page.inputs, **typed})).status == 303
    assert browser.session_cookie


def test_atk_034_another_site_cannot_log_anybody_out(house: House, alice: Browser) -> None:
    other = sign_in(Browser(house), "bob")
    foreign = other.get("/logout").inputs["csrf"]
    for path in ("/logout", "/logout?decision=yes", "/logout?client_id=r", "/logout?logout_hint=x"):
        assert "logout-yes" in alice.get(path).buttons
    for form in ({}, {"decision": "yes"}, {"decision": "yes", "csrf": foreign}):
        answer = alice.send("POST", "/logout", urlencode(form), {"origin": "https://evil.test"})
        assert answer.status == 403
    own = alice.get("/logout").inputs["csrf"]
    for answer in (
        alice.send("POST", f"/logout?decision=yes&csrf={own}", ""),
        alice.send("POST", f"/logout?csrf={own}", "decision=yes"),
        alice.send("POST", "/logout", f"csrf={own}&decision=yes", {"content-type": "text/plain"}),
        alice.send("POST", "/logout", f"csrf={foreign}&csrf={own}&decision=yes"),
    ):
        assert answer.status == 400
    assert code_of(ask(alice))
    alice.submit(alice.get("/logout"), "logout-yes")
    assert "login-submit" in ask(alice).buttons


# --- who exists, and what their password is ---


def bare(page: Page, *secrets: str) -> str:
    """Return a page without what differs from request to request."""
    text = page.text
    for secret in (*page.inputs.values(), *secrets):
        text = text.replace(secret, "") if secret else text
    return text


def answers_alike(house: House, wrong: str, *, fields: str = "password") -> None:
    """Check that an unknown, a known and a disabled person get the same answer."""
    house.change_account("bob", enabled=False)
    seen: list[tuple[object, ...]] = []
    for number, username in enumerate(("alice", "nobody", "bob", "zoë", "admin")):
        browser = Browser(house, peer=f"192.0.2.{100 + number}")
        page = try_password(browser, username, wrong)
        names = sorted(name for name, _ in page.headers.pairs())
        seen.append((page.status, names, bare(page, username), page.url.partition("?")[0]))
        assert page.inputs.get("username", username) == username
    assert seen == seen[:1] * 5
    assert seen[0][0] == 400


def test_atk_035_nothing_in_an_answer_says_who_exists(house: House) -> None:
    answers_alike(house, "wrong")


@pytest.mark.parametrize("wrong", ["", "x" * 2000, "nul\0", "\x1b", PASSWORDS["bob"]])
def test_atk_035_nor_does_it_with_a_password_nobody_can_have(house: House, wrong: str) -> None:
    answers_alike(house, wrong)


def test_atk_035_a_hint_says_nothing_about_who_exists(house: House) -> None:
    pages = []
    for name in ("alice", "nobody"):
        page = ask(Browser(house), login_hint=name)
        pages.append(bare(page, name))
    assert pages[0] == pages[1]


def test_atk_036_the_same_work_is_done_for_somebody_who_does_not_exist(house: House) -> None:
    house.change_account("bob", enabled=False)
    for number, username in enumerate(("alice", "nobody", "bob", "", "a" * 200, "al\u202eice")):
        house.effects.clear()
        try_password(Browser(house, peer=f"192.0.2.{100 + number}"), username, "wrong")
        kinds = [type(effect) for effect in house.effects]
        assert kinds.count(VerifyPassword) == 1, username
    house.effects.clear()
    try_password(Browser(house), "nobody", "wrong")
    (verify,) = (effect for effect in house.effects if isinstance(effect, VerifyPassword))
    assert verify.password_hash == ""


def test_atk_036_the_hash_of_nobody_costs_what_any_other_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = Argon2id, list[str]()

    class Counting:
        @staticmethod
        def verify_phc_encoded(password: bytes, text: str) -> None:
            calls.append(text)
            real.verify_phc_encoded(password, text)

    own = hashed(PASSWORDS["alice"])
    monkeypatch.setattr(hashing, "Argon2id", Counting)
    hasher = PasswordHasher()
    assert not hasher.perform(VerifyPassword(Secret("wrong"), own))
    assert not hasher.perform(VerifyPassword(Secret("wrong"), ""))
    hasher.close()
    cost = re.compile(r"^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$")
    known, nobody = (cost.match(text) for text in calls)
    assert known is not None
    assert nobody is not None
    assert known[0] == nobody[0]


def test_atk_037_guessing_a_password_ends_after_a_few(house: House) -> None:
    attacker = Browser(house, peer="198.51.100.1")
    statuses = [try_password(attacker, "alice", f"guess {n}").status for n in range(20)]
    assert statuses == [400] * 10 + [429] * 10
    right = try_password(attacker, "alice", PASSWORDS["alice"])
    assert (right.status, attacker.session_cookie) == (429, None)
    assert right.headers.get("retry-after") == "300"
    # Another spelling is the same account, another port or browser the same source.
    for name in ("ALICE", " alice ", "\uff21lice"):
        assert try_password(attacker, name, PASSWORDS["alice"]).status == 429
    again = Browser(house, peer="198.51.100.1")
    assert try_password(again, "alice", PASSWORDS["alice"]).status == 429
    for header in ("x-forwarded-for", "forwarded", "x-real-ip", "client-ip", "true-client-ip"):
        page = ask(again, prompt="login")
        typed = {**page.inputs, "username": "alice", "password": PASSWORDS["alice"]}
        answer = again.send("POST", "/login", urlencode(typed), {header: "203.0.113.7"})
        assert answer.status == 429
    assert try_password(again, "bob", PASSWORDS["bob"]).url.startswith(R)


@pytest.fixture
def strict_house() -> Iterator[House]:
    """An issuer that takes few failures of one source."""
    made = SecondHouse(limits=Limits(account_failures=3, source_failures=8))
    yield made
    made.close()


def test_atk_037_nor_does_it_help_to_go_from_account_to_account(strict_house: House) -> None:
    attacker = Browser(strict_house, peer="198.51.100.1")
    for number in range(8):
        assert try_password(attacker, f"somebody{number}", "password1").status == 400
    assert try_password(attacker, "alice", PASSWORDS["alice"]).status == 429
    assert sign_in(Browser(strict_house, peer="198.51.100.2")).session_cookie


@pytest.mark.parametrize(
    ("attacker", "victim"),
    [
        ("198.51.100.1", "192.0.2.1"),
        ("198.51.100.1", "198.51.100.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
    ],
)
def test_atk_038_nobody_can_lock_another_person_out(
    house: House, attacker: str, victim: str
) -> None:
    evil = Browser(house, peer=attacker)
    for number in range(50):
        assert try_password(evil, "alice", f"wrong {number}").status in {400, 429}
    assert sign_in(Browser(house, peer=victim)).session_cookie
    # And the source itself is free again once the window is over.
    house.now += house.policy.limits.window + 1
    assert sign_in(evil).session_cookie


BOB = account("bob")
LONG = "correct horse battery staple " * 3


def add_carol(house: House, password: str) -> None:
    """Add a person with this password."""
    password_hash = house.perform(HashPassword(Secret(password)))
    named = replace(BOB, username="carol", username_key="carol", subject="person-carol")
    assert house.perform(AddAccount(replace(named, password_hash=password_hash)))


@pytest.mark.parametrize(
    ("password", "typed"),
    [
        pytest.param(LONG[:80], LONG[:72] + "another ", id="72 bytes and another tail"),
        pytest.param(LONG[:80], LONG[:72], id="72 bytes"),
        pytest.param(LONG[:80], LONG[:79], id="one less"),
        pytest.param(LONG[:80], LONG[:81], id="one more"),
        pytest.param("é" * 40, "é" * 36 + "abcd", id="72 bytes of UTF-8"),
        pytest.param("pw" * 10, "pw" * 10 + "\0x", id="NUL and more"),
        pytest.param("pw" * 10, "pw" * 10 + "\0", id="NUL"),
        pytest.param("pw" * 10, "\0" + "pw" * 10, id="NUL before"),
        pytest.param("pw" * 10, "pw" * 10 + " ", id="space"),
        pytest.param("pw" * 10, "pw" * 10 + "\n", id="line end"),
        pytest.param("pw" * 10, ("pw" * 10).upper(), id="capitals"),
        pytest.param("pw" * 10, "%70w" + "pw" * 9, id="percent"),
    ],
)
def test_atk_040_a_password_counts_to_its_last_character(
    house: House, browser: Browser, password: str, typed: str
) -> None:
    add_carol(house, password)
    page = browser.submit(ask(browser), "login-submit", {"username": "carol", "password": typed})
    assert page.status == 400
    assert browser.session_cookie is None
    assert code_of(try_password(browser, "carol", password))


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("ALICE", "alice"),
        ("alice ", "alice"),
        ("\tAlice", "alice"),
        ("\uff41\uff4c\uff49\uff43\uff45", "alice"),
        ("al\u0131ce", None),
        ("ALİCE", None),
        ("\u0430lice", None),  # Cyrillic
        ("alice\0", None),
        ("al\u200bice", None),
        ("al\u00adice", None),
        ("alice\u202e", None),
        ("alíce", None),
        ("alice@issuer.test", None),
        ("person-alice", None),
        ("alice\nbob", None),
        ("%61lice", None),
        ("alice' OR '1'='1", None),
        ("alic_", None),
        ("alic%", None),
    ],
)
def test_atk_041_a_name_that_looks_alike_is_nobody_or_the_one_person(
    house: House, browser: Browser, typed: str, who: str | None
) -> None:
    page = browser.submit(
        ask(browser), "login-submit", {"username": typed, "password": PASSWORDS["alice"]}
    )
    if who is None:
        assert page.status == 400
        assert browser.session_cookie is None
    else:
        assert claims_of(house, page)["sub"] == f"person-{who}"
    assert code_of(ask(sign_in(Browser(house))))


def test_atk_041_two_accounts_can_never_have_names_that_are_one(house: House) -> None:
    taken = replace(BOB, username="ALICE", username_key="alice", subject="person-2")
    assert not house.perform(AddAccount(taken))
    assert house.perform(FindAccount("alice")).subject == "person-alice"
    assert house.perform(FindAccount("ALICE")) is None


def test_atk_042_a_cookie_that_was_placed_beside_the_real_one_makes_both_worthless(
    house: House, alice: Browser
) -> None:
    attacker = sign_in(Browser(house), "bob")
    (name,) = (name for name in alice.cookies if "session" in name)
    assert name.startswith("__Host-")
    for value in (str(attacker.session_cookie), str(alice.session_cookie), "", "x"):
        alice.extra_cookies = [(name, value)]
        assert "login-submit" in ask(alice).buttons
        assert "error=login_required" in send(alice, prompt="none").headers.get("location")
        assert "logout-yes" not in alice.get("/logout").buttons
    # Names that only look like it are other cookies.
    bare_name = name.removeprefix("__Host-")
    for other in (bare_name, name.lower(), f"{name}-x", f"__Secure-{bare_name}"):
        alice.extra_cookies = [(other, str(attacker.session_cookie))]
        assert claims_of(house, ask(alice))["sub"] == "person-alice"
        stranger = Browser(house)
        stranger.extra_cookies = alice.extra_cookies
        assert "login-submit" in ask(stranger).buttons


def test_atk_042_a_pair_of_cookie_and_token_from_the_attacker_fits_no_transaction_of_the_victim(
    house: House, browser: Browser
) -> None:
    page = ask(browser)
    attacker = Browser(house)
    theirs = ask(attacker)
    ((mine, _),) = browser.cookies.items()
    ((name, value),) = attacker.cookies.items()
    for extra in ([(name, value)], [(mine, value)], [(mine, "")]):
        browser.extra_cookies = extra
        for csrf in (theirs.inputs["csrf"], "", "x" * 43):
            answer = browser.post(
                page, "login-submit", {"csrf": csrf, "username": "bob", "password": "x"}
            )
            assert answer.status in {400, 403}
    browser.extra_cookies = []
    # A jar that overflowed has lost the cookie: then the transaction is nobody's.
    kept, browser.cookies = browser.cookies, {}
    assert browser.get(page.url).status == 400
    browser.cookies = kept
    assert code_of(browser.log_in(page))
