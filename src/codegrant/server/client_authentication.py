"""Who calls an endpoint of clients or resource servers, proven. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from codegrant.errors import MessageError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request
from codegrant.messages.client_authentication import (
    BasicCredentials,
    ClientCredentials,
    PostCredentials,
    PublicCredentials,
    parse_client_authentication,
)
from codegrant.messages.parameters import Parameters
from codegrant.rules.client_auth import check_client_secret
from codegrant.secret import digest_of
from codegrant.server.effects import (
    Emit,
    FailureCount,
    FailureKind,
    FindCaller,
    FoundCaller,
)
from codegrant.server.events import Event, brief
from codegrant.server.rate_limits import (
    check_failures,
    counted_failures,
    save_failure,
    source_of,
)
from codegrant.server.records import AuthMethod, ClientRecord, ResourceRecord

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["AUTH_METHODS", "SECRET_METHODS", "Caller", "authenticate_caller", "authenticate_client"]

Caller: TypeAlias = ClientRecord | ResourceRecord
K = TypeVar("K", bound=Caller)

SECRET_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post")
AUTH_METHODS: tuple[AuthMethod, ...] = (*SECRET_METHODS, "none")

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
    credentials = _read_credentials(request, form)
    found = yield from _find(server, request, credentials, now)
    client = found.known if isinstance(found.known, ClientRecord) else None
    known_public = client is not None and client.enabled and client.is_public
    if client is not None and known_public and isinstance(credentials, PublicCredentials):
        return client
    return (yield from _prove(server, request, credentials, client, found.failures, now=now))


def authenticate_caller(
    server: AuthorizationServer, request: Request, form: Parameters, now: int
) -> Flow[Caller]:
    """Return the confidential client, or the resource server, that sent the request.

    A resource server may use either method of a secret. No id belongs to one of each.

    Raises:
        OAuthError: as `authenticate_client`; a public client has no way to prove itself.

    RFC 7662 §2.1.
    """
    credentials = _read_credentials(request, form)
    found = yield from _find(server, request, credentials, now)
    return (yield from _prove(server, request, credentials, found.known, found.failures, now=now))


def _find(
    server: AuthorizationServer, request: Request, credentials: ClientCredentials, now: int
) -> Flow[FoundCaller]:
    """Return who the request says it is from, and what failed before."""
    name = credentials.client_id
    count = counted_failures(server.policy.limits, _KIND, name, request.peer, now)
    return (yield from ask(FindCaller(name, count)))


def _read_credentials(request: Request, form: Parameters) -> ClientCredentials:
    """Return what the request says of its sender."""
    try:
        credentials = parse_client_authentication(request.headers, form)
    except MessageError as error:
        if error.code in {"malformed_basic", "unsupported_method"}:
            raise _invalid_client(error.code) from None
        raise OAuthError("invalid_request", error.message, reason=error.code) from None
    if credentials is None:
        raise _invalid_client("no client authentication")
    return credentials


def _prove(
    server: AuthorizationServer,
    request: Request,
    credentials: ClientCredentials,
    known: K | None,
    failures: FailureCount,
    *,
    now: int,
) -> Flow[K]:
    """Return `known` if the credentials prove it; count and tell when they do not."""
    limits, peer = server.policy.limits, request.peer
    facts = {"client_id": brief(credentials.client_id), "source": source_of(peer)}
    try:
        check_failures(limits, _KIND, failures, now)
    except OAuthError:
        yield from ask(Emit(Event("client_authentication_limited", now, facts)))
        raise
    reason = _find_fault(known, credentials)
    if known is not None and not reason:
        return known
    yield from save_failure(limits, _KIND, credentials.client_id, peer, now)
    facts["reason"] = reason
    yield from ask(Emit(Event("client_authentication_failed", now, facts)))
    raise _invalid_client(reason)


def _find_fault(known: Caller | None, credentials: ClientCredentials) -> str:
    """Return why these credentials do not prove this caller; empty when they do."""
    match credentials:
        case BasicCredentials():
            method = "client_secret_basic"
        case PostCredentials():
            method = "client_secret_post"
        case PublicCredentials():
            return "unknown client" if known is None else "no secret sent"
    stored = None if known is None else known.secret_digest
    try:
        check_client_secret(credentials.secret, stored or _NOBODY)
    except OAuthError:
        return "unknown client" if known is None else "wrong secret"
    if known is None or stored is None:
        return "unknown client" if known is None else "the client has no secret"
    if isinstance(known, ResourceRecord):
        return ""
    if not known.enabled:
        return "client disabled"
    if known.token_endpoint_auth_method != method:
        return "not the registered method"
    return ""


def _invalid_client(reason: str) -> OAuthError:
    """Return the one answer to every client authentication that fails. RFC 6749 §5.2."""
    return OAuthError("invalid_client", "client authentication failed", reason=reason, status=401)
