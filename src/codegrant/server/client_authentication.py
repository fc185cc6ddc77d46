"""Which client calls the token endpoint, proven. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import MessageError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request
from codegrant.messages.client_authentication import (
    BasicCredentials,
    PostCredentials,
    PublicCredentials,
    parse_client_authentication,
)
from codegrant.messages.parameters import Parameters
from codegrant.rules.client_auth import check_client_secret
from codegrant.secret import digest_of
from codegrant.server.effects import Emit, FailureKind, FindClient
from codegrant.server.events import Event, brief
from codegrant.server.rate_limits import check_limits, save_failure, source_of
from codegrant.server.records import AuthMethod, ClientRecord

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["AUTH_METHODS", "authenticate_client"]

AUTH_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post", "none")

_KIND: FailureKind = "client_authentication"
# An unknown client costs the same comparison as a known one.
_NOBODY = digest_of("no client has this secret")


def authenticate_client(
    server: AuthorizationServer, request: Request, form: Parameters, now: int
) -> Flow[ClientRecord]:
    """Return the client that sent the request, by the one method it is registered for.

    A public client is taken at its word: there is nothing to guess, so it is not counted.

    Raises:
        OAuthError: `invalid_request` for several methods at once, `invalid_client` (401)
            for none, a wrong one, an unknown or disabled client or a wrong secret, all
            alike; 429 after too many failures.

    RFC 6749 §2.3, §3.2.1; RFC 7591 §2.
    """
    try:
        credentials = parse_client_authentication(request.headers, form)
    except MessageError as error:
        if error.code in {"malformed_basic", "unsupported_method"}:
            raise _invalid_client(error.code) from None
        raise OAuthError("invalid_request", error.message, reason=error.code) from None
    if credentials is None:
        raise _invalid_client("no client authentication")
    client = yield from ask(FindClient(credentials.client_id))
    known_public = client is not None and client.enabled and client.is_public
    if client is not None and known_public and isinstance(credentials, PublicCredentials):
        return client
    limits, peer = server.policy.limits, request.peer
    facts = {"client_id": brief(credentials.client_id), "source": source_of(peer)}
    try:
        yield from check_limits(limits, _KIND, credentials.client_id, peer, now)
    except OAuthError:
        yield from ask(Emit(Event("client_authentication_limited", now, facts)))
        raise
    reason = _find_fault(client, credentials)
    if client is not None and not reason:
        return client
    yield from save_failure(limits, _KIND, credentials.client_id, peer, now)
    facts["reason"] = reason
    yield from ask(Emit(Event("client_authentication_failed", now, facts)))
    raise _invalid_client(reason)


def _find_fault(
    client: ClientRecord | None, credentials: BasicCredentials | PostCredentials | PublicCredentials
) -> str:
    """Return why these credentials do not prove this client; empty when they do."""
    match credentials:
        case BasicCredentials():
            method = "client_secret_basic"
        case PostCredentials():
            method = "client_secret_post"
        case PublicCredentials():
            return "unknown client" if client is None else "no secret sent"
    stored = None if client is None else client.secret_digest
    try:
        check_client_secret(credentials.secret, stored or _NOBODY)
    except OAuthError:
        return "unknown client" if client is None else "wrong secret"
    if client is None or stored is None:
        return "unknown client" if client is None else "the client has no secret"
    if not client.enabled:
        return "client disabled"
    if client.token_endpoint_auth_method != method:
        return "not the registered method"
    return ""


def _invalid_client(reason: str) -> OAuthError:
    """Return the one answer to every client authentication that fails. RFC 6749 §5.2."""
    return OAuthError("invalid_client", "client authentication failed", reason=reason, status=401)
