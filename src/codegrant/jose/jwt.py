"""JSON Web Tokens: signed claims, as two types. Layer: keys and signatures.

`UnverifiedJwt` is what somebody says; `VerifiedJwt` is what the holder of a known key
said, and `verify_signature` is the only way from one to the other. What a claim must hold
is a rule of each kind of token and not known here. RFC 7519, RFC 8725.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from codegrant.errors import MessageError, TokenRejected, UsageError
from codegrant.jose.jws import MAXIMUM_BYTES, UnverifiedJws, parse_compact, sign_compact
from codegrant.jose.keys import PrivateKey, PublicKey
from codegrant.messages.json import JsonValue, build_json, parse_object

__all__ = ["UnverifiedJwt", "VerifiedJwt", "parse_jwt", "sign_jwt", "verify_signature"]

_SIGNATURE_HOLDS = object()


class UnverifiedJwt(NamedTuple):
    """A well-formed JWT of which nothing is believed yet.

    Attributes:
        claimed: the claims, good for choosing an issuer and its keys and for no more.
        token: the text that it came as.
        jws: its parts.
    """

    claimed: dict[str, JsonValue]
    token: str
    jws: UnverifiedJws

    def __repr__(self) -> str:
        return f"UnverifiedJwt({self.jws!r})"

    @property
    def alg(self) -> str:
        """The algorithm, one of `ALGORITHMS`."""
        return self.jws.alg

    @property
    def kid(self) -> str | None:
        """The name of the key that the sender claims, or None."""
        return self.jws.kid

    @property
    def typ(self) -> str:
        """The kind of token as it stands in the header, or empty."""
        return self.jws.typ


@dataclass(frozen=True, slots=True, init=False)
class VerifiedJwt:
    """A JWT whose signature holds. Its claims are genuine; whether they suffice is a rule's work.

    Attributes:
        alg: the algorithm, one of `ALGORITHMS`.
        kid: the name of the key as it stands in the header, or None.
        typ: the kind of token as it stands in the header, or empty.
        claims: what the holder of the key said.

    Raises:
        UsageError: it was made by anything but `verify_signature`.
    """

    alg: str
    kid: str | None
    typ: str
    claims: dict[str, JsonValue] = field(repr=False)

    def __init__(
        self,
        alg: str,
        kid: str | None,
        typ: str,
        claims: dict[str, JsonValue],
        proof: object = None,
    ) -> None:
        if proof is not _SIGNATURE_HOLDS:
            raise UsageError("VerifiedJwt: only verify_signature makes one")
        put = object.__setattr__
        put(self, "alg", alg)
        put(self, "kid", kid)
        put(self, "typ", typ)
        put(self, "claims", claims)


def sign_jwt(
    key: PrivateKey,
    claims: Mapping[str, JsonValue],
    *,
    typ: str,
    kid: str | None = None,
    with_jwk: bool = False,
) -> str:
    """Return `claims` as a JWT signed with `key`.

    Args:
        key: its `spelling` and `kid` go into the header.
        claims: written in their order.
        typ: the kind of token, for example `at+jwt`; empty leaves it out.
        kid: instead of the key's own; empty leaves it out.
        with_jwk: see `sign_compact`.

    Raises:
        UsageError: `not_json`, the claims hold a value that JSON has not.

    RFC 7519 §7.1, RFC 8725 §3.11.
    """
    return sign_compact(key, build_json(claims), typ=typ, kid=kid, with_jwk=with_jwk)


def parse_jwt(token: str, *, max_bytes: int = MAXIMUM_BYTES) -> UnverifiedJwt:
    """Return the claims of `token`, with its signature yet to be verified.

    Args:
        token: three base64url segments whose payload is a JSON object.
        max_bytes: the length above which it is not looked at.

    Raises:
        TokenRejected: as `parse_compact`; `malformed_token` also for a payload that is
            no strict JSON object.

    RFC 7519 §7.2, RFC 8725 §2.6.
    """
    jws = parse_compact(token, max_bytes=max_bytes)
    try:
        return UnverifiedJwt(parse_object(jws.payload, max_bytes=max_bytes), token, jws)
    except MessageError as error:
        raise TokenRejected(f"token: {error.message}", code="malformed_token") from None


def verify_signature(jwt: UnverifiedJwt, keys: Iterable[PublicKey]) -> VerifiedJwt:
    """Return `jwt` as verified, if one of `keys` made its signature.

    Args:
        jwt: as parsed.
        keys: the issuer's keys that the token may be signed with, as `KeySet.find` gives
            them; those of another algorithm than the token's are passed over.

    Raises:
        TokenRejected: `unknown_key`, none of `keys` is of the token's algorithm;
            `bad_signature`, none of them verifies it.

    RFC 7515 §5.2, RFC 8725 §3.1.
    """
    jws = jwt.jws
    refusal: TokenRejected | None = None
    for key in keys:
        if key.alg != jws.alg:
            continue
        try:
            key.verify(jws.signature, jws.signing_input)
        except TokenRejected as error:
            refusal = error
        else:
            return VerifiedJwt(jws.alg, jws.kid, jws.typ, jwt.claimed, _SIGNATURE_HOLDS)
    raise refusal or TokenRejected(f"token: no key for {jws.alg} is known", code="unknown_key")
