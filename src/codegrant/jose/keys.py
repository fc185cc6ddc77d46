"""Signing keys and their public halves, one algorithm each. Layer: keys and signatures.

A key object of `cryptography` is made once, when the key is read, and kept. A key that
serves two algorithms (an RSA key in a key set without `alg`) becomes two keys here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa

from codegrant.errors import MetadataRejected, TokenRejected, UsageError
from codegrant.jose.algorithms import ALGORITHMS, Algorithm, find_algorithm
from codegrant.jose.jwk import (
    PRIVATE_MEMBERS,
    KeyObject,
    PrivateKeyObject,
    check_strength,
    public_members,
    read_private_key,
    read_public_key,
    refuse,
    thumbprint_of,
)
from codegrant.jose.signatures import (
    Sign,
    Verify,
    ed25519_signer,
    ed25519_verifier,
    p256_signer,
    p256_verifier,
    rsa_signer,
    rsa_verifier,
)

__all__ = ["MAXIMUM_KID_LENGTH", "PrivateKey", "PublicKey", "parse_public_keys"]

MAXIMUM_KID_LENGTH = 256

_DERIVED_OCTETS = 64
# SEC 2 §2.4.2
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class PublicKey:
    """A key that verifies signatures of one algorithm.

    Made by `parse_public_keys` or as the `public` of a `PrivateKey`. Two are equal when
    algorithm, name and key are.

    Attributes:
        alg: one of `ALGORITHMS`.
        kid: its name, or empty where the key set gives it none.
    """

    __slots__ = ("_key", "_verify", "alg", "kid")

    def __init__(self, alg: str, kid: str, key: KeyObject) -> None:
        self.alg: Final = alg
        self.kid: Final = kid
        self._key: Final = key
        self._verify: Final = _verifier(alg, key)

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint in base64url, 43 characters. RFC 7638."""
        return thumbprint_of(self._key)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check that `signature` was made over `data` with the private half.

        Args:
            signature: as a JWS has it: 64 octets for ES256 and EdDSA, as many as the
                modulus for RSA.
            data: what was signed.

        Raises:
            TokenRejected: `bad_signature`.

        RFC 7518 §3.3 to §3.5, RFC 8037 §3.1.
        """
        try:
            self._verify(signature, data)
        except InvalidSignature:
            raise TokenRejected(
                "token: the signature does not hold", code="bad_signature"
            ) from None

    def to_jwk(self) -> dict[str, str]:
        """Return the key as a JWK with kty, use, alg, kid and its public members. RFC 7517 §4."""
        named = {"kid": self.kid} if self.kid else {}
        members = public_members(self._key)
        return {"kty": members["kty"], "use": "sig", "alg": self.alg, **named, **members}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"PublicKey(alg={self.alg!r}, kid={self.kid!r})"

    def _identity(self) -> tuple[str, str, str]:
        return self.alg, self.kid, self.thumbprint


class PrivateKey:
    """A key that signs with one algorithm.

    Made by `generate`, `from_pem` or `from_jwk`. It never prints and does not pickle. Two are
    equal when their public halves are.

    Attributes:
        alg: one of `ALGORITHMS`.
        spelling: how `alg` stands in the header of what it signs: the same, or `Ed25519` for
            `EdDSA`. RFC 9864 §2.2
        kid: its name; the thumbprint unless another was given.
        public: the half to publish.
    """

    __slots__ = ("_key", "_sign", "alg", "kid", "public", "spelling")

    def __init__(self, alg: str, kid: str, key: PrivateKeyObject) -> None:
        if len(kid) > MAXIMUM_KID_LENGTH:
            raise UsageError(f"kid: longer than {MAXIMUM_KID_LENGTH} characters")
        public = key.public_key()
        self.alg: Final = _known(alg).name
        self.spelling: Final = alg
        self.kid: Final = kid or thumbprint_of(public)
        self.public: Final = PublicKey(self.alg, self.kid, public)
        self._key: Final = key
        self._sign: Final = _signer(self.alg, key)

    @classmethod
    def generate(cls, alg: str) -> PrivateKey:
        """Return a new key.

        Args:
            alg: one of `ALGORITHMS`, in either spelling; for the RSA ones the key has 2048 bits.

        Raises:
            UsageError: `alg` is none of them.
        """
        kty = _known(alg).kty
        if kty == "EC":
            return cls(alg, "", generate_private_key(SECP256R1()))
        if kty == "OKP":
            return cls(alg, "", Ed25519PrivateKey.generate())
        return cls(alg, "", generate_rsa(public_exponent=65537, key_size=2048))

    @classmethod
    def derive(cls, alg: str, octets: bytes) -> PrivateKey:
        """Return the key that `octets` stand for, always the same one.

        Args:
            alg: `ES256` or `EdDSA`, in either spelling.
            octets: 64, uniformly random and as secret as the key: twice what is needed, so that
                the remainder is as good as drawn.

        Raises:
            UsageError: `alg` is neither, or `octets` are too few.

        FIPS 186-5 §A.2.1; RFC 8032 §5.1.5.
        """
        kty = _known(alg).kty
        if kty not in {"EC", "OKP"} or len(octets) < _DERIVED_OCTETS:
            raise UsageError(f"key: {alg} is not derived, or not from so few octets")
        if kty == "EC":
            scalar = int.from_bytes(octets, "big") % (_P256_ORDER - 1) + 1
            return cls(alg, "", derive_private_key(scalar, SECP256R1()))
        return cls(alg, "", Ed25519PrivateKey.from_private_bytes(octets[:32]))

    @classmethod
    def from_pem(cls, pem: bytes, alg: str, kid: str = "", *, trusted: bool = False) -> PrivateKey:
        """Return the key of a PEM file.

        Args:
            pem: PKCS #8, PKCS #1 or SEC 1, unencrypted.
            alg: one of `ALGORITHMS`, in either spelling, of the kind that the key is.
            kid: its name; the thumbprint when empty.
            trusted: leave out the slow check that the numbers of an RSA key agree. Only
                for what `to_pem` wrote and nobody could alter.

        Raises:
            UsageError: not such a file, too weak a key, or not one for `alg`.
        """
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        _known(alg)
        try:
            key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=trusted)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UsageError("key: no unencrypted private key in PEM") from None
        if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
            raise UsageError("key: neither RSA, EC nor Ed25519")
        try:
            check_strength(key.public_key())
        except MetadataRejected as error:
            raise UsageError(error.message, code=error.code) from None
        return cls(alg, kid, key)

    @classmethod
    def from_jwk(
        cls, jwk: Mapping[str, object], alg: str = "", *, trusted: bool = False
    ) -> PrivateKey:
        """Return the key of a private JWK.

        Args:
            jwk: with `d`, and for RSA with all of p, q, dp, dq, qi.
            alg: one of `ALGORITHMS`; may be empty when `jwk` says it or allows one only.
            trusted: leave out the slow check that the numbers of an RSA key agree.

        Raises:
            UsageError: `jwk` is malformed, too weak, not for signing, or not for `alg`.

        RFC 7517, RFC 7518 §6, RFC 8037 §2.
        """
        try:
            key = read_private_key(jwk, trusted=trusted)
            usable = _algorithms_of(jwk, key.public_key(), operation="sign")
            kid = _kid_of(jwk)
        except MetadataRejected as error:
            raise UsageError(error.message, code=error.code) from None
        if alg:
            usable = tuple(each for each in usable if each == _known(alg))
        if len(usable) != 1:
            wanted = f"not one for {alg}" if alg else "good for several algorithms: name one"
            raise UsageError(f"key: {wanted}")
        return cls(alg or usable[0].name, kid, key)

    def spelled(self, spelling: str) -> PrivateKey:
        """Return this key for somebody who knows its algorithm by another name.

        Args:
            spelling: of `alg`.

        Raises:
            UsageError: it is none of it.
        """
        if spelling == self.spelling:
            return self
        if _known(spelling).name != self.alg:
            raise UsageError(f"key: {spelling} is no name of {self.alg}")
        return PrivateKey(spelling, self.kid, self._key)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data` as a JWS has it. RFC 7518 §3, RFC 8037 §3.1."""
        return self._sign(data)

    def to_pem(self) -> bytes:
        """Return the key as unencrypted PKCS #8. Seal it before it is stored."""
        from cryptography.hazmat.primitives import serialization

        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self.public == other.public

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"PrivateKey(alg={self.alg!r}, kid={self.kid!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PrivateKey does not pickle: seal its to_pem() instead")


def parse_public_keys(jwk: Mapping[str, object]) -> tuple[PublicKey, ...]:
    """Return the keys that `jwk` stands for, one per algorithm that it may be used for.

    Args:
        jwk: a public JWK; an RSA key without `alg` gives one for RS256 and one for PS256.

    Raises:
        MetadataRejected: `key_private`, it has a private or symmetric member;
            `key_malformed`; `key_unsupported`, a key type, curve or algorithm that we do
            not have; `key_weak`; `key_not_for_signatures`, by its use or key_ops.

    RFC 7517 §4, RFC 7518 §6, RFC 8037 §2.
    """
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        # It is known to others than its owner: what it signs proves nothing.
        raise refuse("it has private or symmetric members", "key_private")
    key = read_public_key(jwk)
    kid = _kid_of(jwk)
    return tuple(
        PublicKey(algorithm.name, kid, key)
        for algorithm in _algorithms_of(jwk, key, operation="verify")
    )


def _algorithms_of(
    jwk: Mapping[str, object], key: KeyObject, *, operation: str
) -> tuple[Algorithm, ...]:
    """Return what the key's kind and its alg, use and key_ops leave; at least one."""
    if jwk.get("use", "sig") != "sig":
        raise refuse("use is not sig", "key_not_for_signatures")
    operations = jwk.get("key_ops", [operation])
    if not isinstance(operations, list) or operation not in operations:
        raise refuse(f"key_ops is no list with {operation}", "key_not_for_signatures")
    members = public_members(key)
    fitting = tuple(
        algorithm
        for algorithm in ALGORITHMS.values()
        if (algorithm.kty, algorithm.crv) == (members["kty"], members.get("crv", ""))
    )
    if "alg" in jwk:
        stated = find_algorithm(jwk["alg"])
        fitting = tuple(algorithm for algorithm in fitting if algorithm == stated)
    if not fitting:
        raise refuse("alg is none of ours, or of another kind of key", "key_unsupported")
    return fitting


def _kid_of(jwk: Mapping[str, object]) -> str:
    kid = jwk.get("kid", "")
    if not isinstance(kid, str) or len(kid) > MAXIMUM_KID_LENGTH or ("kid" in jwk and not kid):
        raise refuse(f"kid is not a text of 1 to {MAXIMUM_KID_LENGTH} characters")
    return kid


def _known(alg: str) -> Algorithm:
    algorithm = find_algorithm(alg)
    if algorithm is None:
        raise UsageError(f"alg: {alg!r} is none of {', '.join(ALGORITHMS)}")
    return algorithm


def _verifier(alg: str, key: KeyObject) -> Verify:
    match key, _known(alg).kty:
        case EllipticCurvePublicKey(), "EC":
            return p256_verifier(key)
        case Ed25519PublicKey(), "OKP":
            return ed25519_verifier(key)
        case RSAPublicKey(), "RSA":
            return rsa_verifier(key, alg)
        case _:
            raise UsageError(f"key: not one for {alg}")


def _signer(alg: str, key: PrivateKeyObject) -> Sign:
    """Return the signer of a key whose public half was found to be one for `alg`."""
    if isinstance(key, EllipticCurvePrivateKey):
        return p256_signer(key)
    if isinstance(key, Ed25519PrivateKey):
        return ed25519_signer(key)
    return rsa_signer(key, alg)
