"""The token endpoint. Layer: server, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, assert_never

from codegrant.errors import CodegrantError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.parameters import Parameters
from codegrant.messages.token import CodeTokenRequest, TokenResponse
from codegrant.rules.pkce import challenge_of, check_verifier_syntax
from codegrant.rules.resource_indicator import check_resource
from codegrant.rules.scope import format_scope
from codegrant.secret import Secret
from codegrant.server.answers import as_oauth_error, secret_json
from codegrant.server.client_authentication import authenticate_client
from codegrant.server.effects import (
    CodeRedeemed,
    CodeRefused,
    CodeReplayed,
    Emit,
    RedeemCode,
    RevokeGrant,
)
from codegrant.server.events import Event
from codegrant.server.forms import parse_form
from codegrant.server.records import ClientRecord
from codegrant.server.tokens import mint_access_token, mint_id_token

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["FORM_CHECKS", "GRANTS", "answer_token"]

MAX_FORM_BYTES = 65_536


def check_repeated(form: Parameters) -> None:
    """Check that no parameter but `resource` is repeated. RFC 6749 §3.2."""
    repeated = form.find_repeated()
    if repeated is not None:
        raise OAuthError("invalid_request", "a parameter is repeated", reason="repeated_parameter")


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


def answer_code_grant(
    server: AuthorizationServer, client: ClientRecord, form: Parameters, now: int
) -> Flow[Response]:
    """Redeem a code. RFC 6749 §4.1.3; OAuth 2.1 §4.1.3."""
    redeemed = yield from _redeem(client, CodeTokenRequest.parse(form), now)
    grant = redeemed.grant
    person = yield from server.host.find_person(grant.subject)
    if person is None or not person.enabled:
        yield from ask(RevokeGrant(grant.grant_id, now))
        raise _invalid_grant("person disabled")
    access_token = yield from mint_access_token(server, grant, grant.scope, now)
    if access_token is None:
        raise _invalid_grant("grant revoked meanwhile")
    id_token = None
    if "openid" in grant.scope:
        id_token = yield from mint_id_token(
            server, redeemed, client=client, person=person, access_token=access_token, now=now
        )
    facts = {
        "client_id": client.client_id,
        "subject": grant.subject,
        "grant_id": grant.grant_id,
        "scope": format_scope(grant.scope),
        "audience": grant.audience,
    }
    yield from ask(Emit(Event("code_redeemed", now, facts)))
    answer = TokenResponse(
        access_token=Secret(access_token),
        token_type="Bearer",
        expires_in=server.policy.access_token_lifetime,
        scope=format_scope(grant.scope),
        id_token=None if id_token is None else Secret(id_token),
    )
    return secret_json(answer.build())


def _redeem(client: ClientRecord, request: CodeTokenRequest, now: int) -> Flow[CodeRedeemed]:
    """Redeem the code in one atomic step; every refusal looks the same (D6, D7)."""
    challenge = None
    if request.code_verifier is not None:
        verifier = request.code_verifier.reveal()
        check_verifier_syntax(verifier)
        challenge = challenge_of(verifier)
    for resource in request.resource:
        check_resource(resource)
    if len(set(request.resource)) > 1:
        raise OAuthError("invalid_target", "one resource per access token")
    redemption = yield from ask(
        RedeemCode(
            request.code.digest(),
            client.client_id,
            request.redirect_uri,
            challenge,
            now,
            resource=request.resource[0] if request.resource else None,
        )
    )
    match redemption:
        case CodeRedeemed():
            return redemption
        case CodeReplayed(grant):
            facts = {
                "client_id": client.client_id,
                "subject": grant.subject,
                "grant_id": grant.grant_id,
            }
            yield from ask(Emit(Event("code_replayed", now, facts)))
            yield from ask(Emit(Event("grant_revoked", now, {**facts, "reason": "code replay"})))
            raise _invalid_grant("replayed")
        case CodeRefused("wrong_resource"):
            raise OAuthError("invalid_target", "the resource is not what was granted")
        case CodeRefused(reason):
            facts = {"client_id": client.client_id, "reason": reason}
            yield from ask(Emit(Event("code_refused", now, facts)))
            raise _invalid_grant(reason)
        case _:
            assert_never(redemption)


def _invalid_grant(reason: str) -> OAuthError:
    """Return the one answer for every code that cannot be redeemed."""
    return OAuthError("invalid_grant", "the code is not valid", reason=reason)


def _refusal(error: OAuthError, client: ClientRecord | None, now: int) -> Event:
    """Return the event of a refused token request."""
    facts: dict[str, str | int] = {"error": error.error, "reason": error.reason}
    if client is not None:
        facts["client_id"] = client.client_id
    return Event("token_refused", now, facts)


Grant: TypeAlias = Callable[["AuthorizationServer", ClientRecord, Parameters, int], Flow[Response]]

GRANTS: Mapping[str, Grant] = {"authorization_code": answer_code_grant}
"""What each grant type does; metadata lists the same names."""
