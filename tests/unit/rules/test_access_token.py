from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant.errors import OAuthError, TokenRejected, UsageError
from codegrant.jose import KeySet, UnverifiedJwt, VerifiedJwt, parse_jwt, verify_signature
from codegrant.messages.json import build_json
from codegrant.rules.access_token import (
    AccessToken,
    accept_access_token,
    check_access,
    check_wanted_scope,
    read_access_token,
    verify_access_token,
)
from tests.support.access_tokens import AUDIENCE, NOW, access_token
from tests.support.mock_provider import public_jwk

ISSUER = "https://issuer.example"
KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = KeySet.parse(build_json({"keys": [cast("Any", public_jwk(KEY, "k1"))]}))


def parsed(header: dict[str, object] | None = None, **claims: object) -> UnverifiedJwt:
    return parse_jwt(access_token(ISSUER, KEY, NOW, header=header, **claims))


def verified(header: dict[str, object] | None = None, **claims: object) -> VerifiedJwt:
    return verify_signature(parsed(header, **claims), KEYS.keys)


def verify(jwt: VerifiedJwt, *, now: int = NOW, audience: str | None = AUDIENCE) -> AccessToken:
    return verify_access_token(jwt, issuer=ISSUER, audience=audience, now=now)


def refusal_of(call: Callable[[], object]) -> TokenRejected:
    with pytest.raises(TokenRejected) as caught:
        call()
    assert caught.value.stage == "access_token"
    return caught.value


def both_refuse(code: str, header: dict[str, object] | None = None, **claims: object) -> None:
    """Before the signature is known to hold, and after."""
    assert refusal_of(lambda: verify(verified(header, **claims))).code == code
    early = refusal_of(
        lambda: read_access_token(
            parsed(header, **claims), issuer=ISSUER, audience=AUDIENCE, now=NOW
        )
    )
    assert early.code == code


def test_a_verified_token_says_who_may_do_what_where_until_when() -> None:
    token = verify(verified(aud=[AUDIENCE, "https://b.example"], auth_time=NOW - 9, extra=[1]))
    assert token == AccessToken(
        issuer=ISSUER,
        subject="person-1",
        client_id="app",
        audience=(AUDIENCE, "https://b.example"),
        scope=frozenset({"profile", "read"}),
        jti="token-1",
        expires_at=NOW + 300,
        issued_at=NOW,
        auth_time=NOW - 9,
        claims=token.claims,
    )
    assert token.claims["extra"] == [1]
    assert "claims" not in repr(token)


def test_what_holds_passes_the_check_before_the_keys() -> None:
    read_access_token(parsed(), issuer=ISSUER, audience=AUDIENCE, now=NOW)


@pytest.mark.requirement("RS-JAT-01")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_the_type_of_an_access_token_is_taken_in_each_spelling(typ: str) -> None:
    assert verify(verified({"typ": typ})).subject == "person-1"


@pytest.mark.requirement("RS-JAT-01", "CO-JOSE-07")
@pytest.mark.parametrize(
    "typ",
    [
        None, "", "JWT", "jwt", "application/jwt", "at", "at+jwt ", "at+jwtx", "id+jwt",
        "logout+jwt", "dpop+jwt", "client-authentication+jwt", "token-introspection+jwt",
    ],
)  # fmt: skip
def test_another_type_is_refused(typ: str | None) -> None:
    both_refuse("wrong_token_type", {"typ": typ})


@pytest.mark.requirement("RS-JAT-02")
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"iss": "https://issuer.example/"}, "issuer_mismatch", id="slash"),
        pytest.param({"iss": "https://ISSUER.example"}, "issuer_mismatch", id="case"),
        pytest.param({"iss": "https://issuer.example.evil"}, "issuer_mismatch", id="prefix"),
        pytest.param({"iss": "http://issuer.example"}, "issuer_mismatch", id="scheme"),
        pytest.param({"iss": [ISSUER]}, "claim_malformed", id="issuer in a list"),
        pytest.param({"iss": ""}, "claim_malformed", id="empty issuer"),
        pytest.param({"iss": None}, "claim_missing", id="no issuer"),
        pytest.param({"aud": "https://b.example"}, "audience_mismatch", id="other API"),
        pytest.param({"aud": f"{AUDIENCE}/"}, "audience_mismatch", id="audience with slash"),
        pytest.param({"aud": "https://api.example.evil"}, "audience_mismatch", id="longer"),
        pytest.param({"aud": "https://api"}, "audience_mismatch", id="shorter"),
        pytest.param({"aud": f"{AUDIENCE} https://b"}, "audience_mismatch", id="two in one"),
        pytest.param({"aud": ["https://b.example"]}, "audience_mismatch", id="list of others"),
        pytest.param({"aud": ISSUER}, "audience_mismatch", id="the issuer's own"),
        pytest.param({"aud": "app"}, "audience_mismatch", id="the client"),
        pytest.param({"aud": []}, "claim_malformed", id="empty list"),
        pytest.param({"aud": ""}, "claim_malformed", id="empty audience"),
        pytest.param({"aud": [AUDIENCE, 1]}, "claim_malformed", id="a number among them"),
        pytest.param({"aud": {AUDIENCE: 1}}, "claim_malformed", id="object"),
        pytest.param({"aud": None}, "claim_missing", id="no audience"),
    ],
)
def test_issuer_and_audience_must_be_the_expected_ones(claims: dict[str, Any], code: str) -> None:
    both_refuse(code, **claims)
    assert verify(verified(aud=["https://b.example", AUDIENCE])).audience[1] == AUDIENCE


@pytest.mark.requirement("RS-JAT-04")
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"exp": NOW - 60}, "token_expired", id="expired"),
        pytest.param({"exp": 0}, "token_expired", id="1970"),
        pytest.param({"exp": None}, "claim_missing", id="no exp"),
        pytest.param({"exp": str(NOW + 300)}, "claim_malformed", id="text"),
        pytest.param({"exp": True}, "claim_malformed", id="boolean"),
        pytest.param({"exp": [NOW + 300]}, "claim_malformed", id="list"),
        pytest.param({"exp": -1}, "claim_malformed", id="negative"),
        pytest.param({"exp": 10**30}, "claim_malformed", id="beyond the year 9999"),
        pytest.param({"iat": None}, "claim_missing", id="no iat"),
        pytest.param({"iat": "now"}, "claim_malformed", id="iat is a text"),
        pytest.param({"iat": NOW + 61}, "token_from_the_future", id="issued tomorrow"),
        pytest.param({"nbf": NOW + 61}, "token_from_the_future", id="not yet"),
        pytest.param({"nbf": "now"}, "claim_malformed", id="nbf is a text"),
    ],
)
def test_a_token_holds_between_its_times_only(claims: dict[str, Any], code: str) -> None:
    both_refuse(code, **claims)


@pytest.mark.requirement("RS-JAT-04")
def test_the_clocks_may_differ_by_a_minute_and_no_more() -> None:
    jwt = verified(exp=NOW, iat=NOW - 300, nbf=NOW - 300)
    assert verify(jwt, now=NOW + 59).expires_at == NOW
    assert refusal_of(lambda: verify(jwt, now=NOW + 60)).code == "token_expired"
    assert verify(jwt, now=NOW - 360).issued_at == NOW - 300
    assert refusal_of(lambda: verify(jwt, now=NOW - 361)).code == "token_from_the_future"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"sub": None}, "claim_missing", id="no subject"),
        pytest.param({"sub": ""}, "claim_malformed", id="empty subject"),
        pytest.param({"sub": 7}, "claim_malformed", id="subject is a number"),
        pytest.param({"client_id": None}, "claim_missing", id="no client"),
        pytest.param({"client_id": ["app"]}, "claim_malformed", id="client in a list"),
        pytest.param({"jti": None}, "claim_missing", id="no jti"),
        pytest.param({"scope": ["read"]}, "claim_malformed", id="scope is a list"),
        pytest.param({"scope": ""}, "claim_malformed", id="empty scope"),
        pytest.param({"scope": "re\\ad"}, "claim_malformed", id="no scope token"),
        pytest.param({"scope": " ".join(map(str, range(101)))}, "claim_malformed", id="too many"),
        pytest.param({"auth_time": "now"}, "claim_malformed", id="auth_time is a text"),
    ],
)
def test_each_required_claim_must_be_there_in_its_form(claims: dict[str, Any], code: str) -> None:
    assert refusal_of(lambda: verify(verified(**claims))).code == code


def test_a_token_without_scope_may_do_nothing() -> None:
    assert verify(verified(scope=None)).scope == frozenset()


@pytest.mark.parametrize(
    "cnf",
    [
        pytest.param({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, id="DPoP"),
        pytest.param({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}, id="mTLS"),
        pytest.param({}, id="empty"),
    ],
)
def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(cnf: dict[str, str]) -> None:
    both_refuse("token_bound", cnf=cnf)


@pytest.mark.requirement("CO-JOSE-07")
def test_only_the_issuer_itself_takes_a_token_for_any_audience() -> None:
    jwt = verified(aud="https://b.example")
    assert verify(jwt, audience=None).audience == ("https://b.example",)
    assert refusal_of(lambda: verify(jwt)).code == "audience_mismatch"
    assert refusal_of(lambda: verify(verified(aud=None), audience=None)).code == "claim_missing"


def test_a_refusal_shows_no_control_character_of_the_token() -> None:
    error = refusal_of(lambda: verify(verified(iss="https://evil\r\nX: y" + "z" * 900)))
    assert str(error).isprintable()
    assert len(str(error)) < 500


TOKEN = AccessToken(
    issuer=ISSUER,
    subject="person-1",
    client_id="app",
    audience=(AUDIENCE,),
    scope=frozenset({"read", "write-all"}),
    jti="token-1",
    expires_at=NOW + 300,
    issued_at=NOW,
)


@pytest.mark.requirement("RS-BR-08", "RS-BR-05")
@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        pytest.param(["read-all"], "read-all", id="longer than what there is"),
        pytest.param(["write"], "write", id="a part of what there is"),
        pytest.param(["all"], "all", id="the end of what there is"),
        pytest.param(["Read"], "Read", id="another case"),
        pytest.param(["read", "write"], "write", id="one of two"),
        pytest.param(["a", "b"], "a b", id="neither"),
    ],
)
def test_scope_tokens_are_compared_whole(wanted: list[str], missing: str) -> None:
    with pytest.raises(OAuthError) as caught:
        check_access(TOKEN, wanted)
    error = caught.value
    assert (error.error, error.status) == ("insufficient_scope", 403)
    assert error.reason == f"missing scope: {missing}"
    assert error.facts["scope"] == " ".join(wanted)


@pytest.mark.requirement("RS-BR-08")
@pytest.mark.parametrize(
    "wanted", [(), ["read"], {"write-all"}, ("write-all", "read"), frozenset({"read"})]
)
def test_a_token_that_has_every_wanted_scope_passes(wanted: Collection[str]) -> None:
    check_access(TOKEN, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("read", id="one text"),
        pytest.param("", id="an empty text"),
        pytest.param(["read write"], id="two in one"),
        pytest.param([""], id="empty token"),
        pytest.param(["read", "wr\nite"], id="line end"),
        pytest.param(['re"ad'], id="quote"),
        pytest.param([" read"], id="space before"),
    ],
)
def test_a_programmer_who_asks_for_what_is_no_scope_is_told_so(wanted: Collection[str]) -> None:
    with pytest.raises(UsageError, match=r"^scope: "):
        check_wanted_scope(wanted)
    with pytest.raises(UsageError, match=r"^scope: "):
        check_access(TOKEN, wanted)
    check_wanted_scope(["read", "write"])


@pytest.mark.requirement("RS-JAT-06")
def test_a_clients_own_token_is_told_from_a_persons() -> None:
    of_client = TOKEN._replace(subject="app")
    assert TOKEN.is_for_person
    assert not of_client.is_for_person
    check_access(TOKEN, ["read"], person=True)
    check_access(of_client, ["read"])
    with pytest.raises(OAuthError) as caught:
        check_access(of_client, ["read"], person=True)
    assert (caught.value.error, caught.value.status) == ("insufficient_scope", 403)
    assert caught.value.reason == "the token is the client's own"


def test_a_proof_is_for_its_own_token_only() -> None:
    one, other = parsed(), parsed(sub="mallory")
    claimed = read_access_token(other, issuer=ISSUER, audience=AUDIENCE, now=NOW)
    with pytest.raises(UsageError):
        accept_access_token(claimed, verify_signature(one, KEYS.keys))
    # The same text parsed twice is not the same either: what was read is what was verified.
    with pytest.raises(UsageError):
        accept_access_token(claimed, verify_signature(parsed(sub="mallory"), KEYS.keys))
    accepted = accept_access_token(claimed, verify_signature(other, KEYS.keys))
    assert accepted == verify(verified(sub="mallory"))
