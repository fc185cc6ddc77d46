"""A request to the token endpoint and the tokens it gives, for every grant.

Layer: client, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from codegrant.client.configuration import ClientConfig
from codegrant.client.proofs import post
from codegrant.client.tokens import Tokens
from codegrant.errors import Refused, ResponseRejected
from codegrant.flow import Flow
from codegrant.jose import PrivateKey
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import TokenResponse
from codegrant.rules.id_token import IdToken
from codegrant.rules.token_response import judge_token_response
from codegrant.secret import Secret

__all__ = ["as_tuple", "make_tokens", "request_tokens"]

_SECONDS = re.compile("[0-9]{1,6}")


def request_tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    form: list[tuple[str, str]],
    *,
    scope: Sequence[str],
    now: int,
    stage: str = "token",
    endpoint: str = "",
    secrets: Collection[Secret] = (),
    hints: Mapping[str, str] = MappingProxyType({}),
    token_types: Collection[str] = ("bearer",),
    redirect_uri: str = "",
    dpop_key: PrivateKey | None = None,
) -> Flow[TokenResponse]:
    """Post `form` to the token endpoint as the client, and return its answer, judged.

    Args:
        config: of the client.
        metadata: of the server.
        form: the token request.
        scope: what was asked for.
        now: epoch seconds.
        stage: for the errors.
        endpoint: the token endpoint that the login was started with, if there was one.
        secrets: what the request holds besides the client's own.
        hints: what an OAuth error means at this grant.
        token_types: which are accepted, in lower case; with a key, `dpop` for `bearer`.
        redirect_uri: of the request, for the hint.
        dpop_key: that the tokens are to be bound to, or are bound to already.

    Raises:
        Refused: the token endpoint answered with an OAuth error.
        ResponseRejected: its answer must not be used.
        TransportError: the answer did not come.

    RFC 6749 §5.
    """
    client = config.authentication_at(metadata)
    url = endpoint or metadata.token_endpoint
    if dpop_key is not None:
        # A bearer token would not be bound, whatever was asked for.
        token_types = ["dpop" if name == "bearer" else name for name in token_types]
    response = yield from post(
        config.nonces, dpop_key, url, form, client=client, stage=stage, now=now
    )
    try:
        return judge_token_response(
            response,
            stage=stage,
            requested_scope=scope,
            endpoint=url,
            method=client.method,
            supported=client.supported,
            secrets=client.secrets(*secrets),
            token_types=token_types,
            redirect_uri=redirect_uri,
            provider=config.provider,
        )
    except (Refused, ResponseRejected) as error:
        if isinstance(error, Refused) and error.code == error.error:  # else its cause is known
            error.hint = hints.get(error.error, error.hint)
        wait = response.headers.get("retry-after")
        if _SECONDS.fullmatch(wait):
            error.facts["retry_after"] = int(wait)  # RFC 9110 §10.2.3; dates need equal clocks
        raise


def make_tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    body: TokenResponse,
    *,
    scope: Sequence[str],
    now: int,
    resource: tuple[str, ...] = (),
    identity: IdToken | None = None,
    token_endpoint: str = "",
    dpop_key: PrivateKey | None = None,
) -> Tokens:
    """Return the tokens of an answer.

    Args:
        config: of the client.
        metadata: of the server.
        body: the answer.
        scope: what was asked for.
        now: epoch seconds.
        resource: the APIs that they were asked for.
        identity: who logged in, as the answer's ID token says it, verified.
        token_endpoint: where they came from, if not where the metadata says.
        dpop_key: that they are bound to.
    """
    granted = frozenset((body.scope or "").split())
    return Tokens(
        access_token=body.access_token,
        token_type="Bearer" if dpop_key is None else "DPoP",
        expires_at=None if body.expires_in is None else now + body.expires_in,
        scope=granted,
        missing_scope=frozenset(scope) - granted,
        refresh_token=body.refresh_token,
        id_token=body.id_token if identity is not None else None,
        identity=identity,
        issuer=metadata.issuer,
        token_endpoint=token_endpoint or metadata.token_endpoint,
        client_id=config.client_id,
        resource=resource,
        dpop_key=dpop_key,
        received_at=now,
        extra=body.extra,
    )


def as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return one text, or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)
