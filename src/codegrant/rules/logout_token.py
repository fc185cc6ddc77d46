"""Whether a logout token holds, for this client. Layer: rules.

OpenID Connect Back-Channel Logout §2.4, §2.6; RFC 8725.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from codegrant.errors import UsageError
from codegrant.jose import UnverifiedJwt, VerifiedJwt
from codegrant.messages.json import JsonValue
from codegrant.rules.claims import at_stage, check_times, find_text, read_text, rejected
from codegrant.rules.id_token import check_parties

__all__ = ["ClaimedLogoutToken", "LogoutToken", "accept_logout_token", "read_logout_token"]

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAXIMUM_LENGTH = 255
# A server that does not type its tokens says nothing, or what it says of every JWT.
_TYPES = frozenset({"", "JWT", "LOGOUT+JWT", "APPLICATION/LOGOUT+JWT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutToken:
    """Whom a provider has signed out, as a verified logout token says it.

    Attributes:
        issuer: who says so.
        subject: the person; None when only a session is named.
        session: of the person at the provider (`sid`); None when all of theirs have ended.
        token_id: `jti`, by which a token that comes twice is known.
        expires_at: epoch seconds.
        issued_at: epoch seconds.
    """

    issuer: str
    subject: str | None
    session: str | None
    token_id: str
    expires_at: int
    issued_at: int


class ClaimedLogoutToken(NamedTuple):
    """A JWT that says all that a logout token must say, and that nobody has vouched for.

    Attributes:
        jwt: as parsed.
        claimed: what it will be once its signature is known to hold.
    """

    jwt: UnverifiedJwt
    claimed: LogoutToken


def read_logout_token(
    jwt: UnverifiedJwt,
    *,
    issuer: str,
    client_id: str,
    now: int,
    leeway: int = 60,
    allowed_algs: Collection[str],
    issuer_alias: str = "",
) -> ClaimedLogoutToken:
    """Return the logout token that a JWT claims to be; this needs no key.

    So a token that cannot hold causes no fetch of keys. `accept_logout_token` believes it;
    whether it came before is for a store to say.

    Args:
        jwt: as parsed.
        issuer: expected, compared character by character.
        client_id: must be the only audience: no other is trusted.
        now: epoch seconds.
        leeway: seconds that clocks may differ.
        allowed_algs: of configuration or metadata, never of the token.
        issuer_alias: as for `read_id_token`.

    Raises:
        TokenRejected: `wrong_token_type`, `algorithm_refused`, `issuer_mismatch`,
            `audience_mismatch`, `audience_untrusted`, `azp_mismatch`, `token_expired`,
            `token_from_the_future`, `no_logout_event`, `nonce_present`, `claim_missing`,
            `claim_malformed`.

    Back-Channel Logout §2.6 (3 to 6). Stricter: `jti` must be there, since the token is
    obeyed once.
    """
    claims = jwt.claimed
    with at_stage("logout_token"):
        _check_header(jwt.typ, jwt.alg, allowed_algs)
        check_parties(claims, issuer, client_id, issuer_alias)
        issued_at, expires_at = check_times(claims, now=now, leeway=leeway)
        _check_event(claims)
        subject, session = _find_name(claims, "sub"), _find_name(claims, "sid")
        if subject is None and session is None:
            raise rejected("sub", "neither it nor sid is there", code="claim_missing")
        token = LogoutToken(
            issuer=issuer,
            subject=subject,
            session=session,
            token_id=_check_length("jti", read_text(claims, "jti")),
            expires_at=expires_at,
            issued_at=issued_at,
        )
    return ClaimedLogoutToken(jwt, token)


def accept_logout_token(claimed: ClaimedLogoutToken, jwt: VerifiedJwt) -> LogoutToken:
    """Return the logout token of which `jwt` is the proof.

    Args:
        claimed: as read.
        jwt: its signature holds; that the key was the issuer's is the caller's to see to.

    Raises:
        UsageError: `jwt` is the proof of another one.
    """
    if jwt.claims is not claimed.jwt.claimed:
        raise UsageError("logout token: the signature that was verified is another token's")
    return claimed.claimed


def _check_header(typ: str, alg: str, allowed_algs: Collection[str]) -> None:
    """Check that it is no other kind of JWT, and signed as agreed. RFC 8725 §3.1, §3.11."""
    if typ.upper() not in _TYPES:
        raise rejected(
            "typ", "this is another kind of token", code="wrong_token_type",
            expected="logout+jwt", got=typ,
        )  # fmt: skip
    if alg not in allowed_algs:
        raise rejected(
            "alg", "the token is signed in a way that was not agreed", code="algorithm_refused",
            expected=" or ".join(allowed_algs), got=alg,
        )  # fmt: skip


def _check_event(claims: Mapping[str, JsonValue]) -> None:
    """Check that it is about a logout, and no ID token. Back-Channel Logout §2.4, §2.6 (5, 6)."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise rejected(
            "events", "the token is about no logout", code="no_logout_event",
            expected=LOGOUT_EVENT,
        )  # fmt: skip
    if "nonce" in claims:
        raise rejected("nonce", "a logout token must have none", code="nonce_present")


def _find_name(claims: Mapping[str, JsonValue], name: str) -> str | None:
    """Return `sub` or `sid`; None when it is absent."""
    value = find_text(claims, name)
    return None if value is None else _check_length(name, value)


def _check_length(name: str, value: str) -> str:
    """Return a value that is short enough to be one."""
    if len(value) > MAXIMUM_LENGTH:
        raise rejected(
            name, "the claim is too long", code="claim_malformed",
            expected=f"at most {MAXIMUM_LENGTH} characters", got=len(value),
        )  # fmt: skip
    return value
