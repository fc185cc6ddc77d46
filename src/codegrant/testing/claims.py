"""What an access token of a test says. Layer: testing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from codegrant.jose import base64url
from codegrant.messages.json import JsonValue
from codegrant.rules.scope import format_scope

__all__ = ["access_token_claims"]


def access_token_claims(
    *,
    issuer: str,
    subject: str | None,
    client_id: str,
    audience: str | Sequence[str],
    scope: str | Sequence[str],
    now: int,
    expires_in: int,
) -> dict[str, JsonValue]:
    """Return the claims of an access token.

    Args:
        subject: None for a token of the client's own.
        now: epoch seconds.
        expires_in: seconds; below 0 it has expired, and was issued before that.

    RFC 9068 §2.2.
    """
    claims: dict[str, JsonValue] = {
        "iss": issuer,
        "sub": client_id if subject is None else subject,
        "aud": audience if isinstance(audience, str) else list(audience),
        "client_id": client_id,
        "exp": now + expires_in,
        "iat": min(now, now + expires_in),
        "jti": base64url.encode(secrets.token_bytes(16)),
    }
    tokens = scope if isinstance(scope, str) else format_scope(tuple(scope))
    if tokens:
        claims["scope"] = tokens
    return claims
