"""What the grants on a person's behalf share: judging the grant, and the answer.

Layer: server, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Response
from codegrant.messages.json import JsonValue
from codegrant.messages.token import TokenResponse
from codegrant.rules.scope import format_scope
from codegrant.secret import Secret
from codegrant.server.answers import secret_json
from codegrant.server.claims import claims_of, parse_claims
from codegrant.server.effects import Emit, RevokeGrant
from codegrant.server.events import Event
from codegrant.server.policy import Policy
from codegrant.server.records import ClientRecord, GrantRecord
from codegrant.server.tokens import mint_access_token, mint_id_token

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["end_grant", "grant_facts", "grant_revoked", "issue_tokens", "token_answer"]


def issue_tokens(
    server: AuthorizationServer,
    client: ClientRecord,
    grant: GrantRecord,
    *,
    scope: tuple[str, ...],
    refresh_token: Secret | None,
    refused: Callable[[str], OAuthError],
    now: int,
    nonce: str = "",
    claims_request: str = "",
) -> Flow[Response]:
    """Return the token response for a grant whose code or refresh token was accepted.

    Args:
        scope: of the access token, at most the grant's.
        refresh_token: stored already; part of the answer.
        refused: makes the `invalid_grant` of a reason that is for events only.
        nonce, claims_request: of the authorization request; empty at a refresh.

    Raises:
        OAuthError: the person is gone or disabled (the grant is revoked then), as far as they
            are asked for (`Host.ends_grants`); or the grant has been revoked meanwhile, which
            an opaque access token tells.

    RFC 6749 §5.1; OIDC Core §3.1.3.3, §12.2.
    """
    claims: dict[str, JsonValue] = {}
    if claims_request or not server.host.ends_grants:
        person = yield from server.host.find_person(grant.subject)
        if person is None or not person.enabled:
            yield from end_grant(grant, "person disabled", now)
            raise refused("person disabled")
        if claims_request:
            wanted = parse_claims(claims_request).id_token
            claims = claims_of(person.claims, grant.scope, wanted)
    access_token = yield from mint_access_token(server, grant, scope, now)
    if access_token is None:
        raise refused("grant revoked meanwhile")
    id_token = None
    if "openid" in scope:
        id_token = yield from mint_id_token(
            server,
            grant,
            client=client,
            person_claims=claims,
            access_token=access_token,
            now=now,
            nonce=nonce,
        )
    return token_answer(
        server.policy, access_token, scope, refresh_token=refresh_token, id_token=id_token
    )


def token_answer(
    policy: Policy,
    access_token: str,
    scope: tuple[str, ...],
    *,
    refresh_token: Secret | None = None,
    id_token: str | None = None,
) -> Response:
    """Return a token response; `scope` is always in it. RFC 6749 §5.1."""
    answer = TokenResponse(
        access_token=Secret(access_token),
        token_type="Bearer",
        expires_in=policy.access_token_lifetime,
        scope=format_scope(scope),
        refresh_token=refresh_token,
        id_token=None if id_token is None else Secret(id_token),
    )
    return secret_json(answer.build())


def end_grant(grant: GrantRecord, reason: str, now: int) -> Flow[None]:
    """Revoke a grant; the event comes from the one who ended it."""
    if (yield from ask(RevokeGrant(grant.grant_id, now))):
        yield from ask(Emit(grant_revoked(grant, reason, now)))


def grant_revoked(grant: GrantRecord, reason: str, now: int) -> Event:
    """Return the event of a grant that has been revoked."""
    facts: dict[str, str | int] = {
        "client_id": grant.client_id,
        "subject": grant.subject,
        "grant_id": grant.grant_id,
        "reason": reason,
    }
    return Event("grant_revoked", now, facts)


def grant_facts(grant: GrantRecord, scope: tuple[str, ...]) -> dict[str, str | int]:
    """Return what the event of a successful token request says."""
    return {
        "client_id": grant.client_id,
        "subject": grant.subject,
        "grant_id": grant.grant_id,
        "scope": format_scope(scope),
        "audience": grant.audience,
    }
