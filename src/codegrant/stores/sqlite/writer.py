"""The one thread that writes, and its group commit. Layer: stores.

Whatever waits when the thread turns to its queue goes into one transaction, and nobody hears
of success before the COMMIT is durable. So the cost of a durable commit is shared by all who
came in the meantime. When an operation fails, which is rare, the transaction is rolled back
and begun anew with a savepoint for each operation: a failure takes nobody along.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from codegrant.errors import StoreError
from codegrant.flow import Effect, Flow
from codegrant.stores import faults
from codegrant.stores.operations import Operation
from codegrant.stores.operations.pruning import prune, time_of
from codegrant.stores.sqlite.connection import Location, connect, create_file, drive, error_of
from codegrant.stores.sqlite.migration import prepare_connection

__all__ = ["Writer"]

MOST_IN_BATCH = 256
MOST_WAITING = 10_000
PRUNE_INTERVAL = 10
FEWEST_PRUNED = 50

_log = logging.getLogger("codegrant.stores")


class _Job:
    """An operation on its way, and its outcome once the batch is committed."""

    __slots__ = ("effect", "error", "operation", "value")

    def __init__(self, operation: Operation, effect: Effect[Any]) -> None:
        self.operation = operation
        self.effect = effect
        self.value: object = None
        self.error: StoreError | None = None

    def outcome(self) -> object:
        """Return the answer, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        return self.value


class _ThreadJob(_Job):
    """… that a thread waits for: the lock is free once it is done."""

    __slots__ = ("done",)

    def __init__(self, operation: Operation, effect: Effect[Any]) -> None:
        super().__init__(operation, effect)
        self.done = allocate_lock()
        self.done.acquire()


class _TaskJob(_Job):
    """… that a task waits for."""

    __slots__ = ("done", "loop")

    def __init__(self, operation: Operation, effect: Effect[Any]) -> None:
        super().__init__(operation, effect)
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()


class Writer:
    """Performs operations on one connection in one thread; both start with the first.

    Attributes:
        prepared: whether the database is known to have the program's schema.
    """

    def __init__(self, location: Location) -> None:
        self.prepared: bool = False
        self._location = location
        self._begin = "BEGIN" if location.readonly else "BEGIN IMMEDIATE"
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = Lock()
        # What the tasks of a loop ask for in its present turn.
        self._arriving: dict[asyncio.AbstractEventLoop, list[_TaskJob]] = {}
        self._thread: Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._prune_at = 1

    def perform(self, operation: Operation, effect: Effect[Any]) -> object:
        """Perform one operation; block until it is durable."""
        job = _ThreadJob(operation, effect)
        self._submit(job)
        job.done.acquire()
        return job.outcome()

    async def perform_async(self, operation: Operation, effect: Effect[Any]) -> object:
        """Perform one operation; await until it is durable.

        Whoever is cancelled meanwhile does not stop it: what was asked for happens.
        """
        job = _TaskJob(operation, effect)
        with self._lock:
            together = self._arriving.setdefault(job.loop, [])
            together.append(job)
        if len(together) == 1:
            job.loop.call_soon(self._hand_over, job.loop)
        await job.done
        return job.outcome()

    def close(self) -> None:
        """Let the thread finish what waits, then close its connection."""
        for loop in tuple(self._arriving):
            self._hand_over(loop)
        with self._lock:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Submit what the tasks of a loop asked for in one turn of it.

        The thread wakes once for all of them, and they share a commit.
        """
        with self._lock:
            together = self._arriving.pop(loop, [])
        for job in together:
            try:
                self._submit(job)
            except StoreError as error:
                job.error = error
                _tell([job])

    def _submit(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise faults.closed()
            if self._queue.qsize() >= MOST_WAITING:
                raise StoreError(
                    "too many operations wait already", code="store_busy", stage="store"
                )
            if self._thread is None:
                thread = Thread(target=self._run, name="codegrant-store", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # nor later, with an interpreter on its way out
                    raise faults.without_thread(str(self._location)) from None
                self._thread = thread
            self._queue.put(job)

    def _run(self) -> None:
        open_ended = True
        while open_ended:
            first = self._queue.get()
            if first is None:
                break
            batch = [first]
            try:
                connection = self._open()
                connection.execute(self._begin)
            except Exception as error:  # noqa: BLE001 - told to all who wait
                # All of these waited for the same lock, or the same file.
                open_ended = self._gather(batch)
                self._fail(batch, error)
            else:
                open_ended = self._gather(batch)
                self._write(connection, batch)
            _tell(batch)
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        """Return the connection; open it and prepare the database when there is none."""
        if self._connection is None:
            create_file(self._location)
            connection = connect(self._location)
            try:
                prepare_connection(connection, self._location)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self.prepared = True
        return self._connection

    def _gather(self, batch: list[_Job]) -> bool:
        """Add what waits to the batch; False when nothing will come after it."""
        while len(batch) < MOST_IN_BATCH:
            try:
                job = self._queue.get_nowait()
            except Empty:
                return True
            if job is None:
                return False
            batch.append(job)
        return True

    def _write(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        """Perform a batch in the open transaction and commit it: all of it, or none."""
        try:
            if not _perform_all(connection, batch):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.execute(self._begin)
                for job in batch:
                    job.value, job.error = self._perform(connection, job.operation.run, job.effect)
            self._prune(connection, batch)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - told to all who wait
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self._fail(batch, error)

    def _perform(
        self, connection: sqlite3.Connection, run: Callable[[Any], Flow[object]], argument: object
    ) -> tuple[object, StoreError | None]:
        """Perform one operation in a savepoint; its failure is its own."""
        answer, failure = None, None
        connection.execute("SAVEPOINT operation")
        try:
            answer = drive(connection, run(argument))
        except Exception as error:
            if not connection.in_transaction:
                raise  # SQLite rolled all of it back: disk full, I/O error
            connection.execute("ROLLBACK TO operation")
            failure = error_of(self._location, error)
        connection.execute("RELEASE operation")
        return answer, failure

    def _prune(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        """Delete a few expired rows, now and then; at once again while there are more."""
        now = max(time_of(job.effect) for job in batch)
        if now < self._prune_at:
            return
        # A busy store must not make rows faster than they go.
        limit = max(FEWEST_PRUNED, 2 * len(batch))
        more, failure = self._perform(connection, partial(prune, limit=limit), now)
        if failure is not None:
            _log.warning("expired rows could not be deleted: %s", failure)
        self._prune_at = now if more else now + PRUNE_INTERVAL

    def _fail(self, batch: list[_Job], error: Exception) -> None:
        """Tell every job of a batch that it failed, each with an exception of its own."""
        failure = error_of(self._location, error)
        for job in batch:
            job.error = StoreError(
                failure.message, code=failure.code, stage=failure.stage, hint=failure.hint
            )
            job.error.__cause__ = failure.__cause__
        if failure.code != "store_busy" and self._location.path is not None:
            # After a failed write SQLite may hold pages that the file does not.
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _perform_all(connection: sqlite3.Connection, batch: list[_Job]) -> bool:
    """Perform a batch without savepoints; False when one failed, and none of it may stay.

    An operation has no effect but its statements, so it can be performed once more.
    """
    try:
        for job in batch:
            job.value = drive(connection, job.operation.run(job.effect))
    except Exception:  # noqa: BLE001 - what failed is found out, and told, the second time
        return False
    return True


def _tell(batch: list[_Job]) -> None:
    """Tell all who wait; a loop is woken once for all of its tasks."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_TaskJob]] = {}
    for job in batch:
        if isinstance(job, _ThreadJob):
            job.done.release()
        elif isinstance(job, _TaskJob):
            by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed in the meantime
            loop.call_soon_threadsafe(_wake, jobs)


def _wake(jobs: list[_TaskJob]) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_result(None)
