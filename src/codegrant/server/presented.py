"""Access tokens of ours that come back: what they say, and whether it still holds.

Userinfo, introspection and revocation share this. Layer: server, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegrant.errors import TokenRejected
from codegrant.flow import Flow, ask
from codegrant.jose import VerifiedJwt
from codegrant.rules.access_token import verify_access_token
from codegrant.rules.claims import find_text
from codegrant.secret import digest_of
from codegrant.server.effects import FindAccessToken, FindStanding, Standing
from codegrant.server.records import GrantRecord, Person

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = [
    "LiveToken",
    "PresentedToken",
    "find_presented",
    "find_standing",
    "verify_standing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """An access token that was issued here and has not expired. It may have been revoked.

    Attributes:
        subject: the person; the client itself where there is no grant.
        grant_id: empty for a token that a client got for itself.
        scope: in the order in which it was granted.
        jti: of a JWT; empty for an opaque token.
        issued_at, expires_at: epoch seconds.
    """

    subject: str
    client_id: str
    grant_id: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    jti: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class LiveToken:
    """An access token that nobody has ended, and what it hangs on at this moment.

    Attributes:
        grant, person: None for a token that a client got for itself.
    """

    token: PresentedToken
    grant: GrantRecord | None
    person: Person | None


def find_presented(
    server: AuthorizationServer, raw_token: str, now: int
) -> Flow[PresentedToken | None]:
    """Return the access token that a text is; None when nobody here issued it.

    Raises:
        TokenRejected: a JWT that was signed here and is no access token
            (`wrong_token_type`), is malformed, bound to a key, or has expired.

    RFC 9068 §4.
    """
    if "." in raw_token:
        try:
            jwt = yield from server.keys.verify(raw_token, now)
        except TokenRejected:
            return None
        return _read_jwt(jwt, server.policy.issuer, now)
    return (yield from _find_opaque(raw_token, now))


def find_standing(token: PresentedToken) -> Flow[Standing]:
    """Return what the token hangs on at this moment."""
    return ask(FindStanding(token.jti, token.client_id, token.grant_id, token.issued_at))


def verify_standing(server: AuthorizationServer, token: PresentedToken) -> Flow[LiveToken]:
    """Return the token as alive: neither it nor what it hangs on has been ended.

    Raises:
        TokenRejected: `token_revoked`, `client_disabled`, `grant_revoked`, `grant_mismatch`,
            `person_disabled`.
    """
    standing = yield from find_standing(token)
    if standing.denied:
        raise _ended("token_revoked")
    if not standing.client_enabled:
        raise _ended("client_disabled")
    if not token.grant_id:
        return LiveToken(token, None, None)
    grant = standing.grant
    if grant is None or grant.revoked_at is not None:
        raise _ended("grant_revoked")
    if (grant.subject, grant.client_id) != (token.subject, token.client_id):
        raise _ended("grant_mismatch")
    person = yield from server.host.find_person(token.subject)
    if person is None or not person.enabled:
        raise _ended("person_disabled")
    return LiveToken(token, grant, person)


def _read_jwt(jwt: VerifiedJwt, issuer: str, now: int) -> PresentedToken:
    """Return what an `at+jwt` of ours says."""
    token = verify_access_token(jwt, issuer=issuer, audience=None, now=now)
    grant_id = find_text(token.claims, "grant_id") or ""
    if not grant_id and token.subject != token.client_id:
        raise TokenRejected("grant_id: the claim is missing", code="claim_missing")
    # Leeway is for clocks of others: what we issued ends when we said so.
    if token.expires_at <= now:
        raise _ended("token_expired")
    scope = find_text(token.claims, "scope") or ""
    return PresentedToken(
        subject=token.subject,
        client_id=token.client_id,
        grant_id=grant_id,
        scope=tuple(scope.split()),
        audience=token.audience,
        jti=token.jti,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
    )


def _find_opaque(raw_token: str, now: int) -> Flow[PresentedToken | None]:
    """Return what an opaque access token stands for."""
    found = yield from ask(FindAccessToken(digest_of(raw_token), now))
    # As with a JWT, a bearer is not enough for a token that is bound to a key.
    if found is None or found.cnf:
        return None
    return PresentedToken(
        subject=found.subject,
        client_id=found.client_id,
        grant_id=found.grant_id,
        scope=found.scope,
        audience=(found.audience,),
        jti="",
        issued_at=found.created_at,
        expires_at=found.expires_at,
    )


def _ended(code: str) -> TokenRejected:
    """Return the refusal of a token that was good once."""
    return TokenRejected("the access token is no longer valid", code=code, stage="access_token")
