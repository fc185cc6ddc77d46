"""The client credentials grant: a client's access token for itself. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Response
from codegrant.messages.parameters import Parameters
from codegrant.rules.resource_indicator import single_resource
from codegrant.rules.scope import allowed_scope, format_scope, parse_scope
from codegrant.server.audience import ISSUER_SCOPES, resolve_audience
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.grants import token_answer
from codegrant.server.records import ClientRecord
from codegrant.server.tokens import mint_client_token

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_client_credentials_grant"]


def answer_client_credentials_grant(
    server: AuthorizationServer, client: ClientRecord, form: Parameters, now: int
) -> Flow[Response]:
    """Return an access token for the client itself: no refresh token, no ID token.

    What concerns a person (`openid`, `profile`, `offline_access` …) is never part of its
    scope: there is nobody who could have agreed.

    Raises:
        OAuthError: `unauthorized_client` for a public client, `invalid_target`,
            `invalid_scope`.

    RFC 6749 §4.4; RFC 9068 §5.
    """
    if client.is_public:
        raise OAuthError("unauthorized_client", "a public client has no credentials of its own")
    resource = single_resource(form.all("resource"))
    if resource is not None and resource not in client.audiences:
        raise OAuthError("invalid_target", "the resource is not known for this client")
    asked = form.single("scope")
    own = allowed_scope(
        None if asked is None else parse_scope(asked),
        allowed=frozenset(client.scope) - ISSUER_SCOPES,
        default=client.default_scope,
    )
    audience, scope = yield from resolve_audience(server, client, resource, own)
    access_token = yield from mint_client_token(server, client, scope, audience, now)
    facts = {
        "client_id": client.client_id,
        "scope": format_scope(scope),
        "audience": audience,
    }
    yield from ask(Emit(Event("client_token_issued", now, facts)))
    return token_answer(server.policy, access_token, scope)
