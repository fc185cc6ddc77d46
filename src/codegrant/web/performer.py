"""`ServerPerformer`: who carries out each effect of the authorization server. Layer: web.

The store answers for all that is remembered, the password hasher for passwords, the
operating system for entropy, and the sinks for events. Nothing is decided here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from codegrant.accounts.effects import HashPassword, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.flow import Effect, RandomBytes
from codegrant.server.effects import Emit
from codegrant.server.events import Event, EventName
from codegrant.web.failures import trail_of

__all__ = ["EventSink", "ServerPerformer", "Store", "level_of", "log_event"]

T = TypeVar("T")
EventSink = Callable[[Event], None]

_log = logging.getLogger("codegrant.events")
_failures = logging.getLogger("codegrant.web")

_WARNINGS: frozenset[EventName] = frozenset(
    {
        "login_failed",
        "login_limited",
        "password_refused",
        "client_authentication_failed",
        "client_authentication_limited",
        "introspection_limited",
        "code_replayed",
        "grant_revoked",
        "request_failed",
    }
)


class Store(Protocol):
    """What performs every effect that remembers something, in both colours."""

    def perform(self, effect: Effect[Any], /) -> Any:  # noqa: ANN401 - as the flow driver
        """Carry out `effect` and return its answer, waiting in this thread."""
        ...

    async def perform_async(self, effect: Effect[Any], /) -> Any:  # noqa: ANN401
        """Carry out `effect` and return its answer, waiting in this event loop."""
        ...


def level_of(event: Event) -> int:
    """Return how loud an event is in a log: what an operator should see, or what goes well."""
    return logging.WARNING if event.name in _WARNINGS else logging.INFO


def log_event(event: Event) -> None:
    """Write an event to the logger `codegrant.events`: its name, and its facts in `facts`."""
    level = level_of(event)
    if _log.isEnabledFor(level):
        # `_log.log` would search the stack for its caller, which is this line for every event.
        place, extra = (__file__, 0, "%s", (event.name,), None, "log_event"), {"facts": event.facts}
        _log.handle(_log.makeRecord(_log.name, level, *place, extra))


class ServerPerformer:
    """Performs the effects of `server/` and `accounts/`.

    Args:
        store: of this process.
        passwords: of this process.
        events: each is told every event, in this order; what a sink raises is logged and
            goes no further.
    """

    __slots__ = ("_events", "_passwords", "_store")

    def __init__(
        self,
        store: Store,
        passwords: PasswordHasher,
        events: Sequence[EventSink] = (log_event,),
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._events = tuple(events)

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as the flow driver
        """Carry out `effect` and return its answer, for `flow.run`."""
        match effect:
            case RandomBytes(size=size):
                return os.urandom(size)
            case Emit(event):
                return self._emit(event)
            case HashPassword() | VerifyPassword():
                return self._passwords.perform(effect)
            case _:
                return self._store.perform(effect)

    def perform_async(self, effect: Effect[Any]) -> Coroutine[Any, Any, Any]:
        """Carry out `effect` and return its answer to await, for `flow.run_async`."""
        match effect:
            case RandomBytes(size=size):
                return _at_hand(os.urandom(size))
            case Emit(event):
                self._emit(event)
                return _at_hand(None)
            case HashPassword() | VerifyPassword():
                return self._passwords.perform_async(effect)
            case _:
                return self._store.perform_async(effect)

    def _emit(self, event: Event) -> None:
        """Tell every sink; an event that cannot be told must not fail a request."""
        for sink in self._events:
            try:
                sink(event)
            except Exception as error:  # noqa: BLE001 - whatever a sink may raise
                _failures.error("event_sink_failed", extra={"facts": {"where": trail_of(error)}})


async def _at_hand(answer: T) -> T:
    """Return what needs no waiting."""
    return answer
