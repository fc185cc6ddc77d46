"""Judging a proof of possession, as strictly as a provider does. Layer: testing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from secrets import token_urlsafe

from codegrant.errors import CodegrantError
from codegrant.http import Headers, Request, Response
from codegrant.jose import base64url, parse_public_keys
from codegrant.messages.json import JsonValue, parse_object
from codegrant.rules.dpop import proof_target
from codegrant.rules.uri import origin_of
from codegrant.testing.personas.judging import Refusal

__all__ = ["PROOF_ALGS", "ProofJudge"]

_LEEWAY = 60
PROOF_ALGS = ("ES256",)
_CLAIMS = ("htm", "htu", "iat", "jti")


class ProofJudge:
    """Takes a proof once, for one request, with the nonce of that request's origin. RFC 9449.

    Args:
        clock: returns epoch seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._nonces: dict[str, str] = {}
        self._seen: set[str] = set()

    def change_nonces(self) -> None:
        """Want another nonce at every origin from now on."""
        self._nonces.clear()

    def announce(self, request: Request, answer: Response) -> Response:
        """Return an answer with the nonce for the next proof. RFC 9449 §8.2."""
        nonce = ("dpop-nonce", self._nonce(request))
        return replace(answer, headers=Headers([*answer.headers.pairs(), nonce]))

    def judge(self, request: Request, access_token: str = "") -> str:
        """Return the thumbprint of the key that a request's proof is signed with.

        Args:
            request: whose URL is without its query.
            access_token: that it carries, at an API.

        Raises:
            Refusal: `invalid_dpop_proof`, `use_dpop_nonce`.

        RFC 9449 §4.3.
        """
        status = 401 if access_token else 400
        proofs = request.headers.get_all("dpop")
        if len(proofs) != 1:
            raise Refusal("invalid_dpop_proof", f"{len(proofs)} proofs came", status)
        try:
            claims, thumbprint = _verify(proofs[0])
        except (CodegrantError, ValueError):
            raise Refusal("invalid_dpop_proof", "the proof is malformed", status) from None
        issued, jti = claims.get("iat"), claims.get("jti")
        digest = base64url.encode(sha256(access_token.encode()).digest())
        checks = {
            "htm": claims.get("htm") == request.method,
            "htu": claims.get("htu") == proof_target(request.url),
            "iat": isinstance(issued, int) and abs(issued - self._clock()) <= _LEEWAY,
            "ath": claims.get("ath") == (digest if access_token else None),
            "jti": isinstance(jti, str) and bool(jti) and jti not in self._seen,
        }
        for name, holds in checks.items():
            if not holds:
                raise Refusal("invalid_dpop_proof", f"{name}: it is not of this request", status)
        if claims.get("nonce") != self._nonce(request):
            raise Refusal("use_dpop_nonce", "the nonce of this server is expected", status)
        self._seen.add(str(jti))
        return thumbprint

    def _nonce(self, request: Request) -> str:
        return self._nonces.setdefault(origin_of(request.url), token_urlsafe(24))


def _verify(proof: str) -> tuple[dict[str, JsonValue], str]:
    """Return the claims of a proof, and the thumbprint of the key that it brings and that made it.

    Raises:
        CodegrantError: it is none, or the key did not make it.
        ValueError: it has not three parts, or more members than a proof has.
    """
    signing_input, _, signature = proof.rpartition(".")
    first, second = signing_input.split(".")
    header, claims = (parse_object(base64url.decode(part)) for part in (first, second))
    jwk = header.get("jwk")
    if set(header) != {"typ", "alg", "jwk"} or not isinstance(jwk, dict):
        raise ValueError("header")
    if header["typ"] != "dpop+jwt" or header["alg"] not in PROOF_ALGS or set(_CLAIMS) - set(claims):
        raise ValueError("kind")
    (key,) = parse_public_keys({**jwk, "alg": header["alg"]})
    key.verify(base64url.decode(signature), signing_input.encode())
    return claims, key.thumbprint
