"""Raw signatures: octets in, octets out. Layer: keys and signatures.

One signer and one verifier per algorithm, each a function over one key object. What a key
or a token looks like is not known here. A verifier raises `InvalidSignature`.
RFC 7518 §3, RFC 8037 §3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = [
    "Sign",
    "Verify",
    "ed25519_signer",
    "ed25519_verifier",
    "p256_signer",
    "p256_verifier",
    "rsa_signer",
    "rsa_verifier",
]

Sign: TypeAlias = Callable[[bytes], bytes]
Verify: TypeAlias = Callable[[bytes, bytes], None]

_SHA256 = SHA256()
_ECDSA = ECDSA(_SHA256)
# For verifiers: `hashlib` gets at the digest a microsecond sooner.
_DIGEST = Prehashed(_SHA256)
_ECDSA_OF_DIGEST = ECDSA(_DIGEST)
_RSA_PADDING: dict[str, AsymmetricPadding] = {
    "RS256": PKCS1v15(),
    # The salt is as long as the hash, neither shorter nor longer: RFC 7518 §3.5.
    "PS256": PSS(mgf=MGF1(_SHA256), salt_length=32),
}

# The order of P-256. FIPS 186-5, SP 800-186 §3.2.1.3.
P256_ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
_P256_ORDER = P256_ORDER.to_bytes(32, "big")
_ZERO = bytes(32)

# How ECDSA-Sig-Value begins (SEQUENCE, INTEGER r) and goes on (INTEGER s) in DER, when
# neither number begins with a zero octet; by whether the highest bit of r, of s, is set,
# which makes a zero octet necessary. X.690 §8.3; RFC 5480 Appendix A.
_DER = (
    ((b"\x30\x44\x02\x20", b"\x02\x20"), (b"\x30\x45\x02\x20", b"\x02\x21\x00")),
    ((b"\x30\x45\x02\x21\x00", b"\x02\x20"), (b"\x30\x46\x02\x21\x00", b"\x02\x21\x00")),
)


def p256_signer(key: EllipticCurvePrivateKey) -> Sign:
    """Return the ES256 signer of `key`; r and s in 32 octets each. RFC 7518 §3.4."""

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def p256_verifier(key: EllipticCurvePublicKey) -> Verify:
    """Return the ES256 verifier of `key`. RFC 7518 §3.4."""

    def verify(signature: bytes, data: bytes) -> None:
        if len(signature) != 64:
            raise InvalidSignature
        r, s = signature[:32], signature[32:]
        # A verifier that forgets this takes r = s = 0 for any message (CVE-2022-21449).
        if not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):
            raise InvalidSignature
        if r[0] and s[0]:
            before_r, before_s = _DER[r[0] >> 7][s[0] >> 7]
            der = before_r + r + before_s + s
        else:
            der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.verify(der, sha256(data).digest(), _ECDSA_OF_DIGEST)

    return verify


def ed25519_signer(key: Ed25519PrivateKey) -> Sign:
    """Return the EdDSA signer of `key`. RFC 8037 §3.1.1."""
    return key.sign


def ed25519_verifier(key: Ed25519PublicKey) -> Verify:
    """Return the EdDSA verifier of `key`. RFC 8037 §3.1.2."""
    return key.verify


def rsa_signer(key: RSAPrivateKey, alg: str) -> Sign:
    """Return the RS256 or PS256 signer of `key`. RFC 7518 §3.3, §3.5."""
    padding = _RSA_PADDING[alg]

    def sign(data: bytes) -> bytes:
        return key.sign(data, padding, _SHA256)

    return sign


def rsa_verifier(key: RSAPublicKey, alg: str) -> Verify:
    """Return the RS256 or PS256 verifier of `key`. RFC 7518 §3.3, §3.5."""
    padding = _RSA_PADDING[alg]
    length = (key.key_size + 7) // 8

    def verify(signature: bytes, data: bytes) -> None:
        if len(signature) != length:
            raise InvalidSignature
        key.verify(signature, sha256(data).digest(), padding, _DIGEST)

    return verify
