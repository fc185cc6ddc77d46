"""JSON Web Signature, compact serialisation only. Layer: keys and signatures.

A header says which key and which algorithm to look for, and nothing more: it never brings
a key, an address of a key, or a rule of its own. RFC 7515, RFC 8725.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from codegrant.errors import MessageError, TokenRejected
from codegrant.jose.algorithms import find_algorithm
from codegrant.jose.base64url import decode, encode
from codegrant.jose.keys import MAXIMUM_KID_LENGTH, PrivateKey
from codegrant.messages.json import JsonValue, build_json, parse_object

__all__ = ["MAXIMUM_BYTES", "UnverifiedJws", "parse_compact", "sign_compact"]

MAXIMUM_BYTES = 16384

# Ours and those we know have 60 to 400 characters.
_MAXIMUM_HEADER = 2048

# Each lets the sender choose the key or change the rules (`crit` names a rule that we
# would have to know, and we know none). RFC 8725 §3.10, RFC 7515 §4.1.11, RFC 7797.
_FORBIDDEN = ("b64", "crit", "jku", "jwk", "x5c", "x5u", "zip")


class _Header(NamedTuple):
    alg: str
    kid: str | None
    typ: str


class UnverifiedJws(NamedTuple):
    """A well-formed JWS of which nothing is believed yet.

    Attributes:
        alg: one of `ALGORITHMS`; a header's `Ed25519` reads `EdDSA` here.
        kid: the name of the key that the sender claims, or None.
        typ: as it stands in the header, or empty.
        payload: the octets that were signed.
        signature: as long as the sender likes.
        signing_input: header and payload as they came, in ASCII.
    """

    alg: str
    kid: str | None
    typ: str
    payload: bytes
    signature: bytes
    signing_input: bytes

    def __repr__(self) -> str:
        return f"UnverifiedJws(alg={self.alg!r}, kid={self.kid!r}, typ={self.typ!r})"


def sign_compact(
    key: PrivateKey,
    payload: bytes,
    *,
    typ: str = "",
    kid: str | None = None,
    with_jwk: bool = False,
) -> str:
    """Return `payload` signed with `key`, as three base64url segments.

    Args:
        key: its `spelling` and `kid` go into the header.
        payload: any octets.
        typ: what kind of object this is, for example `at+jwt`; empty leaves it out.
        kid: instead of the key's own; empty leaves it out.
        with_jwk: put the public half of `key` into the header in the place of a `kid`, for
            somebody who does not know the key yet. RFC 7515 §4.1.3

    RFC 7515 §7.1.
    """
    named = key.kid if kid is None else kid
    header = _keyed_header(key, typ) if with_jwk else _header_segment(key.spelling, named, typ)
    signing_input = f"{header}.{encode(payload)}"
    return f"{signing_input}.{encode(key.sign(signing_input.encode()))}"


def parse_compact(token: str, *, max_bytes: int = MAXIMUM_BYTES) -> UnverifiedJws:
    """Return the parts of `token`, with its signature yet to be verified.

    Args:
        token: three base64url segments. Its size and the number of its dots are judged
            before anything is decoded.
        max_bytes: the length above which it is not looked at.

    Raises:
        TokenRejected: `too_large`; `malformed_token`; `forbidden_header`, the header has
            one of b64, crit, jku, jwk, x5c, x5u, zip; `algorithm_refused`.

    RFC 7515 §5.2; stricter: no unsecured, encrypted, detached or JSON form, no extension.
    """
    if len(token) > max_bytes:
        raise TokenRejected(f"token: longer than {max_bytes} bytes", code="too_large")
    if token.count(".") != 2:
        raise _malformed("three segments parted by dots were expected")
    signing_input, _, signature = token.rpartition(".")
    header, _, payload = signing_input.partition(".")
    if len(header) > _MAXIMUM_HEADER:
        raise _malformed(f"the header is longer than {_MAXIMUM_HEADER} characters")
    try:
        alg, kid, typ = _parse_header(header)
        return UnverifiedJws(
            alg, kid, typ, decode(payload), decode(signature), signing_input.encode()
        )
    except MessageError as error:
        raise _malformed(error.message) from None


@lru_cache(maxsize=256)
def _header_segment(alg: str, kid: str, typ: str) -> str:
    members = {"alg": alg, "kid": kid, "typ": typ}
    return encode(build_json({name: value for name, value in members.items() if value}))


def _keyed_header(key: PrivateKey, typ: str) -> str:
    """Return a header that brings the key, without what `alg` and `typ` say already."""
    jwk: dict[str, JsonValue] = {
        name: value
        for name, value in key.public.to_jwk().items()
        if name not in {"alg", "kid", "use"}
    }
    return encode(build_json({"typ": typ, "alg": key.spelling, "jwk": jwk}))


@lru_cache(maxsize=256)
def _parse_header(segment: str) -> _Header:
    """Return the header; one issuer writes the same few over and over, so they are kept."""
    header = parse_object(decode(segment))
    for name in _FORBIDDEN:
        if name in header:
            raise TokenRejected(f"token: the header has {name}", code="forbidden_header")
    algorithm = find_algorithm(header.get("alg"))
    if algorithm is None:
        raise TokenRejected("token: the header's alg is none of ours", code="algorithm_refused")
    typ = header.get("typ", "")
    if not isinstance(typ, str):
        raise _malformed("typ is not a text")
    if "kid" not in header:
        return _Header(algorithm.name, None, typ)
    kid = header["kid"]
    if not isinstance(kid, str) or not 0 < len(kid) <= MAXIMUM_KID_LENGTH:
        raise _malformed(f"kid is not a text of 1 to {MAXIMUM_KID_LENGTH} characters")
    return _Header(algorithm.name, kid, typ)


def _malformed(reason: str) -> TokenRejected:
    return TokenRejected(f"token: {reason}", code="malformed_token")
