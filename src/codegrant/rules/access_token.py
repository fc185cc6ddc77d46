"""Whether a JWT access token holds, for this resource, and reaches far enough. Layer: rules.

RFC 9068 §4; RFC 6750 §3.1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from codegrant.errors import OAuthError, TokenRejected, UsageError
from codegrant.jose import UnverifiedJwt, VerifiedJwt
from codegrant.messages.json import JsonValue
from codegrant.rules.claims import (
    at_stage,
    check_times,
    find_text,
    find_time,
    read_audience,
    read_text,
    rejected,
)
from codegrant.rules.scope import format_scope, is_scope_token, parse_scope

__all__ = [
    "AccessToken",
    "check_access",
    "check_claimed_access_token",
    "check_wanted_scope",
    "verify_access_token",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What the bearer of a verified access token may do, for whom and where.

    Attributes:
        issuer: who issued it.
        subject: the person; the client itself where there is none.
        client_id: the client it was issued to.
        audience: the resources it is for.
        scope: what was granted; compare whole tokens (`"read" in token.scope`).
        jti: its identifier.
        expires_at: epoch seconds.
        issued_at: epoch seconds.
        auth_time: epoch seconds of the person's authentication; None when not told.
        claims: every claim, those above included.
    """

    issuer: str
    subject: str
    client_id: str
    audience: tuple[str, ...]
    scope: frozenset[str]
    jti: str
    expires_at: int
    issued_at: int
    auth_time: int | None = None
    claims: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )

    @property
    def is_for_person(self) -> bool:
        """Whether it was issued for a person; else the client acts for itself.

        A token without a person has the client as its subject. RFC 9068 §2.2, §5.
        """
        return self.subject != self.client_id


def check_wanted_scope(scope: Collection[str]) -> None:
    """Check the scope that a resource asks for: written by its programmer, not by a peer.

    Args:
        scope: scope tokens, one by one.

    Raises:
        UsageError: it is one text, or has a member that is no scope token.
    """
    if isinstance(scope, str):
        raise UsageError("scope: a list of scope tokens is needed, not one text")
    if not all(map(is_scope_token, scope)):
        raise UsageError("scope: a member is not one scope token")


def check_access(token: AccessToken, scope: Collection[str] = (), *, person: bool = False) -> None:
    """Check that a verified access token reaches as far as a resource asks.

    Args:
        token: of the request.
        scope: scope tokens that it must have, all of them, compared whole.
        person: it must be of a person: a token that a client got for itself will not do.

    Raises:
        OAuthError: `insufficient_scope` (403).
        UsageError: see `check_wanted_scope`.

    RFC 6750 §3.1; RFC 9068 §5; RFC 9700 §4.15.
    """
    if isinstance(scope, str):
        check_wanted_scope(scope)
    missing = [wanted for wanted in scope if wanted not in token.scope]
    if missing:
        check_wanted_scope(scope)
        raise OAuthError(
            "insufficient_scope",
            "the access token does not reach that far",
            reason=f"missing scope: {format_scope(missing)}",
            status=403,
            stage="access_token",
            facts={"scope": format_scope(scope)},
        )
    if person and not token.is_for_person:
        raise OAuthError(
            "insufficient_scope",
            "an access token of a person is needed",
            reason="the token is the client's own",
            status=403,
            stage="access_token",
        )


def check_claimed_access_token(
    jwt: UnverifiedJwt, *, issuer: str, audience: str | None, now: int, leeway: int = 60
) -> None:
    """Check what needs no key, so that a token that cannot hold causes no fetch of keys.

    Raises:
        TokenRejected: as `verify_access_token`.
    """
    with at_stage("access_token"):
        _check_kind(jwt.typ)
        _check_parties(jwt.claimed, issuer, audience)
        _check_unbound(jwt.claimed)
        check_times(jwt.claimed, now=now, leeway=leeway)


def verify_access_token(
    jwt: VerifiedJwt, *, issuer: str, audience: str | None, now: int, leeway: int = 60
) -> AccessToken:
    """Return the access token that a JWT is.

    Args:
        jwt: its signature holds; that the key was the issuer's is the caller's to see to.
        issuer: expected, compared character by character.
        audience: must be in `aud`. None is for endpoints of the issuer itself, which take
            its tokens whatever they are for (D19).
        now: epoch seconds.
        leeway: seconds that clocks may differ.

    Raises:
        TokenRejected: `wrong_token_type`, `issuer_mismatch`, `audience_mismatch`,
            `token_bound`, `token_expired`, `token_from_the_future`, `claim_missing`,
            `claim_malformed`.

    RFC 9068 §2.2, §4.
    """
    claims = jwt.claims
    with at_stage("access_token"):
        _check_kind(jwt.typ)
        named = _check_parties(claims, issuer, audience)
        _check_unbound(claims)
        issued_at, expires_at = check_times(claims, now=now, leeway=leeway)
        return AccessToken(
            issuer=issuer,
            subject=read_text(claims, "sub"),
            client_id=read_text(claims, "client_id"),
            audience=named,
            scope=_read_scope(claims),
            jti=read_text(claims, "jti"),
            expires_at=expires_at,
            issued_at=issued_at,
            auth_time=find_time(claims, "auth_time"),
            claims=claims,
        )


def _check_kind(typ: str) -> None:
    """Check that it says of itself that it is an access token. RFC 9068 §4."""
    if typ.lower() not in {"at+jwt", "application/at+jwt"}:
        raise rejected(
            "typ", "this is no access token", code="wrong_token_type",
            expected="at+jwt", got=typ or "none",
        )  # fmt: skip


def _check_parties(
    claims: Mapping[str, JsonValue], issuer: str, audience: str | None
) -> tuple[str, ...]:
    """Check who made it and for what; return its audience. RFC 9068 §4."""
    claimed_issuer = read_text(claims, "iss")
    if claimed_issuer != issuer:
        raise rejected(
            "iss", "the token is of another issuer", code="issuer_mismatch",
            expected=issuer, got=claimed_issuer,
        )  # fmt: skip
    named = read_audience(claims)
    if audience is not None and audience not in named:
        raise rejected(
            "aud", "the token is for another resource", code="audience_mismatch",
            expected=audience, got=" ".join(named),
        )  # fmt: skip
    return named


def _check_unbound(claims: Mapping[str, JsonValue]) -> None:
    """Check that a bearer is enough: no key must be proven. RFC 9449 §7.2; RFC 8705 §3."""
    if "cnf" in claims:
        raise rejected(
            "cnf", "the token is bound to a key, and came without a proof of it",
            code="token_bound",
        )  # fmt: skip


def _read_scope(claims: Mapping[str, JsonValue]) -> frozenset[str]:
    """Return `scope` as tokens; none when the claim is absent. RFC 9068 §2.2.3."""
    text = find_text(claims, "scope")
    return frozenset() if text is None else frozenset(parse_scope(text, error=_malformed_scope))


def _malformed_scope(message: str) -> TokenRejected:
    return rejected("scope", message, code="claim_malformed")
