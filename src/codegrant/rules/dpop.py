"""Proofs of possession: how a client shows that a token is its own. Layer: rules.

A proof is a JWT for one request, signed with a key that the token is bound to. Where keys
and nonces are kept is no matter of these rules. RFC 9449.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from codegrant.errors import UsageError
from codegrant.jose import PrivateKey, find_spelling, sign_jwt
from codegrant.jose.base64url import encode
from codegrant.messages.json import JsonValue
from codegrant.rules.uri import origin_of, short
from codegrant.secret import Secret

__all__ = [
    "ALGS",
    "MAXIMUM_NONCE_LENGTH",
    "build_proof",
    "choose_alg",
    "find_nonce",
    "proof_origin",
    "proof_target",
]

ALGS = ("ES256", "EdDSA")
"""What proofs are signed with, the first one unless the server leaves it out."""

MAXIMUM_NONCE_LENGTH = 1024
"""Characters: a nonce goes back in a header, where a longer one would end every request."""

# nonce = 1*NQCHAR, which is %x21 / %x23-5B / %x5D-7E. RFC 9449 §8.1, RFC 6749 Appendix A.
_NONCE = re.compile(r"[!#-\[\]-~]+")
# token = 1*tchar. RFC 9110 §5.6.2, §9.1.
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What is left of a path where it stands in a request line. RFC 9112 §3.2
_PATH = re.compile(r"[!-~]{0,2048}")
_AUTHORITY_END = re.compile(r"[/?#]")
_MINIMUM_JTI = 16


def build_proof(
    key: PrivateKey,
    *,
    method: str,
    url: str,
    jti: bytes,
    now: int,
    access_token: Secret | None = None,
    nonce: str = "",
) -> str:
    """Return a proof for one request: the value of its `DPoP` header.

    Args:
        key: that the token is bound to, or will be; its public half goes along.
        method: of the request, as it is sent.
        url: of the request; query and fragment are left out.
        jti: at least 16 random octets, drawn anew for every request and every repeat of one.
        now: epoch seconds.
        access_token: that the request carries; `None` at a token endpoint.
        nonce: what that server asked for last; empty when it did not ask.

    Raises:
        UsageError: the key is not one for proofs, `jti` is too short, or method, URL or nonce
            are none that a request could have.

    RFC 9449 §4.2, §7, §8.
    """
    if key.alg not in ALGS:
        raise UsageError(f"dpop: a proof is signed with {' or '.join(ALGS)}, not {key.alg}")
    if len(jti) < _MINIMUM_JTI:
        raise UsageError(f"dpop: jti has fewer than {_MINIMUM_JTI} octets")
    if not _METHOD.fullmatch(method):
        raise UsageError("dpop: the method is no token")
    claims: dict[str, JsonValue] = {
        "jti": encode(jti),
        "htm": method,
        "htu": proof_target(url),
        "iat": now,
    }
    if access_token is not None:
        claims["ath"] = encode(sha256(access_token.reveal().encode()).digest())
    if nonce:
        if find_nonce([nonce]) is None:
            raise UsageError("dpop: the nonce is none that a server may ask for")
        claims["nonce"] = nonce
    return sign_jwt(key, claims, typ="dpop+jwt", with_jwk=True)


def proof_target(url: str) -> str:
    """Return the `htu` of a request: its URL without query and fragment, in one spelling.

    Scheme and host are in lower case, the scheme's own port is left out, and an empty path
    is a slash. The path stays as it is sent, also where that is no URI: HTTP libraries leave
    brackets and the like in it, and the server compares what it has received.

    Args:
        url: http or https, with a host; a path of at most 2048 visible ASCII characters.

    Raises:
        UsageError: it is not.

    RFC 9449 §4.2, §4.3; RFC 3986 §6.2.2.1, §6.2.3.
    """
    # A query may be longer than the URLs that are read here, and it is not looked at.
    target = url.partition("#")[0].partition("?")[0]
    path = target.partition("://")[2].partition("/")[2]
    if not _PATH.fullmatch(path):
        raise UsageError(f"{short(target)} is no URL: its path is too long, or not as it is sent")
    return f"{proof_origin(target)}/{path}"


def proof_origin(url: str) -> str:
    """Return the origin that has one nonce for all of its proofs.

    Args:
        url: of a request.

    Raises:
        UsageError: it is no http or https URL with a host, or has a user or password in it, which
            no message repeats.

    RFC 9449 §8, §9.
    """
    scheme, separator, rest = url.partition("://")
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in authority:
        raise UsageError("dpop: there is no proof for an address with a user or a password in it")
    return origin_of(f"{scheme}{separator}{authority}")


def find_nonce(values: Sequence[str]) -> str | None:
    """Return the nonce that an answer asks for; `None` for none, or none that may be used.

    Args:
        values: of the answer's `DPoP-Nonce` fields: two would be a choice, so none is taken.

    RFC 9449 §8.1, §8.2. Stricter: at most 1024 characters.
    """
    if len(values) != 1:
        return None
    nonce = values[0]
    fits = len(nonce) <= MAXIMUM_NONCE_LENGTH and _NONCE.fullmatch(nonce) is not None
    return nonce if fits else None


def choose_alg(listed: Sequence[str]) -> str | None:
    """Return what signs proofs, as the server spells it; `None` when it takes nothing of ours.

    Args:
        listed: the server's `dpop_signing_alg_values_supported`; empty when it does not say.

    RFC 9449 §5.1.
    """
    if not listed:
        return ALGS[0]
    return next((name for alg in ALGS if (name := find_spelling(alg, listed))), None)
