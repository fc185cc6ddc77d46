"""Whether an ID token holds, for this client and this login. Layer: rules.

OpenID Connect Core §3.1.3.7; RFC 8725.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from codegrant.errors import TokenRejected, UsageError
from codegrant.jose import UnverifiedJwt, VerifiedJwt, half_hash
from codegrant.messages.json import JsonValue
from codegrant.rules.claims import (
    check_times,
    find_text,
    find_texts,
    find_time,
    read_audience,
    read_text,
    rejected,
)
from codegrant.secret import same_secret

__all__ = ["ClaimedIdToken", "IdToken", "accept_id_token", "check_parties", "read_id_token"]

MAXIMUM_SUBJECT_LENGTH = 255

_OTHER_LOGIN = "the token was not made for this login (injection, or the server drops nonce)"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """Who logged in, as a verified ID token says it.

    A person is (`issuer`, `subject`); an e-mail address is never the key of an account.

    Attributes:
        issuer: who says so.
        subject: the person, stable at this issuer and never given to another.
        audience: the client, and nobody else.
        nonce: of the login.
        auth_time: epoch seconds of the person's authentication; None when not told.
        acr: the authentication context; None when not told.
        amr: how the person authenticated.
        expires_at: epoch seconds.
        issued_at: epoch seconds.
        claims: every claim, those above included.
    """

    issuer: str
    subject: str
    audience: tuple[str, ...]
    nonce: str | None = field(default=None, repr=False)
    auth_time: int | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    expires_at: int
    issued_at: int
    claims: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )


class ClaimedIdToken(NamedTuple):
    """A JWT that says all that an ID token must say, and that nobody has vouched for.

    Attributes:
        jwt: as parsed.
        claimed: what it will be once its signature is known to hold.
    """

    jwt: UnverifiedJwt
    claimed: IdToken


def read_id_token(
    jwt: UnverifiedJwt,
    *,
    issuer: str,
    client_id: str,
    nonce: str | None,
    now: int,
    leeway: int = 60,
    access_token: str | None = None,
    code: str | None = None,
    state: str | None = None,
    max_age: int | None = None,
    acr_values: Collection[str] | None = None,
    allowed_algs: Collection[str],
    issuer_alias: str = "",
) -> ClaimedIdToken:
    """Return the ID token that a JWT claims to be; this needs no key.

    So a token that cannot hold causes no fetch of keys. `accept_id_token` believes it.

    Args:
        jwt: as parsed.
        issuer: expected, compared character by character.
        client_id: must be the only audience: no other is trusted.
        nonce: as sent; None when none was.
        now: epoch seconds.
        leeway: seconds that clocks may differ.
        access_token: that came with it; must fit `at_hash` when that is there.
        code: that it came for; must fit `c_hash` when that is there.
        state: of the request; must fit `s_hash` when that is there.
        max_age: as sent, in seconds: `auth_time` must then be there and fresh.
        acr_values: of which `acr` must be one; None when none is essential.
        allowed_algs: of configuration or metadata, never of the token.
        issuer_alias: a second spelling of `issuer` that this issuer is known to use; what is
            returned says `issuer`.

    Raises:
        TokenRejected: `wrong_token_type`, `algorithm_refused`, `issuer_mismatch`,
            `audience_mismatch`, `audience_untrusted`, `azp_mismatch`, `token_expired`,
            `token_from_the_future`, `nonce_mismatch`, `at_hash_mismatch`,
            `c_hash_mismatch`, `s_hash_mismatch`, `login_too_old`, `acr_not_met`,
            `claim_missing`, `claim_malformed`.

    OpenID Connect Core §3.1.3.7, §3.1.3.8, §3.3.2.11. Stricter: no audience beside the
    client, and a hash that is there must fit.
    """
    claims, alg = jwt.claimed, jwt.alg
    try:
        _check_header(jwt.typ, alg, allowed_algs)
        check_parties(claims, issuer, client_id, issuer_alias)
        issued_at, expires_at = check_times(claims, now=now, leeway=leeway)
        _check_nonce(claims, nonce)
        for name, value in (("at_hash", access_token), ("c_hash", code), ("s_hash", state)):
            if name in claims:
                _check_hash(claims, name, alg, value)
        token = IdToken(
            issuer=issuer,
            subject=_read_subject(claims),
            audience=(client_id,),
            nonce=nonce,
            auth_time=_read_auth_time(claims, max_age, now, leeway),
            acr=_read_acr(claims, acr_values),
            amr=find_texts(claims, "amr"),
            expires_at=expires_at,
            issued_at=issued_at,
            claims=claims,
        )
    except TokenRejected as error:
        error.stage = "id_token"
        raise
    return ClaimedIdToken(jwt, token)


def accept_id_token(claimed: ClaimedIdToken, jwt: VerifiedJwt) -> IdToken:
    """Return the ID token of which `jwt` is the proof.

    Args:
        claimed: as read.
        jwt: its signature holds; that the key was the issuer's is the caller's to see to.

    Raises:
        UsageError: `jwt` is the proof of another one.
    """
    if jwt.claims is not claimed.jwt.claimed:
        raise UsageError("ID token: the signature that was verified is another token's")
    return claimed.claimed


def _check_header(typ: str, alg: str, allowed_algs: Collection[str]) -> None:
    """Check that it is no other kind of JWT, and signed as agreed. RFC 8725 §3.1, §3.11."""
    if typ.upper() not in {"", "JWT"}:
        raise rejected(
            "typ", "this is another kind of token", code="wrong_token_type",
            expected="JWT", got=typ,
        )  # fmt: skip
    if alg not in allowed_algs:
        raise rejected(
            "alg", "the token is signed in a way that was not agreed", code="algorithm_refused",
            expected=" or ".join(allowed_algs), got=alg,
            hint="for which id_token_signed_response_alg is the client registered?",
        )  # fmt: skip


def check_parties(
    claims: Mapping[str, JsonValue], issuer: str, client_id: str, issuer_alias: str
) -> None:
    """Check who made it and for whom. OpenID Connect Core §3.1.3.7 (2 to 5)."""
    found = claims.get("iss")
    if not issuer or (found != issuer and (not issuer_alias or found != issuer_alias)):
        raise rejected(
            "iss", "the token is of another issuer", code="issuer_mismatch",
            expected=issuer, got=read_text(claims, "iss"),
        )  # fmt: skip
    if not client_id or claims.get("aud") != client_id:
        _check_audience(claims, client_id)
    if "azp" in claims:
        azp = find_text(claims, "azp")
        if azp != client_id:
            raise rejected(
                "azp", "the token was issued to another client", code="azp_mismatch",
                expected=client_id, got=azp or "",
            )  # fmt: skip


def _check_audience(claims: Mapping[str, JsonValue], client_id: str) -> None:
    """Check an audience that may have another form than one text."""
    audience = read_audience(claims)
    if client_id not in audience:
        raise rejected(
            "aud", "the token is for another client", code="audience_mismatch",
            expected=client_id, got=" ".join(audience),
        )  # fmt: skip
    if set(audience) != {client_id}:
        raise rejected(
            "aud", "the token is for others as well", code="audience_untrusted",
            expected=client_id, got=" ".join(audience),
        )  # fmt: skip


def _check_nonce(claims: Mapping[str, JsonValue], nonce: str | None) -> None:
    """Check that it was made for this login. OpenID Connect Core §3.1.3.7 (11)."""
    found = find_text(claims, "nonce")
    if nonce is None or (found is not None and same_secret(found, nonce)):
        return
    what = "it is missing" if found is None else "it is of another login"
    raise rejected("nonce", what, code="nonce_mismatch", hint=_OTHER_LOGIN)


def _check_hash(claims: Mapping[str, JsonValue], name: str, alg: str, value: str | None) -> None:
    """Check that a half hash is the one of `value`, when there is one."""
    found = read_text(claims, name)
    if value is not None and not same_secret(found, half_hash(alg, value)):
        raise rejected(
            name, "the token belongs to other values than those it came with",
            code=f"{name}_mismatch",
        )  # fmt: skip


def _read_subject(claims: Mapping[str, JsonValue]) -> str:
    """Return who logged in. OpenID Connect Core §2."""
    subject = read_text(claims, "sub")
    if len(subject) > MAXIMUM_SUBJECT_LENGTH:
        raise rejected(
            "sub", "the subject is too long", code="claim_malformed",
            expected=f"at most {MAXIMUM_SUBJECT_LENGTH} characters", got=len(subject),
        )  # fmt: skip
    return subject


def _read_auth_time(
    claims: Mapping[str, JsonValue], max_age: int | None, now: int, leeway: int
) -> int | None:
    """Return when the person authenticated, which was not before `max_age` allows."""
    auth_time = find_time(claims, "auth_time")
    if auth_time is not None and auth_time > now + leeway:
        raise rejected(
            "auth_time", "the login is in the future", code="token_from_the_future",
            expected=f"{now + leeway} or before", got=auth_time, now=now, leeway=leeway,
        )  # fmt: skip
    if max_age is None:
        return auth_time
    if auth_time is None:
        raise rejected(
            "auth_time", "the claim is missing, although max_age was sent", code="claim_missing"
        )
    if now - auth_time > max_age + leeway:
        raise rejected(
            "auth_time", "the login is older than max_age", code="login_too_old",
            expected=f"{now - max_age - leeway} or later", got=auth_time, now=now, leeway=leeway,
            hint="the server did not ask the person to log in again",
        )  # fmt: skip
    return auth_time


def _read_acr(claims: Mapping[str, JsonValue], acr_values: Collection[str] | None) -> str | None:
    """Return the authentication context, which is an essential one if any is."""
    acr = find_text(claims, "acr")
    if acr_values is not None and acr not in acr_values:
        raise rejected(
            "acr", "no essential authentication context was reached", code="acr_not_met",
            expected=" or ".join(acr_values), got=acr or "none",
        )  # fmt: skip
    return acr
