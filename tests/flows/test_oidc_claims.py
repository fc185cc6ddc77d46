"""The `claims` parameter and the scopes: what a client learns of a person, where, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from codegrant.accounts.people import add_account
from codegrant.http import Headers, Request
from codegrant.secret import Secret
from codegrant.server.claims import SCOPE_CLAIMS
from codegrant.server.host import Authentication
from codegrant.server.interaction import approve, bind_transaction, record_login
from tests.flows.authorization_server import (
    ALICE,
    NOW,
    Bench,
    answered,
    authorization_parameters,
    document,
    page_of,
)
from tests.flows.house import Browser, House
from tests.flows.oidc import (
    answer_of,
    claims_in,
    is_page,
    open_house,
    redeem,
    send,
    sign_in,
    tokens_of,
    userinfo,
)

# Every standard claim that an account holds beside name, e-mail and username.
MORE: dict[str, Any] = {
    "family_name": "Liddell",
    "given_name": "Alice",
    "middle_name": "P.",
    "nickname": "Al",
    "profile": "https://people.test/alice",
    "picture": "https://people.test/alice.png",
    "website": "https://alice.test/",
    "gender": "female",
    "birthdate": "0000-05-04",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "address": {"locality": "Oxford", "country": "United Kingdom"},
    "phone_number": "+44 1865 270000",
    "phone_number_verified": False,
    "internal_note": "not a claim of OpenID Connect",
    "sub": "somebody else",
    "iss": "https://evil.test",
}
EVERY_SCOPE = ("openid", "profile", "email", "address", "phone", "offline_access", "read")
ID_TOKEN_CLAIMS = {"iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash", "nonce", "sid", "amr"}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with open_house() as house:
        house.change_account("alice", claims=MORE)
        house.change_client("a", scope=EVERY_SCOPE, skip_consent=True)
        yield house


@pytest.fixture(scope="module")
def alice(house: House) -> Browser:
    browser = Browser(house)
    sign_in(browser)
    return browser


@pytest.fixture
def own_house() -> Iterator[House]:
    """A house that a test may change."""
    with open_house() as house:
        house.change_client("a", scope=EVERY_SCOPE, skip_consent=True)
        yield house


@pytest.mark.requirement("AS-UI-04")
@pytest.mark.parametrize(
    ("scope", "opened"),
    [
        ("openid", ()),
        ("openid profile", ("profile",)),
        ("openid email", ("email",)),
        ("openid address", ("address",)),
        ("openid phone", ("phone",)),
        ("openid phone email", ("email", "phone")),
        ("openid profile email address phone", ("profile", "email", "address", "phone")),
        ("openid offline_access read", ()),
        ("openid Profile EMAIL", ()),
    ],
)
def test_each_scope_opens_its_claims_and_no_others(
    house: House, alice: Browser, scope: str, opened: tuple[str, ...]
) -> None:
    tokens = tokens_of(house, alice, scope=scope)
    told = document(userinfo(house, tokens["access_token"]))
    expected = {"sub"}.union(*(SCOPE_CLAIMS[name] for name in opened))
    assert told.keys() == expected
    assert told["sub"] == "person-alice"
    assert all(told[name] == MORE[name] for name in told.keys() & MORE.keys() - {"sub"})
    # What is not asked for by name is at the userinfo endpoint alone. OIDC Core §5.4.
    assert claims_in(house, tokens["id_token"]).keys() <= ID_TOKEN_CLAIMS


@pytest.mark.requirement("AS-UI-04")
def test_a_scope_that_the_client_may_not_have_opens_nothing(own_house: House) -> None:
    own_house.change_account("alice", claims=MORE)
    own_house.change_client("a", scope=("openid", "email"), skip_consent=True)
    browser = Browser(own_house)
    tokens = tokens_of(own_house, browser, scope="openid profile email phone")
    told = document(userinfo(own_house, tokens["access_token"]))
    assert told.keys() == {"sub", "email", "email_verified"}


def asked(**members: Any) -> str:
    return json.dumps(members)


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize(
    "claim",
    [
        None,
        {},
        {"essential": True},
        {"essential": False},
        {"value": "alice@people.test"},
        {"value": "somebody@else.test"},
        {"values": ["somebody@else.test", "alice@people.test"]},
        {"values": []},
        {"essential": True, "value": 5, "unknown": [{}]},
    ],
    ids=json.dumps,
)
def test_a_claim_asked_for_by_name_is_in_the_id_token(
    house: House, alice: Browser, claim: Any
) -> None:
    claims = asked(id_token={"email": claim, "auth_time": None})
    tokens = tokens_of(house, alice, scope="openid email profile", claims=claims)
    told = claims_in(house, tokens["id_token"])
    assert told["email"] == "alice@people.test"
    assert told.keys() == ID_TOKEN_CLAIMS | {"email"}
    without = claims_in(house, tokens_of(house, alice, scope="openid email")["id_token"])
    assert "email" not in without


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize(
    "claim", [None, {"essential": True}, {"value": "x"}, {"values": ["x", "y"]}], ids=json.dumps
)
def test_a_claim_asked_for_at_userinfo_is_there_and_not_in_the_id_token(
    house: House, alice: Browser, claim: Any
) -> None:
    claims = asked(userinfo={"name": claim, "nickname": None})
    tokens = tokens_of(house, alice, scope="openid profile", claims=claims)
    told = document(userinfo(house, tokens["access_token"]))
    assert (told["name"], told["nickname"]) == ("Alice", "Al")
    assert "name" not in claims_in(house, tokens["id_token"])


@pytest.mark.requirement("AS-UI-08", "AS-UI-04")
def test_asking_opens_nothing_that_nobody_agreed_to(house: House, alice: Browser) -> None:
    every = {name: {"essential": True} for names in SCOPE_CLAIMS.values() for name in names}
    more = {"internal_note": {"essential": True}, "password_hash": None, "name#en": None}
    claims = asked(id_token=every | more, userinfo=every | more)
    tokens = tokens_of(house, alice, scope="openid", claims=claims)
    assert claims_in(house, tokens["id_token"]).keys() == ID_TOKEN_CLAIMS
    assert document(userinfo(house, tokens["access_token"])) == {"sub": "person-alice"}
    tokens = tokens_of(house, alice, scope="openid phone", claims=claims)
    phone = {"phone_number", "phone_number_verified"}
    assert claims_in(house, tokens["id_token"]).keys() == ID_TOKEN_CLAIMS | phone
    assert document(userinfo(house, tokens["access_token"])).keys() == {"sub", *phone}


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "sid", "amr", "jti", "azp"]
)
def test_asking_for_what_the_server_says_of_itself_changes_nothing(
    house: House, alice: Browser, name: str
) -> None:
    claims = asked(id_token={name: {"essential": True}})
    told = claims_in(house, tokens_of(house, alice, claims=claims)["id_token"])
    assert told.keys() == ID_TOKEN_CLAIMS
    assert (told["iss"], told["sub"]) == ("https://issuer.test", "person-alice")


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize(
    "claims",
    [
        "{}",
        '{"id_token":{}}',
        '{"id_token":null,"userinfo":null}',
        '{"unknown":5,"id_token":{"no_such_claim":null}}',
        '{"access_token":{"email":null}}',
        '{"id_token":{"":null}}',
        '{"id_token":{"x":{"essential":true,"more":{"more":[[[1e300]]]}}}}',
        ' { "id_token" : { "email" : null } } ',
        '{"id_token":{"\\u0065mail":null}}',
        json.dumps({"id_token": {f"claim-{number}": None for number in range(150)}}),
        '{"a":' * 31 + "{}" + "}" * 31,
        "",
    ],
)
def test_what_is_not_known_in_a_claims_parameter_is_ignored(
    house: House, alice: Browser, claims: str
) -> None:
    assert "code" in answer_of(alice.start(claims=claims))


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize("prompt", [None, "none"])
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param("{", id="cut off"),
        pytest.param("email", id="no JSON"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="array"),
        pytest.param('"id_token"', id="text"),
        pytest.param("5", id="number"),
        pytest.param("{}{}", id="two objects"),
        pytest.param("{'id_token':{}}", id="single quotes"),
        pytest.param('{"id_token":{},}', id="trailing comma"),
        pytest.param('{"id_token":[]}', id="member an array"),
        pytest.param('{"id_token":"email"}', id="member a text"),
        pytest.param('{"userinfo":true}', id="member a boolean"),
        pytest.param('{"id_token":{"email":true}}', id="claim a boolean"),
        pytest.param('{"id_token":{"email":"x"}}', id="claim a text"),
        pytest.param('{"id_token":{"email":[]}}', id="claim an array"),
        pytest.param('{"id_token":{"email":{"essential":"true"}}}', id="essential a text"),
        pytest.param('{"id_token":{"email":{"essential":1}}}', id="essential a number"),
        pytest.param('{"id_token":{"email":{"essential":null}}}', id="essential null"),
        pytest.param('{"id_token":{"email":{"values":"x"}}}', id="values a text"),
        pytest.param('{"id_token":{"email":{"value":1,"values":[1]}}}', id="value and values"),
        pytest.param('{"id_token":{},"id_token":{}}', id="member twice"),
        pytest.param('{"id_token":{"email":null,"email":null}}', id="claim twice"),
        pytest.param('{"id_token":{"email":NaN}}', id="NaN"),
        pytest.param('{"id_token":{"email":{"value":1e999}}}', id="infinite"),
        pytest.param('{"id_token":{"email":{"value":"\\ud800"}}}', id="half a character"),
        pytest.param('{"a":' * 33 + "{}" + "}" * 33, id="33 levels"),
        pytest.param("[" * 4000, id="4000 brackets"),
        pytest.param('{"a":"' + "x" * 5000 + '"}', id="5000 bytes"),
        pytest.param("\ufeff{}", id="byte order mark"),
    ],
)
def test_a_claims_parameter_that_is_malformed_is_an_invalid_request(
    house: House, alice: Browser, claims: str, prompt: str | None
) -> None:
    refused = answer_of(alice.start(claims=claims, prompt=prompt))
    assert refused["error"] == "invalid_request"
    assert "claims" in refused["error_description"]


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize("claims", ["[" * 5000, '{"a":' * 5000, '{"a":"' + "x" * 65_536 + '"}'])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_huge_claims_parameter_is_refused_and_never_a_failure(
    alice: Browser, claims: str, method: str
) -> None:
    query = urlencode(authorization_parameters(claims=claims))
    sent = (
        alice.send("POST", "/authorize", query)
        if method == "POST"
        else alice.send("GET", f"/authorize?{query}")
    )
    if sent.status == 303:
        assert "error=invalid_request" in sent.headers.get("location")
    else:
        assert sent.status in {400, 413}
    twice = urlencode([*authorization_parameters(claims="{}"), ("claims", "{}")])
    assert answer_of(alice.get(f"/authorize?{twice}"))["error"] == "invalid_request"


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize("member", ["id_token", "userinfo"])
@pytest.mark.parametrize("form", ["value", "values"])
def test_a_person_asked_for_by_subject_is_the_only_one_answered_for(
    own_house: House, member: str, form: str
) -> None:
    browser = Browser(own_house)
    sign_in(browser)

    def of(subject: str) -> str:
        return asked(**{member: {"sub": {form: [subject] if form == "values" else subject}}})

    assert "code" in answer_of(browser.start(claims=of("person-alice"), prompt="none"))
    refused = answer_of(browser.start(claims=of("person-bob"), prompt="none"))
    assert refused["error"] == "login_required"
    # With pages, only bob may answer; alice's password does not do.
    page = browser.start(claims=of("person-bob"))
    assert is_page(page, "login")
    assert answer_of(browser.log_in(page, "alice"))["error"] == "login_required"
    page = browser.log_in(browser.start(claims=of("person-bob")), "bob")
    assert claims_in(own_house, redeem(own_house, page)["id_token"])["sub"] == "person-bob"


@pytest.mark.requirement("AS-UI-08")
@pytest.mark.parametrize(
    "sub",
    [
        {"value": ""},
        {"value": None},
        {"value": 5},
        {"value": True},
        {"value": ["person-alice"]},
        {"value": {"a": "person-alice"}},
        {"values": []},
        {"values": ["person-alice", "person-bob"]},
        {"values": ["person-alice", None]},
        {"value": "person-alice", "values": ["person-bob"]},
    ],
    ids=json.dumps,
)
def test_a_subject_that_nobody_can_have_is_refused_rather_than_ignored(
    alice: Browser, sub: dict[str, Any]
) -> None:
    refused = answer_of(alice.start(claims=asked(id_token={"sub": sub})))
    assert refused["error"] == "invalid_request"
    for harmless in (None, {}, {"essential": True}, {"value": "person-alice"}):
        assert "code" in answer_of(alice.start(claims=asked(userinfo={"sub": harmless})))


@pytest.mark.requirement("AS-UI-08")
def test_two_subjects_are_refused(alice: Browser) -> None:
    both = asked(id_token={"sub": {"value": "person-alice"}},
                 userinfo={"sub": {"value": "person-bob"}})  # fmt: skip
    assert answer_of(alice.start(claims=both))["error"] == "invalid_request"
    same = both.replace("person-bob", "person-alice")
    assert "code" in answer_of(alice.start(claims=same))


def acr(*values: Any, essential: bool = True, member: str = "id_token") -> str:
    demand = {"value": values[0]} if len(values) == 1 else {"values": list(values)}
    return asked(**{member: {"acr": {"essential": essential, **demand}}})


@pytest.mark.requirement("AS-OIDC-13")
@pytest.mark.parametrize("prompt", [None, "none", "login"])
@pytest.mark.parametrize(
    "claims",
    [
        acr("urn:mace:incommon:iap:silver"),
        acr("phr", "phrh"),
        acr("pwd"),
        acr("0"),
        asked(id_token={"acr": {"essential": True, "value": "x" * 3000}}),
    ],
)
def test_an_essential_context_that_nobody_reaches_here_is_an_error_at_once(
    house: House, alice: Browser, claims: str, prompt: str | None
) -> None:
    granted = house.event_names().count("authorization_granted")
    for browser in (alice, Browser(house)):
        refused = answer_of(browser.start(claims=claims, prompt=prompt))
        assert refused["error"] == "unmet_authentication_requirements"
    assert house.event_names().count("authorization_granted") == granted


@pytest.mark.requirement("AS-OIDC-13")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"claims": acr("phr", essential=False)}, id="voluntary claim"),
        pytest.param({"claims": acr("phr", member="userinfo")}, id="of userinfo"),
        pytest.param({"claims": asked(id_token={"acr": {"essential": True}})}, id="no value"),
        pytest.param({"claims": asked(id_token={"acr": None})}, id="null"),
        pytest.param({"acr_values": "phr phrh"}, id="acr_values"),
        pytest.param({"acr_values": "phr", "claims": acr("phr", essential=False)}, id="both"),
    ],
)
def test_a_context_that_is_only_wished_for_is_no_error_and_no_lie(
    house: House, alice: Browser, changes: dict[str, str | None]
) -> None:
    assert "acr" not in claims_in(house, tokens_of(house, alice, **changes)["id_token"])


@pytest.mark.requirement("AS-OIDC-13")
@pytest.mark.parametrize("values", [[], [5], [None, None], ["phr", None], [""]], ids=json.dumps)
def test_an_essential_context_of_no_text_is_malformed(alice: Browser, values: list[Any]) -> None:
    claims = asked(id_token={"acr": {"essential": True, "values": values}})
    assert answer_of(alice.start(claims=claims))["error"] == "invalid_request"


@pytest.fixture
def bench() -> Bench:
    """A server whose host reaches two contexts; alice has logged in with the lower one."""
    bench = Bench(acr_values=("gold", "silver"))
    bench.agree()
    bench.authentication = logged_in("silver")
    return bench


def logged_in(acr: str) -> Authentication:
    return Authentication(subject=ALICE.subject, auth_time=NOW - 5, amr=("pwd",), acr=acr,
                          sid="sid-1")  # fmt: skip


@pytest.mark.requirement("AS-OIDC-13")
def test_an_essential_context_that_was_reached_is_named_in_the_tokens(bench: Bench) -> None:
    for claims in (acr("silver"), acr("platinum", "silver"), acr("gold", "silver")):
        tokens = document(bench.token(bench.code(claims=claims)))
        for kind in ("id_token", "access_token"):
            told = bench.run(bench.server.keys.verify(tokens[kind], NOW)).claims
            assert told["acr"] == "silver"


@pytest.mark.requirement("AS-OIDC-13")
@pytest.mark.parametrize("held", ["silver", "", "GOLD", "gold "])
def test_a_lower_login_leads_to_a_login_and_never_to_a_code(bench: Bench, held: str) -> None:
    bench.authentication = logged_in(held)
    assert page_of(bench.authorize(claims=acr("gold")))[0] == "login"
    silent = answered(bench.authorize(claims=acr("gold"), prompt="none"))
    assert silent["error"] == "login_required"
    assert not bench.store.codes
    bench.authentication = logged_in("gold")
    assert "code" in answered(bench.authorize(claims=acr("gold"), prompt="none"))


@pytest.mark.requirement("AS-OIDC-13")
def test_a_lower_login_cannot_say_yes_either(bench: Bench) -> None:
    """The session may be another one by the time that the consent form comes back."""
    _, transaction_id = page_of(bench.authorize(claims=acr("gold"), prompt="consent"))
    request = Request(method="GET", url="https://issuer.test/login", headers=Headers())
    bound = bench.run(bind_transaction(bench.server, request, transaction_id, NOW))
    scope = frozenset({"openid"})
    answer = bench.run(approve(bench.server, bound, logged_in("silver"), scope, NOW))
    assert page_of(answer)[0] == "login"
    bound = bench.run(record_login(bound, logged_in("silver"), NOW))
    answer = bench.run(approve(bench.server, bound, logged_in("silver"), scope, NOW))
    assert answered(answer)["error"] == "unmet_authentication_requirements"
    assert not bench.store.codes


@pytest.mark.requirement("AS-UI-09")
@pytest.mark.parametrize("verified", [False, True])
def test_an_address_is_verified_when_it_was(own_house: House, *, verified: bool) -> None:
    own_house.change_account("alice", email_verified=verified)
    claims = asked(id_token={"email_verified": {"essential": True, "value": True}})
    tokens = tokens_of(own_house, Browser(own_house), scope="openid email", claims=claims)
    assert document(userinfo(own_house, tokens["access_token"]))["email_verified"] is verified
    assert claims_in(own_house, tokens["id_token"])["email_verified"] is verified


@pytest.mark.requirement("AS-UI-09")
def test_an_address_is_not_verified_by_being_given(own_house: House) -> None:
    password = Secret("a password of carol's")
    added = own_house.run(add_account("carol", password, NOW, email="carol@people.test"))
    assert added.email_verified is False
    browser = Browser(own_house)
    page = browser.log_in(browser.start(scope="openid email"), "carol", password.reveal())
    told = document(userinfo(own_house, redeem(own_house, page)["access_token"]))
    assert (told["email"], told["email_verified"]) == ("carol@people.test", False)


@pytest.mark.requirement("AS-UI-09")
@pytest.mark.parametrize("claims", [{}, {"email_verified": True}])
def test_without_an_address_nothing_is_said_to_be_verified(
    own_house: House, claims: dict[str, Any]
) -> None:
    own_house.change_account("alice", email="", claims=claims)
    tokens = tokens_of(own_house, Browser(own_house), scope="openid email")
    assert document(userinfo(own_house, tokens["access_token"])) == {"sub": "person-alice"}


@pytest.mark.requirement("AS-UI-09")
def test_a_claim_of_an_account_cannot_verify_its_address(own_house: House) -> None:
    own_house.change_account("alice", claims={"email_verified": True, "email": "ceo@bank.test"})
    tokens = tokens_of(own_house, Browser(own_house), scope="openid email")
    told = document(userinfo(own_house, tokens["access_token"]))
    assert (told["email"], told["email_verified"]) == ("alice@people.test", False)


def test_every_claim_that_is_advertised_can_be_told(house: House, alice: Browser) -> None:
    advertised = document(send(house, "GET", "/.well-known/openid-configuration"))
    assert advertised["claims_parameter_supported"] is True
    scope = " ".join(EVERY_SCOPE)
    claims = asked(id_token=dict.fromkeys(advertised["claims_supported"]))
    told = claims_in(house, tokens_of(house, alice, scope=scope, claims=claims)["id_token"])
    assert set(advertised["claims_supported"]) <= told.keys()
