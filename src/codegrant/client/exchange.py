"""From a checked callback to tokens: the token request and the ID token. Layer: client, no I/O."""

from __future__ import annotations

import re

from codegrant.client.configuration import ClientConfig
from codegrant.client.pending import PendingLogin
from codegrant.client.tokens import Tokens
from codegrant.errors import (
    CodegrantError,
    MessageError,
    MetadataRejected,
    Refused,
    ResponseRejected,
    TokenRejected,
)
from codegrant.flow import Flow
from codegrant.http import Response
from codegrant.jose import ALGORITHMS, UnverifiedJwt, VerifiedJwt, parse_jwt, verify_signature
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.token import CodeTokenRequest, TokenResponse
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.remote.posts import authenticated_post, choose_method, reject_answer
from codegrant.rules.callback import CheckedCallback
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.id_token import IdToken, check_claimed_id_token, verify_id_token
from codegrant.rules.metadata import VerifiedServer
from codegrant.secret import Secret

__all__ = ["exchange_code"]

# access-token = 1*VSCHAR (RFC 6749 appendix A.12), without the space: RFC 6750 §2.1 has none.
_PRINTABLE = re.compile(r"[!-~]+")


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
    request = CodeTokenRequest(
        code=answer.code,
        redirect_uri=login.provider.redirect_uri,
        code_verifier=login.code_verifier,
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
    if response.status != 200:
        raise reject_answer(response, url=url, stage="token", method=method, supported=supported)
    body = _parse_token_response(response, url, method)
    identity = yield from _identify(config, metadata, keys, body=body, login=login, now=now)
    return _tokens(config, metadata, body=body, login=login, identity=identity, now=now)


def _parse_token_response(response: Response, url: str, method: str) -> TokenResponse:
    """Return the token response, or raise what a 200 that is none means."""
    try:
        body = TokenResponse.parse(response.body)
    except MessageError as error:
        rejected = reject_answer(response, url=url, stage="token", method=method)
        if isinstance(rejected, Refused) or not response.body.lstrip().startswith(b"{"):
            raise rejected from None
        raise _malformed(error.message, url) from None
    if body.extra.get("error"):  # some servers answer 200 to an error
        raise reject_answer(response, url=url, stage="token", method=method)
    if not _PRINTABLE.fullmatch(body.access_token.reveal()):
        raise _malformed("access_token has characters that no header carries", url)
    if body.token_type.lower() != "bearer":
        raise ResponseRejected(
            f"token_type: {clean_error_text(body.token_type[:40])!r} is not one that this client "
            "can use",
            code="token_type_unknown",
            stage="token",
            hint="bearer tokens are expected; is the client registered for another kind?",
            facts={"endpoint": url},
        )
    return body


def _malformed(message: str, url: str) -> ResponseRejected:
    return ResponseRejected(
        f"the token response is malformed: {message}",
        code="malformed_token_response",
        stage="token",
        hint="is this the address of the token endpoint?",
        facts={"endpoint": url},
    )


def _identify(
    config: ClientConfig,
    metadata: ServerMetadata,
    keys: RemoteKeySet | None,
    *,
    body: TokenResponse,
    login: PendingLogin,
    now: int,
) -> Flow[IdToken | None]:
    """Return the verified ID token of an OpenID login, `None` of any other."""
    if "openid" not in login.scope:
        return None
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
        return (
            yield from _verify(
                config,
                metadata,
                keys,
                raw_token=body.id_token,
                access_token=body.access_token,
                login=login,
                now=now,
            )
        )
    except CodegrantError as error:
        error.stage = error.stage or "id_token"
        raise


def _verify(
    config: ClientConfig,
    metadata: ServerMetadata,
    keys: RemoteKeySet,
    *,
    raw_token: Secret,
    access_token: Secret,
    login: PendingLogin,
    now: int,
) -> Flow[IdToken]:
    allowed = _allowed_algs(config, metadata)
    issuer = login.provider.issuer
    jwt = parse_jwt(raw_token.reveal())
    check_claimed_id_token(
        jwt,
        issuer=issuer,
        client_id=config.client_id,
        nonce=login.nonce,
        now=now,
        leeway=config.leeway,
        allowed_algs=allowed,
    )
    verified = yield from _verify_signature(jwt, keys, now)
    return verify_id_token(
        verified,
        issuer=issuer,
        client_id=config.client_id,
        nonce=login.nonce,
        now=now,
        leeway=config.leeway,
        access_token=access_token.reveal(),
        max_age=login.max_age,
        acr_values=login.acr_values if login.acr_essential else None,
        allowed_algs=allowed,
    )


def _verify_signature(jwt: UnverifiedJwt, keys: RemoteKeySet, now: int) -> Flow[VerifiedJwt]:
    """Verify with the issuer's keys; without a `kid` only a failure tells that they changed."""
    key_set = yield from keys.find(jwt.kid, now)
    try:
        return verify_signature(jwt, key_set.find(jwt.kid, jwt.alg))
    except TokenRejected:
        if jwt.kid is not None:
            raise
    key_set = yield from keys.refresh(now)
    return verify_signature(jwt, key_set.find(jwt.kid, jwt.alg))


def _allowed_algs(config: ClientConfig, metadata: ServerMetadata) -> tuple[str, ...]:
    """Return the algorithms that may sign: of the configuration or metadata, never of a token."""
    if config.id_token_algs:
        return config.id_token_algs
    listed = metadata.id_token_signing_alg_values_supported
    return tuple(alg for alg in ALGORITHMS if not listed or alg in listed)


def _tokens(
    config: ClientConfig,
    metadata: ServerMetadata,
    *,
    body: TokenResponse,
    login: PendingLogin,
    identity: IdToken | None,
    now: int,
) -> Tokens:
    requested = frozenset(login.scope)
    # No scope in the answer means: what was asked for. RFC 6749 §5.1.
    granted = requested if body.scope is None else frozenset(body.scope.split())
    return Tokens(
        access_token=body.access_token,
        token_type="Bearer",
        expires_at=None if body.expires_in is None else now + body.expires_in,
        scope=granted,
        missing_scope=requested - granted,
        refresh_token=body.refresh_token,
        id_token=body.id_token if identity is not None else None,
        identity=identity,
        issuer=metadata.issuer or "",
        client_id=config.client_id,
        received_at=now,
        extra=body.extra,
    )
