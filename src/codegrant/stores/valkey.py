"""`ValkeyTokens`: sessions, callbacks and leases of web logins in Valkey or Redis. Layer: stores.

`valkey_scripts` says what each effect means there.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlsplit

from codegrant.errors import ConfigurationError, StoreError
from codegrant.flow import Effect
from codegrant.secret import Secret
from codegrant.stores import faults
from codegrant.stores.valkey_scripts import Command, Keys, answer_of, command_of

try:
    import redis
    from redis import asyncio as redis_asyncio
    from redis import exceptions
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.stores.valkey needs redis: pip install 'codegrant[valkey]'"
    ) from _error

__all__ = ["ValkeyTokens"]

T = TypeVar("T")
P = TypeVar("P")

_SCHEME = re.compile(r"(redis|valkey)(s?)://")
_PREFIX = re.compile(r"[\w.:-]+")


class _Process:
    """What one process has of a store: a fork starts afresh."""

    def __init__(self) -> None:
        self.pools: list[redis.BlockingConnectionPool] = []
        self.async_pools: dict[asyncio.AbstractEventLoop, redis_asyncio.BlockingConnectionPool] = {}
        self.tasks: set[asyncio.Task[Any]] = set()


class ValkeyTokens:
    """Performs the effects of `codegrant.client.effects`; `Login(store=...)` takes it.

    Safe to share between threads, tasks, event loops and forked workers: connections are made
    with the first effect, in each process and for each event loop. What it keeps is as durable
    as the server is set up to be: `appendfsync always` for every write, and `noeviction`.

    Args:
        url: `redis://HOST:PORT/DATABASE`, `rediss://` with TLS; `valkey://` is the same.
        prefix: that the names of its keys begin with.
        timeout: seconds to wait for a connection, and for each answer on it.
        most_connections: of each process, and of each event loop.

    Raises:
        ConfigurationError: `url` is none of the kind, or `prefix` is no plain name.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "codegrant",
        timeout: float = 5.0,
        most_connections: int = 50,
    ) -> None:
        self._url, self._place = _locate(url)
        if _PREFIX.fullmatch(prefix) is None:
            raise ConfigurationError("prefix: a name of letters, digits and _ . : - is needed")
        self._keys = Keys(prefix)
        self._timeout = timeout
        self._most_connections = most_connections
        self._processes: dict[int, _Process] = {}

    def perform(self, effect: Effect[T]) -> T:
        """Carry out one effect and return its answer.

        Raises:
            StoreError: `store_unreachable`, `store_forbidden`, `store_full`, `store_busy`, or
                it failed otherwise.
            UsageError: the effect is none of a token store's.
        """
        command, process = command_of(effect, self._keys), self._process()
        with self._translated():
            client = redis.Redis(connection_pool=self._pool(process))
            reply: object = client.eval(*_evaluated(command))
            return cast("T", answer_of(effect, reply))

    async def perform_async(self, effect: Effect[T]) -> T:
        """As `perform`, for an event loop.

        Whoever is cancelled meanwhile does not stop it: what was asked for happens.
        """
        command, process = command_of(effect, self._keys), self._process()
        task = asyncio.create_task(self._evaluate(process, command))
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
        return cast("T", answer_of(effect, await asyncio.shield(task)))

    async def _evaluate(self, process: _Process, command: Command) -> object:
        with self._translated():
            client = redis_asyncio.Redis(connection_pool=self._async_pool(process))
            reply: object = await client.eval(*_evaluated(command))
            return reply

    def close(self) -> None:
        """Close the connections that threads used; with the next effect there are new ones."""
        process = self._process()
        pools, process.pools = process.pools, []
        for pool in pools:
            pool.disconnect()

    async def aclose(self) -> None:
        """As `close`, and close the connections of this event loop."""
        pool = self._process().async_pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.disconnect()
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ValkeyTokens({self._place})"

    def _process(self) -> _Process:
        """Return what this process has; it is made without a lock that a fork could inherit."""
        pid = os.getpid()
        return self._processes.get(pid) or self._processes.setdefault(pid, _Process())

    def _pool(self, process: _Process) -> redis.BlockingConnectionPool:
        if not process.pools:
            process.pools.append(
                _open(
                    redis.BlockingConnectionPool,
                    self._url.reveal(),
                    retry=Retry(NoBackoff(), 0),
                    **self._arguments(),
                )
            )
        return process.pools[0]

    def _async_pool(self, process: _Process) -> redis_asyncio.BlockingConnectionPool:
        loop = asyncio.get_running_loop()
        if loop not in process.async_pools:
            for gone in [one for one in process.async_pools if one.is_closed()]:
                process.async_pools.pop(gone, None)
            process.async_pools[loop] = _open(
                redis_asyncio.BlockingConnectionPool,
                self._url.reveal(),
                retry=AsyncRetry(NoBackoff(), 0),
                **self._arguments(),
            )
        return process.async_pools[loop]

    def _arguments(self) -> dict[str, Any]:
        """Return what both pools are made with.

        Nothing is sent twice: a claim whose answer was lost would look like somebody else's.
        A connection that was closed meanwhile is found out, and replaced, before it is used.
        """
        return {
            "protocol": 2,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "timeout": self._timeout,
            "max_connections": self._most_connections,
        }

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Turn any exception inside into a StoreError; what it said may quote what was sent."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - every failure of a store has one type
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> StoreError:
        place = self._place
        match error:
            case exceptions.OutOfMemoryError():
                return faults.full(place)
            case exceptions.ReadOnlyError() | exceptions.NoPermissionError():
                return faults.forbidden(place)
            case exceptions.BusyLoadingError():
                return faults.busy(place)
            case exceptions.AuthenticationError():
                return faults.unreachable(place, "user or password is wrong")
            case exceptions.TimeoutError():
                return faults.unreachable(place, f"no answer within {self._timeout:g} s")
            case exceptions.ConnectionError() | OSError():
                return faults.unreachable(place, "no connection")
            case exceptions.ResponseError() if str(error).startswith(("OOM", "-OOM")):
                return faults.full(place)
            case exceptions.ResponseError() if "NOAUTH" in str(error):
                return faults.unreachable(place, "it wants a password")
            case _:
                return faults.failed(place, type(error).__name__)


def _locate(url: str) -> tuple[Secret, str]:
    """Return the address as redis-py reads it, and the place for errors."""
    scheme, host, port, path = _SCHEME.match(url), None, None, ""
    with suppress(ValueError):
        parts = urlsplit(url)
        host, port, path = parts.hostname, parts.port or 6379, parts.path.rstrip("/")
    if scheme is None or not host:
        raise ConfigurationError(
            "Valkey: the address cannot be read", hint="redis://:PASSWORD@HOST:PORT/DATABASE"
        )
    place = f"Valkey at {host}:{port}{path}"
    return Secret(f"redis{scheme[2]}://{url[scheme.end() :]}"), place


def _open(kind: type[P], url: str, **arguments: Any) -> P:  # noqa: ANN401 - as redis-py types it
    return cast("P", cast("Any", kind).from_url(url, **arguments))


def _evaluated(command: Command) -> tuple[Any, ...]:
    return command.script, len(command.keys), *command.keys, *command.arguments
