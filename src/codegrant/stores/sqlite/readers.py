"""Reading beside the writer. Layer: stores.

With a write-ahead log a read takes microseconds, waits for no writer and sees all that was
committed before it began, so it runs where it is asked for, in an event loop too.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import Any

from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.stores import faults
from codegrant.stores.operations import Operation
from codegrant.stores.sqlite.connection import Location, connect, drive, error_of

__all__ = ["Locked", "Readers"]


class Locked(Exception):
    """Another program holds the whole database for itself."""


class Readers:
    """Connections that only read; each is used by one thread at a time, and never waits."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def perform(self, operation: Operation, effect: Effect[Any]) -> object:
        """Perform an operation that reads.

        Raises:
            Locked: it would have to wait.
            StoreError: it failed.
        """
        connection = self._take()
        try:
            answer = drive(connection, operation.run(effect))
        except Exception as error:
            connection.close()
            failure = error_of(self._location, error)
            raise (Locked() if failure.code == "store_busy" else failure) from error
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:
            self.close()
        return answer

    def close(self) -> None:
        """Close the connections; those in use are closed when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        """Return the connection that was used last, or a new one."""
        if self._closed:
            raise faults.closed()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return connect(self._location, wait=False, readonly=True)
        except StoreError as error:
            if error.code == "store_busy":
                raise Locked from error
            raise
