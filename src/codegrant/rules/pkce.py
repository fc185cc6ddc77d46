"""Proof Key for Code Exchange, method S256 only. Layer: rules. RFC 7636."""

from __future__ import annotations

import re
from hashlib import sha256

from codegrant.errors import OAuthError
from codegrant.jose import base64url

__all__ = ["challenge_of", "check_challenge", "check_verifier_syntax"]

# code-verifier = 43*128unreserved. RFC 7636 §4.1.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
# 32 octets in base64url: the last of 43 characters has two bits that are zero.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of `verifier`: 43 base64url characters. RFC 7636 §4.2."""
    return base64url.encode(sha256(verifier.encode()).digest())


def check_challenge(code_challenge: str, method: str | None) -> None:
    """Check the PKCE parameters of an authorization request.

    Args:
        code_challenge: as sent.
        method: `code_challenge_method` as sent; None when absent, which would mean `plain`.

    Raises:
        OAuthError: `invalid_request`: the method is not `S256`, or the challenge is not
            the base64url form of 32 octets.

    RFC 7636 §4.3; stricter: no `plain`. RFC 9700 §2.1.1.
    """
    if method != "S256":
        raise OAuthError(
            "invalid_request",
            "code_challenge_method must be S256",
            reason="code_challenge_method missing" if method is None else "not S256",
        )
    if not _CHALLENGE.fullmatch(code_challenge):
        raise OAuthError(
            "invalid_request", "code_challenge must be 43 base64url characters, as S256 gives them"
        )


def check_verifier_syntax(verifier: str) -> None:
    """Check that `verifier` is a code verifier at all.

    Args:
        verifier: as sent to the token endpoint.

    Raises:
        OAuthError: `invalid_grant`: not 43 to 128 unreserved characters.

    RFC 7636 §4.1, §4.6.
    """
    if not _VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_grant", "the code is not valid", reason="code_verifier malformed")
