"""The ID token of the code flow: when there is one, and every claim that it makes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt as oracle
from joserfc.jwk import KeySet as OracleKeys
from joserfc.jws import JWSRegistry

from codegrant.accounts.people import add_account
from codegrant.cli.registration import ClientChanges, change_client
from codegrant.errors import ConfigurationError
from codegrant.jose import parse_jwt
from codegrant.secret import Secret
from codegrant.server.keys import SIGNING_ALGORITHMS
from codegrant.server.policy import Policy
from tests.flows.authorization_server import NOW, document
from tests.flows.house import CLIENTS, Browser, House, parameters_of
from tests.flows.oidc import (
    claims_in,
    open_house,
    pass_pages,
    redeem,
    send,
    send_token,
    sign_in,
    tokens_of,
    userinfo,
)

TRUSTED: dict[str, str | None] = {
    "client_id": "trusted",
    "redirect_uri": "https://trusted.test/cb",
}


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def alice(house: House) -> Browser:
    """The browser in which alice has logged in and agreed to `openid`."""
    browser = Browser(house)
    sign_in(browser)
    return browser


def header_of(token: str) -> dict[str, Any]:
    raw = token.partition(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    return header


@pytest.mark.requirement("AS-OIDC-01")
@pytest.mark.parametrize(
    ("scope", "granted", "has_id_token"),
    [
        ("openid", "openid", True),
        ("openid email", "openid email", True),
        ("email openid", "email openid", True),
        ("openid openid", "openid", True),
        ("openid unknown", "openid", True),
        ("profile email", "profile email", False),
        ("read", "read", False),
        ("OpenID email", "email", False),
        ("openid2 email", "email", False),
        ("offline_access", "offline_access", False),
    ],
)
def test_openid_and_nothing_else_gives_an_id_token(
    house: House, alice: Browser, scope: str, granted: str, *, has_id_token: bool
) -> None:
    tokens = tokens_of(house, alice, scope=scope)
    assert tokens["scope"] == granted
    assert ("id_token" in tokens) == has_id_token
    assert (userinfo(house, tokens["access_token"]).status == 200) == has_id_token


@pytest.mark.requirement("AS-OIDC-01")
def test_openid_beyond_the_registration_gives_no_id_token(house: House, alice: Browser) -> None:
    house.change_client("a", scope=("email", "read"))
    assert "id_token" not in tokens_of(house, alice, scope="openid email")
    house.change_client("a", scope=("openid", "email"), default_scope=("openid",))
    assert "id_token" in tokens_of(house, alice, scope=None)


def verified_by_a_stranger(house: House, token: str) -> dict[str, Any]:
    """Return the claims as joserfc verifies them with the published key set."""
    keys = OracleKeys.import_key_set(json.loads(send(house, "GET", "/jwks").body))
    registry = JWSRegistry(algorithms=[header_of(token)["alg"]])
    claims: dict[str, Any] = oracle.decode(
        token, keys, algorithms=[header_of(token)["alg"]], registry=registry
    ).claims
    return claims


@pytest.mark.requirement("AS-OIDC-02", "AS-OIDC-18", "AS-OIDC-11")
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", SIGNING_ALGORITHMS)
def test_an_id_token_verifies_with_the_published_keys(
    house: House, alice: Browser, alg: str
) -> None:
    house.change_client("a", id_token_signed_response_alg=alg)
    tokens = tokens_of(house, alice)
    token = tokens["id_token"]
    assert header_of(token) == {"alg": alg, "kid": header_of(token)["kid"], "typ": "JWT"}
    claims = verified_by_a_stranger(house, token)
    assert claims.keys() >= {"iss", "sub", "aud", "exp", "iat"}
    assert claims["iss"] == "https://issuer.test"
    # An independent reading of OIDC Core §3.1.3.6: half of the digest that the alg names.
    name = {"EdDSA": "sha512"}.get(alg, "sha256")
    digest = hashlib.new(name, tokens["access_token"].encode("ascii")).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    assert claims["at_hash"] == half
    signed, _, signature = token.rpartition(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(Exception, match=r"(?i)signature"):
        verified_by_a_stranger(house, f"{signed}.{changed}")


@pytest.mark.requirement("AS-OIDC-11")
@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_the_hash_is_of_the_access_token_beside_it(access_format: str) -> None:
    with open_house(access_format=access_format) as house:
        browser = Browser(house)
        first, second = tokens_of(house, browser), tokens_of(house, browser)
        for tokens, other in ((first, second), (second, first)):
            digest = hashlib.sha256(tokens["access_token"].encode()).digest()
            half = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
            assert claims_in(house, tokens["id_token"])["at_hash"] == half
            assert claims_in(house, other["id_token"])["at_hash"] != half


@pytest.mark.requirement("AS-OIDC-02")
def test_a_subject_is_short_ascii_and_one_persons_for_good(house: House) -> None:
    password = Secret("a password of carol's")
    carol = house.run(add_account("carol", password, NOW, email="carol@people.test"))
    dave = house.run(add_account("Zoë 😀", password, NOW))
    assert carol.subject != dave.subject
    for subject in (carol.subject, dave.subject):
        assert subject.isascii()
        assert 0 < len(subject) <= 255
        assert "carol" not in subject
    seen: set[str] = set()
    for changes in ({}, TRUSTED, {"prompt": "login"}):
        browser = Browser(house)
        page = browser.start(**changes)
        page = browser.log_in(page, "carol", password.reveal())
        page = pass_pages(browser, page)
        client_id = changes.get("client_id") or "a"
        seen.add(claims_in(house, redeem(house, page, client_id)["id_token"])["sub"])
    assert seen == {carol.subject}


@pytest.mark.requirement("AS-OIDC-02")
def test_another_name_or_address_does_not_make_another_subject(
    house: House, alice: Browser
) -> None:
    before = claims_in(house, tokens_of(house, alice)["id_token"])
    house.change_account("alice", email="other@people.test", name="Another Name")
    after = claims_in(house, tokens_of(house, alice)["id_token"])
    assert before["sub"] == after["sub"] == "person-alice"


@pytest.mark.requirement("AS-OIDC-03")
def test_an_id_token_is_for_the_client_that_redeemed_the_code(house: House, alice: Browser) -> None:
    for client_id, changes in (("a", {}), ("trusted", TRUSTED)):
        page = sign_in(alice, **changes)
        refused = send_token(
            house, "trusted" if client_id == "a" else "a",
            grant_type="authorization_code", code=parameters_of(page)["code"],
        )  # fmt: skip
        assert document(refused)["error"] == "invalid_grant"
        claims = claims_in(house, redeem(house, page, client_id)["id_token"])
        assert claims["aud"] in (client_id, [client_id])
        assert claims.get("azp", client_id) == client_id


@pytest.mark.requirement("AS-OIDC-03")
def test_the_audience_of_the_access_token_is_none_of_the_id_tokens(
    house: House, alice: Browser
) -> None:
    tokens = tokens_of(house, alice)
    assert claims_in(house, tokens["access_token"])["aud"] == "https://issuer.test"
    assert claims_in(house, tokens["id_token"])["aud"] == "a"


@pytest.mark.requirement("AS-OIDC-04")
@pytest.mark.parametrize("method", ["at once", "after a login"])
@pytest.mark.parametrize(
    "nonce",
    [
        "n",
        "with space",
        " leading and trailing ",
        "%20+&=#?/",
        '"quoted" \\back\\ <b>&amp;</b>',
        "tab\tand\nline",
        "é ü ß 東京 😀 e\u0301",
        "\u202e\ufeff\u2028",
        "null",
        "0",
        "{}",
        "n" * 2000,
    ],
)
def test_a_nonce_comes_back_letter_by_letter(
    house: House, alice: Browser, nonce: str, method: str
) -> None:
    prompt = None if method == "at once" else "login"
    tokens = tokens_of(house, alice, nonce=nonce, prompt=prompt)
    assert claims_in(house, tokens["id_token"])["nonce"] == nonce
    assert "nonce" not in claims_in(house, tokens["access_token"])


@pytest.mark.requirement("AS-OIDC-04")
@pytest.mark.parametrize("nonce", [None, ""])
def test_without_a_nonce_there_is_none(house: House, alice: Browser, nonce: str | None) -> None:
    assert "nonce" not in claims_in(house, tokens_of(house, alice, nonce=nonce)["id_token"])


@pytest.mark.requirement("AS-OIDC-14", "AS-JAT-05")
def test_methods_and_time_are_those_of_the_login_that_took_place(
    house: House, alice: Browser
) -> None:
    old = tokens_of(house, alice)
    house.now += 100
    # Hours of single sign-on later it is still the password of back then.
    later = tokens_of(house, alice)
    for kind in ("id_token", "access_token"):
        for tokens in (old, later):
            claims = claims_in(house, tokens[kind])
            assert (claims["amr"], claims["auth_time"]) == (["pwd"], NOW), kind
            assert "acr" not in claims, "nobody reached a context that has a name"
        assert claims_in(house, later[kind])["iat"] == NOW + 100
    again = tokens_of(house, alice, prompt="login")
    for kind in ("id_token", "access_token"):
        assert claims_in(house, again[kind])["auth_time"] == NOW + 100


@pytest.mark.requirement("AS-OIDC-14")
@pytest.mark.parametrize("acr_values", ["phr phrh", "urn:mace:incommon:iap:silver", "0", "pwd"])
def test_a_wish_for_a_context_makes_nothing_true(
    house: House, alice: Browser, acr_values: str
) -> None:
    claims = claims_in(house, tokens_of(house, alice, acr_values=acr_values)["id_token"])
    assert claims["amr"] == ["pwd"]
    assert "acr" not in claims


@pytest.mark.requirement("AS-JAT-05")
def test_after_a_refresh_the_login_is_still_the_first_one(house: House, alice: Browser) -> None:
    first = tokens_of(house, alice, scope="openid offline_access")
    house.now += 100
    # The person logs in again meanwhile: that is another session, and none of this grant's.
    tokens_of(house, alice, prompt="login")
    for _ in range(2):
        house.now += 100
        answer = send_token(house, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert answer.status == 200, answer.body
        refreshed = document(answer)
        for kind in ("id_token", "access_token"):
            if kind not in refreshed:  # an ID token is optional, OIDC Core §12.2
                continue
            before, after = claims_in(house, first[kind]), claims_in(house, refreshed[kind])
            assert after["iat"] == house.now
            for name in ("sub", "auth_time", "amr", "acr", "iss", "aud"):
                assert after.get(name) == before.get(name), (kind, name)
            assert after["auth_time"] == NOW
        first = {**first, "refresh_token": refreshed["refresh_token"]}


@pytest.mark.requirement("AS-OIDC-18")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "RS1", "ES256K", "rs256"])
def test_no_client_is_registered_for_another_signature(
    house: House, alice: Browser, alg: str
) -> None:
    with pytest.raises(ConfigurationError, match="id-token-alg"):
        change_client(CLIENTS[0], ClientChanges(id_token_alg=alg), NOW)
    accepted = change_client(CLIENTS[0], ClientChanges(id_token_alg="RS256"), NOW)
    assert accepted.id_token_signed_response_alg == "RS256"
    # And if a database says so all the same, what is signed is the default.
    house.change_client("a", id_token_signed_response_alg=alg)
    token = tokens_of(house, alice)["id_token"]
    assert header_of(token)["alg"] == "RS256"
    assert verified_by_a_stranger(house, token)["sub"] == "person-alice"


@pytest.mark.requirement("AS-OIDC-18")
def test_without_a_registered_signature_it_is_rs256(house: House, alice: Browser) -> None:
    page = sign_in(alice, **TRUSTED)
    token = redeem(house, page, "trusted")["id_token"]
    assert header_of(token)["alg"] == "RS256"
    metadata = document(send(house, "GET", "/.well-known/openid-configuration"))
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert "none" not in metadata["id_token_signing_alg_values_supported"]


@pytest.mark.requirement("AS-OIDC-19")
@pytest.mark.parametrize("lifetime", [1, 300, 86_400])
def test_an_id_token_is_of_now_and_short(lifetime: int) -> None:
    with open_house(id_token_lifetime=lifetime) as house:
        browser = Browser(house)
        page = sign_in(browser)
        house.now += 30  # the code waits a little
        claims = claims_in(house, redeem(house, page)["id_token"])
        assert (claims["iat"], claims["exp"]) == (NOW + 30, NOW + 30 + lifetime)
        assert type(claims["iat"]) is type(claims["exp"]) is int
        assert claims["auth_time"] == NOW


@pytest.mark.requirement("AS-OIDC-19")
@pytest.mark.parametrize("lifetime", [-1, 0, 86_401, 10**9])
def test_no_operator_makes_id_tokens_that_last(lifetime: int) -> None:
    with pytest.raises(ConfigurationError, match="id_token_lifetime"):
        Policy(issuer="https://issuer.test", id_token_lifetime=lifetime)
    assert Policy(issuer="https://issuer.test").id_token_lifetime == 300


def test_an_id_token_is_no_access_token_and_says_so(house: House, alice: Browser) -> None:
    tokens = tokens_of(house, alice)
    assert parse_jwt(tokens["id_token"]).typ == "JWT"
    assert parse_jwt(tokens["access_token"]).typ == "at+jwt"
