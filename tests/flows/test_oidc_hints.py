"""`id_token_hint`: who is meant, said by an ID token of ours; and what is no such token."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from codegrant.accounts.effects import EndSessionsOf
from codegrant.jose import PrivateKey, base64url, sign_jwt
from codegrant.messages.json import JsonValue, build_json
from codegrant.server.effects import AddKey
from codegrant.server.keys import make_key, open_key
from tests.flows.authorization_server import KEY_RING, authorization_parameters, first_keys
from tests.flows.house import Browser, House, Page
from tests.flows.oidc import (
    answer_of,
    claims_in,
    is_page,
    open_house,
    redeem,
    sign_in,
    tokens_of,
    way_of,
)


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def alice(house: House) -> Browser:
    browser = Browser(house)
    sign_in(browser)
    return browser


@pytest.fixture
def hint_of_alice(house: House) -> str:
    token: str = tokens_of(house, Browser(house))["id_token"]
    return token


@pytest.fixture
def hint_of_bob(house: House) -> str:
    token: str = tokens_of(house, Browser(house), "bob")["id_token"]
    return token


@pytest.mark.requirement("AS-OIDC-15")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_silent_request_for_another_person_needs_a_login(
    alice: Browser, hint_of_alice: str, hint_of_bob: str, method: str
) -> None:
    def silent(hint: str | None) -> dict[str, str]:
        way = way_of(alice, method, prompt="none", id_token_hint=hint)
        assert {answer.status for answer in way} == {303}
        return answer_of(Page(303, way[-1].headers.get("location"), way[-1].headers, ""))

    refused = silent(hint_of_bob)
    assert refused["error"] == "login_required"
    assert "code" not in refused
    assert "person" not in refused["error_description"]
    assert "code" in silent(hint_of_alice)
    assert "code" in silent(None)


@pytest.mark.requirement("AS-OIDC-15")
def test_a_hint_alone_logs_nobody_in(house: House, hint_of_alice: str) -> None:
    stranger = Browser(house)
    refused = answer_of(stranger.start(prompt="none", id_token_hint=hint_of_alice))
    assert refused["error"] == "login_required"
    page = stranger.start(id_token_hint=hint_of_alice)
    assert is_page(page, "login")
    assert hint_of_alice not in page.text
    # The answer is the same for a person whose sessions have ended.
    house.perform(EndSessionsOf("person-alice"))
    refused = answer_of(stranger.start(prompt="none", id_token_hint=hint_of_alice))
    assert refused["error"] == "login_required"


@pytest.mark.requirement("AS-OIDC-15")
def test_the_hinted_person_can_take_over_and_nobody_else(
    house: House, alice: Browser, hint_of_bob: str
) -> None:
    page = alice.start(id_token_hint=hint_of_bob)
    assert is_page(page, "login")
    granted = house.event_names().count("authorization_granted")
    refused = answer_of(alice.log_in(page, "alice"))
    assert refused["error"] == "login_required"
    assert house.event_names().count("authorization_granted") == granted

    page = alice.start(id_token_hint=hint_of_bob)
    claims = claims_in(house, redeem(house, alice.log_in(page, "bob"))["id_token"])
    assert claims["sub"] == "person-bob"


@pytest.mark.requirement("AS-OIDC-15")
def test_hint_and_demanded_login_go_together(
    house: House, alice: Browser, hint_of_alice: str
) -> None:
    house.now += 10
    page = alice.start(id_token_hint=hint_of_alice, prompt="login")
    assert is_page(page, "login")
    claims = claims_in(house, redeem(house, alice.log_in(page))["id_token"])
    assert (claims["sub"], claims["auth_time"]) == ("person-alice", house.now)
    page = alice.start(id_token_hint=hint_of_alice, prompt="login")
    assert answer_of(alice.log_in(page, "bob"))["error"] == "login_required"


@pytest.mark.requirement("AS-OIDC-16")
@pytest.mark.parametrize("age", [0, 299, 300, 301, 11 * 3600])
def test_an_expired_hint_is_as_good_as_a_fresh_one(
    house: House, alice: Browser, hint_of_alice: str, age: int
) -> None:
    house.now += age
    assert "code" in answer_of(alice.start(prompt="none", id_token_hint=hint_of_alice))


def ours(typ: str = "JWT", alg: int = 0, **changes: JsonValue) -> str:
    """Return a token that a published key of ours signed, with other claims."""
    claims: dict[str, JsonValue] = {
        "iss": "https://issuer.test",
        "sub": "person-alice",
        "aud": "a",
        "exp": 1,
        "iat": 0,
    }
    changed = {k: v for k, v in (claims | changes).items() if v is not None}
    return sign_jwt(open_key(KEY_RING, first_keys()[alg]), changed, typ=typ)


def assembled(header: dict[str, JsonValue], signature: bytes = b"") -> str:
    """Return a token with a header and a signature of one's own."""
    parts = (build_json(header), build_json({"iss": "https://issuer.test", "sub": "person-alice",
                                             "aud": "a"}))  # fmt: skip
    return ".".join([*(base64url.encode(part) for part in parts), base64url.encode(signature)])


def hmac_with_public_key() -> str:
    """Return a token whose HMAC key is our public key, the oldest trick. RFC 8725 §2.1."""
    header: dict[str, JsonValue] = {"alg": "HS256", "kid": first_keys()[0].kid}
    signed = assembled(header).rpartition(".")[0]
    key = open_key(KEY_RING, first_keys()[0]).public
    secret = build_json(key.to_jwk())
    return f"{signed}.{base64url.encode(hmac.digest(secret, signed.encode(), sha256))}"


def foreign(kid: str) -> str:
    """Return a token of a key of somebody else's, under a name of ours."""
    claims: dict[str, JsonValue] = {"iss": "https://issuer.test", "sub": "person-alice", "aud": "a"}
    header_kid = kid or "unknown"
    key = PrivateKey.generate("ES256")
    return sign_jwt(PrivateKey.from_pem(key.to_pem(), "ES256", header_kid), claims, typ="JWT")


@pytest.mark.requirement("AS-OIDC-16")
@pytest.mark.parametrize("prompt", ["none", None])
@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        pytest.param("x", "malformed_token", id="no JWT"),
        pytest.param("a.b.c", "malformed_token", id="no base64"),
        pytest.param("a.b.c.d.e", "", id="encrypted"),
        pytest.param("x" * 9000, "", id="long"),
        pytest.param("<script>.é.\u202e", "", id="no ASCII"),
        pytest.param(assembled({"alg": "none"}), "", id="unsigned"),
        pytest.param(assembled({"alg": "None", "typ": "JWT"}, b"x"), "", id="None"),
        pytest.param(hmac_with_public_key(), "", id="HMAC with the public key"),
        pytest.param(foreign(""), "unknown_key", id="unknown key"),
        pytest.param(foreign(first_keys()[1].kid), "bad_signature", id="our key's name"),
        pytest.param(ours()[:-4] + "AAAA", "", id="signature altered"),
        pytest.param(ours(iss="https://issuer.test/"), "another issuer", id="issuer with slash"),
        pytest.param(ours(iss="https://other.test"), "another issuer", id="another issuer"),
        pytest.param(ours(iss=None), "another issuer", id="no issuer"),
        pytest.param(ours(aud="trusted"), "another audience", id="another client"),
        pytest.param(ours(aud=["trusted", "A"]), "another audience", id="other clients"),
        pytest.param(ours(aud=None), "another audience", id="no audience"),
        pytest.param(ours(sub=None), "no subject", id="no subject"),
        pytest.param(ours(sub=""), "no subject", id="empty subject"),
        pytest.param(ours(sub=["person-alice"]), "no subject", id="subject no text"),
        pytest.param(ours(typ="at+jwt"), "another kind of token", id="an access token"),
        pytest.param(ours(typ="logout+jwt"), "another kind of token", id="a logout token"),
    ],
)
def test_what_is_no_id_token_of_ours_for_this_client_is_refused(
    house: House, alice: Browser, hint: str, reason: str, prompt: str | None
) -> None:
    refused = answer_of(alice.start(id_token_hint=hint, prompt=prompt))
    assert refused["error"] == "invalid_request"
    assert "id_token_hint" in refused["error_description"]
    event = house.last_event("authorization_refused")
    assert str(event.facts["reason"]).startswith("id_token_hint: ")
    assert reason in str(event.facts["reason"])
    assert "code" in answer_of(alice.start(id_token_hint=ours(), prompt=prompt))
    assert "code" in answer_of(alice.start(id_token_hint=ours(alg=1), prompt=prompt))


@pytest.mark.requirement("AS-OIDC-16")
def test_real_tokens_of_another_kind_or_client_are_refused(house: House, alice: Browser) -> None:
    page = sign_in(alice, client_id="trusted", redirect_uri="https://trusted.test/cb")
    others = redeem(house, page, "trusted")
    mine = tokens_of(house, alice)
    for token in (others["id_token"], others["access_token"], mine["access_token"]):
        assert answer_of(alice.start(id_token_hint=token))["error"] == "invalid_request"
    assert "code" in answer_of(alice.start(id_token_hint=mine["id_token"]))


@pytest.mark.requirement("AS-OIDC-16")
def test_another_issuer_with_our_very_keys_is_another_issuer(alice: Browser) -> None:
    with open_house(issuer="https://other.test") as other:
        hint = tokens_of(other, Browser(other))["id_token"]
        assert "code" in answer_of(sign_in(Browser(other), id_token_hint=hint))
    assert answer_of(alice.start(id_token_hint=hint))["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-16")
def test_a_hint_of_a_key_that_is_no_longer_published_is_refused(
    house: House, alice: Browser, hint_of_alice: str
) -> None:
    new = make_key(KEY_RING, "RS256", house.now)
    removed_at = house.now + 400
    house.perform(AddKey(new, only_if_first=False, retire_others_at=house.now,
                         remove_others_at=removed_at))  # fmt: skip
    house.now += 399
    assert "code" in answer_of(alice.start(id_token_hint=hint_of_alice))
    house.now = removed_at + 5
    assert answer_of(alice.start(id_token_hint=hint_of_alice))["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-16")
def test_a_hint_that_is_refused_tells_nothing_of_itself(house: House, hint_of_alice: str) -> None:
    altered = hint_of_alice[:-8] + "AAAAAAAA"
    page = Browser(house).start(id_token_hint=altered)
    assert altered not in page.url
    assert hint_of_alice[:20] not in page.url
    assert all(hint_of_alice[:20] not in repr(event) for event in house.events)


@pytest.mark.requirement("AS-OIDC-15", "AS-OIDC-16")
def test_two_hints_are_refused(alice: Browser, hint_of_alice: str, hint_of_bob: str) -> None:
    way = way_of(alice, "GET", id_token_hint=hint_of_alice)
    assert "code=" in way[-1].headers.get("location")
    query = urlencode(
        [
            *authorization_parameters(id_token_hint=hint_of_alice),
            ("id_token_hint", hint_of_bob),
        ]
    )
    assert answer_of(alice.get(f"/authorize?{query}"))["error"] == "invalid_request"


def test_a_hint_does_not_show_in_what_the_browser_is_sent_to(
    house: House, hint_of_alice: str
) -> None:
    stranger = Browser(house)
    for answer in way_of(stranger, "POST", id_token_hint=hint_of_alice):
        assert hint_of_alice not in answer.headers.get("location")
        assert hint_of_alice not in answer.body.decode()
