"""The token endpoint. Layer: server, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from codegrant.errors import CodegrantError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.parameters import Parameters
from codegrant.server.answers import as_oauth_error
from codegrant.server.client_authentication import authenticate_client
from codegrant.server.client_credentials import answer_client_credentials_grant
from codegrant.server.code_grant import answer_code_grant
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.forms import check_repeated, parse_form
from codegrant.server.records import ClientRecord
from codegrant.server.refresh_grant import answer_refresh_grant

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["FORM_CHECKS", "GRANTS", "answer_token"]

MAX_FORM_BYTES = 65_536


def check_grant_type(form: Parameters) -> None:
    """Check that the grant type is one of `GRANTS`, letter for letter. RFC 6749 §5.2."""
    grant_type = form.single("grant_type")
    if grant_type is None:
        raise OAuthError("invalid_request", "grant_type is missing")
    if grant_type not in GRANTS:
        raise OAuthError("unsupported_grant_type", "the grant type is not supported")


FORM_CHECKS: tuple[Callable[[Parameters], None], ...] = (check_repeated, check_grant_type)
"""After the form itself and before the client is asked who it is."""


def answer_token(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return the answer of the token endpoint.

    Checked in this order: a form body and nothing in the query, `FORM_CHECKS`, client
    authentication, the client's grant types, the grant itself.

    Raises:
        OAuthError, MessageError: what the server renders as JSON.

    RFC 6749 §3.2, §5.
    """
    client: ClientRecord | None = None
    try:
        form = parse_form(request, max_bytes=MAX_FORM_BYTES)
        for check in FORM_CHECKS:
            check(form)
        client = yield from authenticate_client(server, request, form, now)
        grant_type = form.single("grant_type") or ""
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", "the client may not use this grant type")
        return (yield from GRANTS[grant_type](server, client, form, now))
    except CodegrantError as error:
        refused = as_oauth_error(error)
        if refused.status < 500:
            yield from ask(Emit(_refusal(refused, client, now)))
        raise refused from None


def _refusal(error: OAuthError, client: ClientRecord | None, now: int) -> Event:
    """Return the event of a refused token request."""
    facts: dict[str, str | int] = {"error": error.error, "reason": error.reason}
    if client is not None:
        facts["client_id"] = client.client_id
    return Event("token_refused", now, facts)


Grant: TypeAlias = Callable[["AuthorizationServer", ClientRecord, Parameters, int], Flow[Response]]

GRANTS: Mapping[str, Grant] = {
    "authorization_code": answer_code_grant,
    "refresh_token": answer_refresh_grant,
    "client_credentials": answer_client_credentials_grant,
}
"""What each grant type does; metadata lists the same names."""
