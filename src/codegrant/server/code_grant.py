"""The authorization code grant at the token endpoint. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Response
from codegrant.messages.parameters import Parameters
from codegrant.messages.token import CodeTokenRequest
from codegrant.rules.pkce import challenge_of, check_verifier_syntax
from codegrant.rules.resource_indicator import single_resource
from codegrant.server.effects import (
    CodeRedeemed,
    CodeRefused,
    CodeReplayed,
    Emit,
    RedeemCode,
)
from codegrant.server.events import Event
from codegrant.server.grants import grant_facts, grant_revoked, issue_tokens
from codegrant.server.records import ClientRecord
from codegrant.server.refresh_effects import NewRefreshToken
from codegrant.server.refresh_tokens import draw_refresh_token, new_refresh_token

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_code_grant"]


def answer_code_grant(
    server: AuthorizationServer, client: ClientRecord, form: Parameters, now: int
) -> Flow[Response]:
    """Redeem a code. RFC 6749 §4.1.3; OAuth 2.1 §4.1.3."""
    request = CodeTokenRequest.parse(form)
    refresh_token, stored = None, None
    if "refresh_token" in client.grant_types:
        refresh_token = yield from draw_refresh_token()
        stored = new_refresh_token(server.policy, refresh_token, now)
    redeemed = yield from _redeem(client, request, stored, now)
    code, grant = redeemed.code, redeemed.grant
    answer = yield from issue_tokens(
        server,
        client,
        grant,
        scope=grant.scope,
        refresh_token=refresh_token if code.offline else None,
        nonce=code.nonce,
        claims_request=code.claims,
        refused=_invalid_grant,
        now=now,
    )
    yield from ask(Emit(Event("code_redeemed", now, grant_facts(grant, grant.scope))))
    return answer


def _redeem(
    client: ClientRecord, request: CodeTokenRequest, refresh_token: NewRefreshToken | None, now: int
) -> Flow[CodeRedeemed]:
    """Redeem the code in one atomic step; every refusal looks the same (D6, D7)."""
    challenge = None
    if request.code_verifier is not None:
        verifier = request.code_verifier.reveal()
        check_verifier_syntax(verifier)
        challenge = challenge_of(verifier)
    redemption = yield from ask(
        RedeemCode(
            request.code.digest(),
            client.client_id,
            request.redirect_uri,
            challenge,
            now,
            resource=single_resource(request.resource),
            refresh_token=refresh_token,
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
            yield from ask(Emit(grant_revoked(grant, "code replay", now)))
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
