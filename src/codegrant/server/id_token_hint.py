"""`id_token_hint`: an ID token of ours, old or new, that says who is meant. Layer: server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import OAuthError, TokenRejected
from codegrant.flow import Flow

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["verify_id_token_hint"]


def verify_id_token_hint(
    server: AuthorizationServer, raw_hint: str, client_id: str, now: int
) -> Flow[str]:
    """Return the subject of a hint that we signed for this client; it may have expired.

    Raises:
        OAuthError: `invalid_request`: not an ID token of this issuer for this client.

    OIDC Core §3.1.2.2.
    """
    try:
        jwt = yield from server.keys.verify(raw_hint, now)
    except TokenRejected as error:
        raise _refused(error.code) from None
    claims = jwt.claims
    subject, audience = claims.get("sub"), claims.get("aud")
    if (jwt.typ or "JWT").upper() != "JWT":
        raise _refused("another kind of token")
    if claims.get("iss") != server.policy.issuer:
        raise _refused("another issuer")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise _refused("another audience")
    if not isinstance(subject, str) or not subject:
        raise _refused("no subject")
    return subject


def _refused(reason: str) -> OAuthError:
    """Return the one answer for every hint that does not hold."""
    return OAuthError(
        "invalid_request",
        "id_token_hint is not an ID token of this server for this client",
        reason=f"id_token_hint: {reason}",
    )
