"""`PostgresTokens`: sessions, callbacks and leases of web logins in PostgreSQL. Layer: stores."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import weakref
from typing import Any, Self, TypeVar, cast

from codegrant.client.effects import EndSessions, FinishCallback
from codegrant.errors import ConfigurationError, StoreError
from codegrant.flow import Effect, Flow
from codegrant.stores import faults
from codegrant.stores.operations import Operation, find_token_operation
from codegrant.stores.operations.pruning import prune_tokens, time_of

try:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from codegrant.stores.postgres.connection import (
        AsyncConnection,
        Connection,
        drive,
        drive_async,
        locate,
        prepare,
        translated,
    )
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.stores.postgres needs psycopg: pip install 'codegrant[postgres]'"
    ) from _error

__all__ = ["PostgresTokens"]

T = TypeVar("T")

_PRUNE_INTERVAL = 10
_MOST_PRUNED = 200
_END_SECONDS = 1.0
# Each of these is more than one statement, and all of them happen, or none.
_TOGETHER = (FinishCallback, EndSessions)

_log = logging.getLogger("codegrant.stores")


class _Process:
    """What one process has of a store: a fork starts afresh."""

    def __init__(self) -> None:
        self.is_prepared = False
        self.prune_at = 1
        self.made: list[ConnectionPool[Connection]] = []
        self.pools: dict[asyncio.AbstractEventLoop, AsyncConnectionPool[AsyncConnection]] = {}
        self.tasks: set[asyncio.Task[Any]] = set()


class PostgresTokens:
    """Performs the effects of `codegrant.client.effects`; `Login(store=...)` takes it.

    Safe to share between threads, tasks, event loops and forked workers: pools are made with
    the first effect, in each process and for each event loop. The first process makes the
    schema and its tables where they are not there.

    Args:
        conninfo: `postgresql://USER@HOST/DATABASE`, or what else libpq reads; what it leaves
            out libpq takes from its environment and `~/.pgpass`.
        schema: that the tables are in.
        timeout: seconds to wait for a connection, and for each answer on it.
        most_connections: of each pool.

    Raises:
        ConfigurationError: `conninfo` cannot be read, or `schema` is no plain name.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        schema: str = "codegrant",
        timeout: float = 5.0,
        most_connections: int = 10,
    ) -> None:
        self._location = locate(conninfo, schema, timeout)
        self._most_connections = most_connections
        self._processes: dict[int, _Process] = {}

    def perform(self, effect: Effect[T]) -> T:
        """Carry out one effect and return its answer; a writing one is durable then.

        Raises:
            StoreError: `store_unreachable`, `store_forbidden`, `store_full`, `store_closed`,
                or it failed otherwise.
            UsageError: the effect is none of a token store's.
        """
        operation, process = find_token_operation(effect), self._process()
        with translated(self._location):
            pool = self._pool(process)
            with pool.connection() as connection:
                flow = operation.run(effect)
                if isinstance(effect, _TOGETHER):
                    with connection.transaction():
                        answer = drive(connection, self._location, flow)
                else:
                    answer = drive(connection, self._location, flow)
                if self._is_time_to_prune(process, operation, effect):
                    try:
                        with translated(self._location):
                            drive(connection, self._location, _prune(effect))
                    except StoreError as failure:
                        _tell(failure)
        return cast("T", answer)

    async def perform_async(self, effect: Effect[T]) -> T:
        """As `perform`, for an event loop.

        Whoever is cancelled meanwhile does not stop it: what was asked for happens.
        """
        operation, process = find_token_operation(effect), self._process()
        task = asyncio.create_task(self._perform(process, operation, effect))
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
        return cast("T", await asyncio.shield(task))

    async def _perform(
        self, process: _Process, operation: Operation, effect: Effect[Any]
    ) -> object:
        with translated(self._location):
            pool = await self._async_pool(process)
            async with pool.connection() as connection:
                flow = operation.run(effect)
                if isinstance(effect, _TOGETHER):
                    async with connection.transaction():
                        answer: object = await drive_async(connection, self._location, flow)
                else:
                    answer = await drive_async(connection, self._location, flow)
                if self._is_time_to_prune(process, operation, effect):
                    try:
                        with translated(self._location):
                            await drive_async(connection, self._location, _prune(effect))
                    except StoreError as failure:
                        _tell(failure)
        return answer

    def close(self) -> None:
        """Close the connections that threads used; with the next effect there are new ones."""
        process = self._process()
        made, process.made = process.made, []
        for pool in made:
            pool.close()

    async def aclose(self) -> None:
        """As `close`, and close the connections of this event loop."""
        pool = self._process().pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PostgresTokens({self._location})"

    def _process(self) -> _Process:
        """Return what this process has; it is made without a lock that a fork could inherit."""
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            process = self._processes.setdefault(pid, _Process())
            atexit.register(_end, pid, weakref.ref(process))
        return process

    def _pool(self, process: _Process) -> ConnectionPool[Connection]:
        """Return the pool for threads, of a database with the tables in it."""
        if process.made and not process.made[0].closed:
            return process.made[0]
        location = self._location
        if not process.is_prepared:
            # Not by the pool, which would keep to itself what is wrong.
            with Connection.connect(location.conninfo.reveal(), **location.arguments()) as first:
                self._limit(first)
                with first.transaction():
                    drive(first, location, prepare(location))
            process.is_prepared = True
        pool = ConnectionPool(
            location.conninfo.reveal(),
            connection_class=Connection,
            kwargs=location.arguments(),
            min_size=0,
            max_size=self._most_connections,
            timeout=location.timeout,
            configure=self._limit,
            check=ConnectionPool.check_connection,
            open=False,
        )
        # Of two threads that come at once one is first; the other's pool is never opened.
        process.made.append(pool)
        oldest = process.made[0]
        try:
            oldest.open()
        except RuntimeError:
            process.made.clear()  # half open it would hold everybody up
            raise faults.without_thread(str(location)) from None
        return oldest

    async def _async_pool(self, process: _Process) -> AsyncConnectionPool[AsyncConnection]:
        """As `_pool`, for the running event loop."""
        loop, location = asyncio.get_running_loop(), self._location
        if loop in process.pools and not process.pools[loop].closed:
            return process.pools[loop]
        if not process.is_prepared:
            first = await AsyncConnection.connect(
                location.conninfo.reveal(), **location.arguments()
            )
            async with first:
                await self._limit_async(first)
                async with first.transaction():
                    await drive_async(first, location, prepare(location))
            process.is_prepared = True
        for gone in [one for one in process.pools if one.is_closed()]:
            process.pools.pop(gone, None)
        pool = process.pools.setdefault(
            loop,
            AsyncConnectionPool(
                location.conninfo.reveal(),
                connection_class=AsyncConnection,
                kwargs=location.arguments(),
                min_size=0,
                max_size=self._most_connections,
                timeout=location.timeout,
                configure=self._limit_async,
                check=AsyncConnectionPool.check_connection,
                open=False,
            ),
        )
        await pool.open()
        return pool

    def _limit(self, connection: Connection) -> None:
        connection.limit = self._location.timeout

    async def _limit_async(self, connection: AsyncConnection) -> None:
        connection.limit = self._location.timeout

    @staticmethod
    def _is_time_to_prune(process: _Process, operation: Operation, effect: Effect[Any]) -> bool:
        now = time_of(effect)
        if not operation.writes or now < process.prune_at:
            return False
        process.prune_at = now + _PRUNE_INTERVAL
        return True


def _end(pid: int, left: weakref.ref[_Process]) -> None:
    """Close the pools of a program that ends and did not.

    Left to themselves they wait for their threads, each for seconds: an interpreter on its way
    out has stopped those. In a child that was forked they are its parent's.
    """
    process = left()
    if process is not None and os.getpid() == pid:
        for pool in process.made:
            pool.close(_END_SECONDS)


def _prune(effect: Effect[Any]) -> Flow[bool]:
    return prune_tokens(time_of(effect), _MOST_PRUNED)


def _tell(failure: StoreError) -> None:
    _log.warning("expired rows could not be deleted: %s", failure)
