"""A login on a device without a browser: the person uses another one. Layer: client, no I/O.

RFC 8628.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegrant.client.configuration import ClientConfig
from codegrant.client.exchange import allowed_algs
from codegrant.client.proofs import make_key
from codegrant.client.token_requests import make_tokens, request_tokens
from codegrant.client.tokens import Tokens
from codegrant.errors import (
    CodegrantError,
    MetadataRejected,
    Refused,
    ResponseRejected,
    TransportError,
    UsageError,
)
from codegrant.flow import Flow, ask
from codegrant.jose import parse_jwt
from codegrant.messages.device import DeviceAuthorizationRequest
from codegrant.messages.grants import DeviceTokenRequest
from codegrant.messages.token import TokenResponse
from codegrant.remote.effects import Pause
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.remote.posts import authenticated_post
from codegrant.rules.device import judge_device_authorization
from codegrant.rules.id_token import IdToken, accept_id_token, read_id_token
from codegrant.rules.metadata import VerifiedServer
from codegrant.secret import Secret

__all__ = ["DeviceLogin", "finish_device_login", "start_device_login"]

_SLOW_DOWN_SECONDS = 5
# What may be over by the next request. RFC 8628 §3.5
_PASSING = frozenset({"timeout", "connect_failed", "broken_answer", "server_failed"})

_HINTS = {
    "access_denied": "the person said no, or may not use this application",
    "expired_token": "the code was not entered in time: start again and show the new one",
    "invalid_grant": "the device code was used before, or is another client's: start again",
    "unauthorized_client": "is the device grant allowed for this client at the server?",
    "unsupported_grant_type": "the server has no device grant",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogin:
    """A login that the person finishes on another device.

    Show `user_code` and `verification_uri`, and `verification_uri_complete` as a QR code if
    there is one; the person compares the code in either case. RFC 8628 §3.3.

    Attributes:
        user_code: what the person enters there.
        verification_uri: where; https, or http on loopback.
        verification_uri_complete: the same with the code in it, or empty.
        expires_at: epoch seconds until which the person has time.
        interval: seconds between two questions to the server.
        device_code: what the tokens are asked for with; nobody else may see it.
        scope: what was asked for.
        resource: the APIs that the access token is for. RFC 8707.
        issuer: of the server; empty for one described without an issuer.
        token_endpoint: where the tokens come from.
        client_id: of the client that started it.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_at: int
    interval: int
    device_code: Secret
    scope: tuple[str, ...]
    resource: tuple[str, ...] = ()
    issuer: str
    token_endpoint: str
    client_id: str


def start_device_login(
    config: ClientConfig,
    server: VerifiedServer,
    scope: tuple[str, ...],
    resource: tuple[str, ...],
    now: int,
) -> Flow[DeviceLogin]:
    """Return a new login; see `Client.start_device_login`. RFC 8628 §3.1, §3.2."""
    metadata = server.metadata
    url = metadata.device_authorization_endpoint
    if not url:
        raise UsageError(
            "device_authorization_endpoint: the server has none",
            code="no_device_authorization",
            stage="device_authorization",
            hint="a server that has one without saying so needs ServerMetadata by hand",
        )
    client = config.authentication_at(metadata)
    request = DeviceAuthorizationRequest(" ".join(scope), resource)
    response = yield from authenticated_post(
        url, request.build(), client=client, stage="device_authorization", now=now
    )
    try:
        answer = judge_device_authorization(
            response,
            endpoint=url,
            method=client.method,
            supported=client.supported,
            secrets=client.secrets(),
        )
    except Refused as error:
        if error.code == error.error:  # else its cause is known
            error.hint = _HINTS.get(error.error, error.hint)
        raise
    return DeviceLogin(
        user_code=answer.user_code,
        verification_uri=answer.verification_uri,
        verification_uri_complete=answer.verification_uri_complete,
        expires_at=now + answer.expires_in,
        interval=answer.interval,
        device_code=answer.device_code,
        scope=scope,
        resource=resource,
        issuer=metadata.issuer,
        token_endpoint=metadata.token_endpoint,
        client_id=config.client_id,
    )


def finish_device_login(
    config: ClientConfig,
    server: VerifiedServer,
    keys: RemoteKeySet | None,
    login: DeviceLogin,
    clock: Callable[[], float],
) -> Flow[Tokens]:
    """Ask for the tokens until the person has decided; see `Client.finish_device_login`.

    Between two questions is the server's interval, longer by 5 s after each `slow_down` and
    twice as long after a failure of the network or of the server. RFC 8628 §3.5.
    """
    metadata = server.metadata
    mine = (metadata.issuer, metadata.token_endpoint, config.client_id)
    if (login.issuer, login.token_endpoint, login.client_id) != mine:
        raise UsageError(
            "login: it was started at another server or by another client",
            code="foreign_login",
            stage="token",
        )
    if "openid" in login.scope:
        if keys is None:
            raise MetadataRejected("the server has no jwks_uri", code="no_keys", stage="id_token")
        # Before the device code is spent: the tokens must not be lost for want of keys.
        yield from keys.find(None, int(clock()))
    form = DeviceTokenRequest(login.device_code).build()
    interval = login.interval
    key = make_key(metadata) if config.dpop else None
    while True:
        left = login.expires_at - clock()
        if left <= 0:
            raise _expired()
        # One question after the end, at most: the server may see the person's answer there.
        yield from ask(Pause(min(interval, left + 1)))
        try:
            body = yield from request_tokens(
                config,
                metadata,
                form,
                scope=login.scope,
                now=int(clock()),
                secrets=(login.device_code,),
                hints=_HINTS,
                dpop_key=key,
            )
        except Refused as error:
            if error.error == "slow_down":
                interval += _SLOW_DOWN_SECONDS
            elif error.error != "authorization_pending":
                raise
        except (TransportError, ResponseRejected) as error:
            if error.code not in _PASSING and error.facts.get("status") != 429:
                raise
            interval *= 2
        else:
            break
    now = int(clock())
    identity: IdToken | None = None
    if "openid" in login.scope and keys is not None:
        identity = yield from _identify(config, server, keys, body, now)
    return make_tokens(
        config,
        metadata,
        body,
        scope=login.scope,
        now=now,
        resource=login.resource,
        identity=identity,
        dpop_key=key,
    )


def _identify(
    config: ClientConfig,
    server: VerifiedServer,
    keys: RemoteKeySet,
    body: TokenResponse,
    now: int,
) -> Flow[IdToken]:
    """Return the verified ID token; it has no nonce, since no browser carried one."""
    if body.id_token is None:
        raise ResponseRejected(
            "openid was asked for, but the token response has no id_token",
            code="id_token_missing",
            stage="token",
            hint="is the client allowed the scope openid at the server?",
            facts={"endpoint": server.metadata.token_endpoint},
        )
    try:
        claimed = read_id_token(
            parse_jwt(body.id_token.reveal()),
            issuer=server.metadata.issuer,
            client_id=config.client_id,
            nonce=None,
            now=now,
            leeway=config.leeway,
            access_token=body.access_token.reveal(),
            allowed_algs=allowed_algs(config, server.metadata),
        )
        verified, _ = yield from keys.verify(claimed.jwt, now)
        return accept_id_token(claimed, verified)
    except CodegrantError as error:
        error.stage = error.stage or "id_token"
        error.facts.setdefault("endpoint", server.metadata.token_endpoint)
        raise


def _expired() -> Refused:
    """Return the error for a code that nobody entered in time, before the server says it."""
    return Refused(
        "expired_token",
        description="the device code has expired",
        stage="token",
        hint=_HINTS["expired_token"],
    )
