"""Consent: who is asked, about what, and that nothing else is allowed by the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.accounts.effects import FindConsent
from codegrant.server.administration import AddResource
from codegrant.server.effects import SaveCode
from codegrant.server.records import ResourceRecord
from tests.flows.authorization_server import CALLBACK, VERIFIER
from tests.flows.house import Browser, House, Page, parameters_of

NATIVE: dict[str, str | None] = {
    "client_id": "native",
    "redirect_uri": "http://127.0.0.1:5000/cb",
}


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


def granted_scope(house: House) -> set[str]:
    """Return the scope of the newest grant."""
    return set(str(house.last_event("authorization_granted").facts["scope"]).split())


def remembered(house: House, client_id: str = "a") -> frozenset[str] | None:
    found: frozenset[str] | None = house.perform(
        FindConsent("person-alice", client_id, house.policy.issuer)
    )
    return found


def is_asked(page: Page) -> bool:
    return "consent-allow" in page.buttons


def test_the_page_names_the_client_the_person_the_scope_and_the_place(browser: Browser) -> None:
    page = browser.start(scope="openid email read")
    text = " ".join(page.text.split())
    assert "Application &lt;A&gt;" in text
    assert "Alice" in text
    assert "<code>email</code>" in text
    assert "read" in text
    assert "profile" not in text
    assert "a.test" in text


def test_yes_gives_a_code_for_what_was_shown_and_is_remembered(
    house: House, browser: Browser
) -> None:
    page = browser.submit(browser.start(scope="openid email"), "consent-allow")
    assert page.url.startswith(f"{CALLBACK}?code=")
    assert granted_scope(house) == {"openid", "email"}
    assert remembered(house) == frozenset({"openid", "email"})
    assert not is_asked(browser.start(scope="openid email"))
    assert not is_asked(browser.start(scope="email"))


def test_no_goes_back_to_the_client_as_access_denied(house: House, browser: Browser) -> None:
    page = browser.submit(browser.start(), "consent-deny")
    assert page.url.startswith(f"{CALLBACK}?")
    answer = parameters_of(page)
    assert answer["error"] == "access_denied"
    assert answer["state"] == "the state"
    assert answer["iss"] == "https://issuer.test"
    assert "code" not in answer
    assert house.times(SaveCode) == 0
    assert remembered(house) is None
    assert house.event_names()[-1] == "consent_denied"
    assert is_asked(browser.start())


def test_more_than_was_agreed_to_is_asked_for_again(house: House, browser: Browser) -> None:
    browser.submit(browser.start(scope="openid"), "consent-allow")
    wider = browser.start(scope="openid read")
    assert is_asked(wider)
    browser.submit(wider, "consent-allow")
    assert remembered(house) == frozenset({"openid", "read"})
    assert not is_asked(browser.start(scope="openid read"))


def test_access_to_another_api_is_asked_for_anew(house: House, browser: Browser) -> None:
    one, other = "https://one.test/", "https://other.test/"
    for number, audience in enumerate((one, other)):
        api = ResourceRecord(audience=audience, resource_id=f"api-{number}", scope=("read",))
        house.perform(AddResource(api))
    house.change_client("a", audiences=(one,))
    page = browser.start(scope="openid read")
    assert one in page.text
    browser.submit(page, "consent-allow")
    assert not is_asked(browser.start(scope="openid read"))
    # The client's first audience, which a request without a resource means, becomes another.
    house.change_client("a", audiences=(other, one))
    again = browser.start(scope="openid read")
    assert is_asked(again)
    assert other in again.text
    assert "consent_required" in browser.start(scope="openid read", prompt="none").url
    assert not is_asked(browser.start(scope="openid read", resource=one))
    browser.submit(again, "consent-allow")
    assert not is_asked(browser.start(scope="openid read"))


def test_prompt_consent_asks_again(browser: Browser) -> None:
    browser.submit(browser.start(), "consent-allow")
    again = browser.start(prompt="consent")
    assert is_asked(again)
    assert "code" in parameters_of(browser.submit(again, "consent-allow"))


def test_a_native_client_is_asked_about_every_time(house: House, browser: Browser) -> None:
    for _ in range(2):
        page = browser.start(**NATIVE)
        assert is_asked(page)
        assert "asked every time" in page.text
        assert "code" in parameters_of(browser.submit(page, "consent-allow"))
    assert remembered(house, "native") is None


def test_one_persons_consent_is_not_anothers(browser: Browser) -> None:
    browser.submit(browser.start(), "consent-allow")
    assert is_asked(browser.log_in(browser.start(prompt="login"), "bob"))


def test_somebody_else_can_take_over_at_the_consent_page(house: House, browser: Browser) -> None:
    page = browser.submit(browser.start(), "consent-switch")
    assert "login-submit" in page.buttons
    assert browser.session_cookie is None
    assert house.event_names()[-1] == "logout"
    consent = browser.log_in(page, "bob")
    assert "Bob" in consent.text
    assert "code" in parameters_of(browser.submit(consent, "consent-allow"))
    assert house.last_event("consent_given").facts["subject"] == "person-bob"


@pytest.mark.requirement("AS-AUTHN-01")
@pytest.mark.parametrize(
    "csrf",
    [
        pytest.param(None, id="absent"),
        pytest.param("", id="empty"),
        pytest.param("A" * 43, id="made up"),
    ],
)
@pytest.mark.parametrize("button", ["consent-allow", "consent-deny", "consent-switch"])
def test_no_button_works_without_the_pages_token(
    house: House, browser: Browser, csrf: str | None, button: str
) -> None:
    page = browser.start()
    answer = browser.post(page, button, {"csrf": csrf})
    assert answer.status == 403
    assert "location" not in answer.headers
    assert house.times(SaveCode) == 0
    assert browser.session_cookie is not None
    assert "code" in parameters_of(browser.submit(page, "consent-allow"))


@pytest.mark.requirement("AS-AUTHN-01")
def test_the_token_of_another_page_transaction_session_or_browser_is_refused(
    house: House, browser: Browser
) -> None:
    page, other_tab = browser.start(), browser.start()
    other = Browser(house)
    other_login = other.start()
    tokens = [
        other_tab.inputs["csrf"],
        other_login.inputs["csrf"],
        other.log_in(other_login).inputs["csrf"],
        browser.start(prompt="login").inputs["csrf"],
        browser.get("/account").inputs["csrf"],
    ]
    for csrf in tokens:
        assert browser.post(page, "consent-allow", {"csrf": csrf}).status == 403
    assert house.times(SaveCode) == 0


def test_a_page_that_another_person_was_shown_is_void(house: House, browser: Browser) -> None:
    alices = browser.start()
    browser.log_in(browser.start(prompt="login"), "bob")
    answer = browser.post(alices, "consent-allow")
    assert answer.status == 403
    assert house.times(SaveCode) == 0


@pytest.mark.requirement("AS-AUTHN-12")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"scope": "openid profile email read"}, id="scope"),
        pytest.param({"redirect_uri": "https://evil.test/cb"}, id="redirect_uri"),
        pytest.param({"client_id": "trusted"}, id="client_id"),
        pytest.param({"subject": "person-bob", "username": "bob"}, id="person"),
        pytest.param({"state": "changed", "nonce": "changed"}, id="state and nonce"),
        pytest.param({"code_challenge": "A" * 43}, id="code_challenge"),
        pytest.param({"resource": "https://other.test"}, id="resource"),
    ],
)
def test_whatever_a_form_adds_changes_nothing(
    house: House, browser: Browser, fields: dict[str, str | None]
) -> None:
    page = browser.submit(browser.start(scope="openid"), "consent-allow", fields)
    assert page.url.startswith(f"{CALLBACK}?code=")
    assert parameters_of(page)["state"] == "the state"
    assert granted_scope(house) == {"openid"}
    saved = next(effect for effect in house.effects if isinstance(effect, SaveCode))
    assert saved.grant.subject == "person-alice"
    assert saved.grant.client_id == "a"
    assert saved.code.nonce == "the nonce"
    assert saved.code.redirect_uri == CALLBACK
    assert VERIFIER not in repr(saved)


@pytest.mark.requirement("AS-AUTHN-12")
def test_the_transaction_in_the_form_cannot_be_exchanged(house: House, browser: Browser) -> None:
    narrow, wide = browser.start(scope="openid"), browser.start(scope="openid email read")
    answer = browser.post(narrow, "consent-allow", {"transaction": wide.inputs["transaction"]})
    assert answer.status == 403
    assert house.times(SaveCode) == 0


@pytest.mark.requirement("AS-AUTHN-12")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": ("openid", "email", "read")}, id="more scope is registered"),
        pytest.param({"scope": ("openid",)}, id="less scope is registered"),
    ],
)
def test_a_request_that_came_to_mean_something_else_is_shown_again(
    house: House, browser: Browser, changes: dict[str, object]
) -> None:
    house.change_client("a", scope=("openid", "email"))
    page = browser.start(scope="openid email read")
    assert "<code>email</code>" in page.text
    house.change_client("a", **changes)
    assert browser.post(page, "consent-allow").status == 403
    assert house.times(SaveCode) == 0
    again = browser.get(page.url)
    assert "code" in parameters_of(browser.submit(again, "consent-allow"))


@pytest.mark.requirement("AS-AUTHN-12")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"audiences": ("https://other.test/",)}, id="for another API"),
        pytest.param({"redirect_uris": ("https://elsewhere.test/cb",)}, id="to another place"),
    ],
)
def test_an_answer_is_for_the_api_and_the_place_that_were_shown(
    house: House, browser: Browser, changes: dict[str, object]
) -> None:
    registered = {"audiences": ("https://one.test/",), "redirect_uris": (CALLBACK,)}
    house.change_client("a", **registered)
    page = browser.start(scope="read", redirect_uri=None)
    assert is_asked(page)
    house.change_client("a", **(registered | changes))
    assert browser.post(page, "consent-allow").status == 403
    assert house.times(SaveCode) == 0
    again = browser.get(page.url)
    assert "code" in parameters_of(browser.submit(again, "consent-allow"))


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        pytest.param(None, 400, id="absent"),
        pytest.param("", 400, id="empty"),
        pytest.param("ALLOW", 400, id="another case"),
        pytest.param("yes", 400, id="another word"),
    ],
)
def test_an_answer_that_is_neither_yes_nor_no_is_refused(
    house: House, browser: Browser, decision: str | None, status: int
) -> None:
    page = browser.start()
    assert browser.post(page, "", {"decision": decision}).status == status
    assert house.times(SaveCode) == 0
    assert "code" in parameters_of(browser.submit(page, "consent-allow"))


def test_two_decisions_in_one_form_are_refused(house: House, browser: Browser) -> None:
    page = browser.start()
    body = f"transaction={page.inputs['transaction']}&csrf={page.inputs['csrf']}"
    answer = browser.send("POST", "/consent", f"{body}&decision=deny&decision=allow")
    assert answer.status == 400
    assert house.times(SaveCode) == 0


def test_an_answer_without_a_session_leads_to_the_login(house: House, browser: Browser) -> None:
    page = browser.start()
    browser.cookies = {k: v for k, v in browser.cookies.items() if "session" not in k}
    assert "login-submit" in browser.submit(page, "consent-allow").buttons
    assert house.times(SaveCode) == 0


def test_another_browser_can_neither_see_nor_answer(house: House, browser: Browser) -> None:
    page = browser.start()
    other = Browser(house)
    other.log_in(other.start(), "bob")
    assert other.get(page.url).status == 400
    assert other.post(page, "consent-allow").status == 400
    assert house.times(SaveCode) == 0
    assert "code" in parameters_of(browser.submit(page, "consent-allow"))


def test_an_answer_that_comes_too_late_is_a_calm_page(house: House, browser: Browser) -> None:
    page = browser.start()
    house.now += house.policy.transaction_lifetime
    late = browser.submit(page, "consent-allow")
    assert late.status == 400
    assert "expired" in late.by_id["error-description"]
    assert house.times(SaveCode) == 0
    assert remembered(house) is None


def test_an_answer_sent_twice_counts_once(house: House, browser: Browser) -> None:
    page = browser.start()
    first = parameters_of(browser.submit(page, "consent-allow"))
    assert "code" in first
    assert parameters_of(browser.submit(page, "consent-allow")) == first
    changed_mind = browser.submit(page, "consent-deny")
    assert changed_mind.status == 400
    assert not changed_mind.forms
    assert house.times(SaveCode) == 1


def test_a_consent_page_whose_login_is_missing_leads_there(house: House) -> None:
    browser = Browser(house)
    login = browser.start()
    page = browser.get(login.url.replace("/login", "/consent"))
    assert page.url == login.url
    assert "login-submit" in page.buttons


def test_a_client_that_was_disabled_meanwhile_gets_nothing(house: House, browser: Browser) -> None:
    page = browser.start()
    house.change_client("a", enabled=False)
    late = browser.submit(page, "consent-allow")
    assert late.status == 400
    assert house.times(SaveCode) == 0


def test_markup_in_a_clients_name_stays_text(house: House, browser: Browser) -> None:
    house.change_client("a", client_name='"><script>alert(1)</script>')
    page = browser.start()
    assert is_asked(page)
    assert "script" not in {tag for tag, _ in page.tags}
    assert '"><script>alert(1)</script>' in page.title
