"""A request to the token endpoint and the tokens it gives, for every grant beside the code.

Layer: client, no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from codegrant.client.configuration import ClientConfig
from codegrant.client.tokens import Tokens
from codegrant.errors import Refused
from codegrant.flow import Flow
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import TokenResponse
from codegrant.remote.posts import authenticated_post, choose_method
from codegrant.rules.token_response import judge_token_response
from codegrant.secret import Secret

__all__ = ["as_tuple", "make_tokens", "request_tokens"]


def request_tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    form: list[tuple[str, str]],
    *,
    scope: Sequence[str],
    secrets: Collection[Secret] = (),
    hints: Mapping[str, str],
    token_types: Collection[str] = ("bearer",),
) -> Flow[TokenResponse]:
    """Post `form` to the token endpoint as the client, and return its answer, judged.

    Args:
        config: of the client.
        metadata: of the server.
        form: the token request.
        scope: what was asked for.
        secrets: what the request holds besides the client's own.
        hints: what an OAuth error means at this grant.
        token_types: which are accepted, in lower case.

    Raises:
        Refused: the token endpoint answered with an OAuth error.
        ResponseRejected: its answer must not be used.
        TransportError: the answer did not come.

    RFC 6749 §5.
    """
    supported = metadata.token_endpoint_auth_methods_supported
    method = choose_method(config.token_endpoint_auth_method, config.client_secret, supported)
    url = metadata.token_endpoint
    response = yield from authenticated_post(
        url,
        form,
        method=method,
        client_id=config.client_id,
        secret=config.client_secret,
        stage="token",
        guarded=config.guarded,
    )
    own = () if config.client_secret is None else (config.client_secret,)
    try:
        return judge_token_response(
            response,
            requested_scope=scope,
            endpoint=url,
            method=method,
            supported=supported,
            secrets=[*secrets, *own],
            token_types=token_types,
        )
    except Refused as error:
        error.hint = hints.get(error.error, error.hint)
        raise


def make_tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    body: TokenResponse,
    *,
    scope: Sequence[str],
    now: int,
    resource: tuple[str, ...] = (),
) -> Tokens:
    """Return the tokens of an answer; who logged in, if anybody, is not among them yet."""
    granted = frozenset((body.scope or "").split())
    return Tokens(
        access_token=body.access_token,
        token_type="Bearer",
        expires_at=None if body.expires_in is None else now + body.expires_in,
        scope=granted,
        missing_scope=frozenset(scope) - granted,
        refresh_token=body.refresh_token,
        issuer=metadata.issuer,
        token_endpoint=metadata.token_endpoint,
        client_id=config.client_id,
        resource=resource,
        received_at=now,
        extra=body.extra,
    )


def as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return one text, or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)
