"""Section B of the catalogue: what a person agrees to, and who can make it look as if."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient
from codegrant.server.records import ClientRecord
from tests.attacks.steps import ISSUER, R, ask, code_of, pass_pages, sign_in
from tests.flows.authorization_server import CALLBACK, SECRET
from tests.flows.house import CLIENTS, PASSWORDS, Browser, House, Page, read_page

NATIVE = "http://127.0.0.1:4711/cb"
EVIL = {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}


def consent(browser: Browser, **changes: str | None) -> Page:
    """Return the consent page of client a for somebody who is logged in."""
    page = browser.start(**changes)
    assert "consent-allow" in page.buttons, page.text
    return page


def granted(house: House) -> int:
    """Return how many codes there were for client a."""
    return sum(
        event.name == "authorization_granted" and event.facts["client_id"] == "a"
        for event in house.events
    )


def leads_to_code(answer: Response) -> bool:
    return "code=" in answer.headers.get("location")


def test_atk_024_consent_is_given_by_the_persons_own_page_alone(
    house: House, alice: Browser
) -> None:
    page = consent(alice)
    bob = sign_in(Browser(house), "bob")
    theirs, other_tab = consent(bob), consent(alice, scope="openid email")
    login = ask(Browser(house))
    mine = page.inputs
    for changed in (
        {"csrf": ""},
        {"csrf": theirs.inputs["csrf"]},
        {"csrf": other_tab.inputs["csrf"]},
        {"csrf": login.inputs["csrf"]},
        {"csrf": mine["csrf"][:-1]},
        {"csrf": f"{mine['csrf']}="},
        {"transaction": other_tab.inputs["transaction"]},
        {"transaction": theirs.inputs["transaction"]},
        {"transaction": ""},
        theirs.inputs,
    ):
        form = {**mine, **changed, "decision": "allow"}
        answer = alice.send("POST", "/consent", urlencode(form), EVIL)
        assert answer.status in {400, 403}, changed
    good = urlencode({**mine, "decision": "allow"})
    # A form from another site brings no Lax cookie.
    nobody = Browser(house)
    for answer in (
        nobody.send("POST", "/consent", good, EVIL),
        bob.send("POST", "/consent", good),
        alice.send("POST", f"/consent?{good}", ""),
        alice.send("POST", "/consent", good, {"content-type": "text/plain"}),
        alice.send("POST", "/consent", f"{good}&decision=allow"),
        alice.send("POST", "/consent", f"{good}&csrf={mine['csrf']}"),
        alice.send("PUT", "/consent", good),
        alice.send("GET", f"/consent?{good}"),
    ):
        assert not leads_to_code(answer)
        assert not answer.headers.get("location")
    assert granted(house) == 0
    assert leads_to_code(alice.send("POST", "/consent", good))
    assert granted(house) == 1


def test_atk_024_a_logged_in_person_is_asked_whatever_the_request_says(
    house: House, alice: Browser
) -> None:
    for changes in (
        {"prompt": "none"},
        {"decision": "allow"},
        {"approval_prompt": "auto"},
        {"consent": "allow"},
        {"csrf": "x", "decision": "allow"},
    ):
        page = alice.start(**changes)
        assert "code=" not in page.url
    assert granted(house) == 0
    assert "code=" in pass_pages(alice, alice.start()).url


def forms_of(page: Page) -> list[dict[str, str]]:
    """Return each form of the account's own page, as sent by its button with inputs as found."""
    forms: list[dict[str, str]] = []
    at_account = False
    for tag, given in page.tags:
        if tag == "form":
            at_account = given["action"].endswith("/account")
            forms += [{}] if at_account else []
        elif tag in {"input", "button"} and at_account:
            forms[-1][given["name"]] = given.get("value", "")
    return forms


def test_atk_024_nor_does_another_site_change_anything_of_the_account(
    house: House, alice: Browser
) -> None:
    assert leads_to_code(alice.post(consent(alice), "consent-allow"))
    bob, other = sign_in(Browser(house), "bob"), sign_in(Browser(house))
    theirs = bob.get("/account").inputs["csrf"]
    forms = forms_of(alice.get("/account"))
    assert len(forms) >= 4
    for form in forms:
        typed = dict.fromkeys(("new_password", "new_password_again"), "quite another password")
        good = {**form, **(typed if "new_password" in form else {})}
        own = good["csrf"]
        for csrf in ("", theirs, own[:-1], f"{own}x"):
            answer = alice.send("POST", "/account", urlencode({**good, "csrf": csrf}), EVIL)
            assert answer.status == 403
        body = urlencode(good)
        assert alice.send("POST", f"/account?{body}", "").status in {400, 403}
        assert alice.send("POST", "/account", body, {"content-type": "text/plain"}).status == 400
        assert alice.send("GET", f"/account?{body}").status == 200
        # Somebody without the session sees nobody, and changes nothing.
        Browser(house).send("POST", "/account", body)
        assert bob.send("POST", "/account", body).status == 403
    assert code_of(ask(other))
    assert alice.start().url.startswith(f"{CALLBACK}?")
    (withdrawn,) = (form for form in forms if "a" in form.values())
    assert alice.send("POST", "/account", urlencode(withdrawn)).status == 303
    assert "consent-allow" in alice.start().buttons


def test_atk_025_no_page_can_be_put_into_a_frame(house: House, alice: Browser) -> None:
    stranger = Browser(house)
    login = stranger.start()
    wrong = stranger.log_in(login, "alice", "wrong")
    pages = [
        login,
        wrong,
        consent(alice),
        alice.get("/account"),
        alice.get("/logout"),
        Browser(house).get("/logout"),
        alice.get("/authorize?client_id=nobody"),
        alice.get("/nothing/here"),
        alice.get("/login?transaction=x"),
        read_page(alice.send("PUT", "/consent")),
        read_page(alice.send("POST", "/login", "transaction=x")),
    ]
    assert [page.status for page in pages] == [
        200,
        400,
        200,
        200,
        200,
        200,
        400,
        404,
        400,
        405,
        400,
    ]
    for page in pages:
        assert page.headers.get_all("x-frame-options") == ("DENY",)
        (policy,) = page.headers.get_all("content-security-policy")
        assert "frame-ancestors 'none'" in policy.split("; ")
        assert "script-src" not in policy
        assert "default-src 'none'" in policy.split("; ")
    for changes in ({}, {"prompt": "none"}):
        answer = alice.send("GET", f"/authorize?client_id=r&{urlencode(changes)}")
        assert answer.headers.get("x-frame-options") == "DENY"


@pytest.mark.parametrize("prompt", [None, "none", "login"])
def test_atk_027_a_client_that_anybody_can_pretend_to_be_is_asked_about_each_time(
    house: House, alice: Browser, prompt: str | None
) -> None:
    native = {"client_id": "native", "redirect_uri": NATIVE}
    assert "code=" in pass_pages(alice, alice.start(**native)).url
    again = alice.start(**native, prompt=prompt)
    assert "code=" not in again.url
    if prompt == "none":
        assert "error=consent_required" in again.url
    elif prompt == "login":
        again = alice.log_in(again)
    if prompt != "none":
        assert "consent-allow" in again.buttons
    other_port = alice.start(client_id="native", redirect_uri="http://127.0.0.1:1/cb")
    assert "consent-allow" in other_port.buttons
    # A client that proves itself is remembered.
    assert "code=" in pass_pages(alice, alice.start()).url
    assert alice.start().url.startswith(f"{CALLBACK}?")


def test_atk_027_a_redirect_uri_that_any_program_may_claim_is_asked_about_each_time(
    house: House, alice: Browser
) -> None:
    for number, uri in enumerate(("com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb")):
        client = replace(
            CLIENTS[0],
            client_id=f"c{number}",
            secret_digest=None,
            token_endpoint_auth_method="none",
            application_type="native",
            redirect_uris=(uri,),
        )
        assert house.perform(AddClient(client))
        for _ in range(2):
            page = alice.start(client_id=f"c{number}", redirect_uri=uri)
            assert "consent-allow" in page.buttons
            assert "code=" in alice.submit(page, "consent-allow").url


def test_atk_027_what_was_allowed_is_not_more_than_what_was_shown(
    house: House, alice: Browser
) -> None:
    assert "code=" in pass_pages(alice, alice.start(scope="openid")).url
    for scope in ("openid email", "openid read", "email"):
        assert "consent-allow" in alice.start(scope=scope).buttons
    assert "consent-allow" in alice.start(scope="openid", prompt="consent").buttons
    assert "code=" in alice.start(scope="openid").url
    bob = sign_in(Browser(house), "bob")
    assert "consent-allow" in bob.start(scope="openid").buttons


def test_atk_028_nobody_goes_on_with_what_another_browser_approved(
    house: House, alice: Browser
) -> None:
    attacker = Browser(house, peer="198.51.100.1")
    # The attacker keeps the address of a sign-in and lets the victim open it first.
    started = attacker.send("GET", _request()).headers.get("location")
    page = alice.get(started)
    assert "consent-allow" in page.buttons
    assert "code=" in alice.submit(page, "consent-allow").url
    for path in (started, started.replace("/login?", "/consent?")):
        resumed = attacker.get(path)
        assert (resumed.status, "code=" in resumed.url) == (400, False)
    # The attacker opened it first: then it is no use to the victim.
    page = attacker.start()
    assert alice.get(page.url).status == 400
    assert alice.get(page.url.replace("/login?", "/consent?")).status == 400
    form = {**page.inputs, "username": "alice", "password": PASSWORDS["alice"]}
    assert alice.send("POST", "/login", urlencode(form)).status == 400
    assert granted(house) == 1
    assert "consent-allow" in attacker.log_in(page, "bob").buttons


def test_atk_028_two_browsers_that_open_one_address_are_one_too_many(
    house: House, alice: Browser
) -> None:
    attacker = sign_in(Browser(house, peer="198.51.100.1"), "bob")
    started = alice.send("GET", _request()).headers.get("location")
    pages = [browser.get(started) for browser in (attacker, alice, Browser(house))]
    assert [page.status for page in pages] == [200, 400, 400]
    *_, name = (name for name in attacker.cookies if "txn" in name)
    for value in ("", "0" * 64, attacker.cookies[name][:-1], attacker.cookies[name].upper()):
        alice.cookies[name] = value
        assert alice.get(started).status == 400
    del alice.cookies[name]
    # What it ends with belongs to who finished it, even for those who repeat the form.
    body = urlencode({**pages[0].inputs, "decision": "allow"})
    assert leads_to_code(attacker.send("POST", "/consent", body))
    assert not leads_to_code(alice.send("POST", "/consent", body))
    assert "code=" in pass_pages(alice, alice.start()).url


def _request() -> str:
    from tests.flows.authorization_server import authorization_parameters

    return f"/authorize?{urlencode(authorization_parameters())}"


@pytest.mark.parametrize("member", ["client_name", "logo_uri", "client_uri", "policy_uri"])
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "{{ 7 * 7 }}{% include '/etc/passwd' %}",
        "</title></head><body onload=alert(1)>",
        "<!--",
    ],
)
def test_atk_044_what_a_client_says_of_itself_is_text(
    house: House, alice: Browser, member: str, text: str
) -> None:
    evil = ClientRecord(
        client_id="evil'\"<b>",
        secret_digest=digest_of(SECRET),
        redirect_uris=("https://evil.test/<b>\"'cb",),
        client_name=text if member == "client_name" else "",
        metadata={} if member == "client_name" else {member: text},
    )
    assert house.perform(AddClient(evil))
    asked = {
        "client_id": evil.client_id,
        "redirect_uri": evil.redirect_uris[0],
        "login_hint": text,
        "ui_locales": text,
    }
    page = consent(alice, **asked)
    login = Browser(house).start(**asked)
    plain = Browser(house).start(login_hint="x")
    for seen, usual in ((page, consent(alice, prompt="consent")), (login, plain)):
        assert [tag for tag, _ in seen.tags] == [tag for tag, _ in usual.tags]
        attributes = {name for _, given in seen.tags for name in given}
        assert not {name for name in attributes if name.startswith("on")}
        # Nothing is linked, so no scheme can run and no picture is fetched.
        assert {address.partition("?")[0] for address in seen.addresses} == {
            address.partition("?")[0] for address in usual.addresses
        }
        if member == "client_name":
            assert text in "".join(seen.by_id.values()) + seen.title
        assert "49" not in seen.title


def test_atk_047_a_form_is_never_sent_on_to_somebody_else(house: House, browser: Browser) -> None:
    login = browser.start()
    fields = {"username": "alice", "password": PASSWORDS["alice"]}
    answers = [browser.post(login, "login-submit", fields)]
    page = browser.get(answers[0].headers.get("location"))
    answers.append(browser.post(page, "consent-allow"))
    answers.append(browser.post(browser.start(prompt="consent"), "consent-deny"))
    # A silent refusal right after the login goes to the client straight from the form.
    page = browser.start(prompt="login", client_id="r", redirect_uri=R)
    answers.append(browser.post(page, "login-submit", fields))
    answers.append(browser.send("POST", "/authorize", _request().partition("?")[2]))
    answers.append(browser.post(browser.start(prompt="consent"), "consent-switch"))
    answers.append(browser.post(sign_in(browser).get("/logout"), "logout-yes"))
    assert [answer.status for answer in answers] == [303] * 7
    assert sum(answer.headers.get("location").startswith(ISSUER) for answer in answers) == 4
    for answer in answers:
        assert not answer.body
        assert "wonderland" not in str(answer.headers.pairs())
        assert "refresh" not in {name for name, _ in answer.headers.pairs()}
    assert code_of(ask(sign_in(browser)))
