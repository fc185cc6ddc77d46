"""One's own account: where one is signed in, which applications have access, ending either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from codegrant.accounts.effects import (
    EndSessionOf,
    FindConsent,
    FindSession,
    ListSessions,
    SaveConsent,
    SaveSession,
    TouchSession,
    UpdateAccount,
    WithdrawAccess,
)
from codegrant.flow import Effect
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, RemoveClient
from codegrant.server.effects import FindGrant
from codegrant.server.records import ClientRecord
from tests.flows.authorization_server import NOW
from tests.flows.house import CLIENTS, Browser, House, Page, account, parameters_of
from tests.unit.stores.examples import issued

TRUSTED = {"client_id": "trusted", "redirect_uri": "https://trusted.test/cb"}


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(access_format=getattr(request, "param", "jwt"))
    yield made
    made.close()


both_formats = pytest.mark.parametrize("house", ["jwt", "opaque"], indirect=True)


@pytest.fixture
def browser(house: House) -> Browser:
    made = Browser(house)
    made.sign_in()
    return made


def signed_in(house: House, username: str = "alice", browsers: int = 1) -> list[Browser]:
    made = [Browser(house) for _ in range(browsers)]
    for one in made:
        one.sign_in(username)
    return made


def is_in(browser: Browser) -> bool:
    return "account-username" in browser.get("/account").by_id


def button(page: Page, name: str, value: str) -> str:
    """Return the id of the button that sends `value` as `name`."""
    (found,) = (key for key, sent in page.buttons.items() if sent == (name, value))
    return found


def sid_of(browser: Browser) -> str:
    session = browser.house.perform(FindSession(digest_of(browser.session_cookie or ""), NOW, 0))
    assert session is not None
    return str(session.sid)


@pytest.mark.requirement("AS-AUTHN-14", "AS-RT-08")
@both_formats
def test_an_application_that_is_withdrawn_loses_codes_and_tokens(
    house: House, browser: Browser
) -> None:
    token = house.access_token(browser.allow(scope="openid email"))
    waiting = browser.allow(scope="openid email")
    kept = house.access_token(browser.allow(**TRUSTED), "trusted", TRUSTED["redirect_uri"])
    (bob,) = signed_in(house, "bob")
    bobs = house.access_token(bob.allow())
    assert [house.userinfo(one) for one in (token, kept, bobs)] == [200, 200, 200]

    page = browser.get("/account")
    done = browser.submit(page, button(page, "withdraw", "a"))

    assert done.status == 200
    assert done.by_id["account-notice"] == "The access is withdrawn."
    assert house.userinfo(token) == 401
    assert house.redeem(waiting).status == 400
    assert [house.userinfo(one) for one in (kept, bobs)] == [200, 200]
    assert "Application &lt;A&gt;" not in done.text
    assert "trusted" in done.text
    event = house.last_event("access_withdrawn")
    assert event.facts == {"client_id": "a", "subject": "person-alice"}


@pytest.mark.requirement("AS-AUTHN-14")
def test_an_application_that_is_withdrawn_has_to_ask_again(browser: Browser) -> None:
    browser.allow()
    assert "consent-allow" not in browser.start().buttons
    page = browser.get("/account")
    browser.submit(page, button(page, "withdraw", "a"))
    assert "consent-allow" in browser.start().buttons


@pytest.mark.requirement("AS-RT-08")
@both_formats
def test_a_person_who_is_disabled_leaves_no_token_alive(house: House, browser: Browser) -> None:
    token, waiting = house.access_token(browser.allow()), browser.allow()
    (bob,) = signed_in(house, "bob")
    bobs = house.access_token(bob.allow())
    house.change_account("alice", enabled=False, updated_at=NOW)
    assert house.userinfo(token) == 401
    assert house.redeem(waiting).status == 400
    assert house.userinfo(bobs) == 200
    assert is_in(bob)
    # What has ended does not come back when the person does.
    house.perform(UpdateAccount(account("alice")))
    assert house.userinfo(token) == 401
    assert not is_in(browser)


def test_access_is_listed_until_neither_grant_nor_consent_is_left(
    house: House, browser: Browser
) -> None:
    assert "no-applications" in browser.get("/account").by_id
    browser.allow(scope="openid email")
    browser.allow(**TRUSTED)
    page = browser.get("/account")
    text = " ".join(page.text.split())
    assert "<li>Confirm who you are</li> <li>See your e-mail address</li>" in text
    assert '<p class="detail">a.test</p>' in text
    assert {value for name, value in page.buttons.values() if name == "withdraw"} == {
        "a",
        "trusted",
    }
    # A grant without a refresh token is over with its last access token; a consent is not.
    house.now += 3660
    page = browser.get("/account")
    assert button(page, "withdraw", "a")
    assert "trusted" not in page.text


def test_access_of_a_removed_application_is_gone(house: House, browser: Browser) -> None:
    browser.allow()
    house.perform(RemoveClient("a"))
    assert "no-applications" in browser.get("/account").by_id


@pytest.mark.parametrize("client_id", ["a", "trusted", "nothing", "", None, "a\tb", "x" * 5000])
def test_withdrawing_what_is_gone_is_no_error(browser: Browser, client_id: str | None) -> None:
    browser.allow()
    page = browser.get("/account")
    name = button(page, "withdraw", "a")
    browser.submit(page, name)
    answer = browser.post(page, name, {"withdraw": client_id})
    assert answer.status == (303 if client_id else 400)
    assert browser.house.event_names().count("access_withdrawn") == 1


def test_a_person_sees_their_browsers_and_ends_one(house: House) -> None:
    here, there, third = signed_in(house, browsers=3)
    page = here.get("/account")
    assert "This browser" in page.by_id["this-browser"]
    assert len([name for name in page.buttons if name.startswith("end-")]) == 3
    name = button(page, "end", sid_of(there))
    sid = sid_of(there)
    done = here.submit(page, name)
    assert done.by_id["account-notice"] == "That browser is signed out."
    assert [is_in(one) for one in (here, there, third)] == [True, False, True]
    assert house.last_event("logout").facts == {"subject": "person-alice", "sid": sid}
    # Once more is no error and no event.
    assert here.submit(page, name).status == 200
    assert house.event_names().count("logout") == 1


def test_a_person_ends_every_other_browser_at_once(house: House) -> None:
    here, there, third = signed_in(house, browsers=3)
    (bob,) = signed_in(house, "bob")
    done = here.submit(here.get("/account"), "end-others")
    assert [is_in(one) for one in (here, there, third, bob)] == [True, False, False, True]
    assert "end-others" not in done.buttons
    assert house.event_names().count("logout") == 2


def test_a_browser_that_was_signed_out_can_do_nothing_more(house: House) -> None:
    here, there = signed_in(house, browsers=2)
    there.allow()
    page = there.get("/account")
    here.submit(here.get("/account"), "end-others")
    for name in ("withdraw-1", "end-others", "password-submit"):
        answer = there.post(page, name, {"new_password": "x" * 9, "new_password_again": "x" * 9})
        assert (answer.status, answer.headers.get("location")) == (
            303,
            "https://issuer.test/account",
        )
        assert "set-cookie" not in answer.headers
    assert is_in(here)
    assert house.times(WithdrawAccess) == 0


def test_sessions_show_what_browser_and_when(house: House) -> None:
    here, there = signed_in(house, browsers=2)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 <b>x</b>"
    login = Browser(house)
    page = login.get("/account")
    typed = "&".join(f"{k}={v}" for k, v in page.inputs.items() if v)
    login.send(
        "POST", "/login", f"{typed}&username=alice&password=wonderland", {"user-agent": agent}
    )
    house.now += 7200
    house.perform(TouchSession(digest_of(there.session_cookie or ""), house.now - 300))
    text = " ".join(here.get("/account").text.split())
    assert "Firefox on Linux" in text
    assert "<b>" not in text
    assert text.index("This browser") < text.index("5 minutes ago") < text.index("2 hours ago")


@pytest.mark.requirement("AS-AUTHN-01")
@pytest.mark.parametrize("name", ["withdraw-1", "end-2", "end-others", "password-submit"])
@pytest.mark.parametrize("csrf", [None, "", "A" * 43], ids=["absent", "empty", "made up"])
def test_no_button_of_the_account_works_without_its_token(
    house: House, name: str, csrf: str | None
) -> None:
    here, there = signed_in(house, browsers=2)
    token = house.access_token(here.allow())
    page = here.get("/account")
    fields = {
        "csrf": csrf,
        "current_password": "wonderland",
        "new_password": "x" * 9,
        "new_password_again": "x" * 9,
    }
    answer = here.post(page, name, fields)
    assert answer.status == 403
    assert is_in(here)
    assert is_in(there)
    assert house.userinfo(token) == 200
    assert house.last_event("page_refused").facts["reason"] == "csrf token missing or wrong"


@pytest.mark.requirement("AS-AUTHN-01")
def test_the_token_of_another_session_page_or_tag_is_refused(house: House) -> None:
    here, there = signed_in(house, browsers=2)
    (bob,) = signed_in(house, "bob")
    here.allow()
    page = here.get("/account")
    done = here.submit(page, "end-2") if "end-2" in page.buttons else page
    foreign = [
        there.start().inputs["csrf"],
        bob.get("/account").parts[0].inputs["csrf"],
        bob.get("/logout").inputs["csrf"],
        here.start(prompt="consent").inputs["csrf"],
        Browser(house).get("/login").inputs["csrf"],
        done.url.partition("done=")[2],
    ]
    assert all(foreign)
    for csrf in foreign:
        assert here.post(page, "withdraw-1", {"csrf": csrf}).status == 403
    assert here.post(page, "withdraw-1").status == 303


@pytest.mark.requirement("AS-AUTHN-01")
def test_a_form_of_another_site_brings_no_cookie_and_changes_nothing(
    house: House, browser: Browser
) -> None:
    token = house.access_token(browser.allow())
    page = browser.get("/account")
    kept = dict(browser.cookies)
    browser.cookies.clear()
    answer = browser.post(page, "withdraw-1")
    assert (answer.status, answer.headers.get("location")) == (303, "https://issuer.test/account")
    assert "set-cookie" not in answer.headers
    browser.cookies = kept
    assert is_in(browser)
    assert house.userinfo(token) == 200


def test_nobody_ends_another_persons_session(house: House, browser: Browser) -> None:
    (bob,) = signed_in(house, "bob")
    signed_in(house)
    page = browser.get("/account")
    answer = browser.post(page, "end-2", {"end": sid_of(bob)})
    assert answer.status == 303
    assert is_in(bob)
    assert [e.subject for e in house.effects if isinstance(e, EndSessionOf)] == ["person-alice"]
    assert "logout" not in house.event_names()


def test_nobody_withdraws_for_another_person(house: House, browser: Browser) -> None:
    (bob,) = signed_in(house, "bob")
    bobs = house.access_token(bob.allow())
    browser.allow(**TRUSTED)
    page = browser.get("/account")
    extra = {"withdraw": "a", "subject": "person-bob", "username": "bob"}
    assert browser.post(page, "withdraw-1", extra).status == 303
    assert house.userinfo(bobs) == 200
    assert "access_withdrawn" not in house.event_names()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"withdraw": None}, id="no button"),
        pytest.param({"withdraw": ""}, id="an empty one"),
        pytest.param({"withdraw": None, "Withdraw": "a"}, id="another case"),
        pytest.param({"withdraw": None, "action": "withdraw", "client_id": "a"}, id="other names"),
        pytest.param({"end_others": "yes"}, id="two buttons"),
    ],
)
def test_a_form_that_does_not_say_what_to_do_does_nothing(
    house: House, browser: Browser, fields: dict[str, str | None]
) -> None:
    (other,) = signed_in(house)
    token = house.access_token(browser.allow())
    answer = browser.post(browser.get("/account"), "withdraw-1", fields)
    assert answer.status == 400
    assert house.userinfo(token) == 200
    assert is_in(other)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_address_alone_changes_nothing(house: House, method: str) -> None:
    here, there = signed_in(house, browsers=2)
    token = house.access_token(here.allow())
    page = here.get("/account")
    csrf = page.parts[0].inputs["csrf"]
    for query in (
        f"withdraw=a&csrf={csrf}",
        f"end={sid_of(there)}&csrf={csrf}",
        f"end_others=yes&csrf={csrf}",
    ):
        assert here.send(method, f"/account?{query}").status == (200 if method == "GET" else 405)
        # Nor may what a form says stand in its address.
        assert here.send("POST", f"/account?{query}", query).status == 400
    here.send(method, f"/logout?decision=yes&csrf={csrf}")
    assert is_in(here)
    assert is_in(there)
    assert house.userinfo(token) == 200


def test_no_address_makes_the_page_say_what_was_not_done(house: House, browser: Browser) -> None:
    (other,) = signed_in(house)
    done = other.submit(other.get("/account"), "end-others")
    assert "account-notice" in done.by_id
    assert "account-notice" in other.get(done.url).by_id
    again = Browser(house)
    again.sign_in()
    for query in ("done=change_password", "done=end_others", "done=", done.url.partition("?")[2]):
        assert "account-notice" not in again.get(f"/account?{query}").by_id


def test_a_page_of_one_person_is_never_kept_for_another(browser: Browser) -> None:
    answer = browser.send("GET", "/account")
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("referrer-policy") == "no-referrer"
    answer = browser.post(browser.get("/account"), "logout-yes")
    assert answer.headers.get("cache-control") == "no-store"


def test_with_fifty_grants_and_sixty_sessions_the_page_stays_usable(
    house: House, browser: Browser
) -> None:
    signed_in(house, browsers=3)
    (one,) = house.perform(ListSessions("person-alice", NOW, 0, 1))
    for number in range(60):
        digest, sid = digest_of(f"session {number}"), f"sid-{number}"
        another = replace(one, digest=digest, sid=sid, seen_at=NOW - 9)
        house.perform(SaveSession(another, account("alice").password_hash))
    for number in range(60):
        name = f"client-{number}"
        house.perform(AddClient(ClientRecord(client_id=name)))
        granted = issued(client_id=name, subject="person-alice", sid=one.sid)
        house.perform(granted.save())
        audience, scope = granted.grant.audience, frozenset({"openid"})
        house.perform(SaveConsent("person-alice", name, audience, scope, NOW))
    for _ in range(50):
        browser.allow(scope="openid")
    page = browser.get("/account")
    withdraw = [name for name in page.buttons if name.startswith("withdraw-")]
    end = [name for name in page.buttons if name.startswith("end-")]
    assert (len(withdraw), len(end)) == (50, 50)  # one of the latter is for all others
    assert page.text.count("There are more") == 2
    assert page.text.count("Application &lt;A&gt;") == 1
    assert len(page.text) < 100_000
    token = house.access_token(browser.allow(scope="openid"))
    browser.submit(page, button(page, "withdraw", "a"))
    assert house.userinfo(token) == 401
    browser.submit(page, "end-others")
    assert len(house.perform(ListSessions("person-alice", NOW, 0, 99))) == 1


@pytest.mark.parametrize("end", [WithdrawAccess("person-alice", "a", NOW), RemoveClient("a")])
def test_what_ends_access_before_consent_is_remembered_wins(
    house: House, browser: Browser, end: Effect[bool]
) -> None:
    page = browser.start()
    house.before[SaveConsent] = lambda: house.perform(end)
    assert parameters_of(browser.submit(page, "consent-allow"))["code"]
    house.perform(AddClient(next(client for client in CLIENTS if client.client_id == "a")))
    page = browser.start()
    assert "consent-allow" in page.buttons
    browser.submit(page, "consent-allow")
    assert "code" in parameters_of(browser.start())


def test_a_withdrawal_between_code_and_token_wins(house: House, browser: Browser) -> None:
    code = browser.allow()
    grant = house.last_event("authorization_granted").facts["grant_id"]
    house.before[WithdrawAccess] = lambda: house.access_token(code)
    browser.submit(browser.get("/account"), "withdraw-1")
    assert house.perform(FindGrant(str(grant))).revoked_at == NOW
    assert house.perform(FindConsent("person-alice", "a", house.policy.issuer)) is None
