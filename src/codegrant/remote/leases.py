"""A lease on its way from being taken to being released: what both drivers share. Layer: remote."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock
from typing import Any

from codegrant.errors import TransportError
from codegrant.remote.effects import Leased

__all__ = ["Lease", "taken_too_long"]


class Lease:
    """One lease of this process; safe to share between threads.

    A renewal that is late takes nothing that was released before it: a thread that waits for
    a disk cannot be called off.

    Args:
        effect: that is being performed.
    """

    # Seconds: between two renewals, between two looks at a lease of somebody else, and until
    # who waits for it gives up. A living owner is through with its requests before that.
    RENEW_AFTER = 1.0
    LOOK_AFTER = 0.05
    PATIENCE = 30.0

    def __init__(self, effect: Leased[Any]) -> None:
        self._effect = effect
        self._lock = Lock()
        self._is_over = False
        self._pid = os.getpid()

    def take(self) -> bool:
        """Take the lease and return whether it is there.

        Raises whatever the store does.
        """
        with self._lock:
            return not self._is_over and self._effect.take()

    def renew(self) -> None:
        """Keep the lease for longer; if that fails, the next time may not."""
        with suppress(Exception):
            self.take()

    def release(self) -> bool:
        """Give the lease back, if it was ever taken; False in a child that was forked meanwhile.

        Such a child gives nothing back: the lease is its parent's, as is the thread that
        renews it. Where the store fails the lease runs out by itself, and what the flow has
        given is not lost.
        """
        if os.getpid() != self._pid:
            return False
        with self._lock:
            self._is_over = True
            with suppress(Exception):
                self._effect.release()
        return True


def taken_too_long() -> TransportError:
    """Return the error for who has waited for a lease in vain."""
    return TransportError(
        f"another process has been at it for {Lease.PATIENCE:.0f} s",
        code="lease_taken",
        hint="try again; if it stays so, see what that process waits for",
    )
