from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import TokenRejected, UsageError
from codegrant.jose import UnverifiedJwt, half_hash, parse_jwt, verify_signature
from codegrant.messages.json import build_json
from codegrant.rules.id_token import ClaimedIdToken, IdToken, accept_id_token, read_id_token
from tests.unit.jose.samples import forge, private_key

NOW = 1_800_000_000
KEY = private_key("ES256")
ACCESS_TOKEN, CODE, STATE = "an-access-token", "a-code", "a-state"
CLAIMS: dict[str, Any] = {
    "iss": "https://as.example",
    "sub": "person-1",
    "aud": "app",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "v3kQ-nonce",
}
EXPECTED: dict[str, Any] = {
    "issuer": "https://as.example",
    "client_id": "app",
    "nonce": "v3kQ-nonce",
    "now": NOW,
    "allowed_algs": ("ES256",),
}
HASHED = {"access_token": ACCESS_TOKEN, "code": CODE, "state": STATE}
HASHES = {
    "at_hash": half_hash("ES256", ACCESS_TOKEN),
    "c_hash": half_hash("ES256", CODE),
    "s_hash": half_hash("ES256", STATE),
}


def parsed(typ: str | None = "JWT", **changes: Any) -> UnverifiedJwt:
    """Return a JWT with `changes` in its claims; an ellipsis takes a claim out."""
    claims = {k: v for k, v in (CLAIMS | changes).items() if v is not ...}
    header = {"alg": "ES256"} | ({} if typ is None else {"typ": typ})
    return parse_jwt(forge(header, build_json(claims)))


def read(jwt: UnverifiedJwt, **options: Any) -> ClaimedIdToken:
    return read_id_token(jwt, **(EXPECTED | options))


def verify(jwt: UnverifiedJwt, **options: Any) -> IdToken:
    return accept_id_token(read(jwt, **options), verify_signature(jwt, [KEY.public]))


def refusal(jwt: UnverifiedJwt, **options: Any) -> TokenRejected:
    """Return why a token is refused; that needs no key."""
    with pytest.raises(TokenRejected) as refused:
        read(jwt, **options)
    assert refused.value.stage == "id_token"
    return refused.value


def test_a_token_that_holds_says_who_logged_in() -> None:
    jwt = parsed(auth_time=NOW - 9, acr="1", amr=["pwd", "otp"], email="a@example.test", **HASHES)
    token = verify(jwt, **HASHED, max_age=60, acr_values=["1", "2"])
    assert token == IdToken(
        issuer="https://as.example",
        subject="person-1",
        audience=("app",),
        nonce="v3kQ-nonce",
        auth_time=NOW - 9,
        acr="1",
        amr=("pwd", "otp"),
        expires_at=NOW + 300,
        issued_at=NOW,
        claims=jwt.claimed,
    )
    assert token.claims["email"] == "a@example.test"
    assert "example.test" not in repr(token)
    assert "v3kQ-nonce" not in repr(token)


def test_what_may_be_absent_is_none() -> None:
    token = verify(parsed(typ=None, nonce=...), nonce=None)
    assert (token.nonce, token.auth_time, token.acr, token.amr) == (None, None, None, ())


WRONG = [
    pytest.param({"iss": ...}, "claim_missing", id="no issuer"),
    pytest.param({"iss": 1}, "claim_malformed", id="a number for an issuer"),
    pytest.param({"iss": ["https://as.example"]}, "claim_malformed", id="a list of issuers"),
    pytest.param({"iss": "https://as.example/"}, "issuer_mismatch", id="a slash more"),
    pytest.param({"iss": "https://as.exampl"}, "issuer_mismatch", id="part of the issuer"),
    pytest.param({"iss": "https://AS.example"}, "issuer_mismatch", id="another case"),
    pytest.param({"aud": ...}, "claim_missing", id="no audience"),
    pytest.param({"aud": []}, "claim_malformed", id="an empty audience"),
    pytest.param({"aud": 1}, "claim_malformed", id="a number for an audience"),
    pytest.param({"aud": ["app", 1]}, "claim_malformed", id="a number in the audience"),
    pytest.param({"aud": "other"}, "audience_mismatch", id="another client"),
    pytest.param({"aud": "app2"}, "audience_mismatch", id="a longer name"),
    pytest.param({"aud": "APP"}, "audience_mismatch", id="a client in another case"),
    pytest.param({"aud": ["other"]}, "audience_mismatch", id="a list of others"),
    pytest.param({"aud": ["app", "other"]}, "audience_untrusted", id="others as well"),
    pytest.param({"aud": ["app", "other"], "azp": "app"}, "audience_untrusted", id="azp is ours"),
    pytest.param({"azp": "other"}, "azp_mismatch", id="issued to another"),
    pytest.param({"azp": ""}, "claim_malformed", id="issued to nobody"),
    pytest.param({"azp": ["app"]}, "claim_malformed", id="a list for azp"),
    pytest.param({"exp": ...}, "claim_missing", id="no end"),
    pytest.param({"exp": str(NOW + 300)}, "claim_malformed", id="an end as text"),
    pytest.param({"exp": NOW - 60}, "token_expired", id="expired"),
    pytest.param({"iat": ...}, "claim_missing", id="no beginning"),
    pytest.param({"iat": NOW + 61}, "token_from_the_future", id="of the future"),
    pytest.param({"nbf": NOW + 61}, "token_from_the_future", id="not yet valid"),
    pytest.param({"nonce": ...}, "nonce_mismatch", id="no nonce"),
    pytest.param({"nonce": "n-2"}, "nonce_mismatch", id="another nonce"),
    pytest.param({"nonce": "V3kQ-nonce"}, "nonce_mismatch", id="a nonce in another case"),
    pytest.param({"nonce": ""}, "claim_malformed", id="an empty nonce"),
    pytest.param({"nonce": ["v3kQ-nonce"]}, "claim_malformed", id="a list of nonces"),
]


@pytest.mark.requirement("CL-IDT-02", "CL-IDT-03", "CL-IDT-06")
@pytest.mark.parametrize(("changes", "code"), WRONG)
def test_a_wrong_claim_is_refused_before_any_key_is_needed(
    changes: dict[str, Any], code: str
) -> None:
    assert verify(parsed()).subject == "person-1"
    assert verify(parsed(aud=["app"], azp="app")).subject == "person-1"
    assert refusal(parsed(**changes)).code == code


@pytest.mark.requirement("CL-IDT-06")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": ...}, "claim_missing"),
        ({"sub": ""}, "claim_malformed"),
        ({"sub": 1}, "claim_malformed"),
        ({"sub": None}, "claim_malformed"),
        ({"sub": "x" * 256}, "claim_malformed"),
        ({"auth_time": "1"}, "claim_malformed"),
        ({"auth_time": True}, "claim_malformed"),
        ({"auth_time": NOW + 61}, "token_from_the_future"),
        ({"acr": 1}, "claim_malformed"),
        ({"amr": "pwd"}, "claim_malformed"),
        ({"amr": [1]}, "claim_malformed"),
        ({"at_hash": 1}, "claim_malformed"),
    ],
)
def test_a_claim_of_the_wrong_form_is_refused(changes: dict[str, Any], code: str) -> None:
    assert verify(parsed(sub="x" * 255, auth_time=NOW + 60)).subject == "x" * 255
    assert refusal(parsed(**changes)).code == code


@pytest.mark.parametrize("typ", ["at+jwt", "application/jwt", "logout+jwt", "dpop+jwt", "JOSE"])
def test_another_kind_of_token_is_refused(typ: str) -> None:
    for own in ("JWT", "jwt", "", None):
        assert verify(parsed(own)).subject == "person-1"
    assert refusal(parsed(typ)).code == "wrong_token_type"


@pytest.mark.requirement("CL-IDT-01")
@pytest.mark.parametrize("allowed", [(), ("RS256",), ("es256",), ("RS256", "PS256", "EdDSA")])
def test_the_algorithm_is_one_of_those_agreed(allowed: tuple[str, ...]) -> None:
    error = refusal(parsed(), allowed_algs=allowed)
    assert error.code == "algorithm_refused"
    assert "id_token_signed_response_alg" in error.hint
    assert verify(parsed(), allowed_algs=("RS256", "ES256")).subject == "person-1"


@pytest.mark.requirement("CL-IDT-04")
@pytest.mark.parametrize(("claim", "argument"), list(zip(HASHES, HASHED, strict=True)))
def test_a_hash_that_is_there_fits(claim: str, argument: str) -> None:
    right = HASHES[claim]
    verify(parsed(**{claim: right}), **{argument: HASHED[argument]})
    for wrong in (
        right[:-1],
        right + "A",
        right.swapcase(),
        right + "=",
        "x",
        half_hash("ES256", "x"),
    ):
        error = refusal(parsed(**{claim: wrong}), **{argument: HASHED[argument]})
        assert error.code == f"{claim}_mismatch"
        assert right not in str(error)
    # Without a value there is nothing to compare with, and without a claim nothing to compare.
    verify(parsed(**{claim: "x"}))
    verify(parsed(), **HASHED)


@pytest.mark.requirement("CL-IDT-05")
@pytest.mark.parametrize(
    ("auth_time", "max_age", "code"),
    [
        (NOW - 360, 300, ""),
        (NOW - 361, 300, "login_too_old"),
        (NOW - 60, 0, ""),
        (NOW - 61, 0, "login_too_old"),
        (NOW + 60, 0, ""),
        (..., 300, "claim_missing"),
        (..., 0, "claim_missing"),
        (0, None, ""),
    ],
)
def test_a_login_is_as_fresh_as_was_asked_for(
    auth_time: Any, max_age: int | None, code: str
) -> None:
    jwt = parsed(auth_time=auth_time)
    if not code:
        assert verify(jwt, max_age=max_age).auth_time == auth_time
        return
    assert refusal(jwt, max_age=max_age).code == code


@pytest.mark.requirement("CL-IDT-05")
@pytest.mark.parametrize("acr", [..., "0", "1 2", "GOLD"])
def test_an_essential_context_is_reached(acr: Any) -> None:
    for reached in ("1", "gold"):
        assert verify(parsed(acr=reached), acr_values=("1", "gold")).acr == reached
    assert verify(parsed(acr=acr)).subject == "person-1"
    assert refusal(parsed(acr=acr), acr_values=("1", "gold")).code == "acr_not_met"


def test_a_refused_nonce_is_told_to_nobody() -> None:
    error = refusal(parsed(nonce="n-of-somebody-else"))
    told = f"{error} {error.facts}"
    assert "v3kQ-nonce" not in told
    assert "n-of-somebody-else" not in told
    assert "not made for this login" in error.hint


def test_a_nonce_that_was_not_asked_for_does_no_harm() -> None:
    assert verify(parsed(nonce="n-9"), nonce=None).subject == "person-1"


@pytest.mark.parametrize(
    "names", [{"issuer": ""}, {"client_id": ""}, {"issuer": "", "client_id": ""}]
)
@pytest.mark.parametrize("claims", [{"iss": ""}, {"aud": ""}, {"iss": "", "aud": ""}, {}])
def test_an_empty_name_is_nobody(names: dict[str, str], claims: dict[str, str]) -> None:
    assert refusal(parsed(**claims), **names).code in {
        "audience_mismatch", "claim_malformed", "issuer_mismatch",
    }  # fmt: skip


def test_a_token_is_believed_for_its_own_signature_alone() -> None:
    one, other = parsed(), parsed(sub="mallory")
    claimed = read(other)
    with pytest.raises(UsageError):
        accept_id_token(claimed, verify_signature(one, [KEY.public]))
    # The same text parsed twice is not the same either: what was read is what was verified.
    with pytest.raises(UsageError):
        accept_id_token(claimed, verify_signature(parsed(sub="mallory"), [KEY.public]))
    assert accept_id_token(claimed, verify_signature(other, [KEY.public])).subject == "mallory"
