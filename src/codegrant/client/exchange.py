"""From a checked callback to tokens: the token request and the ID token. Layer: client, no I/O."""

from __future__ import annotations

from codegrant.client.configuration import ClientConfig
from codegrant.client.pending import PendingLogin
from codegrant.client.tokens import Tokens
from codegrant.errors import CodegrantError, MetadataRejected, ResponseRejected
from codegrant.flow import Flow
from codegrant.jose import ALGORITHMS, find_algorithm, parse_jwt
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import CodeTokenRequest, TokenResponse
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.remote.posts import authenticated_post, choose_method
from codegrant.rules.callback import CheckedCallback
from codegrant.rules.id_token import IdToken, accept_id_token, read_id_token
from codegrant.rules.metadata import VerifiedServer
from codegrant.rules.token_response import judge_token_response

__all__ = ["allowed_algs", "exchange_code"]


def exchange_code(
    config: ClientConfig,
    server: VerifiedServer,
    keys: RemoteKeySet | None,
    *,
    answer: CheckedCallback,
    login: PendingLogin,
    now: int,
) -> Flow[Tokens]:
    """Exchange the code of a checked callback and return the verified tokens.

    Args:
        config: of the client.
        server: the server that the login was started with.
        keys: its keys; `None` at a server without OpenID.
        answer: the callback; only `check_callback` makes one.
        login: the pending login that it belongs to.
        now: epoch seconds.

    Raises:
        Refused: the token endpoint answered with an OAuth error.
        ResponseRejected: its answer must not be used.
        TokenRejected: the ID token does not hold.
        MetadataRejected: there are no keys to verify the ID token with.
        TransportError: an answer did not come.

    OAuth 2.1 §4.1.3; OpenID Connect Core §3.1.3.
    """
    metadata = server.metadata
    url = login.provider.token_endpoint
    supported = metadata.token_endpoint_auth_methods_supported
    method = choose_method(config.token_endpoint_auth_method, config.client_secret, supported)
    verifier = login.code_verifier
    request = CodeTokenRequest(
        code=answer.code,
        redirect_uri=login.provider.redirect_uri,
        code_verifier=verifier,
        # Repeated, since without it a server may make the token for its userinfo endpoint
        # instead. One access token is for one resource: of several, the server chooses.
        # RFC 8707 §2.2
        resource=login.resource if len(login.resource) == 1 else (),
    )
    response = yield from authenticated_post(
        url,
        request.build(),
        method=method,
        client_id=config.client_id,
        secret=config.client_secret,
        stage="token",
        guarded=config.guarded,
    )
    body = judge_token_response(
        response,
        requested_scope=login.scope,
        endpoint=url,
        method=method,
        supported=supported,
        secrets=[
            secret for secret in (answer.code, verifier, config.client_secret) if secret is not None
        ],
    )
    identity: IdToken | None = None
    if "openid" in login.scope:
        identity = yield from _identify(
            config, metadata, keys, body=body, answer=answer, login=login, now=now
        )
    return _tokens(config, metadata, body=body, login=login, identity=identity, now=now)


def _identify(
    config: ClientConfig,
    metadata: ServerMetadata,
    keys: RemoteKeySet | None,
    *,
    body: TokenResponse,
    answer: CheckedCallback,
    login: PendingLogin,
    now: int,
) -> Flow[IdToken]:
    """Return the verified ID token of an OpenID login."""
    if body.id_token is None:
        raise ResponseRejected(
            "openid was asked for, but the token response has no id_token",
            code="id_token_missing",
            stage="token",
            hint="is the client allowed the scope openid at the server?",
            facts={"endpoint": login.provider.token_endpoint},
        )
    if keys is None:
        raise MetadataRejected("the server has no jwks_uri", code="no_keys", stage="id_token")
    try:
        claimed = read_id_token(
            parse_jwt(body.id_token.reveal()),
            issuer=login.provider.issuer,
            client_id=config.client_id,
            nonce=login.nonce,
            now=now,
            leeway=config.leeway,
            access_token=body.access_token.reveal(),
            code=answer.code.reveal(),
            state=login.state,
            max_age=login.max_age,
            acr_values=login.acr_values if login.acr_essential else None,
            allowed_algs=allowed_algs(config, metadata),
        )
        verified, _ = yield from keys.verify(claimed.jwt, now)
        return accept_id_token(claimed, verified)
    except CodegrantError as error:
        error.stage = error.stage or "id_token"
        raise


def allowed_algs(config: ClientConfig, metadata: ServerMetadata) -> tuple[str, ...]:
    """Return the algorithms that may sign: of the configuration or metadata, never of a token."""
    if config.id_token_algs:
        return config.id_token_algs
    listed = metadata.id_token_signing_alg_values_supported
    if not listed:
        return tuple(ALGORITHMS)
    # A server may list EdDSA as Ed25519 alone. RFC 9864 §2.2
    found = [find_algorithm(name) for name in listed]
    return tuple(dict.fromkeys([algorithm.name for algorithm in found if algorithm is not None]))


def _tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    *,
    body: TokenResponse,
    login: PendingLogin,
    identity: IdToken | None,
    now: int,
) -> Tokens:
    granted = frozenset((body.scope or "").split())
    return Tokens(
        access_token=body.access_token,
        token_type="Bearer",
        expires_at=None if body.expires_in is None else now + body.expires_in,
        scope=granted,
        missing_scope=frozenset(login.scope) - granted,
        refresh_token=body.refresh_token,
        id_token=body.id_token if identity is not None else None,
        identity=identity,
        issuer=metadata.issuer or "",
        token_endpoint=login.provider.token_endpoint,
        client_id=config.client_id,
        resource=login.resource,
        received_at=now,
        extra=body.extra,
    )
