"""The end of a login, on both sides: the way to the provider's logout, and word of one there.

OpenID Connect RP-Initiated Logout §2; Back-Channel Logout §2. Layer: client, no I/O.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from codegrant.client.configuration import ClientConfig
from codegrant.client.exchange import allowed_algs
from codegrant.errors import CodegrantError, MetadataRejected
from codegrant.flow import Flow
from codegrant.jose import parse_jwt
from codegrant.messages.metadata import ServerMetadata
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.known_issuer import expected_issuer
from codegrant.rules.logout_token import LogoutToken, accept_logout_token, read_logout_token
from codegrant.rules.metadata import VerifiedServer
from codegrant.secret import Secret, digest_of

__all__ = ["end_session_url", "person_digest", "provider_session_digest", "verify_logout_token"]

# With more the address would be too long for many servers; they ask the person then.
_LONGEST_HINT = 4096


def end_session_url(
    config: ClientConfig,
    metadata: ServerMetadata,
    *,
    id_token: Secret | None,
    post_logout_redirect_uri: str,
    state: str,
) -> str | None:
    """Return the address at which the browser ends its session at the provider.

    It has the ID token in it: it is for the browser alone, and for no log.

    Args:
        config: of the client.
        metadata: of its server.
        id_token: of the login that ends; one of more than 4096 characters is left out.
        post_logout_redirect_uri: where the browser comes back to, as registered there.
        state: comes back with it.

    Returns:
        None at a server that has no such address.

    RP-Initiated Logout §2. `client_id` lets the server check the address without a hint.
    """
    endpoint = metadata.end_session_endpoint
    if not endpoint:
        return None
    query = {
        "client_id": config.client_id,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }
    hint = "" if id_token is None else id_token.reveal()
    if 0 < len(hint) <= _LONGEST_HINT:
        query["id_token_hint"] = hint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def verify_logout_token(
    config: ClientConfig,
    server: VerifiedServer,
    keys: RemoteKeySet | None,
    raw_token: str,
    now: int,
) -> Flow[LogoutToken]:
    """Return whom a logout token of the provider has signed out.

    Raises:
        TokenRejected: the token does not hold, see `read_logout_token`.
        MetadataRejected: there are no keys to verify it with.
        TransportError: they did not come.

    Back-Channel Logout §2.6.
    """
    if keys is None:
        raise MetadataRejected("the server has no jwks_uri", code="no_keys", stage="logout_token")
    metadata = server.metadata
    try:
        jwt = parse_jwt(raw_token)
        claimed = read_logout_token(
            jwt,
            issuer=expected_issuer(config.provider, config.issuer, jwt.claimed),
            issuer_alias=config.issuer_alias,
            client_id=config.client_id,
            now=now,
            leeway=config.leeway,
            allowed_algs=allowed_algs(config, metadata),
        )
        verified, _ = yield from keys.verify(claimed.jwt, now)
    except CodegrantError as error:
        error.stage = "logout_token"
        raise
    return accept_logout_token(claimed, verified)


def person_digest(config: ClientConfig, issuer: str, subject: str) -> bytes:
    """Return 32 bytes that stand for a person at an issuer, as one client sees them."""
    return _digest("person", config, issuer, subject)


def provider_session_digest(config: ClientConfig, issuer: str, session: str) -> bytes:
    """Return 32 bytes that stand for a session at an issuer (`sid`), as one client sees it."""
    return _digest("session", config, issuer, session)


def _digest(kind: str, config: ClientConfig, issuer: str, name: str) -> bytes:
    return digest_of(json.dumps([f"codegrant {kind}", issuer, config.client_id, name]))
