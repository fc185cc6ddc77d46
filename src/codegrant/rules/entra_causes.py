"""The AADSTS numbers of Microsoft Entra and what is behind them, as data. Layer: rules."""

from __future__ import annotations

import re

__all__ = ["find_entra_cause"]

_NUMBER = re.compile(r"\bAADSTS(\d{4,9})\b")

_REDIRECT = (
    "add the redirect URI, exactly as it is sent, under Authentication, platform Web, of the app "
    "registration"
)
_TENANT = (
    "the account or the app is of another tenant: check the tenant in the issuer and the app's "
    "supported account types"
)
_ASSIGN = "assign the person or a group of theirs under Enterprise applications, Users and groups"
_POLICY = "a Conditional Access policy blocks this sign-in; its sign-in log names the policy"
_SECOND = "a second factor is asked for: send the person to log in again, interactively"
_AGAIN = "the session behind the tokens has ended: send the person to log in again"
_CONSENT = (
    "nobody has consented to these permissions: send the person to log in with prompt=consent, or "
    "let an administrator consent"
)
_ADMIN = "an administrator must consent to these permissions for the whole tenant"
_CONFIDENTIAL = (
    "the redirect URI is registered for platform Single-page application; a client on a server "
    "needs it under platform Web"
)
_MALFORMED = "a parameter is missing, doubled or malformed; the description says which"
_CLOCK = "is this machine's clock right, and is the certificate registered with the app?"
_BUSY = "a passing problem at Entra; try again"

_BY_NUMBER: dict[str, tuple[str, str]] = {
    "28002": ("scope_refused", "the scope is not one of the resource's; ask as RESOURCE/SCOPE"),
    "28003": ("scope_refused", "the token request names no scope, and Entra wants one"),
    "50011": ("redirect_uri_mismatch", _REDIRECT),
    "50020": ("tenant_mismatch", _TENANT),
    "50034": ("tenant_mismatch", "the account does not exist in this tenant"),
    "50058": ("login_required", "nobody is logged in there: start a login without prompt=none"),
    "50059": ("tenant_mismatch", "nothing in the request names a tenant; put it in the issuer"),
    "50074": ("mfa_required", _SECOND),
    "50076": ("mfa_required", _SECOND),
    "50078": ("mfa_required", _SECOND),
    "50079": ("mfa_required", _SECOND),
    "50097": ("policy_blocked", "the policy wants a device that is known to the tenant"),
    "50105": ("person_not_assigned", _ASSIGN),
    "50128": ("tenant_mismatch", "the domain in the request belongs to no tenant"),
    "50131": ("policy_blocked", _POLICY),
    "50132": ("session_ended", _AGAIN),
    "50133": ("session_ended", _AGAIN),
    "50158": ("mfa_required", _SECOND),
    "50173": ("session_ended", "the password was changed or reset: the person must log in again"),
    "50194": ("tenant_mismatch", "the app has one tenant: use that tenant's issuer, not /common"),
    "50196": ("login_loop", "Entra sees the same request again and again: look for a loop"),
    "53000": ("policy_blocked", "the policy wants a compliant device"),
    "53001": ("policy_blocked", "the policy wants a device that is joined to the domain"),
    "53003": ("policy_blocked", _POLICY),
    "54005": ("code_already_used", "the code was exchanged before; start the login again"),
    "65001": ("consent_missing", _CONSENT),
    "65004": ("access_denied", "the person declined to consent; this is a normal outcome"),
    "65005": (
        "resource_unknown",
        "add a permission on this resource under API permissions of the app registration",
    ),
    "70001": ("client_unknown", "no app of this client_id is in the tenant"),
    "70008": (
        "grant_expired",
        "the code or the refresh token was not used in time; the person must log in again",
    ),
    "70011": ("scope_refused", "the scope is unknown or of two resources; ask as RESOURCE/SCOPE"),
    "70043": ("refresh_token_expired", "a policy's sign-in frequency: log the person in again"),
    "90002": ("tenant_mismatch", "there is no such tenant: check the one in the issuer"),
    "90014": ("request_malformed", _MALFORMED),
    "90033": ("temporarily_unavailable", _BUSY),
    "90072": ("tenant_mismatch", _TENANT),
    "90094": ("admin_consent_required", _ADMIN),
    "500011": ("resource_unknown", "the resource has no service principal in this tenant"),
    "500112": (
        "redirect_uri_mismatch",
        "the redirect URI of the token request is not the one that the login began with",
    ),
    "500113": ("redirect_uri_mismatch", f"the app has no redirect URI at all: {_REDIRECT}"),
    "501481": ("pkce_mismatch", "the code belongs to a login with another code verifier"),
    "530002": ("policy_blocked", "the policy wants a compliant device"),
    "530003": ("policy_blocked", "the policy wants a managed device"),
    "700016": (
        "client_unknown",
        "no app of this client_id is in the tenant: check both, and whether anybody consented",
    ),
    "700024": ("client_assertion_refused", f"the client assertion is not valid now: {_CLOCK}"),
    "700025": (
        "client_secret_unexpected",
        "the app is registered as a public client: leave client_secret out, or register it as Web",
    ),
    "700027": ("client_assertion_refused", f"the assertion's signature is refused: {_CLOCK}"),
    "700082": ("refresh_token_expired", "the refresh token was not used for too long"),
    "700084": (
        "refresh_token_expired",
        "a Single-page application's refresh token lasts 24 hours; register the client as Web",
    ),
    "900144": ("request_malformed", _MALFORMED),
    "900971": ("redirect_uri_mismatch", _REDIRECT),
    "7000112": ("client_disabled", "an administrator disabled the app in this tenant"),
    "7000215": (
        "client_secret_wrong",
        "the secret is wrong: give its value, which is shown once, not its id",
    ),
    "7000218": (
        "client_secret_missing",
        "give client_secret, or allow public client flows in the app registration",
    ),
    "7000222": (
        "client_secret_expired",
        "make a new secret under Certificates and secrets, and give its value to this client",
    ),
    "9002313": ("request_malformed", _MALFORMED),
    "9002325": ("pkce_missing", "Entra got no code_challenge: is the address rewritten?"),
    "9002326": ("client_platform_mismatch", _CONFIDENTIAL),
    "9002327": ("client_platform_mismatch", _CONFIDENTIAL),
    "9002331": ("tenant_mismatch", "the app is for personal accounts only: use tenant consumers"),
}  # fmt: skip


def find_entra_cause(description: str) -> tuple[str, str] | None:
    """Return code and hint for the first AADSTS number of `description` that is known."""
    for number in _NUMBER.findall(description):
        if number in _BY_NUMBER:
            return _BY_NUMBER[number]
    return None
