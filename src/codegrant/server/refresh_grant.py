"""The refresh token grant: rotation, reuse, and the grace of a lost answer (D4, D5).

Layer: server, no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Response
from codegrant.messages.parameters import Parameters
from codegrant.messages.token import RefreshTokenRequest
from codegrant.rules.resource_indicator import single_resource
from codegrant.rules.scope import parse_scope
from codegrant.sealing import open_with, seal_with
from codegrant.secret import Secret
from codegrant.server.codes import gets_refresh_token
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.grants import end_grant, grant_facts, grant_revoked, issue_tokens
from codegrant.server.records import ClientRecord, GrantRecord
from codegrant.server.refresh_effects import (
    RefreshRefused,
    Retried,
    Reused,
    Rotated,
    RotateRefreshToken,
)
from codegrant.server.refresh_tokens import draw_successor, family_of, new_refresh_token

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_refresh_grant"]

_SUCCESSOR = "refresh token successor"


def answer_refresh_grant(
    server: AuthorizationServer, client: ClientRecord, form: Parameters, now: int
) -> Flow[Response]:
    """Exchange a refresh token for its successor and a fresh access token.

    A token that was rotated a moment ago gets the very same successor again, so that a
    client whose answer was lost can go on. RFC 6749 §6; OAuth 2.1 §4.3.
    """
    request = RefreshTokenRequest.parse(form)
    asked = () if request.scope is None else parse_scope(request.scope)
    if not set(asked) <= set(client.scope):
        raise _too_much()
    grant, refresh_token = yield from _rotate(server, client, request, asked, now)
    scope = yield from _judge_grant(server, client, grant, now)
    if asked:
        scope = tuple(token for token in scope if token in asked)
    answer = yield from issue_tokens(
        server,
        client,
        grant,
        scope=scope,
        refresh_token=refresh_token,
        refused=_invalid_grant,
        now=now,
    )
    yield from ask(Emit(Event("token_refreshed", now, grant_facts(grant, scope))))
    return answer


def _rotate(
    server: AuthorizationServer,
    client: ClientRecord,
    request: RefreshTokenRequest,
    asked: tuple[str, ...],
    now: int,
) -> Flow[tuple[GrantRecord, Secret]]:
    """Return the grant and the successor; every other outcome looks the same."""
    presented = request.refresh_token
    successor = yield from draw_successor(presented)
    rotation = yield from ask(
        RotateRefreshToken(
            presented.digest(),
            family_of(presented),
            client.client_id,
            asked,
            single_resource(request.resource),
            new_refresh_token(server.policy, successor, now),
            seal_with(presented, _SUCCESSOR, successor.reveal().encode()),
            server.policy.refresh_grace_seconds,
            now,
        )
    )
    match rotation:
        case Rotated(grant):
            return grant, successor
        case Retried(grant, sealed):
            return grant, Secret(open_with(presented, _SUCCESSOR, sealed).decode())
        case Reused(grant):
            facts = {
                "client_id": client.client_id,
                "subject": grant.subject,
                "grant_id": grant.grant_id,
            }
            yield from ask(Emit(Event("refresh_token_reused", now, facts)))
            yield from ask(Emit(grant_revoked(grant, "refresh token reuse", now)))
            raise _invalid_grant("reused")
        case RefreshRefused("wrong_scope"):
            raise _too_much()
        case RefreshRefused("wrong_resource"):
            raise OAuthError("invalid_target", "the resource is not what was granted")
        case RefreshRefused(reason):
            facts = {"client_id": client.client_id, "reason": reason}
            yield from ask(Emit(Event("refresh_token_refused", now, facts)))
            raise _invalid_grant(reason)
        case _:
            assert_never(rotation)


def _judge_grant(
    server: AuthorizationServer, client: ClientRecord, grant: GrantRecord, now: int
) -> Flow[tuple[str, ...]]:
    """Return what is left of a grant's scope now that its client may be registered for less.

    A grant of which nothing is left, that would not get a refresh token any more (D18), or
    whose audience the client may not name any more, is revoked: the token that was presented
    is spent already.
    """
    allowed = {*client.audiences, server.policy.issuer}
    scope = tuple(token for token in grant.scope if token in client.scope)
    if scope and gets_refresh_token(client, scope) and grant.audience in allowed:
        return scope
    yield from end_grant(grant, "client changed", now)
    raise _invalid_grant("client changed")


def _too_much() -> OAuthError:
    """Return the answer to a refresh that would widen its grant (D10). RFC 6749 §6."""
    return OAuthError("invalid_scope", "the scope is more than what was granted")


def _invalid_grant(reason: str) -> OAuthError:
    """Return the one answer for every refresh token that is not good."""
    return OAuthError("invalid_grant", "the refresh token is not valid", reason=reason)
