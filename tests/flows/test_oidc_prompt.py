"""`prompt` and `max_age`: what a client may demand of a login, and what never shows a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from codegrant.server.effects import FindGrant
from codegrant.server.records import GrantRecord
from tests.flows.authorization_server import (
    CALLBACK,
    NOW,
    authorization_parameters,
    document,
)
from tests.flows.house import Browser, House, Page, parameters_of
from tests.flows.oidc import (
    answer_of,
    claims_in,
    is_page,
    open_house,
    pass_pages,
    redeem,
    sign_in,
    tokens_of,
    userinfo,
    way_of,
)

METHODS = ("GET", "POST")


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def alice(house: House) -> Browser:
    """The browser in which alice has logged in and agreed to `openid`."""
    browser = Browser(house)
    assert "code" in answer_of(sign_in(browser))
    return browser


@pytest.fixture(scope="module")
def busy_house() -> Iterator[House]:
    """One house for requests that leave nothing behind which another would see."""
    with open_house() as house:
        yield house


@pytest.fixture(scope="module")
def settled(busy_house: House) -> Browser:
    """A browser of that house in which alice has logged in and agreed to `openid`."""
    browser = Browser(busy_house)
    sign_in(browser)
    return browser


def silent_answer(browser: Browser, method: str, **changes: str | None) -> dict[str, str]:
    """Return what client a hears of a request that may show no page; nothing but 303s go by."""
    way = way_of(browser, method, **changes)
    assert [answer.status for answer in way] == [303] * len(way)
    assert not any(answer.body for answer in way)
    where = way[-1].headers.get("location")
    assert where.startswith(CALLBACK)
    answered = parameters_of(Page(303, where, way[-1].headers, ""))
    assert (answered["state"], answered["iss"]) == ("the state", "https://issuer.test")
    return answered


SUB_OF_BOB = json.dumps({"userinfo": {"sub": {"value": "person-bob"}}})


@pytest.mark.requirement("AS-OIDC-07")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"max_age": "0"}, "login_required", id="max_age 0"),
        pytest.param({"max_age": "29"}, "login_required", id="max_age passed"),
        pytest.param({"claims": SUB_OF_BOB}, "login_required", id="another person"),
        pytest.param({"scope": "openid email"}, "consent_required", id="more scope"),
        pytest.param({"scope": "openid offline_access"}, "consent_required", id="offline_access"),
    ],
)
def test_without_a_page_what_is_missing_is_an_error(
    house: House, alice: Browser, method: str, changes: dict[str, str | None], error: str
) -> None:
    house.now += 30
    refused = silent_answer(alice, method, prompt="none", **changes)
    assert refused["error"] == error
    assert "code" not in refused
    assert "code" in silent_answer(alice, method, prompt="none", max_age="30")
    # The same without `prompt=none` is a page.
    assert not alice.start(**changes).url.startswith(CALLBACK)


@pytest.mark.requirement("AS-OIDC-07")
@pytest.mark.parametrize("method", METHODS)
def test_without_a_page_nobody_is_logged_in(house: House, method: str) -> None:
    stranger = Browser(house)
    assert silent_answer(stranger, method, prompt="none")["error"] == "login_required"
    assert stranger.session_cookie is None
    assert is_page(stranger.start(), "login")


@pytest.mark.requirement("AS-OIDC-07")
def test_without_a_page_a_native_client_is_never_allowed(alice: Browser) -> None:
    native: dict[str, str | None] = {"client_id": "native", "redirect_uri": "http://127.0.0.1:9/cb"}
    alice.submit(alice.start(**native), "consent-allow")
    way = way_of(alice, "GET", prompt="none", **native)
    assert "error=consent_required" in way[-1].headers.get("location")


@pytest.mark.requirement("AS-OIDC-07")
def test_what_an_operator_ends_is_no_session_for_a_silent_request(
    house: House, alice: Browser
) -> None:
    house.change_account("alice", enabled=False)
    assert silent_answer(alice, "GET", prompt="none")["error"] == "login_required"


@pytest.mark.requirement("AS-OIDC-08")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "prompt",
    [
        "none login",
        "login none",
        "none consent",
        "none select_account",
        "none none login",
        "consent none select_account",
        "none create",
    ],
)
def test_none_goes_with_no_other_value(settled: Browser, prompt: str, method: str) -> None:
    assert silent_answer(settled, method, prompt=prompt)["error"] == "invalid_request"
    for alone in ("none", "none none", " none "):
        assert "code" in silent_answer(settled, method, prompt=alone)


@pytest.mark.requirement("AS-OIDC-08", "AS-OIDC-09")
@pytest.mark.parametrize(
    "prompt",
    ["create", "Login", "LOGIN", "None", "login,consent", "login\tconsent", "login\n", " ", "İ"],
)
def test_a_prompt_that_is_not_known_is_refused_rather_than_ignored(
    settled: Browser, prompt: str
) -> None:
    assert silent_answer(settled, "GET", prompt=prompt)["error"] == "invalid_request"
    assert "code" in answer_of(settled.start(prompt=""))
    assert is_page(settled.start(prompt="login login"), "login")


@pytest.mark.requirement("AS-OIDC-08")
@pytest.mark.parametrize("name", ["prompt", "max_age"])
def test_a_demand_made_twice_is_refused(settled: Browser, name: str) -> None:
    value = {"prompt": "none", "max_age": "60"}[name]
    pairs = [*authorization_parameters(), (name, value)]
    assert "code" in answer_of(settled.get(f"/authorize?{urlencode(pairs)}"))
    refused = answer_of(settled.get(f"/authorize?{urlencode([*pairs, (name, value)])}"))
    assert refused["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-09")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("prompt", "pages"),
    [
        ("login", ["login"]),
        ("select_account", ["login"]),
        ("consent", ["consent"]),
        ("login consent", ["login", "consent"]),
        ("consent login", ["login", "consent"]),
        ("login select_account consent", ["login", "consent"]),
    ],
)
def test_a_demanded_page_is_shown_to_somebody_who_is_logged_in(
    house: House, alice: Browser, method: str, prompt: str, pages: list[str]
) -> None:
    assert "code" in answer_of(alice.start())
    house.now += 5
    way = way_of(alice, method, prompt=prompt)
    page = alice.get(way[-2].headers.get("location"))
    seen: list[str] = []
    while page.status == 200:
        seen.append(page.url.partition("?")[0].rpartition("/")[2])
        page = alice.log_in(page) if seen[-1] == "login" else alice.submit(page, "consent-allow")
    assert seen == pages
    claims = claims_in(house, redeem(house, page)["id_token"])
    assert claims["auth_time"] == (NOW + 5 if "login" in pages else NOW)


@pytest.mark.requirement("AS-OIDC-09")
def test_a_demanded_login_cannot_be_walked_around(house: House, alice: Browser) -> None:
    page = alice.start(prompt="login")
    for _ in range(2):  # reloading it changes nothing
        assert is_page(alice.get(page.url), "login")
    assert is_page(alice.get(page.url.replace("/login?", "/consent?")), "login")
    wrong = alice.log_in(page, password="not hers")
    assert wrong.status == 400
    assert is_page(alice.get(page.url.replace("/login?", "/consent?")), "login")
    # A login for another request is none for this one.
    assert "code" in answer_of(alice.log_in(alice.start(prompt="login")))
    assert is_page(alice.get(page.url), "login")
    granted = house.event_names().count("authorization_granted")
    assert "code" in answer_of(alice.log_in(alice.get(page.url)))
    assert house.event_names().count("authorization_granted") == granted + 1


@pytest.mark.requirement("AS-OIDC-09")
@pytest.mark.parametrize(
    "client",
    [
        pytest.param({}, id="remembered"),
        pytest.param(
            {"client_id": "trusted", "redirect_uri": "https://trusted.test/cb"}, id="never asked"
        ),
    ],
)
def test_a_demanded_consent_is_asked_for_whatever_is_remembered(
    alice: Browser, client: dict[str, str | None]
) -> None:
    assert "code" in parameters_of(alice.start(**client))
    page = alice.start(prompt="consent", **client)
    assert is_page(page, "consent")
    assert parameters_of(alice.submit(page, "consent-deny"))["error"] == "access_denied"
    assert "code" in parameters_of(alice.submit(alice.start(prompt="consent", **client),
                                                "consent-allow"))  # fmt: skip
    assert "code" in parameters_of(alice.start(**client))


@pytest.mark.requirement("AS-OIDC-06", "AS-OIDC-05")
@pytest.mark.parametrize("method", METHODS)
def test_a_login_that_is_too_old_is_done_anew(house: House, alice: Browser, method: str) -> None:
    house.now += 2
    recent = way_of(alice, method, max_age="2")[-1].headers.get("location")
    answered = Page(303, recent, way_of(alice, method, max_age="2")[-1].headers, "")
    assert claims_in(house, redeem(house, answered)["id_token"])["auth_time"] == NOW
    way = way_of(alice, method, max_age="1")
    page = alice.get(way[-2].headers.get("location"))
    assert is_page(page, "login")
    claims = claims_in(house, redeem(house, alice.log_in(page))["id_token"])
    assert claims["auth_time"] == NOW + 2 == house.now
    # Now it is recent enough again.
    assert "code" in answer_of(alice.start(max_age="1"))


@pytest.mark.requirement("AS-OIDC-06")
@pytest.mark.parametrize("demand", [{"max_age": "0"}, {"prompt": "login"}, {"max_age": "000"}])
def test_no_age_at_all_is_a_login_even_in_the_same_second(
    house: House, alice: Browser, demand: dict[str, str | None]
) -> None:
    page = alice.start(**demand)
    assert is_page(page, "login")
    before = alice.session_cookie
    assert claims_in(house, redeem(house, alice.log_in(page))["id_token"])["auth_time"] == NOW
    assert alice.session_cookie != before
    assert is_page(alice.start(**demand), "login")
    assert "code" in answer_of(alice.start(max_age="1"))


@pytest.mark.requirement("AS-OIDC-06")
@pytest.mark.parametrize(
    "max_age",
    [
        *("-1", "+1", "1 ", " 1", "1.5", "1e9", "0x10", "1_0", "\u0663", "\uff11", "one", "1,2"),
        *("1\n", "-0", "NaN", "10000000000", "9" * 400),
    ],
)
def test_an_age_that_is_no_number_of_seconds_is_refused(settled: Browser, max_age: str) -> None:
    assert silent_answer(settled, "GET", max_age=max_age)["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-06")
@pytest.mark.parametrize("max_age", ["1000000000", "9999999999", "0000000001", ""])
def test_an_age_that_is_a_number_of_seconds_is_taken(settled: Browser, max_age: str) -> None:
    assert "code" in answer_of(settled.start(max_age=max_age))


@pytest.mark.requirement("AS-OIDC-05")
@pytest.mark.parametrize(
    "changes",
    [
        {"max_age": "600"},
        {"claims": '{"id_token":{"auth_time":{"essential":true}}}'},
        {"max_age": "600", "claims": '{"id_token":{"auth_time":null}}'},
        {"claims": '{"userinfo":{"auth_time":{"essential":true}}}'},
        {},
    ],
    ids=["max_age", "essential", "both", "of userinfo", "not asked for"],
)
def test_the_time_of_the_login_is_in_every_id_token(
    house: House, alice: Browser, changes: dict[str, str | None]
) -> None:
    house.now += 60
    claims = claims_in(house, tokens_of(house, alice, **changes)["id_token"])
    assert claims["auth_time"] == NOW
    assert claims["iat"] == NOW + 60
    assert type(claims["auth_time"]) is int


def grants_of(house: House, tokens: dict[str, str]) -> GrantRecord:
    """Return the grant that a JWT access token hangs on."""
    grant: GrantRecord = house.perform(
        FindGrant(claims_in(house, tokens["access_token"])["grant_id"])
    )
    return grant


@pytest.mark.requirement("AS-OIDC-10")
@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "0"},
                                    {"prompt": "select_account"}])  # fmt: skip
def test_another_person_who_logs_in_has_nothing_of_the_first(
    house: House, alice: Browser, demand: dict[str, str | None]
) -> None:
    hers = tokens_of(house, alice)
    grant_of_alice = grants_of(house, hers)
    cookie = alice.session_cookie
    house.now += 10

    page = alice.log_in(alice.start(**demand), "bob")
    assert is_page(page, "consent"), "alice's consent is not bob's"
    his = redeem(house, alice.submit(page, "consent-allow"))
    claims, before = claims_in(house, his["id_token"]), claims_in(house, hers["id_token"])
    assert (claims["sub"], before["sub"]) == ("person-bob", "person-alice")
    assert claims["sid"] != before["sid"]
    assert claims["auth_time"] == NOW + 10
    assert grants_of(house, his).grant_id != grant_of_alice.grant_id
    assert grants_of(house, his).subject == "person-bob"
    assert document(userinfo(house, his["access_token"]))["sub"] == "person-bob"

    # What alice granted is hers still, as it was; her session is over.
    assert grants_of(house, hers) == grant_of_alice
    assert document(userinfo(house, hers["access_token"]))["sub"] == "person-alice"
    assert alice.session_cookie != cookie
    thief = Browser(house)
    thief.cookies = {
        name: cookie or "" for name, value in alice.cookies.items() if value == alice.session_cookie
    }
    assert is_page(thief.start(), "login")


@pytest.mark.requirement("AS-OIDC-10")
def test_the_same_person_who_logs_in_again_has_a_new_session_too(
    house: House, alice: Browser
) -> None:
    first = claims_in(house, tokens_of(house, alice)["id_token"])
    same = claims_in(house, tokens_of(house, alice)["id_token"])
    again = claims_in(house, tokens_of(house, alice, prompt="login")["id_token"])
    assert first["sid"] == same["sid"] != again["sid"]
    assert first["sub"] == again["sub"]


@pytest.mark.requirement("AS-OIDC-10")
def test_a_consent_page_of_the_first_person_says_nothing_for_the_second(
    house: House, alice: Browser
) -> None:
    asked = alice.start(scope="openid email")
    assert is_page(asked, "consent")
    assert "code" in answer_of(pass_pages(alice, alice.start(prompt="login"), "bob"))
    answer = alice.post(asked, "consent-allow")
    assert answer.status == 403
    # Asked by the same request, bob decides for himself.
    page = alice.submit(alice.get(asked.url), "consent-allow")
    assert claims_in(house, redeem(house, page)["id_token"])["sub"] == "person-bob"
