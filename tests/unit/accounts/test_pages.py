"""The pages: their headers, their escaping, their structure, their colours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from codegrant.accounts.pages import Pages
from codegrant.accounts.pages.render import AccountView, Form
from codegrant.accounts.records import Access, Account, Session
from codegrant.errors import ConfigurationError, OAuthError
from codegrant.http import Headers, Request, Response
from codegrant.server.codes import transaction_ended
from codegrant.server.policy import Policy
from tests.flows.house import read_page

MARKUP = """<script>alert(1)</script><img src=x onerror=alert(1)>"'&{{ 7*7 }}</title>"""
PAGES = Pages(Policy(issuer="https://issuer.test/tenant"))
FORM = Form(csrf=MARKUP, transaction=MARKUP)
REQUEST = Request(method="GET", url="https://issuer.test/tenant/login")
PERSON = Account(subject="person-1", username=MARKUP, username_key="x", name=MARKUP, email=MARKUP)
NAMELESS = Account(subject="person-1", username=MARKUP, username_key="x")
NOW = 1_800_000_000
SESSIONS = tuple(
    Session(
        digest=bytes([number]) * 32,
        sid=f"{MARKUP}{number}",
        subject="person-1",
        auth_time=NOW,
        amr=("pwd",),
        created_at=NOW - number * 86_400,
        seen_at=NOW - number * 3600,
        expires_at=NOW + 1000,
        browser=browser,
    )
    for number, browser in enumerate((MARKUP, "Firefox on Linux", ""))
)
ACCESS = tuple(
    Access(
        client_id=f"{MARKUP}{name}",
        client_name=name,
        redirect_uris=(f"https://{MARKUP}/cb", "com.example.app:/cb", "https://a.test/cb"),
        scope=("openid", "email", MARKUP),
        created_at=NOW - 90 * 86_400,
        granted_at=NOW - 300,
    )
    for name in (MARKUP, "")
)
VIEW = AccountView(
    account=PERSON,
    sid=SESSIONS[1].sid,
    sessions=SESSIONS,
    access=ACCESS,
    more_sessions=True,
    more_access=True,
    now=NOW,
    notice=MARKUP,
)
EMPTY_VIEW = AccountView(
    account=NAMELESS, sid=SESSIONS[0].sid, sessions=SESSIONS[:1], access=(), now=NOW
)

EVERY_PAGE: Mapping[str, Callable[[Pages], Response]] = {
    "login": lambda pages: pages.login(FORM, client_name=MARKUP),
    "login, hinted": lambda pages: pages.login(FORM, client_name=MARKUP, username=MARKUP),
    "login, again": lambda pages: pages.login(FORM, client_name=MARKUP, again=True),
    "login, failed": lambda pages: pages.login(
        FORM, client_name=MARKUP, username=MARKUP, error=MARKUP, status=400
    ),
    "consent": lambda pages: pages.consent(
        FORM,
        client_name=MARKUP,
        person=MARKUP,
        scope=("openid", MARKUP),
        redirect_uri=f"https://{MARKUP}/cb",
        resource=MARKUP,
    ),
    "consent, native": lambda pages: pages.consent(
        FORM,
        client_name=MARKUP,
        person=MARKUP,
        scope=("openid",),
        redirect_uri="com.example.app:/cb",
        remembered=False,
    ),
    "login, account": lambda pages: pages.login(FORM),
    "account": lambda pages: pages.account(FORM, VIEW),
    "account, nothing": lambda pages: pages.account(FORM, EMPTY_VIEW),
    "account, failed": lambda pages: pages.account(FORM, replace(VIEW, error=MARKUP)),
    "logout": lambda pages: pages.logout(FORM, PERSON),
    "logout, done": lambda pages: pages.logout(FORM, None),
    "error": lambda pages: pages.error(OAuthError(MARKUP, MARKUP), REQUEST),
    "error, ours": lambda pages: pages.error(OAuthError("x", MARKUP, status=500), REQUEST),
}


@pytest.fixture(params=EVERY_PAGE, ids=str)
def answer(request: pytest.FixtureRequest) -> Response:
    made: Callable[[Pages], Response] = EVERY_PAGE[request.param]
    return made(PAGES)


@pytest.mark.requirement("AS-AUTHN-02", "AS-AUTHN-10", "AS-AUTHN-11")
def test_every_page_carries_every_header(answer: Response) -> None:
    assert dict(answer.headers.pairs()) == {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "pragma": "no-cache",
    }


@pytest.mark.requirement("AS-AUTHN-09")
def test_no_value_becomes_markup(answer: Response) -> None:
    page = read_page(answer)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.tags)
    for tag, given in page.tags:
        assert not [name for name in given if name.startswith("on") or name == "style"], tag
    assert MARKUP not in page.text
    assert "49" not in page.text


def test_markup_is_shown_as_the_text_that_it_is() -> None:
    page = read_page(EVERY_PAGE["login, failed"](PAGES))
    assert page.by_id["login-error"] == MARKUP
    assert page.inputs == {
        "transaction": MARKUP,
        "csrf": MARKUP,
        "username": MARKUP,
        "password": "",
    }
    assert MARKUP in page.title


@pytest.mark.requirement("AS-AUTHN-11")
def test_every_address_is_the_issuers_own(answer: Response) -> None:
    for address in read_page(answer).addresses:
        assert address.startswith(("/tenant/", "data:image/svg+xml,"))


def test_every_page_has_one_main_heading_a_language_and_stable_ids(answer: Response) -> None:
    page = read_page(answer)
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert tags.count("h1") == tags.count("main") == 1
    assert len(page.forms) <= 1 or "account-username" in page.by_id
    assert all(form["method"] == "post" for form in page.forms)
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))


def test_every_field_has_a_label_and_everything_described_exists(answer: Response) -> None:
    page = read_page(answer)
    labelled = {given.get("for") for tag, given in page.tags if tag == "label"}
    for tag, given in page.tags:
        if tag == "input" and given["type"] != "hidden" and "hidden" not in given:
            assert given["id"] in labelled
        for name in ("aria-describedby", "aria-labelledby"):
            assert set(given.get(name, "").split()) <= page.by_id.keys()


def test_the_account_page_has_a_form_for_each_thing_that_can_be_ended() -> None:
    page = read_page(PAGES.account(FORM, VIEW))
    sent = [(part.action, *(page.buttons[name] for name in part.buttons)) for part in page.parts]
    assert sent == [
        ("/tenant/logout", ("decision", "yes")),
        *[("/tenant/account", ("withdraw", access.client_id)) for access in ACCESS],
        ("/tenant/account", ("end", SESSIONS[0].sid)),
        ("/tenant/account", ("end", SESSIONS[2].sid)),
        ("/tenant/account", ("end_others", "yes")),
        ("/tenant/account", ("change_password", "yes")),
    ]
    assert all(part.inputs["csrf"] == MARKUP for part in page.parts)


def test_the_account_page_says_who_where_and_since_when() -> None:
    text = " ".join(re.sub(r"<[^>]+>", "", PAGES.account(FORM, VIEW).body.decode()).split())
    for shown in (
        *("Firefox on Linux This browser", "Unknown browser", "last used 2 hours ago"),
        *("Confirm who you are See your e-mail address", "last sign-in 5 minutes ago"),
        *("Since 17 October 2026", "a.test", "(com.example.app:)"),
    ):
        assert shown in text, shown
    # The browser in front of the person comes first, whenever the others were used.
    assert text.index("This browser") < text.index("Unknown browser")


def test_one_browser_and_no_application_leave_nothing_to_end() -> None:
    page = read_page(PAGES.account(FORM, EMPTY_VIEW))
    assert page.buttons.keys() == {"logout-yes", "password-submit"}
    assert page.by_id["no-applications"] == "No application has access to your account."


@pytest.mark.parametrize(("wait", "status"), [(None, 400), (7, 429)])
def test_an_account_page_with_an_error_is_no_success(wait: int | None, status: int) -> None:
    answer = PAGES.account(FORM, replace(VIEW, error="wrong", retry_after=wait))
    assert answer.status == status
    assert answer.headers.get("retry-after") == ("" if wait is None else "7")
    page = read_page(answer)
    assert page.by_id["password-error"] == "wrong"
    fields = {given["name"]: given for tag, given in page.tags if tag == "input"}
    for name, kind in (("current", "current-password"), ("new", "new-password")):
        given = fields[f"{name}_password"]
        assert (given["type"], given["autocomplete"]) == ("password", kind)
        assert given.get("value", "") == ""
        assert "password-error" in given["aria-describedby"]
        assert "maxlength" not in given


def test_titles_tell_the_pages_apart() -> None:
    titles = [read_page(EVERY_PAGE[name](PAGES)).title for name in EVERY_PAGE]
    distinct = {"login", "login, account", "login, failed", "consent", "account", "logout"}
    distinct |= {"account, failed"}
    by_name = dict(zip(EVERY_PAGE, titles, strict=True))
    assert len({by_name[name] for name in distinct}) == len(distinct)
    assert all(titles)


def test_the_login_page_serves_password_managers_and_screen_readers() -> None:
    page = read_page(EVERY_PAGE["login, failed"](PAGES))
    fields = {given["name"]: given for tag, given in page.tags if tag == "input"}
    assert fields["username"]["autocomplete"] == "username"
    assert fields["username"]["autocapitalize"] == "none"
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["password"]["type"] == "password"
    for name in ("username", "password"):
        assert fields[name]["aria-describedby"] == "login-error"
        assert "maxlength" not in fields[name]
    (alert,) = (given for _, given in page.tags if given.get("id") == "login-error")
    assert alert["role"] == "alert"
    assert "login-submit" in page.buttons


def test_a_password_is_never_shown_again() -> None:
    fields = read_page(EVERY_PAGE["login, failed"](PAGES)).inputs
    assert fields["password"] == ""


def test_the_consent_page_says_who_what_and_where() -> None:
    answer = PAGES.consent(
        FORM,
        client_name="Notes",
        person="Alice",
        scope=("openid", "notes:write"),
        redirect_uri="https://user@notes.test:8443/cb?x=1",
        resource="https://api.test/notes",
    )
    page = read_page(answer)
    text = re.sub(r"<[^>]+>", "", page.text)
    for shown in ("Notes", "Alice", "notes:write", "notes.test:8443", "https://api.test/notes"):
        assert shown in text
    assert "user@" not in text
    assert page.buttons == {
        "consent-allow": ("decision", "allow"),
        "consent-deny": ("decision", "deny"),
        "consent-switch": ("decision", "switch"),
    }


@pytest.mark.parametrize(
    ("status", "heading"),
    [
        pytest.param(400, "This sign-in cannot continue", id="400"),
        pytest.param(403, "This form is out of date", id="403"),
        pytest.param(404, "There is no such page", id="404"),
        pytest.param(405, "This page works differently", id="405"),
        pytest.param(413, "That was too long", id="413"),
        pytest.param(418, "This sign-in cannot continue", id="any other"),
        pytest.param(429, "Please wait a little", id="429"),
        pytest.param(500, "Something went wrong here", id="500"),
        pytest.param(503, "Very busy at the moment", id="503"),
    ],
)
def test_an_error_page_says_what_happened_and_what_to_do(status: int, heading: str) -> None:
    error = OAuthError("the_code", "what happened", reason="never shown", status=status)
    answer = PAGES.error(error, REQUEST)
    page = read_page(answer)
    assert answer.status == status
    assert page.title == heading
    assert page.by_id["error-code"] == "the_code"
    assert page.by_id["error-description"] == "what happened"
    assert "never shown" not in page.text
    assert "retry-after" not in answer.headers


def test_a_sign_in_that_is_over_is_no_alarm() -> None:
    page = read_page(PAGES.error(transaction_ended(), REQUEST))
    assert page.status == 400
    assert page.title == "This sign-in is over"
    assert "all is well" in page.text


def test_an_error_page_passes_on_when_to_try_again() -> None:
    error = OAuthError("temporarily_unavailable", "busy", status=429, facts={"retry_after": 7})
    assert PAGES.error(error, REQUEST).headers.get("retry-after") == "7"


def style_request(query: str, *pairs: tuple[str, str], method: str = "GET") -> Request:
    return Request(method=method, url="https://x", query=query, headers=Headers(pairs))


def test_the_stylesheet_is_kept_as_long_as_its_address_names_it() -> None:
    (address,) = (a for a in read_page(EVERY_PAGE["login"](PAGES)).addresses if ".css" in a)
    answer = PAGES.stylesheet(style_request(address.partition("?")[2]))
    assert answer.status == 200
    assert answer.headers.get("content-type") == "text/css; charset=utf-8"
    assert "immutable" in answer.headers.get("cache-control")
    assert b"url(" not in answer.body
    assert b"@import" not in answer.body


@pytest.mark.parametrize("query", ["", "0123456789abcdef", "v=1"], ids=["none", "old", "other"])
def test_a_stylesheet_under_another_address_is_asked_for_again(query: str) -> None:
    answer = PAGES.stylesheet(style_request(query))
    assert answer.status == 200
    assert answer.headers.get("cache-control") == "no-cache"


def test_a_stylesheet_that_is_known_is_not_sent_again() -> None:
    tag = PAGES.stylesheet(style_request("")).headers.get("etag")
    same = PAGES.stylesheet(style_request("", ("if-none-match", tag)))
    other = PAGES.stylesheet(style_request("", ("if-none-match", '"x"')))
    head = PAGES.stylesheet(style_request("", method="HEAD"))
    assert (same.status, same.body) == (304, b"")
    assert (other.status, bool(other.body)) == (200, True)
    assert (head.status, head.body) == (200, b"")


def test_own_templates_stand_in_for_ours_and_are_escaped_too(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text(
        '{% extends "base.html" %}{% block title %}{% endblock %}'
        "{% block content %}<h1>Our house: {{ client_name }}</h1>{% endblock %}"
    )
    (tmp_path / "style.css").write_text("h1 { color: red }")
    pages = Pages(Policy(issuer="https://issuer.test"), tmp_path)
    text = pages.login(FORM, client_name="<b>").body.decode()
    assert "<h1>Our house: &lt;b&gt;</h1>" in text
    assert pages.stylesheet(style_request("")).body == b"h1 { color: red }"
    assert read_page(EVERY_PAGE["consent"](pages)).forms


def test_a_name_that_a_template_does_not_get_is_a_mistake_and_not_a_blank(tmp_path: Path) -> None:
    (tmp_path / "error.html").write_text("{{ secret_of_the_house }}")
    pages = Pages(Policy(issuer="https://issuer.test"), tmp_path)
    with pytest.raises(Exception, match="secret_of_the_house"):
        pages.error(OAuthError("x"), REQUEST)


def test_a_template_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"template_folder: .*nowhere"):
        Pages(Policy(issuer="https://issuer.test"), tmp_path / "nowhere")


def test_without_jinja2_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'codegrant\[server\]'"):
        Pages(Policy(issuer="https://issuer.test"))


def colours(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the named colours of the light and of the dark scheme."""
    light, dark = re.findall(r":root \{([^}]*)\}", css)
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in (light, dark)]
    return found[0], found[1]


def luminance(colour: str) -> float:
    """Return the relative luminance. WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        pytest.param("text", "card", 7, id="text"),
        pytest.param("text", "ground", 7, id="text outside the card"),
        pytest.param("soft", "card", 4.5, id="soft text"),
        pytest.param("soft", "ground", 4.5, id="soft text outside the card"),
        pytest.param("on-accent", "accent", 4.5, id="the button"),
        pytest.param("on-accent", "accent-strong", 4.5, id="the button, hovered"),
        pytest.param("accent", "card", 4.5, id="the link, and the focus ring"),
        pytest.param("alert", "alert-ground", 4.5, id="an error"),
        pytest.param("field", "card", 3, id="the edge of a field"),
    ],
)
def test_every_pair_of_colours_has_enough_contrast(
    scheme: int, front: str, back: str, least: float
) -> None:
    named = colours(PAGES.stylesheet(style_request("")).body.decode())[scheme]
    assert contrast(named[front], named[back]) >= least
