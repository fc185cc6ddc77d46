"""JSON Web Keys: from their members to key objects and back. Layer: keys and signatures.

Only what is a sound key comes out: RSA of at least 2048 bits, points that are on P-256 or
in the large subgroup of Ed25519. Names, algorithms and uses are the matter of `keys`.
RFC 7517, RFC 7518 §6, RFC 8037 §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePrivateNumbers,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicKey,
    RSAPublicNumbers,
)

from codegrant.errors import MessageError, MetadataRejected
from codegrant.jose.base64url import decode, encode
from codegrant.messages.json import build_json

__all__ = [
    "PRIVATE_MEMBERS",
    "KeyObject",
    "PrivateKeyObject",
    "check_strength",
    "public_members",
    "read_private_key",
    "read_public_key",
    "refuse",
    "thumbprint_of",
]

KeyObject: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
PrivateKeyObject: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

# Of every key type, `k` of symmetric keys and `priv` of RFC 9964 among them.
PRIVATE_MEMBERS = frozenset({"d", "dp", "dq", "k", "oth", "p", "priv", "q", "qi"})

# An RSA key outside of these bounds is weak, or a way to make us compute for long.
_MINIMUM_RSA_BITS = 2048
_MAXIMUM_RSA_BITS = 8192
_MAXIMUM_EXPONENT_BITS = 64

# The field and the curve constant of Ed25519: RFC 8032 §5.1.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def refuse(reason: str, code: str = "key_malformed") -> MetadataRejected:
    """Return the error for a key that must not be used."""
    return MetadataRejected(f"key: {reason}", code=code)


def read_public_key(jwk: Mapping[str, object]) -> KeyObject:
    """Return the public key of `jwk`; private members are not looked at.

    Raises:
        MetadataRejected: `key_malformed`, `key_unsupported` (key type or curve), `key_weak`.

    RFC 7518 §6.2.1, §6.3.1, RFC 8037 §2.
    """
    kty, crv = jwk.get("kty"), jwk.get("crv")
    key: KeyObject
    try:
        if kty == "RSA":
            key = _rsa_public_numbers(jwk).public_key()
        elif (kty, crv) == ("EC", "P-256"):
            key = _p256_public_numbers(jwk).public_key()
        elif (kty, crv) == ("OKP", "Ed25519"):
            key = Ed25519PublicKey.from_public_bytes(_octets(jwk, "x", 32))
        else:
            raise refuse("neither RSA, EC on P-256 nor Ed25519", "key_unsupported")
    except (ValueError, UnsupportedAlgorithm):
        raise refuse("its members make no valid key") from None
    check_strength(key)
    return key


def read_private_key(jwk: Mapping[str, object], *, trusted: bool) -> PrivateKeyObject:
    """Return the private key of `jwk`, whose public members must belong to it.

    Args:
        jwk: for RSA with all of p, q, dp, dq and qi.
        trusted: leave out the slow check that the numbers of an RSA key agree.

    Raises:
        MetadataRejected: as `read_public_key`.

    RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2.
    """
    public = read_public_key(jwk)
    try:
        key = _private_key(jwk, public, trusted=trusted)
    except (ValueError, UnsupportedAlgorithm):
        raise refuse("its private members make no valid key") from None
    if key.public_key() != public:
        raise refuse("its private and public members belong to two keys")
    return key


def check_strength(key: KeyObject) -> None:
    """Check that `key` is of a kind and a size that we use.

    Raises:
        MetadataRejected: `key_weak`, or `key_unsupported` for a curve but P-256.

    RFC 7518 §3.3, RFC 8725 §3.4.
    """
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        if not _MINIMUM_RSA_BITS <= key.key_size <= _MAXIMUM_RSA_BITS:
            bounds = f"{_MINIMUM_RSA_BITS} to {_MAXIMUM_RSA_BITS}"
            raise refuse(f"RSA of {key.key_size} bits, {bounds} are allowed", "key_weak")
        if numbers.n % 2 == 0 or numbers.e % 2 == 0 or numbers.e < 3:
            raise refuse("an RSA modulus or exponent that cannot be", "key_weak")
        if numbers.e.bit_length() > _MAXIMUM_EXPONENT_BITS:
            raise refuse("an RSA exponent that is too long", "key_weak")
    elif isinstance(key, EllipticCurvePublicKey):
        if not isinstance(key.curve, SECP256R1):
            raise refuse(f"EC on {key.curve.name}, only P-256 is allowed", "key_unsupported")
    else:
        _check_edwards_point(key.public_bytes_raw())


def public_members(key: KeyObject) -> dict[str, str]:
    """Return the members that make up `key`, in the order of RFC 7638 §3."""
    if isinstance(key, RSAPublicKey):
        rsa = key.public_numbers()
        return {"e": _encode_integer(rsa.e), "kty": "RSA", "n": _encode_integer(rsa.n)}
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_numbers()
        x, y = (encode(part.to_bytes(32, "big")) for part in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return {"crv": "Ed25519", "kty": "OKP", "x": encode(key.public_bytes_raw())}


def thumbprint_of(key: KeyObject) -> str:
    """Return the SHA-256 thumbprint of `key` in base64url. RFC 7638 §3, RFC 8037 §2."""
    return encode(sha256(build_json(public_members(key))).digest())


def _private_key(
    jwk: Mapping[str, object], public: KeyObject, *, trusted: bool
) -> PrivateKeyObject:
    if isinstance(public, Ed25519PublicKey):
        return Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d", 32))
    if isinstance(public, EllipticCurvePublicKey):
        d = int.from_bytes(_octets(jwk, "d", 32), "big")
        return EllipticCurvePrivateNumbers(d, public.public_numbers()).private_key()
    if "oth" in jwk:
        raise refuse("RSA with more than two primes", "key_unsupported")
    numbers = RSAPrivateNumbers(
        p=_integer(jwk, "p"),
        q=_integer(jwk, "q"),
        d=_integer(jwk, "d"),
        dmp1=_integer(jwk, "dp"),
        dmq1=_integer(jwk, "dq"),
        iqmp=_integer(jwk, "qi"),
        public_numbers=public.public_numbers(),
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=trusted)


def _rsa_public_numbers(jwk: Mapping[str, object]) -> RSAPublicNumbers:
    return RSAPublicNumbers(e=_integer(jwk, "e"), n=_integer(jwk, "n"))


def _p256_public_numbers(jwk: Mapping[str, object]) -> EllipticCurvePublicNumbers:
    x, y = (int.from_bytes(_octets(jwk, name, 32), "big") for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x=x, y=y, curve=SECP256R1())


def _octets(jwk: Mapping[str, object], name: str, length: int | None = None) -> bytes:
    """Return the octets of a member, exactly `length` of them. RFC 7518 §6.2.1.2."""
    text = jwk.get(name)
    if not isinstance(text, str):
        raise refuse(f"{name} is missing or no text")
    try:
        octets = decode(text)
    except MessageError:
        raise refuse(f"{name} is not base64url") from None
    if not octets or (length and len(octets) != length):
        raise refuse(f"{name} has {len(octets)} octets, expected {length or 'some'}")
    return octets


def _integer(jwk: Mapping[str, object], name: str) -> int:
    """Return the integer of a member, written without a leading zero. RFC 7518 §2."""
    octets = _octets(jwk, name)
    if octets[0] == 0:
        raise refuse(f"{name} begins with a zero octet")
    return int.from_bytes(octets, "big")


def _encode_integer(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _check_edwards_point(encoded: bytes) -> None:
    """Check that the octets are a point of Ed25519, in its one spelling, of large order.

    OpenSSL takes any 32 octets and under a point of small order one signature holds for
    many messages. RFC 8032 §5.1.3.
    """
    y = int.from_bytes(encoded, "little") & ((1 << 255) - 1)
    square = y * y % _P
    # x² = (y² - 1) / (d y² + 1), which must be a square.
    x_square = (square - 1) * pow(_D * square + 1, -1, _P) % _P
    if y >= _P or pow(x_square, (_P - 1) // 2, _P) == _P - 1:
        raise refuse("x is no point of Ed25519")
    # Order 1 and 2: y² = 1. Order 4: y = 0. Order 8: twice the point has y = 0.
    if square in (0, 1) or (_D * square * square + 2 * square - 1) % _P == 0:
        raise refuse("x is a point of small order", "key_weak")
