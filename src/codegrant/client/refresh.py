"""From old tokens to new ones: the refresh request and its answer. Layer: client, no I/O."""

from __future__ import annotations

from dataclasses import replace

from codegrant.client.configuration import ClientConfig
from codegrant.client.exchange import allowed_algs
from codegrant.client.known_provider import keep_person
from codegrant.client.token_requests import make_tokens, request_tokens
from codegrant.client.tokens import Tokens
from codegrant.errors import CodegrantError, LoginRequired, MetadataRejected, Refused
from codegrant.flow import Flow
from codegrant.jose import parse_jwt
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import RefreshTokenRequest, TokenResponse
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.id_token import IdToken, accept_id_token, read_id_token
from codegrant.rules.known_issuer import expected_issuer
from codegrant.rules.metadata import VerifiedServer
from codegrant.rules.refreshed_id_token import continue_identity
from codegrant.secret import Secret

__all__ = ["login_required", "refresh_token_of", "refresh_tokens"]


def login_required(description: str, *, code: str, hint: str = "") -> LoginRequired:
    """Return the error for tokens that nothing brings back, although no server said so."""
    return LoginRequired(
        "login_required", description=description, code=code, stage="refresh", hint=hint
    )


def refresh_token_of(tokens: Tokens) -> Secret:
    """Return the refresh token of `tokens`.

    Raises:
        LoginRequired: `no_refresh_token`.
    """
    if tokens.refresh_token is None:
        raise login_required(
            "there is no refresh token",
            code="no_refresh_token",
            hint="ask for the scope offline_access, if the server knows it",
        )
    return tokens.refresh_token


def refresh_tokens(
    config: ClientConfig,
    server: VerifiedServer,
    keys: RemoteKeySet | None,
    tokens: Tokens,
    now: int,
) -> Flow[Tokens]:
    """Return new tokens for `tokens`, which are of this client at this server.

    Raises:
        LoginRequired: there is no refresh token, or the server does not take it any more.
        Refused: the token endpoint answered with another OAuth error.
        ResponseRejected: its answer must not be used.
        TokenRejected: its ID token does not continue this login.
        MetadataRejected: there are no keys to verify the ID token with.
        TransportError: an answer did not come.

    RFC 6749 §6; OpenID Connect Core §12.
    """
    refresh_token = refresh_token_of(tokens)
    if tokens.identity is not None:
        if keys is None:
            raise MetadataRejected("the server has no jwks_uri", code="no_keys", stage="id_token")
        # Before the refresh token is spent: its successor must not be lost for want of keys.
        yield from keys.find(None, now)
    body = yield from _post(config, server.metadata, refresh_token, tokens, now)
    identity = tokens.identity
    id_token = tokens.id_token
    if identity is not None and keys is not None and body.id_token is not None:
        identity = yield from _identify(
            config, server.metadata, keys, body=body, previous=identity, now=now
        )
        id_token = body.id_token
    new = make_tokens(
        config,
        server.metadata,
        body,
        scope=sorted(tokens.scope | tokens.missing_scope),
        now=now,
        resource=tokens.resource,
        token_endpoint=tokens.token_endpoint,
        dpop_key=tokens.dpop_key,
    )
    new = keep_person(config, tokens, new)
    return replace(
        new,
        refresh_token=body.refresh_token or refresh_token,
        id_token=id_token,
        identity=identity,
        issuer=tokens.issuer,
    )


def _post(
    config: ClientConfig,
    metadata: ServerMetadata,
    refresh_token: Secret,
    tokens: Tokens,
    now: int,
) -> Flow[TokenResponse]:
    """Send the refresh request and return its answer, judged."""
    request = RefreshTokenRequest(
        refresh_token=refresh_token,
        # As at the code: one access token is for one resource. RFC 8707 §2.2
        resource=tokens.resource if len(tokens.resource) == 1 else (),
    )
    try:
        return (
            yield from request_tokens(
                config,
                metadata,
                request.build(),
                scope=sorted(tokens.scope),
                now=now,
                stage="refresh",
                secrets=(refresh_token,),
                dpop_key=tokens.dpop_key,
            )
        )
    except Refused as error:
        if error.error != "invalid_grant" or error.status >= 500:
            raise
        raise LoginRequired(
            error.error,
            description=error.description,
            uri=error.uri,
            status=error.status,
            code=error.code,
            stage=error.stage,
            hint=error.hint,
            facts=error.facts,
        ) from None


def _identify(
    config: ClientConfig,
    metadata: ServerMetadata,
    keys: RemoteKeySet,
    *,
    body: TokenResponse,
    previous: IdToken,
    now: int,
) -> Flow[IdToken]:
    """Return who is logged in, as the ID token of the refresh says it."""
    assert body.id_token is not None  # noqa: S101 - the caller has looked
    try:
        jwt = parse_jwt(body.id_token.reveal())
        claimed = read_id_token(
            jwt,
            issuer=expected_issuer(config.provider, config.issuer, jwt.claimed),
            issuer_alias=config.issuer_alias,
            client_id=config.client_id,
            nonce=None,
            now=now,
            leeway=config.leeway,
            access_token=body.access_token.reveal(),
            allowed_algs=allowed_algs(config, metadata),
        )
        verified, _ = yield from keys.verify(claimed.jwt, now)
        refreshed = accept_id_token(claimed, verified)
        return continue_identity(refreshed, previous, leeway=config.leeway)
    except CodegrantError as error:
        error.stage = error.stage or "id_token"
        error.facts.setdefault("endpoint", metadata.token_endpoint)
        raise
