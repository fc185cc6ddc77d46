"""The introspection endpoint: what a token is good for, at this moment. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import TokenRejected
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.introspection import IntrospectionRequest, IntrospectionResponse
from codegrant.messages.json import JsonValue
from codegrant.rules.scope import format_scope
from codegrant.secret import Secret
from codegrant.server.answers import secret_json
from codegrant.server.client_authentication import Caller, authenticate_caller
from codegrant.server.effects import (
    Emit,
    FindGrant,
)
from codegrant.server.events import Event
from codegrant.server.forms import check_repeated, parse_form
from codegrant.server.presented import (
    LiveToken,
    PresentedToken,
    find_presented,
    verify_standing,
)
from codegrant.server.rate_limits import count_miss
from codegrant.server.records import GrantRecord, ResourceRecord
from codegrant.server.refresh_effects import FindRefreshToken

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_introspection"]

MAX_FORM_BYTES = 65_536

_INACTIVE = IntrospectionResponse(active=False)
_INACTIVE_BODY = _INACTIVE.build()


def answer_introspection(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return what the caller may know of a token, or that it is not active and no more (D8).

    A client sees its own tokens, a resource server the access tokens for its audience.
    What is active is told however often the caller has missed, so that nobody who sends
    nonsense to an API can lock its users out; past the limit only misses are refused.

    Checked in this order: a form body and nothing in the query, no repeated parameter,
    the caller's authentication, `token`.

    Raises:
        OAuthError, MessageError: what the server renders as JSON. A store that fails never
            makes a token inactive.

    RFC 7662 §2.
    """
    form = parse_form(request, max_bytes=MAX_FORM_BYTES)
    check_repeated(form)
    caller = yield from authenticate_caller(server, request, form, now)
    token = IntrospectionRequest.parse(form).token
    found = yield from _introspect(server, caller, token, now)
    if found is None:
        yield from _count_miss(server, caller, now)
        found = _INACTIVE
    body = found.build() if found.active else _INACTIVE_BODY
    return secret_json(body, cors=False)


def _introspect(
    server: AuthorizationServer, caller: Caller, raw_token: Secret, now: int
) -> Flow[IntrospectionResponse | None]:
    """Return what the caller may know; None for what may have been a guess.

    A JWT that was signed here is no guess: the published keys tell it to anybody. Whatever
    else the caller may not see must look like a token that does not exist.
    """
    try:
        token = yield from find_presented(server, raw_token.reveal(), now)
        if token is None:
            return (yield from _introspect_refresh_token(server, caller, raw_token, now))
        if not _may_see(caller, token):
            return _INACTIVE if token.jti else None
        live = yield from verify_standing(server, token)
    except TokenRejected:
        return _INACTIVE
    return _describe(server.policy.issuer, live)


def _may_see(caller: Caller, token: PresentedToken) -> bool:
    """Return whether an access token is the caller's own, or for its audience. RFC 7662 §4."""
    if isinstance(caller, ResourceRecord):
        return caller.audience in token.audience
    return caller.client_id == token.client_id


def _describe(issuer: str, live: LiveToken) -> IntrospectionResponse:
    """Return what is told of an active access token. RFC 7662 §2.2; RFC 9470 §6.2."""
    token = live.token
    return IntrospectionResponse(
        active=True,
        scope=format_scope(token.scope),
        client_id=token.client_id,
        token_type="Bearer",
        exp=token.expires_at,
        iat=token.issued_at,
        sub=token.subject,
        aud=token.audience,
        iss=issuer,
        jti=token.jti or None,
        extra={} if live.grant is None else _authentication_of(live.grant),
    )


def _introspect_refresh_token(
    server: AuthorizationServer, caller: Caller, raw_token: Secret, now: int
) -> Flow[IntrospectionResponse | None]:
    """Return what a client may know of its own refresh token, while it is the newest.

    Without `aud` and `token_type`: no resource may take it for an access token.
    """
    if isinstance(caller, ResourceRecord):
        return None
    found = yield from ask(FindRefreshToken(raw_token.digest(), now))
    if found is None or found.client_id != caller.client_id:
        return None
    grant = yield from ask(FindGrant(found.grant_id))
    if found.rotated_at is not None or grant is None or grant.revoked_at is not None:
        return _INACTIVE
    person = yield from server.host.find_person(grant.subject)
    if person is None or not person.enabled:
        return _INACTIVE
    return IntrospectionResponse(
        active=True,
        scope=format_scope(grant.scope),
        client_id=found.client_id,
        exp=found.expires_at,
        iat=found.created_at,
        sub=grant.subject,
        iss=server.policy.issuer,
        extra=_authentication_of(grant),
    )


def _authentication_of(grant: GrantRecord) -> dict[str, JsonValue]:
    """Return how and when the person logged in, as far as it is known. RFC 9068 §2.2.1."""
    members: dict[str, JsonValue] = {"auth_time": grant.auth_time}
    if grant.acr:
        members["acr"] = grant.acr
    if grant.amr:
        members["amr"] = list(grant.amr)
    return members


def _count_miss(server: AuthorizationServer, caller: Caller, now: int) -> Flow[None]:
    """Count a miss: up to 100 of a client, about 10 000 of a resource server."""
    if isinstance(caller, ResourceRecord):
        name, one_in = caller.resource_id, 100
    else:
        name, one_in = caller.client_id, 1
    if (yield from count_miss(server.policy.limits, name, now, one_in=one_in)):
        yield from ask(Emit(Event("introspection_limited", now, {"client_id": name})))
