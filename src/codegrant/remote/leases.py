"""A lease on its way from being taken to being released: what both drivers share. Layer: remote."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from codegrant.errors import TransportError
from codegrant.remote.effects import Leased

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["LEASE", "Lease", "clock", "unleased"]

# Others' clocks go on while this machine sleeps: on Linux `monotonic` does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def clock() -> float:
    """Return seconds of a clock that nobody sets, the time that the machine sleeps included."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Lease:
    """One lease of this process; safe to share between threads.

    A renewal that is late takes nothing that was released before it: a thread that waits for
    a disk cannot be called off.

    Args:
        effect: that is being performed.
        loop: that it is performed in, if it is one.
    """

    # Seconds: between two renewals, between two looks at a lease of somebody else, and until
    # who waits for it gives up. A living owner is through with its requests before that.
    RENEW_AFTER = 1.0
    LOOK_AFTER = 0.05
    PATIENCE = 30.0
    # How often its flow may begin anew.
    LAPSES = 3

    def __init__(self, effect: Leased[Any], loop: AbstractEventLoop | None = None) -> None:
        self._effect = effect
        self._loop = loop
        self._lock = Lock()
        self._runs_out_at = 0.0
        self._pid = os.getpid()
        self._over = Event()
        self._give_up_at = 0.0
        self._lapses = 0
        self.has_lapsed: bool = False
        # A thread, under asyncio too: a loop that is held up must not cost the lease.
        self._renewing = Thread(target=self._renew, name="codegrant-lease", daemon=True)

    def begin(self) -> None:
        """Begin to wait for it; anew, where it has lapsed.

        Raises:
            TransportError: `lease_taken`, it lapses again and again.
        """
        if self._lapses > self.LAPSES:
            raise _held_up()
        self.has_lapsed = False
        self._give_up_at = clock() + self.PATIENCE

    def take(self) -> bool:
        """Take the lease and return whether it is there.

        Raises whatever the store does.
        """
        with self._lock:
            asked_at = clock()
            if self._over.is_set() or not self._effect.take():
                return False
            self._runs_out_at = asked_at + self._effect.seconds
            return True

    def check_patience(self) -> None:
        """Check that it may be waited for any longer.

        Raises:
            TransportError: `lease_taken`.
        """
        if clock() >= self._give_up_at:
            raise _taken_too_long()

    def keep(self) -> None:
        """Renew the lease, in a thread, until it is released.

        An interpreter on its way out starts no thread; a lease that runs out then is taken
        again where it has to be there.
        """
        if self._renewing.ident is None:
            with suppress(RuntimeError):
                self._renewing.start()

    def holds(self) -> bool:
        """Return whether it certainly has not run out; waits for nothing."""
        return clock() < self._runs_out_at

    def check(self) -> None:
        """Check that what was read under it is still true, before something is done for good.

        Raises:
            TransportError: `lease_taken`; the flow is to begin anew, with `has_lapsed` set.
        """
        if not self.holds():
            self.has_lapsed = True
            self._lapses += 1
            raise _held_up()

    def renew(self) -> None:
        """Keep the lease for longer; if that fails, the next time may not.

        One that has run out is not kept: another process may have had it in between.
        """
        with self._lock, suppress(Exception):
            asked_at = clock()
            if self.holds() and not self._over.is_set() and self._effect.take() and self.holds():
                self._runs_out_at = asked_at + self._effect.seconds

    def end(self) -> None:
        """Renew it no more; waits for nothing."""
        self._over.set()

    def release(self) -> None:
        """Give the lease back, if it was ever taken; not in a child that was forked meanwhile.

        Such a child gives nothing back: the lease is its parent's, as is the thread that
        renews it. Where the store fails the lease runs out by itself, and what the flow has
        given is not lost.
        """
        if os.getpid() != self._pid:
            return
        self.end()  # first: if the rest is interrupted, it runs out
        with self._lock, suppress(Exception):
            self._effect.release()
        if self._renewing.ident is not None:
            self._renewing.join()

    def _renew(self) -> None:
        loop = self._loop
        while not self._over.wait(self.RENEW_AFTER):
            if loop is None or loop.is_running():
                self.renew()
            elif loop.is_closed():
                return  # nobody comes back to release it


LEASE: ContextVar[Lease | None] = ContextVar("LEASE", default=None)
"""The lease under which the running flow sends its requests, if it needs one."""


@contextmanager
def unleased() -> Generator[None]:
    """Run what is the program's own, not the flow's: what it sends, or begins, needs no lease."""
    outer = LEASE.set(None)
    try:
        yield
    finally:
        with suppress(ValueError):  # what a closed loop left behind is cleared away elsewhere
            LEASE.reset(outer)


def _taken_too_long() -> TransportError:
    """Return the error for who has waited for a lease in vain."""
    return TransportError(
        f"another process has been at it for {Lease.PATIENCE:.0f} s",
        code="lease_taken",
        hint="try again; if it stays so, see what that process waits for",
    )


def _held_up() -> TransportError:
    """Return the error for who was held up for so long that another process has the lease."""
    return TransportError(
        "this process was held up for too long, and another one may have taken over",
        code="lease_taken",
        hint="try again: the other one's tokens are found then",
    )
