"""Named events of the authorization server, for audit and alarms. Layer: server, no I/O.

An event's facts are an allow-list of plain values. None of them is ever a token, a code,
a secret, a password, a cookie or a verifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["FACTS", "Event", "EventName", "brief"]

EventName: TypeAlias = Literal[
    "authorization_requested",
    "authorization_refused",
    "authorization_granted",
    "consent_given",
    "consent_denied",
    "login_succeeded",
    "login_failed",
    "login_limited",
    "logout",
    "password_changed",
    "password_refused",
    "access_withdrawn",
    "page_refused",
    "client_authentication_failed",
    "client_authentication_limited",
    "code_redeemed",
    "code_refused",
    "code_replayed",
    "token_refreshed",
    "refresh_token_refused",
    "refresh_token_reused",
    "client_token_issued",
    "token_refused",
    "grant_revoked",
    "token_revoked",
    "revocation_refused",
    "introspection_limited",
    "key_created",
    "request_failed",
]

FACTS = frozenset(
    {
        "client_id",
        "subject",
        "username",
        "grant_id",
        "error",
        "reason",
        "scope",
        "audience",
        "source",
        "endpoint",
        "method",
        "status",
        "kid",
        "alg",
        "sid",
        "request_id",
    }
)
"""The only facts that an event may carry."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, at epoch second `at`."""

    name: EventName
    at: int
    facts: Mapping[str, str | int] = field(default_factory=dict[str, str | int])

    def __post_init__(self) -> None:
        foreign = self.facts.keys() - FACTS
        if foreign:
            raise ValueError(f"event {self.name}: facts not allowed: {sorted(foreign)}")


def brief(text: str) -> str:
    """Return text that somebody else wrote, cut to what an event should hold."""
    return text if len(text) <= 120 else text[:120] + "…"
