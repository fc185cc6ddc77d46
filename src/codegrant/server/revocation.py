"""The revocation endpoint: a client gives back what it was given. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import OAuthError, StoreError, TokenRejected
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.revocation import RevocationRequest
from codegrant.secret import Secret
from codegrant.server.answers import as_oauth_error, nothing_to_say
from codegrant.server.client_authentication import authenticate_client
from codegrant.server.effects import (
    DeleteAccessToken,
    DenyToken,
    Emit,
)
from codegrant.server.events import Event
from codegrant.server.forms import check_repeated, parse_form
from codegrant.server.grants import end_grant
from codegrant.server.presented import PresentedToken, find_presented, find_standing
from codegrant.server.records import ClientRecord
from codegrant.server.refresh_effects import FindFamily
from codegrant.server.refresh_tokens import family_of

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_revocation"]

MAX_FORM_BYTES = 65_536


def answer_revocation(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Revoke the token that a client names, if it is one of its own.

    A refresh token, a rotated one too, takes its whole grant with it; an access token goes
    alone. Whatever else is named, the answer is the same and nothing happens (D9). The hint
    is not needed to find a token, so a wrong one does no harm.

    Checked in this order: a form body and nothing in the query, no repeated parameter,
    client authentication, `token`.

    Raises:
        OAuthError, MessageError: what the server renders as JSON. When the store fails the
            status is 503, so that the client takes the token for alive and tries again.

    RFC 7009 §2.
    """
    try:
        form = parse_form(request, max_bytes=MAX_FORM_BYTES)
        check_repeated(form)
        client = yield from authenticate_client(server, request, form, now)
        yield from _revoke(server, client, RevocationRequest.parse(form).token, now)
    except StoreError as error:
        raise _not_yet(error) from None
    return nothing_to_say()


def _revoke(
    server: AuthorizationServer, client: ClientRecord, token: Secret, now: int
) -> Flow[None]:
    """Revoke a token of this client's; any other has no effect."""
    try:
        found = yield from find_presented(server, token.reveal(), now)
    except TokenRejected as error:
        if error.code != "wrong_token_type":
            return
        yield from _emit_refused(client, error.code, now)
        raise OAuthError(
            "unsupported_token_type", "only access tokens and refresh tokens can be revoked"
        ) from None
    if found is None:
        yield from _revoke_refresh_token(client, token, now)
    elif found.client_id != client.client_id:
        yield from _emit_refused(client, "wrong_client", now)
    else:
        yield from _revoke_access_token(found, token, now)


def _revoke_access_token(found: PresentedToken, token: Secret, now: int) -> Flow[None]:
    """End one access token; one that is dead already costs no write."""
    if found.jti:
        if (yield from find_standing(found)).denied:
            return
        yield from ask(DenyToken(found.jti, found.expires_at))
    elif not (yield from ask(DeleteAccessToken(token.digest()))):
        return
    facts = {
        "client_id": found.client_id,
        "subject": found.subject,
        "grant_id": found.grant_id,
    }
    yield from ask(Emit(Event("token_revoked", now, facts)))


def _revoke_refresh_token(client: ClientRecord, token: Secret, now: int) -> Flow[None]:
    """End the grant of a refresh token. RFC 7009 §2.1."""
    grant = yield from ask(FindFamily(family_of(token), now))
    if grant is None:
        return
    if grant.client_id != client.client_id:
        yield from _emit_refused(client, "wrong_client", now)
        return
    yield from end_grant(grant, "revoked by the client", now)


def _emit_refused(client: ClientRecord, reason: str, now: int) -> Flow[None]:
    facts = {"client_id": client.client_id, "reason": reason}
    yield from ask(Emit(Event("revocation_refused", now, facts)))


def _not_yet(error: StoreError) -> OAuthError:
    """Return the answer when nobody knows whether the token is gone. RFC 7009 §2.2.1."""
    refused = as_oauth_error(error)
    return OAuthError(
        refused.error,
        refused.description,
        reason=refused.reason,
        status=503,
        redirectable=False,
        facts={"retry_after": 5},
    )
