"""What an authorization request still needs before a code may be issued. Layer: server, no I/O.

Pure: the endpoint asks it for the session it finds, and the pages ask it again after each
step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from codegrant.errors import OAuthError
from codegrant.secret import same_secret
from codegrant.server.authorization_request import CheckedAuthorization
from codegrant.server.host import Authentication

__all__ = [
    "Decision",
    "LoginReason",
    "NeedConsent",
    "NeedLogin",
    "Ready",
    "decide",
    "login_reason",
    "remembers_consent",
]

LoginReason: TypeAlias = Literal["no_session", "prompt", "max_age", "acr", "other_person"]


@dataclass(frozen=True, slots=True)
class NeedLogin:
    """Somebody must log in, although perhaps somebody is logged in already."""

    checked: CheckedAuthorization
    reason: LoginReason


@dataclass(frozen=True, slots=True)
class NeedConsent:
    """The person who is logged in must be asked."""

    checked: CheckedAuthorization
    authentication: Authentication


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing is missing: a code may be issued for `scope`."""

    checked: CheckedAuthorization
    authentication: Authentication
    scope: tuple[str, ...]


Decision: TypeAlias = NeedLogin | NeedConsent | Ready


def decide(
    checked: CheckedAuthorization,
    authentication: Authentication | None,
    remembered: frozenset[str] | None,
    now: int,
    *,
    login_sid: str = "",
) -> Decision:
    """Return what the request still needs.

    Args:
        authentication: who is logged in in this browser.
        remembered: the scope that `Host.find_consent` knows for this person, client and
            audience.
        now: epoch seconds.
        login_sid: the session that logged in for this very transaction; empty for none.

    Raises:
        OAuthError: `login_required` or `consent_required` where `prompt=none` forbids a
            page, `login_required` when somebody else than the hinted person logged in,
            `unmet_authentication_requirements` when the login that the request led to did
            not reach an essential `acr`.

    OIDC Core §3.1.2.1, §3.1.2.3, §5.5.1.1.
    """
    silent = "none" in checked.prompt
    reason = login_reason(checked, authentication, now, login_sid)
    if authentication is None or reason is not None:
        if silent:
            raise OAuthError("login_required", "no page may be shown, and a login is needed")
        return NeedLogin(checked, reason or "no_session")
    if not has_consent(checked, remembered):
        if silent:
            raise OAuthError("consent_required", "no page may be shown, and consent is needed")
        return NeedConsent(checked, authentication)
    return Ready(checked, authentication, checked.scope)


def login_reason(
    checked: CheckedAuthorization, authentication: Authentication | None, now: int, login_sid: str
) -> LoginReason | None:
    """Return why a login is needed, or None.

    Raises:
        OAuthError: one has just taken place, and it was not what the request demands.
    """
    if authentication is None:
        return "no_session"
    just_logged_in = bool(login_sid) and same_secret(authentication.sid, login_sid)
    if checked.subject and authentication.subject != checked.subject:
        if just_logged_in:
            raise OAuthError("login_required", "another person than the hinted one logged in")
        return "other_person"
    if checked.essential_acr and authentication.acr not in checked.essential_acr:
        if just_logged_in:
            raise OAuthError(
                "unmet_authentication_requirements", "the demanded authentication was not reached"
            )
        return "acr"
    if just_logged_in:
        return None
    if "login" in checked.prompt or "select_account" in checked.prompt:
        return "prompt"
    age = now - authentication.auth_time
    # max_age=0 is prompt=login, also for a login of this very second. OIDC Core §3.1.2.1.
    if checked.max_age is not None and (checked.max_age == 0 or age > checked.max_age):
        return "max_age"
    return None


def has_consent(checked: CheckedAuthorization, remembered: frozenset[str] | None) -> bool:
    """Return whether no consent page is needed (D16)."""
    if "consent" in checked.prompt:
        return False
    if checked.client.skip_consent:
        return True
    return (
        remembered is not None
        and remembers_consent(checked)
        and remembered.issuperset(checked.scope)
    )


def remembers_consent(checked: CheckedAuthorization) -> bool:
    """Return whether consent to this request may be remembered (D16).

    Not for a public client behind a loopback or private redirect: any program on the
    person's machine could pretend to be it. RFC 8252 §8.6.
    """
    return not checked.client.is_public or checked.redirect_uri.startswith("https://")
