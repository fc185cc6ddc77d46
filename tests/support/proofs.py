"""A strict verifier of DPoP proofs, as a resource server has one, over two other libraries.

Nothing of what it finds comes from our own code: PyJWT reads and verifies, joserfc computes
the thumbprint. RFC 9449 §4.3.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import joserfc.jwt
import jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key

__all__ = ["ProofRefused", "ProofVerifier", "header_of"]

_PUBLIC = {"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}}
_PORTS = {"http": 80, "https": 443}


class ProofRefused(Exception):
    """A proof does not hold; the text is the reason, one word of the list below."""


@dataclass
class ProofVerifier:
    """Takes each proof once, and only for the request that it comes with.

    Attributes:
        algs: which it verifies, by the names that it knows them by.
        leeway: seconds that `iat` may lie apart from the verifier's clock, either way.
        seen: every `jti` that was taken.
    """

    algs: Sequence[str] = ("ES256", "EdDSA")
    leeway: int = 60
    seen: set[str] = field(default_factory=set)

    def verify(
        self,
        proofs: Sequence[str],
        *,
        method: str,
        url: str,
        now: int,
        access_token: str = "",
        jkt: str = "",
        nonce: str = "",
    ) -> dict[str, Any]:
        """Return the claims of the one proof that a request has.

        Args:
            proofs: the values of its `DPoP` fields.
            method: of the request.
            url: of the request, as the server knows itself.
            now: epoch seconds.
            access_token: that the request carries; empty at a token endpoint.
            jkt: the thumbprint that the token is bound to.
            nonce: that the proof must have; empty for none.

        Raises:
            ProofRefused: `count`, `typ`, `alg`, `jwk`, `signature`, `members`, `htm`, `htu`,
                `iat`, `nonce`, `ath`, `jkt`, `replay`.
        """
        if len(proofs) != 1:
            raise ProofRefused("count")
        proof = proofs[0]
        header = jwt.get_unverified_header(proof)
        self._check(header.get("typ") == "dpop+jwt", "typ")
        self._check(header.get("alg") in self.algs, "alg")
        jwk = header.get("jwk")
        self._check(isinstance(jwk, dict) and set(jwk) == _PUBLIC.get(str(jwk.get("kty"))), "jwk")
        self._check(set(header) == {"typ", "alg", "jwk"}, "members")
        try:
            claims = _verify(proof, header["jwk"], header["alg"])
        except (jwt.PyJWTError, JoseError):
            raise ProofRefused("signature") from None
        self._check(isinstance(claims.get("jti"), str) and len(claims["jti"]) >= 22, "members")
        self._check(claims.get("htm") == method, "htm")
        self._check(_same_target(claims.get("htu"), url), "htu")
        self._check(abs(claims["iat"] - now) <= self.leeway, "iat")
        self._check(claims.get("nonce", "") == nonce, "nonce")
        digest = hashlib.sha256(access_token.encode()).digest()
        wanted = urlsafe_b64encode(digest).rstrip(b"=").decode() if access_token else None
        self._check(claims.get("ath") == wanted, "ath")
        self._check(not jkt or import_key(header["jwk"]).thumbprint() == jkt, "jkt")
        self._check(claims["jti"] not in self.seen, "replay")
        self.seen.add(claims["jti"])
        return claims

    @staticmethod
    def _check(holds: bool, reason: str) -> None:
        if not holds:
            raise ProofRefused(reason)


def header_of(proof: str) -> dict[str, Any]:
    """Return the header of a proof as it stands there."""
    segment = proof.partition(".")[0]
    header: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return header


def _verify(proof: str, jwk: dict[str, Any], alg: str) -> dict[str, Any]:
    """Return the claims of a proof whose signature holds."""
    if alg == "Ed25519":  # PyJWT does not know this name of EdDSA
        return dict(joserfc.jwt.decode(proof, import_key(jwk), algorithms=[alg]).claims)
    key = jwt.PyJWK({**jwk, "alg": alg})
    return dict(jwt.decode(proof, key, algorithms=[alg], options={"verify_iat": False}))


def _same_target(htu: object, url: str) -> bool:
    """Return whether both are one address; `htu` must have neither query nor fragment."""
    if not isinstance(htu, str) or "?" in htu or "#" in htu:
        return False
    one, other = urlsplit(htu), urlsplit(url)
    return (one.scheme, one.hostname, one.port or _PORTS[one.scheme], one.path) == (
        other.scheme,
        other.hostname,
        other.port or _PORTS[other.scheme],
        other.path or "/",
    )
