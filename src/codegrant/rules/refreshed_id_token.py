"""Whether the ID token of a refresh continues the login that it refreshes. Layer: rules.

OpenID Connect Core §12.2.
"""

from __future__ import annotations

from dataclasses import replace

from codegrant.rules.claims import at_stage, find_text, rejected
from codegrant.rules.id_token import IdToken
from codegrant.secret import same_secret

__all__ = ["continue_identity"]

_HINT = "the server mixed up two logins; the tokens of this refresh are not used"


def continue_identity(refreshed: IdToken, previous: IdToken, *, leeway: int = 60) -> IdToken:
    """Return who is logged in after a refresh: the same person, in the same login.

    What the new ID token leaves out of how the person authenticated stays as it was told at
    the login, since a refresh changes nothing about it; every other claim is the new one's.

    Args:
        refreshed: of the refresh, verified as any ID token is, but for its nonce.
        previous: of the login, or of the refresh before.
        leeway: seconds that clocks may differ.

    Raises:
        TokenRejected: `issuer_mismatch`, `subject_mismatch`, `audience_mismatch`,
            `azp_mismatch`, `nonce_mismatch`, `auth_time_mismatch`, or `token_outdated`, when
            it was issued before the one that it replaces.

    OpenID Connect Core §12.2.
    """
    with at_stage("id_token"):
        if refreshed.issuer != previous.issuer:
            raise rejected(
                "iss", "the token is of another issuer", code="issuer_mismatch",
                expected=previous.issuer, got=refreshed.issuer, hint=_HINT,
            )  # fmt: skip
        if refreshed.subject != previous.subject:
            raise rejected(
                "sub", "the token is about somebody else", code="subject_mismatch",
                expected=previous.subject, got=refreshed.subject, hint=_HINT,
            )  # fmt: skip
        if set(refreshed.audience) != set(previous.audience):
            raise rejected(
                "aud", "the token is for another client", code="audience_mismatch",
                expected=" ".join(previous.audience), got=" ".join(refreshed.audience), hint=_HINT,
            )  # fmt: skip
        if refreshed.issued_at < previous.issued_at - leeway:
            raise rejected(
                "iat", "the token is older than the one it replaces", code="token_outdated",
                expected=f"{previous.issued_at - leeway} or later", got=refreshed.issued_at,
                hint=_HINT,
            )  # fmt: skip
        _check_authorized_party(refreshed, previous)
        _check_nonce(refreshed, previous)
        _check_auth_time(refreshed, previous)
    return replace(
        refreshed,
        nonce=previous.nonce,
        auth_time=refreshed.auth_time if previous.auth_time is None else previous.auth_time,
        acr=refreshed.acr or previous.acr,
        amr=refreshed.amr or previous.amr,
    )


def _check_authorized_party(refreshed: IdToken, previous: IdToken) -> None:
    """Check that `azp` is as it was, there or not."""
    expected, found = find_text(previous.claims, "azp"), find_text(refreshed.claims, "azp")
    if found != expected:
        raise rejected(
            "azp", "the token was issued to another client", code="azp_mismatch",
            expected=expected or "none", got=found or "none", hint=_HINT,
        )  # fmt: skip


def _check_nonce(refreshed: IdToken, previous: IdToken) -> None:
    """Check that a nonce, which need not be there, is the one of the login."""
    found = find_text(refreshed.claims, "nonce")
    if found is None or (previous.nonce is not None and same_secret(found, previous.nonce)):
        return
    raise rejected("nonce", "it is of another login", code="nonce_mismatch", hint=_HINT)


def _check_auth_time(refreshed: IdToken, previous: IdToken) -> None:
    """Check that `auth_time`, when both tell it, is still that of the login."""
    known = previous.auth_time is not None and refreshed.auth_time is not None
    if known and refreshed.auth_time != previous.auth_time:
        raise rejected(
            "auth_time", "the person authenticated at another time", code="auth_time_mismatch",
            expected=previous.auth_time or 0, got=refreshed.auth_time or 0, hint=_HINT,
        )  # fmt: skip
