"""Whether what an issuer says of a token lets its bearer in, at this resource. Layer: rules.

RFC 7662 §2.2, §4.
"""

from __future__ import annotations

from codegrant.errors import TokenRejected
from codegrant.messages.introspection import IntrospectionResponse
from codegrant.messages.json import JsonValue
from codegrant.rules.access_token import (
    AccessToken,
    check_unbound,
    read_scope,
    wrong_audience,
    wrong_issuer,
)
from codegrant.rules.claims import at_stage, check_times, find_time, rejected

__all__ = ["verify_introspection"]


def verify_introspection(
    response: IntrospectionResponse,
    *,
    issuer: str,
    audience: str,
    now: int,
    leeway: int = 60,
    accept_missing_audience: bool = False,
) -> AccessToken:
    """Return the access token that an issuer vouches for.

    Args:
        response: of the introspection endpoint of `issuer`.
        issuer: whom the token must be of, if the answer says whose it is.
        audience: must be in `aud`.
        now: epoch seconds.
        leeway: seconds that clocks may differ.
        accept_missing_audience: an answer that does not say what the token is for will do,
            if it says `token_type`.

    Raises:
        TokenRejected: `token_inactive`; `wrong_token_type`, another kind than `Bearer`, or
            no access token; `token_bound`; `issuer_mismatch`; `audience_mismatch`;
            `token_expired`; `token_from_the_future`; `claim_missing`, of `exp`, of `aud`, or
            of both `sub` and `client_id`; `claim_malformed`.

    RFC 7662 §2.2, §4. Stricter: `exp` must be there, so that no token is good for ever; and
    `aud`, without which a token for any API would do.
    """
    with at_stage("access_token"):
        if not response.active:
            raise TokenRejected(
                "the issuer does not vouch for the token: it has expired, was revoked, or is "
                "none of its own",
                code="token_inactive",
            )
        members = response.members()
        _check_kind(response)
        check_unbound(response.extra)
        if response.iss is not None and response.iss != issuer:
            raise wrong_issuer(response.iss, issuer)
        if audience not in response.aud and (response.aud or not accept_missing_audience):
            raise _not_for(response.aud, audience)
        if not response.aud and response.token_type is None:
            raise _missing("token_type", "without it and aud it might be a refresh token")
        issued_at, expires_at = check_times({"iat": 0, **members}, now=now, leeway=leeway)
        # Without a subject there is no person: the client acts for itself.
        subject = response.sub or response.client_id
        if subject is None:
            raise _missing("sub")
        return AccessToken(
            issuer=issuer,
            subject=subject,
            client_id=response.client_id or "",
            audience=response.aud,
            scope=read_scope(response.scope) if response.scope else frozenset(),
            jti=response.jti or "",
            expires_at=expires_at,
            issued_at=issued_at,
            auth_time=find_time(members, "auth_time"),
            claims=members,
        )


def _check_kind(response: IntrospectionResponse) -> None:
    """Check that it is an access token, and that nothing but the token must be shown.

    An introspection endpoint knows refresh tokens too. RFC 7662 §2.1; RFC 6749 §7.1.
    """
    kind = response.token_type or "Bearer"
    if kind.lower() != "bearer":
        raise _wrong_kind("token_type", "Bearer", kind)
    use = response.extra.get("token_use", "access_token")  # of Ory Hydra, which has no other way
    if use != "access_token":
        raise _wrong_kind("token_use", "access_token", use)


def _wrong_kind(member: str, expected: str, got: JsonValue) -> TokenRejected:
    return rejected(
        member, "the token is of another kind", code="wrong_token_type",
        expected=expected, got=str(got),
    )  # fmt: skip


def _not_for(named: tuple[str, ...], audience: str) -> TokenRejected:
    if named:
        return wrong_audience(named, audience)
    return _missing(
        "aud", "without it a token for any API would do; accept_missing_audience=True lets it pass"
    )


def _missing(member: str, hint: str = "") -> TokenRejected:
    return rejected(member, "the introspection does not tell it", code="claim_missing", hint=hint)
