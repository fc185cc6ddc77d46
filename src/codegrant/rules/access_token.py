"""Whether a JWT access token holds, for this resource, and reaches far enough. Layer: rules.

RFC 9068 §4; RFC 6750 §3.1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from codegrant.errors import OAuthError, TokenRejected, UsageError
from codegrant.jose import UnverifiedJwt, VerifiedJwt
from codegrant.messages.json import JsonValue
from codegrant.rules.claims import (
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
    "ClaimedAccessToken",
    "accept_access_token",
    "check_access",
    "check_unbound",
    "check_wanted_scope",
    "read_access_token",
    "read_scope",
    "verify_access_token",
    "wrong_audience",
    "wrong_issuer",
]

_NO_SCOPE: Final[frozenset[str]] = frozenset()


class AccessToken(NamedTuple):
    """What the bearer of a verified access token may do, for whom and where.

    Attributes:
        issuer: who issued it.
        subject: the person; the client itself where there is none.
        client_id: the client it was issued to; empty when an introspection does not tell.
        audience: the resources it is for.
        scope: what was granted; compare whole tokens (`"read" in token.scope`).
        jti: its identifier; empty when an introspection does not tell.
        expires_at: epoch seconds.
        issued_at: epoch seconds; 0 when an introspection does not tell.
        auth_time: epoch seconds of the person's authentication; None when not told.
        claims: every claim, or member of the introspection, those above included.
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
    claims: Mapping[str, JsonValue] = MappingProxyType({})

    @property
    def is_for_person(self) -> bool:
        """Whether it was issued for a person; else the client acts for itself.

        A token without a person has the client as its subject. RFC 9068 §2.2, §5. Where
        the client is not told, nobody can know.
        """
        return bool(self.client_id) and self.subject != self.client_id

    def __hash__(self) -> int:
        return hash(self[:-1])

    def __repr__(self) -> str:
        told = zip(self._fields[:-1], self[:-1], strict=True)
        return f"AccessToken({', '.join(f'{name}={value!r}' for name, value in told)})"


class ClaimedAccessToken(NamedTuple):
    """A JWT that says all that an access token must say, and that nobody has vouched for.

    Attributes:
        jwt: as parsed.
        claimed: what it will be once its signature is known to hold.
    """

    jwt: UnverifiedJwt
    claimed: AccessToken


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
    if not token.scope.issuperset(scope):
        check_wanted_scope(scope)
        missing = [wanted for wanted in scope if wanted not in token.scope]
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


def read_access_token(
    jwt: UnverifiedJwt, *, issuer: str, audience: str | None, now: int, leeway: int = 60
) -> ClaimedAccessToken:
    """Return the access token that a JWT claims to be; this needs no key.

    So a token that cannot hold causes no fetch of keys. Arguments and exceptions are those
    of `verify_access_token`.
    """
    token = _read(jwt.jws.typ, jwt.claimed, issuer, audience, (now, leeway))
    return ClaimedAccessToken(jwt, token)


def accept_access_token(claimed: ClaimedAccessToken, jwt: VerifiedJwt) -> AccessToken:
    """Return the access token of which `jwt` is the proof.

    Raises:
        UsageError: `jwt` is the proof of another one.
    """
    if jwt.claims is not claimed.jwt.claimed:
        raise UsageError("access token: the signature that was verified is another token's")
    return claimed.claimed


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
    return _read(jwt.typ, jwt.claims, issuer, audience, (now, leeway))


def check_unbound(claims: Mapping[str, JsonValue]) -> None:
    """Check that a bearer is enough: no key must be proven.

    Raises:
        TokenRejected: `token_bound`.

    RFC 9449 §7.2; RFC 8705 §3.
    """
    if "cnf" in claims:
        raise rejected(
            "cnf", "the token is bound to a key, and came without a proof of it",
            code="token_bound",
        )  # fmt: skip


def read_scope(text: str) -> frozenset[str]:
    """Return the tokens of a `scope` claim.

    Raises:
        TokenRejected: `claim_malformed`.
    """
    return frozenset(parse_scope(text, error=_malformed_scope))


# Issuers write the same few over and over.
_read_known_scope = lru_cache(maxsize=128)(read_scope)


def _read(
    typ: str,
    claims: dict[str, JsonValue],
    issuer: str,
    audience: str | None,
    clock: tuple[int, int],
) -> AccessToken:
    """Return what the claims say, each in the form that it must have.

    Written for speed: a claim in its usual form is taken at a glance, and whatever looks
    otherwise goes to the reader that knows every form and each way to be wrong.
    """
    try:
        if typ != "at+jwt":
            _check_kind(typ)
        get = claims.get
        if get("iss") != issuer:
            raise wrong_issuer(read_text(claims, "iss"), issuer)
        if audience and get("aud") == audience:
            named: tuple[str, ...] = (audience,)
        else:
            named = read_audience(claims)
            if audience is not None and audience not in named:
                raise wrong_audience(named, audience)
        check_unbound(claims)
        now, leeway = clock
        issued_at, expires_at = check_times(claims, now=now, leeway=leeway)
        subject, client_id, jti = get("sub"), get("client_id"), get("jti")
        if type(subject) is not str or not subject:
            subject = read_text(claims, "sub")
        if type(client_id) is not str or not client_id:
            client_id = read_text(claims, "client_id")
        scope = get("scope")
        if type(scope) is str:
            granted = _read_known_scope(scope)
        else:
            find_text(claims, "scope")  # refuses it, unless it is absent
            granted = _NO_SCOPE
        if type(jti) is not str or not jti:
            jti = read_text(claims, "jti")
        auth_time = find_time(claims, "auth_time") if "auth_time" in claims else None
    except TokenRejected as error:
        error.stage = "access_token"
        raise
    return AccessToken(
        issuer, subject, client_id, named, granted, jti, expires_at, issued_at, auth_time, claims
    )


def _check_kind(typ: str) -> None:
    """Check that it says of itself that it is an access token. RFC 9068 §4."""
    if typ.lower() not in {"at+jwt", "application/at+jwt"}:
        raise rejected(
            "typ", "this is no access token", code="wrong_token_type",
            expected="at+jwt", got=typ or "none",
        )  # fmt: skip


def wrong_issuer(claimed: str, issuer: str) -> TokenRejected:
    """Return the refusal of a token that another issuer made."""
    return rejected(
        "iss", "the token is of another issuer", code="issuer_mismatch",
        expected=issuer, got=claimed,
    )  # fmt: skip


def wrong_audience(named: tuple[str, ...], audience: str) -> TokenRejected:
    """Return the refusal of a token that is good elsewhere."""
    return rejected(
        "aud", "the token is for another resource", code="audience_mismatch",
        expected=audience, got=" ".join(named),
    )  # fmt: skip


def _malformed_scope(message: str) -> TokenRejected:
    return rejected("scope", message, code="claim_malformed")
