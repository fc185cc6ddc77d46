"""`SqliteStore`: every effect of every role's store, in one SQLite database. Layer: stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Self, TypeVar, cast

from codegrant.flow import Effect
from codegrant.stores import faults
from codegrant.stores.operations import OPERATIONS, find_operation
from codegrant.stores.sqlite.connection import Location, Synchronous
from codegrant.stores.sqlite.migration import check, prepare
from codegrant.stores.sqlite.readers import Locked, Readers
from codegrant.stores.sqlite.writer import Writer

__all__ = ["SqliteStore"]

T = TypeVar("T")


class _Process(NamedTuple):
    """What one process has of a store: a fork starts afresh."""

    writer: Writer
    readers: Readers


class SqliteStore:
    """Performs the effects of the server's, the accounts' and the client's store.

    Safe to share between threads, tasks and event loops. Nothing is opened and no thread
    started before the first effect, in each process anew.

    Args:
        path: of the file, made with mode 0600 when its folder exists; `":memory:"` for a
            database that lives as long as the store, in this process alone.
        synchronous: `FULL` survives a loss of power with all that was acknowledged;
            `NORMAL` may lose the last moments then, but never a crash of the program's.
        readonly: open an existing database and change nothing, its schema included.
        busy_timeout: seconds to wait while another program holds the database.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        readonly: bool = False,
        busy_timeout: float = 5.0,
    ) -> None:
        self._location = Location(
            path=None if os.fspath(path) == ":memory:" else Path(path).absolute(),
            synchronous=synchronous,
            readonly=readonly,
            busy_timeout=busy_timeout,
        )
        self._processes: dict[int, _Process] = {}

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        readonly: bool = False,
        busy_timeout: float = 5.0,
    ) -> SqliteStore:
        """Return a store whose database exists and has the program's schema.

        The arguments are those of the class. Without this the same happens with the first
        effect; here its errors come early.

        Raises:
            StoreError: `store_missing_folder`, `store_readonly`, `store_full`, `store_busy`,
                `store_newer`, `store_not_a_database`; read-only also `store_older` and
                `store_missing_file`.
        """
        store = cls(path, synchronous=synchronous, readonly=readonly, busy_timeout=busy_timeout)
        prepare(store._location)
        store._process().writer.prepared = True
        return store

    def performs(self, effect: Effect[object]) -> bool:
        """Return whether `effect` is one of a store's."""
        return type(effect) in OPERATIONS

    def perform(self, effect: Effect[T]) -> T:
        """Carry out one effect and return its answer; a writing one is durable then.

        Raises:
            StoreError: it failed, and nothing of it happened (after a failed commit: unless
                the machine says otherwise later).
            UsageError: the effect is none of a store's.
        """
        operation = find_operation(effect)
        process = self._process()
        if operation.writes:
            self._check_writable()
        elif self._may_read_beside(process):
            try:
                return cast("T", process.readers.perform(operation, effect))
            except Locked:
                pass
        return cast("T", process.writer.perform(operation, effect))

    async def perform_async(self, effect: Effect[T]) -> T:
        """As `perform`, for an event loop: it waits for writes and never blocks on a lock."""
        operation = find_operation(effect)
        process = self._process()
        if operation.writes:
            self._check_writable()
        elif self._may_read_beside(process):
            try:
                return cast("T", process.readers.perform(operation, effect))
            except Locked:
                pass
        return cast("T", await process.writer.perform_async(operation, effect))

    def check(self) -> None:
        """Check that the database exists, has the program's schema and is undamaged.

        Nothing is made or changed. In memory there is nothing to check.

        Raises:
            StoreError: as `open` does; also `store_older`, `store_missing_file`, and
                `store_damaged` when SQLite finds its own structures broken.
        """
        check(self._location)

    def close(self) -> None:
        """Finish what waits and close the database; whoever comes later gets a StoreError."""
        process = self._process()
        process.writer.close()
        process.readers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqliteStore({self._location})"

    def _process(self) -> _Process:
        """Return what this process has; it is made without a lock that a fork could inherit."""
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            fresh = _Process(Writer(self._location), Readers(self._location))
            process = self._processes.setdefault(pid, fresh)
        return process

    def _may_read_beside(self, process: _Process) -> bool:
        """Return whether other connections see the database, with its schema."""
        return process.writer.prepared and self._location.path is not None

    def _check_writable(self) -> None:
        if self._location.readonly:
            raise faults.readonly(str(self._location))
