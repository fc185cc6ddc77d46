"""Tokens of the client's own, without a person. Layer: client, no I/O. RFC 6749 §4.4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegrant.client.configuration import ClientConfig, parse_scope_argument
from codegrant.client.proofs import make_key
from codegrant.client.token_requests import as_tuple, make_tokens, request_tokens
from codegrant.client.tokens import Tokens
from codegrant.errors import UsageError
from codegrant.flow import Flow
from codegrant.jose import PrivateKey
from codegrant.messages.grants import ClientCredentialsRequest
from codegrant.rules.metadata import VerifiedServer

__all__ = ["ask_again", "ask_for_client", "make_request"]

GRANT_TYPE = "client_credentials"

_HINTS = {
    "unauthorized_client": "is the client_credentials grant allowed for this client at the server?",
    "unsupported_grant_type": "the server has no client_credentials grant",
    "invalid_scope": "which of the scopes is this client allowed at the server?",
    "invalid_target": "does the server know this resource or audience?",
}


def make_request(
    scope: str | Sequence[str], resource: str | Sequence[str], audience: str | Sequence[str]
) -> ClientCredentialsRequest:
    """Return the request of a method's arguments.

    Raises:
        UsageError: a scope token is malformed.
    """
    return ClientCredentialsRequest(
        " ".join(parse_scope_argument(scope)), as_tuple(resource), as_tuple(audience)
    )


def ask_for_client(
    config: ClientConfig,
    server: VerifiedServer,
    request: ClientCredentialsRequest,
    now: int,
    dpop_key: PrivateKey | None = None,
) -> Flow[Tokens]:
    """Return tokens of the client itself; see `Client.client_credentials`.

    Args:
        config: of the client.
        server: that is asked.
        request: what for.
        now: epoch seconds.
        dpop_key: to bind them to, instead of a new one.

    RFC 6749 §4.4.2, §4.4.3. A refresh token, which should not come, is not kept: the next
    request needs none.
    """
    metadata = server.metadata
    if config.authentication_at(metadata).method == "none":
        raise UsageError(
            "client_credentials: this client has none, it is a public one",
            code="public_client",
            stage="token",
            hint="give the client_secret or private_key that the server knows for this client",
        )
    scope = request.scope.split()
    key = dpop_key or (make_key(metadata) if config.dpop else None)
    body = yield from request_tokens(
        config, metadata, request.build(), scope=scope, now=now, hints=_HINTS, dpop_key=key
    )
    tokens = make_tokens(
        config, metadata, body, scope=scope, now=now, resource=request.resource, dpop_key=key
    )
    return replace(tokens, refresh_token=None, grant_type=GRANT_TYPE, audience=request.audience)


def ask_again(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, now: int
) -> Flow[Tokens]:
    """Return new tokens in the place of `tokens`, which `ask_for_client` gave."""
    scope = " ".join(sorted(tokens.scope | tokens.missing_scope))
    request = ClientCredentialsRequest(scope, tokens.resource, tokens.audience)
    return (yield from ask_for_client(config, server, request, now, tokens.dpop_key))
