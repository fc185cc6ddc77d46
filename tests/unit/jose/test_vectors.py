"""The examples of the RFCs: what they sign we verify, and what we have not is refused."""

from __future__ import annotations

import json

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import import_key

from codegrant.errors import MetadataRejected, TokenRejected, UsageError
from codegrant.jose import PrivateKey, parse_compact, parse_jwt, parse_public_keys
from codegrant.jose.base64url import decode
from codegrant.jose.keys import PublicKey
from codegrant.jose.keyset import KeySet

from .samples import PRIVATE_MEMBERS, VECTORS, TokenVector

KEYS = VECTORS["keys"]
HELD = [vector for vector in VECTORS["tokens"] if not vector["refusal"]]
REFUSED = [vector for vector in VECTORS["tokens"] if vector["refusal"]]


def _source(vector: TokenVector) -> str:
    return vector["source"]


def _public(name: str, alg: str) -> PublicKey:
    jwk = {k: v for k, v in KEYS[name].items() if k not in PRIVATE_MEMBERS}
    return next(key for key in parse_public_keys(jwk) if key.alg == alg)


@pytest.mark.parametrize("vector", HELD, ids=_source)
def test_the_signature_of_an_example_holds(vector: TokenVector) -> None:
    jws = parse_compact(vector["token"])
    _public(vector["key"], jws.alg).verify(jws.signature, jws.signing_input)
    assert jws.kid == KEYS[vector["key"]].get("kid")


@pytest.mark.parametrize("vector", HELD, ids=_source)
def test_the_signature_of_an_example_holds_for_no_other_text(vector: TokenVector) -> None:
    jws = parse_compact(vector["token"])
    with pytest.raises(TokenRejected) as refused:
        _public(vector["key"], jws.alg).verify(jws.signature, jws.signing_input + b"A")
    assert refused.value.code == "bad_signature"


@pytest.mark.parametrize("vector", [v for v in HELD if "A.3" not in v["source"]], ids=_source)
def test_a_deterministic_signature_is_made_the_same(vector: TokenVector) -> None:
    jws = parse_compact(vector["token"])
    key = PrivateKey.from_jwk(KEYS[vector["key"]], jws.alg)
    assert key.sign(jws.signing_input) == jws.signature


@pytest.mark.parametrize("vector", REFUSED, ids=_source)
def test_an_example_of_what_we_do_not_have_is_refused(vector: TokenVector) -> None:
    with pytest.raises(TokenRejected) as refused:
        parse_compact(vector["token"])
    assert refused.value.code == vector["refusal"]


@pytest.mark.parametrize(
    "vector",
    [v for v in REFUSED if v["source"] not in {"RFC 7515 A.5", "RFC 7797 4.2"}],
    ids=_source,
)
def test_a_refused_example_is_genuine(vector: TokenVector) -> None:
    """A typing error in the table would make the refusals above worthless."""
    key = import_key({**KEYS[vector["key"]]})
    algorithms = ["HS256", "ES512", "PS384"]
    assert joserfc_jws.deserialize_compact(vector["token"], key, algorithms=algorithms).payload


def test_the_claims_of_rfc_7515_appendix_a_are_read() -> None:
    jwt = parse_jwt(HELD[0]["token"])
    assert jwt.claimed == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.parametrize("form", ["general", "flattened"])
def test_the_json_forms_of_rfc_7515_appendices_a_6_and_a_7_are_refused(form: str) -> None:
    header, payload, signature = HELD[0]["token"].split(".")
    signed = {"protected": header, "signature": signature}
    whole = {"payload": payload, "signatures": [signed]} if form == "general" else {}
    with pytest.raises(TokenRejected) as refused:
        parse_compact(json.dumps(whole or {"payload": payload, **signed}))
    assert refused.value.code == "malformed_token"


@pytest.mark.parametrize(("name", "thumbprint"), VECTORS["thumbprints"].items())
def test_the_thumbprint_of_an_example_is_the_same(name: str, thumbprint: str) -> None:
    (key,) = parse_public_keys(KEYS[name])
    assert key.thumbprint == thumbprint


def test_the_example_key_of_rfc_7517_section_3_is_for_encryption_and_dropped() -> None:
    document = json.dumps({"keys": [KEYS["RFC 7517 A.1 EC"], KEYS["RFC 7517 A.1 RSA"]]})
    keys = KeySet.parse(document.encode())
    assert [(key.kid, key.alg) for key in keys.keys] == [("2011-04-29", "RS256")]
    assert keys.dropped == ("keys[0]: key: use is not sig",)


@pytest.mark.parametrize(
    ("name", "alg"),
    [
        ("RFC 7515 A.2", "RS256"),
        ("RFC 7515 A.2", "PS256"),
        ("RFC 7515 A.3", "ES256"),
        ("RFC 7517 A.2 RSA", "RS256"),
        ("RFC 7520 3.4", "PS256"),
        ("RFC 8037 A.1", "EdDSA"),
    ],
)
def test_a_private_example_signs_for_its_public_half(name: str, alg: str) -> None:
    key = PrivateKey.from_jwk(KEYS[name], alg)
    key.public.verify(key.sign(b"data"), b"data")
    _public(name, alg).verify(key.sign(b"data"), b"data")
    assert key.kid == KEYS[name].get("kid", key.public.thumbprint)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("RFC 7515 A.1", "key_private"),
        ("RFC 7515 A.2", "key_private"),
        ("RFC 7515 A.3", "key_private"),
        ("RFC 7517 A.1 EC", "key_not_for_signatures"),
        ("RFC 7517 A.2 RSA", "key_private"),
        ("RFC 7517 A.3 AES", "key_private"),
        ("RFC 7517 A.3 HMAC", "key_private"),
        ("RFC 7520 3.1", "key_unsupported"),
        ("RFC 7520 3.2", "key_private"),
        ("RFC 7520 3.5", "key_private"),
        ("RFC 7520 3.6", "key_private"),
        ("RFC 8037 A.1", "key_private"),
        ("RFC 8037 A.6", "key_unsupported"),
    ],
)
def test_an_example_key_is_refused_as_a_public_signature_key(name: str, code: str) -> None:
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys(KEYS[name])
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("name", "alg"),
    [
        ("RFC 7515 A.1", "RS256"),
        ("RFC 7515 A.4", "ES256"),
        ("RFC 7517 A.2 EC", "ES256"),  # use=enc
        ("RFC 7517 A.2 RSA", "PS256"),  # alg=RS256
        ("RFC 7520 3.2", "ES256"),
        ("RFC 7520 3.3", "RS256"),  # public
        ("RFC 8037 A.2", "EdDSA"),  # public
    ],
)
def test_an_example_key_is_refused_as_a_private_signature_key(name: str, alg: str) -> None:
    with pytest.raises(UsageError):
        PrivateKey.from_jwk(KEYS[name], alg)


def test_the_octets_of_rfc_8037_appendix_a_1_are_read() -> None:
    assert decode(KEYS["RFC 8037 A.1"]["x"]).hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
