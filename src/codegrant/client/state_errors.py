"""Why a callback does not belong to a login: every `StateError` of the client, with its hint.

Layer: client.
"""

from __future__ import annotations

from codegrant.errors import SealBroken, StateError

__all__ = ["other_provider", "seal_error", "state_error"]

_HINTS = {
    "state_missing": (
        "the callback address carries no state: it was opened by hand, or the provider drops it"
    ),
    "state_cookie_missing": (
        "the browser did not bring the login's cookie: cookies are off or were cleared, a private "
        "window was closed, or a proxy removes or renames them; start the login again"
    ),
    "state_other_browser": (
        "cookies stay with their browser: the link was opened in another one, often an in-app "
        "browser or the system's; finish the login where it began"
    ),
    "state_superseded": (
        "a browser keeps 12 logins that were begun, the oldest go first; start the login again, "
        "and look for a page that begins logins by itself"
    ),
    "state_cookies_full": (
        "browsers drop the oldest cookies of a host that has too many: set fewer and smaller "
        "cookies on it, beside this login's one of 220 bytes"
    ),
    "state_posted": (
        "browsers bring no SameSite=Lax cookie with a form from another site: say so to the "
        "client, Client(..., response_mode=form_post), or let the provider answer in the query"
    ),
    "state_form_alone": (
        "a form from another site brings only cookies that are SameSite=None and Secure: some "
        "browsers keep none of these on http, or block them everywhere; use https, or let the "
        "provider answer in the query"
    ),
    "state_host_changed": (
        "cookies stay with their host: use one address for the application, in the browser and "
        "in the redirect URI"
    ),
    "state_expired": "the person took longer than the login may last; start the login again",
    "state_tampered": "the address was cut or altered on its way; start the login again",
    "state_unknown": "do all processes of the application have the same secret?",
    "state_mismatch": "the callback of one login met the cookie of another; start the login again",
    "state_already_used": "the callback was loaded twice; the first one counts",
    "state_in_progress": (
        "the callback was loaded twice and the first exchange is still going on, or its process "
        "died; load it again, else start the login again"
    ),
    "state_other_provider": (
        "issuer, client_id, redirect_uri or token endpoint differ from those at the start: a "
        "callback of another provider, or the settings changed meanwhile; start the login again"
    ),
}


def state_error(code: str, message: str, **facts: str | int) -> StateError:
    """Return the `StateError` of `code` with its hint."""
    return StateError(message, code=code, stage="callback", hint=_HINTS[code], facts=facts)


def other_provider() -> StateError:
    """Return the error of a callback that reached another provider's settings."""
    return state_error(
        "state_other_provider",
        "the login was started with another provider or with other settings",
    )


def seal_error(error: SealBroken, what: str) -> StateError:
    """Return the error of `what`, which did not open."""
    code = "state_unknown" if error.code == "seal_unknown_key" else "state_tampered"
    return state_error(code, f"{what} does not open: {error.message}")
