"""A login that fails: calm words for the person, the cause for the log. Layer: web."""

from __future__ import annotations

import logging
from typing import NamedTuple

from codegrant.errors import (
    CodegrantError,
    LoginRequired,
    PeerError,
    Refused,
    StateError,
    StoreError,
    TransportError,
)
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Response
from codegrant.web.login_pages import failure_page

__all__ = ["Failure", "answer_failure", "describe_failure", "report_restart"]

_log = logging.getLogger("codegrant.web.login")


class Failure(NamedTuple):
    """Title, advice and HTTP status of a failure page."""

    title: str
    advice: str
    status: int


_STATES = {
    "state_expired": "Signing in took too long. Please start again.",
    "state_already_used": "This sign-in was finished before. Please start again.",
    "state_host_changed": (
        "Signing in began at another address of this application. Please start again here and "
        "stay with one address."
    ),
    "state_cookie_missing": (
        "Your browser did not send back what it was given at the start. Please allow cookies, "
        "and start again."
    ),
    "state_form_alone": (
        "Your browser did not send back what it was given at the start, or this sign-in was "
        "finished before. Please start again."
    ),
    "state_other_browser": (
        "Signing in began in another browser or application. Please finish it there, or start "
        "again here."
    ),
    "state_superseded": (
        "Signing in was begun many times in this browser, and only the newest ones count. Please "
        "start again."
    ),
    "state_cookies_full": (
        "Your browser keeps so many cookies of this site that it dropped the one of this sign-in. "
        "Please delete the site's cookies and start again."
    ),
}

# Refusals of which the person in front of the page is the one to know.
_CAUSES = {
    "login_abandoned": Failure(
        "You were not signed in", "Signing in took too long. Please start again.", 400
    ),
    "person_not_assigned": Failure(
        "You were not signed in",
        "Your account has no access to this application. Please ask the people who run it.",
        403,
    ),
    "admin_consent_required": Failure(
        "You were not signed in",
        "An administrator of your organisation must first allow this application.",
        403,
    ),
    "policy_blocked": Failure(
        "You were not signed in",
        "A rule of your organisation does not allow this sign-in, from this device or place. "
        "Please ask its administrators.",
        403,
    ),
    "mfa_required": Failure(
        "You were not signed in",
        "Your organisation asks for a second proof that it is you. Please start again.",
        400,
    ),
}


def answer_failure(
    error: CodegrantError, retry: str, *, what: str = "login failed"
) -> Flow[Response]:
    """Return the page for `error`; the log gets the rest, under the same reference.

    Args:
        error: whose text has no secret.
        retry: address that starts again what failed.
        what: failed, for the log.
    """
    reference = (yield from ask(RandomBytes(6))).hex()
    _log.warning("%s, reference %s: %s; see %s", what, reference, error, error.url)
    failure = describe_failure(error)
    return failure_page(
        title=failure.title,
        advice=failure.advice,
        code=error.code,
        reference=reference,
        retry=retry,
        status=failure.status,
    )


def report_restart(error: CodegrantError) -> None:
    """Say in the log why a login begins again by itself."""
    _log.warning("login failed and was started again: %s", error)


def describe_failure(error: CodegrantError) -> Failure:
    """Return what the page for `error` says."""
    match error:
        case StateError(code="state_in_progress"):
            return Failure(
                "Signing in is still going on",
                "Please wait a moment and load this page again. If that does not help, start "
                "again.",
                503,
            )
        case CodegrantError(code=code) if code in _CAUSES:
            return _CAUSES[code]
        case StateError():
            advice = _STATES.get(error.code, "Please start again from this application.")
            return Failure("This sign-in could not be matched", advice, 400)
        case LoginRequired():
            return Failure(
                "This sign-in did not last",
                "What the sign-in service gave is of no use any more. Please try again; if it "
                "happens again, tell the people who run this application.",
                502,
            )
        case Refused(code="access_denied"):
            return Failure(
                "You were not signed in",
                "Access was not allowed. If that was a mistake, you can try again.",
                403,
            )
        case Refused():
            return Failure(
                "You were not signed in", "The sign-in service refused the request.", 400
            )
        case TransportError():
            return Failure(
                "The sign-in service does not answer", "Please try again in a moment.", 503
            )
        case StoreError(code="store_busy"):
            return Failure("Something is busy here", "Please try again in a moment.", 503)
        case StoreError():
            return Failure(
                "Something is broken here",
                "Please try again; if it happens again, tell the people who run this application.",
                503,
            )
        case PeerError(stage="logout"):
            return Failure(
                "This sign-out could not be matched", "Please go back to the application.", 400
            )
        case PeerError(stage="callback"):
            return Failure(
                "This sign-in could not be completed",
                "Please start again from this application.",
                400,
            )
        case PeerError():
            return Failure(
                "The sign-in service gave an answer that cannot be trusted",
                "Please try again; if it happens again, tell the people who run this application.",
                502,
            )
        case _:
            return Failure(
                "This sign-in could not be completed",
                "Please try again; if it happens again, tell the people who run this application.",
                400 if error.stage == "callback" or not error.stage else 502,
            )
