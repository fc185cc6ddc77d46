"""The authorization response, judged before anything of it is used. Layer: rules.

RFC 6749 §4.1.2, §10.12; RFC 9207 §2.4; RFC 9700 §4.4, §4.7.
"""

from __future__ import annotations

from typing import Final

from codegrant.errors import CallbackRejected, Refused, StateError, UsageError
from codegrant.messages.authorization import AuthorizationErrorResponse, CallbackResponse
from codegrant.rules.error_text import clean_error_text
from codegrant.secret import Secret, same_secret

__all__ = ["CheckedCallback", "check_callback"]

_CHECKED_HERE = object()
_MIX_UP = "the answer may come from another server (mix-up); nothing of it was used"


class CheckedCallback:
    """An authorization response that may be exchanged; only `check_callback` makes one.

    Attributes:
        code: the authorization code.

    Raises:
        UsageError: it was made by anything else.
    """

    __slots__ = ("code",)

    def __init__(self, code: Secret, proof: object = None) -> None:
        if proof is not _CHECKED_HERE:
            raise UsageError("CheckedCallback: only check_callback makes one")
        self.code: Final = code

    def __repr__(self) -> str:
        return "CheckedCallback(***)"


def check_callback(
    response: CallbackResponse,
    *,
    expected_state: str,
    expected_iss: str | None,
    iss_required: bool,
    endpoint: str = "",
    redirect_uri: str = "",
) -> CheckedCallback:
    """Return a callback that answers our own request; checked: state, `iss`, error, code.

    Args:
        response: as parsed.
        expected_state: of the login that this browser started.
        expected_iss: the server's issuer; None for a server that is described without one,
            whose `iss` there is nothing to compare with.
        iss_required: the server's metadata says that it always sends `iss`.
        endpoint: the authorization endpoint, for the errors.
        redirect_uri: as sent, for the errors.

    Raises:
        StateError: `state_missing` or `state_mismatch`.
        CallbackRejected: `iss_missing` or `iss_mismatch`.
        Refused: the server's error, which is believed only when state and `iss` hold.

    RFC 6749 §4.1.2, §10.12; RFC 9207 §2.4.
    """
    if not response.state:
        raise StateError("state: the callback has none", code="state_missing", stage="callback")
    if not same_secret(response.state, expected_state):
        raise StateError(
            "state: it is not the one of this login", code="state_mismatch", stage="callback"
        )
    if response.iss is None and iss_required:
        raise CallbackRejected(
            "iss: it is missing, where the server promises or the profile demands it",
            code="iss_missing",
            stage="callback",
            hint=_MIX_UP,
            facts={"endpoint": endpoint} if endpoint else None,
        )
    if response.iss is not None and expected_iss is not None and response.iss != expected_iss:
        raise CallbackRejected(
            "iss: the answer is of another issuer than the request",
            code="iss_mismatch",
            stage="callback",
            hint=_MIX_UP,
            facts={"expected": expected_iss, "got": clean_error_text(response.iss)},
        )
    if isinstance(response, AuthorizationErrorResponse):
        from codegrant.rules.known_causes import find_cause

        error = clean_error_text(response.error)
        description = clean_error_text(response.error_description or "")
        cause = find_cause(error, description, stage="callback")
        sent = (("endpoint", endpoint), ("redirect_uri", redirect_uri))
        raise Refused(
            error,
            description=description,
            uri=clean_error_text(response.error_uri or ""),
            code="" if cause is None else cause.code,
            stage="callback",
            hint="" if cause is None else cause.hint,
            facts={name: value for name, value in sent if value},
        )
    return CheckedCallback(response.code, _CHECKED_HERE)
