"""`MovableClock`: the time of a test. Layer: testing."""

from __future__ import annotations

import time

__all__ = ["MovableClock"]


class MovableClock:
    """Returns epoch seconds: those of the machine until it is moved or stopped.

    It fits wherever Codegrant takes a `clock`, so that server and client agree:
    `Client(..., clock=provider.clock)`.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        """Return the time, epoch seconds."""
        shown = time.time() if self._stopped_at is None else self._stopped_at
        return shown + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock on; back, when `seconds` is negative."""
        self._ahead += seconds

    def stop(self, at: float | None = None) -> None:
        """Stop the clock.

        Args:
            at: epoch seconds; by default the time that it shows.
        """
        self._stopped_at, self._ahead = self() if at is None else at, 0.0

    def reset(self) -> None:
        """Show the machine's time again."""
        self._stopped_at, self._ahead = None, 0.0

    def __repr__(self) -> str:
        return f"MovableClock({self():.0f})"
