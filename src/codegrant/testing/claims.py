"""What is said of a person in a test, and what an access token says. Layer: testing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import cast

from codegrant.errors import UsageError
from codegrant.jose import base64url
from codegrant.messages.json import JsonValue
from codegrant.rules.scope import format_scope
from codegrant.server.claims import CLAIMS

__all__ = ["access_token_claims", "names_of", "person_claims"]


_OWN = frozenset({"email", "email_verified", "name", "preferred_username", "updated_at"})


def names_of(username: str) -> tuple[str, str]:
    """Return the name and the address that somebody has unless the test says otherwise.

    Args:
        username: as given; an address is the person's own.
    """
    local, is_address, _ = username.partition("@")
    address = username if is_address else f"{username.replace(' ', '.')}@example.org"
    return local.capitalize(), address.lower()


def person_claims(claims: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return the further claims of a person.

    Raises:
        UsageError: one is none that the server tells of anybody, or that is said otherwise.
    """
    own = sorted(claims.keys() & _OWN)
    if own:
        raise UsageError(f"claims: {', '.join(own)}: name, email and username say that")
    unknown = sorted(claims.keys() - CLAIMS)
    if unknown:
        told = {name: claims[name] for name in unknown}
        raise UsageError(
            f"claims: the server in tests knows no {', '.join(unknown)}; it has the standard ones",
            hint=f"for those of another provider: with faults.changed_id_token({told}): ...",
        )
    return cast("dict[str, JsonValue]", dict(claims))


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
