from __future__ import annotations

import dataclasses
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import TokenRejected, UsageError
from codegrant.jose import (
    KeySet,
    PublicKey,
    UnverifiedJwt,
    VerifiedJwt,
    parse_jwt,
    sign_jwt,
    verify_signature,
)
from codegrant.messages.json import JsonValue

from .samples import ALGS, forge, other_private_key, private_key

CLAIMS: dict[str, JsonValue] = {"iss": "https://issuer.example", "sub": "alice", "aud": ["a", "b"]}


def _refusal(token: str) -> str:
    with pytest.raises(TokenRejected) as refused:
        parse_jwt(token)
    return refused.value.code


@pytest.mark.parametrize("alg", ALGS)
def test_a_signed_token_is_verified_with_its_claims(alg: str) -> None:
    key = private_key(alg)
    jwt = parse_jwt(sign_jwt(key, CLAIMS, typ="at+jwt"))
    assert (jwt.alg, jwt.kid, jwt.typ, jwt.claimed) == (alg, key.kid, "at+jwt", CLAIMS)
    verified = verify_signature(jwt, [key.public])
    assert (verified.alg, verified.kid, verified.typ) == (alg, key.kid, "at+jwt")
    assert verified.claims == CLAIMS


def test_claims_are_written_in_their_order_and_compact() -> None:
    token = sign_jwt(private_key("ES256"), {"z": 1, "a": "é"}, typ="JWT")
    assert parse_jwt(token).jws.payload == '{"z":1,"a":"é"}'.encode()
    with pytest.raises(UsageError):
        sign_jwt(private_key("ES256"), {"exp": math.inf}, typ="JWT")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'["sub"]', id="list"),
        pytest.param(b'"alice"', id="text"),
        pytest.param(b'{"sub":"alice"', id="cut short"),
        pytest.param(b'{"sub":"alice","sub":"bob"}', id="sub twice"),
        pytest.param(b'{"a":{"b":1,"b":2}}', id="twice, nested"),
        pytest.param(b'{"exp":NaN}', id="NaN"),
        pytest.param(b'{"exp":Infinity}', id="infinity"),
        pytest.param(b'{"exp":1e400}', id="float overflow"),
        pytest.param(b'{"exp":' + b"9" * 5000 + b"}", id="integer of 5000 digits"),
        pytest.param(b'{"sub":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"sub":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", id="deep"),
        pytest.param(forge({"alg": "ES256"}).encode(), id="nested token"),
        pytest.param(b'{"sub":"alice"}\x00', id="NUL behind"),
    ],
)
def test_a_payload_that_is_no_strict_object_is_refused(payload: bytes) -> None:
    assert _refusal(forge({"alg": "ES256"}, payload)) == "malformed_token"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, "algorithm_refused"),
        ({"alg": "HS256"}, "algorithm_refused"),
        ({"alg": "ES256", "crit": ["exp"]}, "forbidden_header"),
        ({"alg": "ES256", "jwk": {}}, "forbidden_header"),
        ({"alg": "ES256", "kid": 1}, "malformed_token"),
    ],
)
def test_a_header_is_refused_as_in_any_jws(header: dict[str, object], code: str) -> None:
    assert _refusal(forge(header)) == code


def test_a_long_token_is_refused_unless_it_is_expected() -> None:
    token = sign_jwt(private_key("ES256"), {"a": "x" * 20_000}, typ="JWT")
    assert _refusal(token) == "too_large"
    assert parse_jwt(token, max_bytes=40_000).claimed == {"a": "x" * 20_000}


def _keys(name: str, alg: str) -> list[PublicKey]:
    everything = [private_key(each).public for each in ALGS]
    return {
        "none": [],
        "of other algorithms": [key for key in everything if key.alg != alg],
        "another of this algorithm": [other_private_key(alg).public],
        "all": [other_private_key(alg).public, *everything],
    }[name]


@pytest.mark.parametrize("alg", ALGS)
def test_only_the_key_that_signed_verifies(alg: str) -> None:
    jwt = parse_jwt(sign_jwt(private_key(alg), CLAIMS, typ="JWT"))
    assert verify_signature(jwt, iter(_keys("all", alg))).claims == CLAIMS
    for keys, code in [
        ("none", "unknown_key"),
        ("of other algorithms", "unknown_key"),
        ("another of this algorithm", "bad_signature"),
    ]:
        with pytest.raises(TokenRejected) as refused:
            verify_signature(jwt, _keys(keys, alg))
        assert refused.value.code == code


def test_the_same_key_under_its_other_algorithm_does_not_verify() -> None:
    ps256 = KeySet([private_key("PS256").public])
    jwt = parse_jwt(sign_jwt(private_key("RS256"), CLAIMS, typ="JWT"))
    with pytest.raises(TokenRejected) as refused:
        verify_signature(jwt, ps256.keys)
    assert refused.value.code == "unknown_key"
    lie = parse_jwt(forge({"alg": "PS256"}, sign=private_key("RS256").sign))
    with pytest.raises(TokenRejected) as refused:
        verify_signature(lie, ps256.find(lie.kid, lie.alg))
    assert refused.value.code == "bad_signature"


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("signature", ["", "AAAA"], ids=["none", "short"])
def test_a_token_without_its_signature_is_refused(alg: str, signature: str) -> None:
    token = sign_jwt(private_key(alg), CLAIMS, typ="JWT")
    stripped = parse_jwt(f"{token.rpartition('.')[0]}.{signature}")
    with pytest.raises(TokenRejected) as refused:
        verify_signature(stripped, [private_key(alg).public])
    assert refused.value.code == "bad_signature"


def test_a_verified_token_is_made_by_verification_alone() -> None:
    jwt = parse_jwt(sign_jwt(private_key("ES256"), CLAIMS, typ="JWT"))
    verified = verify_signature(jwt, [private_key("ES256").public])
    assert (type(jwt), type(verified)) == (UnverifiedJwt, VerifiedJwt)
    with pytest.raises(UsageError):
        VerifiedJwt("ES256", None, "", {"sub": "mallory"})
    with pytest.raises(UsageError):
        VerifiedJwt("ES256", None, "", {"sub": "mallory"}, object())
    with pytest.raises(UsageError):
        dataclasses.replace(verified, claims={"sub": "mallory"})


def test_neither_type_shows_the_token_or_its_claims() -> None:
    token = sign_jwt(private_key("ES256"), CLAIMS, typ="JWT")
    jwt = parse_jwt(token)
    for shown in (repr(jwt), repr(verify_signature(jwt, [private_key("ES256").public]))):
        assert "alice" not in shown
        assert token[-20:] not in shown


@given(st.text(max_size=200) | st.binary(max_size=60).map(lambda p: forge({"alg": "ES256"}, p)))
def test_no_text_raises_anything_else(token: str) -> None:
    with suppress(TokenRejected):
        parse_jwt(token)


@given(
    st.sampled_from(ALGS),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.none()),
)
def test_any_claims_come_back_as_they_were(alg: str, claims: dict[str, JsonValue]) -> None:
    jwt = parse_jwt(sign_jwt(private_key(alg), claims, typ="JWT"))
    assert verify_signature(jwt, [private_key(alg).public]).claims == claims
