"""The userinfo endpoint. Layer: server, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegrant.errors import OAuthError, TokenRejected
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.json import build_json
from codegrant.rules.access_token import verify_access_token
from codegrant.rules.bearer import read_bearer_token
from codegrant.rules.claims import read_text
from codegrant.secret import digest_of
from codegrant.server.answers import secret_json
from codegrant.server.claims import claims_of
from codegrant.server.effects import FindAccessToken, FindClient, FindDenied, FindGrant

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_userinfo"]


@dataclass(frozen=True, slots=True)
class _Presented:
    """What an access token of ours says: for whom, for what, and on which grant."""

    subject: str
    client_id: str
    grant_id: str
    scope: frozenset[str]


def answer_userinfo(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return the claims that the access token's scope opens, `sub` first.

    Any access token of this issuer with `openid` is taken, whatever its audience (D19).

    Raises:
        OAuthError: what the server renders as a bearer challenge.

    OIDC Core §5.3; RFC 6750 §3.1.
    """
    raw_token = read_bearer_token(request)
    token = yield from _verify(server, raw_token, now)
    if "openid" not in token.scope:
        raise OAuthError(
            "insufficient_scope", "the access token was not granted openid", status=403
        )
    person = yield from server.host.find_person(token.subject)
    if person is None or not person.enabled:
        raise _invalid_token("person disabled")
    claims = {"sub": person.subject} | claims_of(person.claims, token.scope)
    return secret_json(build_json(claims))


def _verify(server: AuthorizationServer, raw_token: str, now: int) -> Flow[_Presented]:
    """Return the token if it holds and nobody has ended what it hangs on."""
    if "." in raw_token:
        token = yield from _verify_jwt(server, raw_token, now)
    else:
        token = yield from _find_opaque(raw_token, now)
    grant = yield from ask(FindGrant(token.grant_id))
    if grant is None or grant.revoked_at is not None:
        raise _invalid_token("grant revoked")
    if (grant.subject, grant.client_id) != (token.subject, token.client_id):
        raise _invalid_token("grant of somebody else")
    client = yield from ask(FindClient(token.client_id))
    if client is None or not client.enabled:
        raise _invalid_token("client disabled")
    return token


def _verify_jwt(server: AuthorizationServer, raw_token: str, now: int) -> Flow[_Presented]:
    """Return what an `at+jwt` of ours says. RFC 9068 §4."""
    try:
        jwt = yield from server.keys.verify(raw_token, now)
        token = verify_access_token(jwt, issuer=server.policy.issuer, audience=None, now=now)
        grant_id = read_text(token.claims, "grant_id")
    except TokenRejected as error:
        raise _invalid_token(error.code) from None
    # Leeway is for clocks of others: what we issued ends when we said so.
    if token.expires_at <= now:
        raise _invalid_token("token expired")
    if (yield from ask(FindDenied(token.jti))):
        raise _invalid_token("token revoked")
    return _Presented(token.subject, token.client_id, grant_id, token.scope)


def _find_opaque(raw_token: str, now: int) -> Flow[_Presented]:
    """Return what an opaque access token stands for."""
    found = yield from ask(FindAccessToken(digest_of(raw_token), now))
    if found is None:
        raise _invalid_token("token unknown or expired")
    return _Presented(found.subject, found.client_id, found.grant_id, frozenset(found.scope))


def _invalid_token(reason: str) -> OAuthError:
    """Return the one answer for every token that is not good here. RFC 6750 §3.1."""
    return OAuthError("invalid_token", "the access token is not valid", reason=reason, status=401)
