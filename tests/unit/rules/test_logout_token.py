from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import TokenRejected, UsageError
from codegrant.jose import UnverifiedJwt, parse_jwt, verify_signature
from codegrant.messages.json import build_json
from codegrant.rules.id_token import read_id_token
from codegrant.rules.logout_token import (
    ClaimedLogoutToken,
    LogoutToken,
    accept_logout_token,
    read_logout_token,
)
from tests.unit.jose.samples import forge, private_key

NOW = 1_800_000_000
KEY = private_key("ES256")
EVENT = "http://schemas.openid.net/event/backchannel-logout"
CLAIMS: dict[str, Any] = {
    "iss": "https://as.example",
    "sub": "person-1",
    "aud": "app",
    "exp": NOW + 120,
    "iat": NOW,
    "jti": "logout-1",
    "sid": "session-1",
    "events": {EVENT: {}},
}
EXPECTED: dict[str, Any] = {
    "issuer": "https://as.example",
    "client_id": "app",
    "now": NOW,
    "allowed_algs": ("ES256",),
}


def parsed(typ: str | None = "logout+jwt", **changes: Any) -> UnverifiedJwt:
    """Return a JWT with `changes` in its claims; an ellipsis takes a claim out."""
    claims = {k: v for k, v in (CLAIMS | changes).items() if v is not ...}
    header = {"alg": "ES256"} | ({} if typ is None else {"typ": typ})
    return parse_jwt(forge(header, build_json(claims)))


def read(jwt: UnverifiedJwt, **options: Any) -> ClaimedLogoutToken:
    return read_logout_token(jwt, **(EXPECTED | options))


def verify(jwt: UnverifiedJwt, **options: Any) -> LogoutToken:
    return accept_logout_token(read(jwt, **options), verify_signature(jwt, [KEY.public]))


def test_a_logout_token_says_who_was_signed_out() -> None:
    assert verify(parsed()) == LogoutToken(
        issuer="https://as.example",
        subject="person-1",
        session="session-1",
        token_id="logout-1",
        expires_at=NOW + 120,
        issued_at=NOW,
    )
    assert verify(parsed(sid=...)).session is None
    assert verify(parsed(sub=...)).subject is None


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "Logout+JWT", "application/logout+jwt"])
def test_a_token_that_is_of_no_other_kind_is_taken(typ: str | None) -> None:
    assert verify(parsed(typ)).token_id == "logout-1"


@pytest.mark.parametrize(
    ("typ", "changes", "options", "code"),
    [
        pytest.param("at+jwt", {}, {}, "wrong_token_type", id="an access token"),
        pytest.param("secevent+jwt", {}, {}, "wrong_token_type", id="another event"),
        pytest.param("", {}, {"allowed_algs": ("RS256",)}, "algorithm_refused", id="alg"),
        pytest.param("", {"iss": "https://as.example/"}, {}, "issuer_mismatch", id="iss"),
        pytest.param("", {"iss": ...}, {}, "claim_missing", id="no iss"),
        pytest.param("", {"aud": "other"}, {}, "audience_mismatch", id="aud"),
        pytest.param("", {"aud": ["app", "other"]}, {}, "audience_untrusted", id="two aud"),
        pytest.param("", {"aud": ...}, {}, "claim_missing", id="no aud"),
        pytest.param("", {"azp": "other"}, {}, "azp_mismatch", id="azp"),
        pytest.param("", {"iat": NOW + 61}, {}, "token_from_the_future", id="iat"),
        pytest.param("", {"iat": ...}, {}, "claim_missing", id="no iat"),
        pytest.param("", {"exp": NOW - 60}, {}, "token_expired", id="exp"),
        pytest.param("", {"exp": ...}, {}, "claim_missing", id="no exp"),
        pytest.param("", {"exp": "soon"}, {}, "claim_malformed", id="exp in words"),
        pytest.param("", {"jti": ...}, {}, "claim_missing", id="no jti"),
        pytest.param("", {"jti": ""}, {}, "claim_malformed", id="empty jti"),
        pytest.param("", {"jti": "x" * 256}, {}, "claim_malformed", id="long jti"),
        pytest.param("", {"events": ...}, {}, "no_logout_event", id="no events"),
        pytest.param("", {"events": {}}, {}, "no_logout_event", id="empty events"),
        pytest.param("", {"events": [EVENT]}, {}, "no_logout_event", id="events as list"),
        pytest.param("", {"events": {EVENT: True}}, {}, "no_logout_event", id="no object"),
        pytest.param("", {"events": {EVENT + "/": {}}}, {}, "no_logout_event", id="other event"),
        pytest.param("", {"nonce": "n"}, {}, "nonce_present", id="nonce"),
        pytest.param("", {"nonce": None}, {}, "nonce_present", id="nonce null"),
        pytest.param("", {"sub": ..., "sid": ...}, {}, "claim_missing", id="nobody"),
        pytest.param("", {"sub": 1}, {}, "claim_malformed", id="sub a number"),
        pytest.param("", {"sub": ""}, {}, "claim_malformed", id="empty sub"),
        pytest.param("", {"sub": "x" * 256}, {}, "claim_malformed", id="long sub"),
        pytest.param("", {"sid": {}}, {}, "claim_malformed", id="sid an object"),
        pytest.param("", {"sid": None}, {}, "claim_malformed", id="sid null"),
    ],
)
def test_a_forged_field_is_refused_with_its_code(
    typ: str, changes: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    jwt = parsed(typ or "logout+jwt", **changes)
    with pytest.raises(TokenRejected) as refused:
        read(jwt, **options)
    assert (refused.value.code, refused.value.stage) == (code, "logout_token")


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    assert read(parsed(iat=NOW + 60)).claimed.issued_at == NOW + 60
    assert read(parsed(exp=NOW - 59)).claimed.expires_at == NOW - 59
    with pytest.raises(TokenRejected):
        read(parsed(exp=NOW - 59), leeway=10)


def test_the_proof_of_another_token_proves_nothing() -> None:
    mine, other = parsed(), parsed(sub="person-2")
    with pytest.raises(UsageError):
        accept_logout_token(read(mine), verify_signature(other, [KEY.public]))


def test_a_logout_token_is_no_id_token_and_the_other_way_round() -> None:
    for jwt in (parsed(), parsed(None)):
        with pytest.raises(TokenRejected):
            read_id_token(jwt, **EXPECTED, nonce="n")
    identity = parsed("JWT", events=..., jti=..., sid=...)
    assert read_id_token(identity, **EXPECTED, nonce=None).claimed.subject == "person-1"
    with pytest.raises(TokenRejected):
        read(identity)
