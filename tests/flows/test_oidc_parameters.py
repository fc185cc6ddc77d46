"""`login_hint`, `display`, `ui_locales`: harmless; `request` and its like: refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.flows.authorization_server import authorization_parameters
from tests.flows.house import Browser, House, Page
from tests.flows.oidc import answer_of, claims_in, is_page, open_house, pass_pages, redeem, sign_in


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def stranger(house: House) -> Browser:
    """A browser in which nobody is logged in."""
    return Browser(house)


@pytest.fixture(scope="module")
def alice(house: House) -> Browser:
    browser = Browser(house)
    sign_in(browser)
    return browser


def shape_of(page: Page) -> list[tuple[str, frozenset[str]]]:
    """Return the elements of a page with the names of their attributes, whatever these hold."""
    return [(tag, frozenset(attributes) - {"autofocus"}) for tag, attributes in page.tags]


MARKUP = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</form><form action=https://evil.test>",
    "<b>bold</b>&amp;&lt;",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202ealice",
    "alice\" autofocus onfocus='alert(1)",
    "-->",
    "Zoë 東京 😀",
    "alice " * 1700 + "alice",
]


@pytest.mark.requirement("AS-OIDC-17")
@pytest.mark.parametrize("hint", ["alice", "alice@people.test", *MARKUP])
def test_a_login_hint_stands_in_its_field_as_plain_text(
    house: House, stranger: Browser, hint: str
) -> None:
    plain = stranger.start()
    page = stranger.start(login_hint=hint)
    assert is_page(page, "login")
    assert page.inputs["username"] == hint
    assert shape_of(page) == shape_of(plain)
    assert page.addresses == plain.addresses
    assert page.headers.get("content-security-policy").startswith("default-src 'none'")
    # It hints, and no more: whoever has the password logs in.
    wrong = stranger.submit(page, "login-submit", {"password": "not it"})
    assert wrong.status in {400, 429}
    assert stranger.session_cookie is None
    assert all(hint not in repr(event) for event in house.events if len(hint) > 5)


@pytest.mark.requirement("AS-OIDC-17")
def test_a_login_hint_binds_nobody(house: House) -> None:
    browser = Browser(house, peer="192.0.2.77")
    page = browser.start(login_hint="bob")
    assert page.inputs["username"] == "bob"
    tokens = redeem(house, pass_pages(browser, page, "alice"))
    assert claims_in(house, tokens["id_token"])["sub"] == "person-alice"


@pytest.mark.requirement("AS-OIDC-17")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hint_in_a_form_body_is_as_harmless(stranger: Browser, method: str) -> None:
    query = urlencode(authorization_parameters(login_hint=MARKUP[0]))
    sent = (
        stranger.send("POST", "/authorize", query)
        if method == "POST"
        else stranger.send("GET", f"/authorize?{query}")
    )
    where = sent.headers.get("location")
    assert "script" not in where
    page = stranger.get(where)
    assert page.inputs["username"] == MARKUP[0]
    assert ("script", {}) not in page.tags


@pytest.mark.requirement("AS-OIDC-17")
@pytest.mark.parametrize("name", ["ui_locales", "display", "claims_locales", "acr_values"])
@pytest.mark.parametrize(
    "value",
    ["page", "wap", "de fr-CA en", "x-" * 100, "../../etc/passwd", "%00", "*", *MARKUP],
)
def test_what_only_shapes_a_page_changes_nothing_we_show(
    alice: Browser, stranger: Browser, name: str, value: str
) -> None:
    plain, page = stranger.start(), stranger.start(**{name: value})
    assert page.status == 200
    assert shape_of(page) == shape_of(plain)
    assert {k: v for k, v in page.inputs.items() if k not in {"transaction", "csrf"}} == {
        "username": "",
        "password": "",
    }
    assert page.by_id == plain.by_id
    # Where no page is needed it is ignored just as well.
    assert "code" in answer_of(alice.start(**{name: value}))


@pytest.mark.requirement("AS-OIDC-17")
@pytest.mark.parametrize("name", ["login_hint", "ui_locales", "display", "acr_values"])
def test_each_is_taken_once_and_in_bounds(stranger: Browser, name: str) -> None:
    pairs = [*authorization_parameters(), (name, "a"), (name, "a")]
    assert answer_of(stranger.get(f"/authorize?{urlencode(pairs)}"))["error"] == "invalid_request"
    huge = stranger.start(**{name: "a" * 65_536})
    assert huge.status in {400, 413}
    assert "location" not in huge.headers
    control = stranger.start(**{name: "a\x00b"})
    assert control.status == 400
    assert is_page(stranger.start(**{name: ""}), "login")


REQUEST_OBJECT = "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJhIn0."


@pytest.mark.requirement("AS-OIDC-20")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("prompt", [None, "none", "nonsense"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", REQUEST_OBJECT),
        ("request", "x"),
        ("request_uri", "https://a.test/request.jwt"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"),
        ("request_uri", "http://169.254.169.254/latest/meta-data"),
        ("registration", '{"redirect_uris":["https://evil.test/"]}'),
        ("registration", "{"),
    ],
)
def test_a_request_in_another_form_is_refused_by_its_name(
    house: House, alice: Browser, name: str, value: str, prompt: str | None, method: str
) -> None:
    query = urlencode(authorization_parameters(**{name: value, "prompt": prompt}))
    before = len(house.effects)
    answer = (
        alice.send("POST", "/authorize", query)
        if method == "POST"
        else alice.send("GET", f"/authorize?{query}")
    )
    refused = answer_of(Page(answer.status, answer.headers.get("location"), answer.headers, ""))
    assert refused["error"] == f"{name}_not_supported"
    assert refused["state"] == "the state"
    assert value not in refused["error_description"]
    # Nothing is fetched, stored or asked but the client.
    asked = {type(effect).__name__ for effect in house.effects[before:]}
    assert asked <= {"FindClient", "Emit"}


@pytest.mark.requirement("AS-OIDC-20")
@pytest.mark.parametrize("name", ["request", "request_uri", "registration"])
def test_one_without_a_value_is_none_and_several_are_refused(alice: Browser, name: str) -> None:
    assert "code" in answer_of(alice.start(**{name: ""}))
    pairs = [*authorization_parameters(), (name, "x"), (name, "x")]
    assert answer_of(alice.get(f"/authorize?{urlencode(pairs)}"))["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-20")
def test_of_several_forms_the_first_is_named(alice: Browser) -> None:
    everything = {"request": "x", "request_uri": "https://a.test/", "registration": "{}"}
    refused = answer_of(alice.start(**everything, response_type="token"))
    assert refused["error"] == "request_not_supported"


@pytest.mark.requirement("AS-OIDC-20")
@pytest.mark.parametrize("name", ["request", "request_uri", "registration"])
def test_without_a_good_client_even_that_is_a_page(alice: Browser, name: str) -> None:
    for wrong in ({"client_id": "unknown"}, {"redirect_uri": "https://evil.test/"}):
        page = alice.start(**{name: "x"}, **wrong)
        assert page.status == 400
        assert "location" not in page.headers
