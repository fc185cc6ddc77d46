from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MetadataRejected
from codegrant.jose.base64url import decode, encode
from codegrant.jose.jwk import (
    check_strength,
    public_members,
    read_private_key,
    read_public_key,
    thumbprint_of,
)

from .samples import ALGS, PUBLISHED, VECTORS, public_jwk

ED25519_P = 2**255 - 19


def _refusal(jwk: Mapping[str, object]) -> str:
    with pytest.raises(MetadataRejected) as refused:
        read_public_key(jwk)
    return refused.value.code


def _number(value: int, length: int | None = None) -> str:
    return encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def _modulus() -> int:
    key = read_public_key(public_jwk("RS256"))
    assert isinstance(key, RSAPublicKey)
    return key.public_numbers().n


@pytest.mark.parametrize("alg", ALGS)
def test_the_members_of_a_key_are_written_as_they_were_read(alg: str) -> None:
    key = read_public_key(public_jwk(alg))
    assert public_members(key) == public_jwk(alg)
    assert list(public_members(key)) == sorted(public_members(key))
    assert len(thumbprint_of(key)) == 43


@pytest.mark.requirement("CO-JOSE-06")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"crv": "P-384"}, "key_unsupported", id="another curve named"),
        pytest.param({"crv": "secp256k1"}, "key_unsupported", id="a curve of the same size"),
        pytest.param({"crv": "Ed25519"}, "key_unsupported", id="a curve of another kind"),
        pytest.param({"crv": "p-256"}, "key_unsupported", id="small letter"),
        pytest.param({"crv": None}, "key_unsupported", id="no curve"),
        pytest.param({"kty": "OKP"}, "key_unsupported", id="kind and curve disagree"),
        pytest.param({"x": encode(bytes(32)), "y": encode(bytes(32))}, "key_malformed", id="0, 0"),
        pytest.param({"y": encode(bytes(32))}, "key_malformed", id="y of 0"),
        pytest.param({"x": encode(b"\xff" * 32)}, "key_malformed", id="x above the field"),
        pytest.param({"y": _number(12345, 32)}, "key_malformed", id="off the curve"),
        pytest.param({"x": encode(bytes(31))}, "key_malformed", id="x too short"),
        pytest.param({"y": encode(bytes(33))}, "key_malformed", id="y too long"),
        pytest.param({"x": None}, "key_malformed", id="no x"),
        pytest.param({"y": None}, "key_malformed", id="no y"),
        pytest.param({"y": 7}, "key_malformed", id="y a number"),
        pytest.param({"x": ""}, "key_malformed", id="x empty"),
        pytest.param(
            {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="}, "key_malformed", id="="
        ),
    ],
)
def test_a_point_that_is_not_on_its_curve_is_refused(changes: dict[str, object], code: str) -> None:
    assert public_members(read_public_key(public_jwk("ES256")))["crv"] == "P-256"
    assert _refusal(public_jwk("ES256", **changes)) == code


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_coordinate_has_32_octets_whatever_its_value(name: str) -> None:
    """RFC 7518 §6.2.1.2: the same number in more octets is another spelling of the key."""
    good = public_jwk("ES256")
    octets = decode(str(good[name]))
    assert _refusal({**good, name: encode(b"\0" + octets)}) == "key_malformed"
    assert _refusal({**good, name: encode(octets + b"\0")}) == "key_malformed"


def test_a_point_is_never_compressed_or_turned_round() -> None:
    good = public_jwk("ES256")
    assert _refusal({**good, "x": good["y"], "y": good["x"]}) == "key_malformed"
    for number in (_number(1, 32), _number(2**255, 32)):
        assert _refusal({**good, "y": number}) == "key_malformed"


@pytest.mark.requirement("CO-JOSE-06")
@pytest.mark.parametrize(
    ("y", "code"),
    [
        pytest.param(0, "key_weak", id="order 4"),
        pytest.param(2**255, "key_weak", id="order 4, other sign"),
        pytest.param(1, "key_weak", id="the neutral element"),
        pytest.param(1 + 2**255, "key_weak", id="the neutral element, sign set"),
        pytest.param(ED25519_P - 1, "key_weak", id="order 2"),
        pytest.param(ED25519_P, "key_malformed", id="0 in a second spelling"),
        pytest.param(ED25519_P + 1, "key_malformed", id="1 in a second spelling"),
        pytest.param(2**255 - 1, "key_malformed", id="above the field"),
        pytest.param(2, "key_malformed", id="off the curve"),
        pytest.param(7, "key_malformed", id="off the curve as well"),
    ],
)
def test_an_ed25519_point_that_is_off_the_curve_or_of_small_order_is_refused(
    y: int, code: str
) -> None:
    assert public_members(read_public_key(public_jwk("EdDSA")))["crv"] == "Ed25519"
    assert _refusal(public_jwk("EdDSA", x=encode(y.to_bytes(32, "little")))) == code


@pytest.mark.parametrize(
    "octets",
    [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ],
)
def test_the_points_of_order_8_are_refused(octets: str) -> None:
    assert _refusal(public_jwk("EdDSA", x=encode(bytes.fromhex(octets)))) == "key_weak"


@given(st.binary(min_size=32, max_size=32))
def test_half_of_all_octets_are_no_point_and_the_rest_are_kept_as_they_are(octets: bytes) -> None:
    try:
        key = read_public_key(public_jwk("EdDSA", x=encode(octets)))
    except MetadataRejected:
        return
    assert public_members(key)["x"] == encode(octets)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"n": _number(2**2046 + 1)}, "key_weak", id="2047 bits"),
        pytest.param({"n": _number(2**1023 + 1)}, "key_weak", id="1024 bits"),
        pytest.param({"n": _number(2**16383 + 1)}, "key_weak", id="16384 bits"),
        pytest.param({"n": _number(2**2047 + 2)}, "key_weak", id="even modulus"),
        pytest.param({"n": _number(15), "e": "Aw"}, "key_weak", id="toy modulus"),
        pytest.param({"n": "AA"}, "key_malformed", id="modulus 0"),
        pytest.param({"n": "AQ"}, "key_malformed", id="modulus 1"),
        pytest.param({"e": "AQ"}, "key_malformed", id="exponent 1"),
        pytest.param({"e": "Ag"}, "key_malformed", id="exponent 2"),
        pytest.param({"e": _number(65536)}, "key_malformed", id="even exponent"),
        pytest.param({"e": "AA"}, "key_malformed", id="exponent 0"),
        pytest.param({"e": _number(2**64 + 1)}, "key_weak", id="exponent of 65 bits"),
        pytest.param({"e": _number(_modulus())}, "key_malformed", id="exponent as the modulus"),
        pytest.param({"e": "AAEAAQ"}, "key_malformed", id="exponent with a zero in front"),
        pytest.param({"n": _number(_modulus(), 257)}, "key_malformed", id="zero before modulus"),
        pytest.param({"e": None}, "key_malformed", id="no exponent"),
        pytest.param({"n": None}, "key_malformed", id="no modulus"),
        pytest.param({"e": 65537}, "key_malformed", id="exponent as a number"),
        pytest.param({"e": "AQAB\n"}, "key_malformed", id="line feed"),
        pytest.param({"e": ""}, "key_malformed", id="exponent empty"),
        pytest.param({"kty": "rsa"}, "key_unsupported", id="small letters"),
        pytest.param({"kty": None}, "key_unsupported", id="no kind"),
        pytest.param({"kty": "oct"}, "key_unsupported", id="symmetric"),
        pytest.param({"kty": ["RSA"]}, "key_unsupported", id="list of kinds"),
    ],
)
def test_a_weak_or_malformed_rsa_key_is_refused(changes: dict[str, object], code: str) -> None:
    read_public_key(public_jwk("RS256", e="Aw"))
    assert _refusal(public_jwk("RS256", **changes)) == code


def test_strength_is_judged_on_the_key_itself_too() -> None:
    check_strength(read_public_key(public_jwk("RS256")))
    with pytest.raises(MetadataRejected) as refused:
        check_strength(generate_private_key(SECP384R1()).public_key())
    assert refused.value.code == "key_unsupported"
    with pytest.raises(MetadataRejected) as refused:
        check_strength(RSAPublicNumbers(e=3, n=2**1023 + 1).public_key())
    assert refused.value.code == "key_weak"


def _private(alg: str, **changes: object) -> dict[str, object]:
    merged = {**VECTORS["keys"][PUBLISHED[alg]], **changes}
    return {name: value for name, value in merged.items() if value is not None}


@pytest.mark.parametrize(
    ("alg", "changes"),
    [
        pytest.param("ES256", {"d": encode(bytes(32))}, id="EC 0"),
        pytest.param("ES256", {"d": encode(b"\xff" * 32)}, id="EC above the order"),
        pytest.param("ES256", {"d": encode(bytes(31) + b"\1")}, id="EC another key"),
        pytest.param("ES256", {"d": encode(bytes(33))}, id="EC too long"),
        pytest.param("ES256", {"d": None}, id="EC public"),
        pytest.param("EdDSA", {"d": encode(bytes(32))}, id="Ed25519 another key"),
        pytest.param("EdDSA", {"d": encode(bytes(31))}, id="Ed25519 too short"),
        pytest.param("EdDSA", {"d": None}, id="Ed25519 public"),
        pytest.param("RS256", {"d": None}, id="RSA public"),
        pytest.param("RS256", {"p": None, "q": None}, id="RSA without primes"),
        pytest.param("RS256", {"qi": None}, id="RSA without coefficient"),
        pytest.param("RS256", {"dp": "Aw"}, id="RSA other exponent"),
        pytest.param("RS256", {"d": "Aw"}, id="RSA other private exponent"),
        pytest.param("RS256", {"n": VECTORS["keys"]["RFC 7520 3.3"]["n"]}, id="RSA another n"),
        pytest.param("RS256", {"oth": [{"r": "Aw", "d": "Aw", "t": "Aw"}]}, id="RSA third prime"),
    ],
)
def test_private_members_that_do_not_fit_are_refused(alg: str, changes: dict[str, object]) -> None:
    read_private_key(_private(alg), trusted=False)
    with pytest.raises(MetadataRejected) as refused:
        read_private_key(_private(alg, **changes), trusted=False)
    assert refused.value.code in {"key_malformed", "key_unsupported"}


def test_only_a_trusted_rsa_key_skips_the_check_that_its_numbers_agree() -> None:
    broken = _private("RS256", qi="Aw")
    read_private_key(broken, trusted=True)
    with pytest.raises(MetadataRejected):
        read_private_key(broken, trusted=False)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi"]),
        st.none()
        | st.integers()
        | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", encode(b"\1" * 32)])
        | st.text("AQB-_=", max_size=50)
        | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_no_members_raise_anything_else(jwk: dict[str, object]) -> None:
    for read in (read_public_key, lambda jwk: read_private_key(jwk, trusted=False)):
        with suppress(MetadataRejected):
            read(jwk)
