"""The userinfo endpoint. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import OAuthError, TokenRejected
from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.messages.json import build_json
from codegrant.rules.bearer import read_bearer_token
from codegrant.server.answers import secret_json
from codegrant.server.claims import claims_of
from codegrant.server.presented import LiveToken, find_presented, verify_standing

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_userinfo"]


def answer_userinfo(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return the claims that the access token's scope opens, `sub` first.

    Any access token of this issuer with `openid` is taken, whatever its audience (D19).

    Raises:
        OAuthError: what the server renders as a bearer challenge.

    OIDC Core §5.3; RFC 6750 §3.1.
    """
    raw_token = read_bearer_token(request)
    live = yield from _verify(server, raw_token, now)
    scope = frozenset(live.token.scope)
    if live.person is None or "openid" not in scope:
        raise OAuthError(
            "insufficient_scope", "the access token was not granted openid", status=403
        )
    claims = {"sub": live.person.subject} | claims_of(live.person.claims, scope)
    return secret_json(build_json(claims))


def _verify(server: AuthorizationServer, raw_token: str, now: int) -> Flow[LiveToken]:
    """Return the token if it holds and nobody has ended what it hangs on."""
    try:
        token = yield from find_presented(server, raw_token, now)
        if token is None:
            raise _invalid_token("unknown_token")
        return (yield from verify_standing(server, token))
    except TokenRejected as error:
        raise _invalid_token(error.code) from None


def _invalid_token(reason: str) -> OAuthError:
    """Return the one answer for every token that is not good here. RFC 6750 §3.1."""
    return OAuthError("invalid_token", "the access token is not valid", reason=reason, status=401)
