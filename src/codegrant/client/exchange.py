"""From a checked callback to tokens: the token request and the ID token. Layer: client, no I/O."""

from __future__ import annotations

from functools import lru_cache

from codegrant.client.configuration import ClientConfig
from codegrant.client.pending import PendingLogin
from codegrant.client.proofs import proof_alg
from codegrant.client.token_requests import make_tokens, request_tokens
from codegrant.client.tokens import Tokens
from codegrant.errors import CodegrantError, MetadataRejected, ResponseRejected
from codegrant.flow import Flow
from codegrant.jose import ALGORITHMS, find_algorithm, parse_jwt
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import CodeTokenRequest, TokenResponse
from codegrant.providers import Quirk
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.callback import CheckedCallback
from codegrant.rules.id_token import IdToken, accept_id_token, read_id_token
from codegrant.rules.known_issuer import expected_issuer
from codegrant.rules.metadata import VerifiedServer

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
    verifier = login.code_verifier if config.sends_pkce(metadata) else None
    request = CodeTokenRequest(
        code=answer.code,
        redirect_uri=login.provider.redirect_uri,
        code_verifier=verifier,
        # Repeated, since without it a server may make the token for its userinfo endpoint
        # instead. One access token is for one resource: of several, the server chooses.
        # RFC 8707 §2.2
        resource=login.resource if len(login.resource) == 1 else (),
    )
    key = login.dpop_key(proof_alg(metadata)) if config.dpop else None
    body = yield from request_tokens(
        config,
        metadata,
        request.build(),
        scope=login.scope,
        now=now,
        endpoint=login.provider.token_endpoint,
        secrets=(answer.code,) if verifier is None else (answer.code, verifier),
        redirect_uri=login.provider.redirect_uri,
        dpop_key=key,
    )
    identity: IdToken | None = None
    if config.is_openid(login.scope):
        identity = yield from _identify(
            config, metadata, keys, body=body, answer=answer, login=login, now=now
        )
    return make_tokens(
        config,
        metadata,
        body,
        scope=login.scope,
        now=now,
        resource=login.resource,
        identity=identity,
        token_endpoint=login.provider.token_endpoint,
        dpop_key=key,
    )


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
        jwt = parse_jwt(body.id_token.reveal())
        claimed = read_id_token(
            jwt,
            issuer=expected_issuer(config.provider, login.provider.issuer, jwt.claimed),
            issuer_alias=config.issuer_alias,
            client_id=config.client_id,
            nonce=None if config.has(Quirk.NO_NONCE) else login.nonce,
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
        error.facts.setdefault("endpoint", login.provider.token_endpoint)
        raise


def allowed_algs(config: ClientConfig, metadata: ServerMetadata) -> tuple[str, ...]:
    """Return the algorithms that may sign: of the configuration or metadata, never of a token."""
    return config.id_token_algs or _known_algs(metadata.id_token_signing_alg_values_supported)


@lru_cache(maxsize=64)  # a client has one server, whose list does not change
def _known_algs(listed: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of a server's list that are ours; all of ours where it has none."""
    if not listed:
        return tuple(ALGORITHMS)
    # A server may list EdDSA as Ed25519 alone. RFC 9864 §2.2
    found = [find_algorithm(name) for name in listed]
    return tuple(dict.fromkeys([algorithm.name for algorithm in found if algorithm is not None]))
