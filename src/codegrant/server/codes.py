"""Issuing an authorization code. Layer: server, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from codegrant.errors import OAuthError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import base64url
from codegrant.rules.redirect_uri import add_to_query
from codegrant.rules.scope import format_scope
from codegrant.secret import digest_of
from codegrant.server.authorization_request import CheckedAuthorization
from codegrant.server.effects import Emit, SaveCode, TransactionEnd
from codegrant.server.events import Event
from codegrant.server.host import Authentication
from codegrant.server.records import ClientRecord, CodeRecord, GrantRecord

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["gets_refresh_token", "issue_code", "transaction_ended"]


def gets_refresh_token(client: ClientRecord, scope: tuple[str, ...]) -> bool:
    """Return whether a refresh token goes with a grant of this scope (D18).

    RFC 6749 §1.5; OIDC Core §11.
    """
    if "refresh_token" not in client.grant_types:
        return False
    return "offline_access" in scope or "openid" not in scope


def transaction_ended() -> OAuthError:
    """Return the error for a transaction that has expired or was used."""
    return OAuthError(
        "invalid_request",
        "this sign-in has expired or is finished; start again at the application",
        redirectable=False,
    )


def issue_code(
    server: AuthorizationServer,
    checked: CheckedAuthorization,
    authentication: Authentication,
    scope: tuple[str, ...],
    now: int,
    *,
    end_with: Callable[[str], TransactionEnd] | None = None,
) -> Flow[str]:
    """Return where to send the browser: the client's redirect URI with a fresh code.

    Args:
        end_with: returns the end of the transaction that the code comes from, made of that
            address; none when there is no transaction.

    Raises:
        OAuthError: the transaction that it should end is no longer open, or the person's
            session has just ended; not redirectable.

    RFC 6749 §4.1.2; RFC 9207 §2.
    """
    entropy = yield from ask(RandomBytes(48))
    code, grant_id = base64url.encode(entropy[:32]), base64url.encode(entropy[32:])
    client, request = checked.client, checked.request
    grant = GrantRecord(
        grant_id=grant_id,
        client_id=client.client_id,
        subject=authentication.subject,
        scope=scope,
        audience=checked.audience,
        auth_time=authentication.auth_time,
        amr=authentication.amr,
        acr=authentication.acr,
        sid=authentication.sid,
        created_at=now,
    )
    record = CodeRecord(
        digest=digest_of(code),
        grant_id=grant_id,
        client_id=client.client_id,
        redirect_uri=checked.redirect_uri,
        redirect_uri_sent=checked.redirect_uri_sent,
        code_challenge=request.code_challenge or "",
        nonce=request.nonce or "",
        requested_scope=checked.requested_scope,
        created_at=now,
        expires_at=now + server.policy.code_lifetime,
        claims=request.claims or "",
        offline=gets_refresh_token(client, scope),
        auth_time_requested=checked.max_age is not None or "auth_time" in checked.claims.id_token,
    )
    pairs = [("code", code)]
    if request.state is not None:
        pairs.append(("state", request.state))
    pairs.append(("iss", server.policy.issuer))
    location = add_to_query(checked.redirect_uri, pairs)
    end = None if end_with is None else end_with(location)
    if not (yield from ask(SaveCode(grant, record, end))):
        raise transaction_ended()
    facts = {
        "client_id": client.client_id,
        "subject": authentication.subject,
        "grant_id": grant_id,
        "scope": format_scope(scope),
        "audience": checked.audience,
    }
    yield from ask(Emit(Event("authorization_granted", now, facts)))
    return location
