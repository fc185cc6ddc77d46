"""Every store of tokens that ships, each in a place of its own that several stores can share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import psycopg
import pytest
import redis

from codegrant.client.memory import MemoryTokenStore
from codegrant.flow import Effect
from codegrant.stores.postgres import PostgresTokens
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.valkey import ValkeyTokens
from tests.support.colours import Colour

T = TypeVar("T")

# Those that processes can share.
SHARED = [
    pytest.param("SQLite"),
    pytest.param("PostgreSQL", marks=pytest.mark.needs("postgres")),
    pytest.param("Valkey", marks=pytest.mark.needs("redis")),
]
ALL = [pytest.param("memory"), *SHARED]


class TokenStore(Protocol):
    """Performs effects in both colours."""

    def perform(self, effect: Effect[T]) -> T: ...

    async def perform_async(self, effect: Effect[T]) -> T: ...


def open_store(where: str) -> Any:
    """Return a new store at `KIND NAME ADDRESS`."""
    kind, name, address = where.split(" ", 2)
    match kind:
        case "memory":
            return MemoryTokenStore()
        case "SQLite":
            return SqliteStore(address, synchronous="NORMAL")
        case "PostgreSQL":
            return PostgresTokens(address, schema=name)
        case _:
            return ValkeyTokens(address, prefix=name)


class TokenPlace:
    """Where a store keeps what it is told; empty at first, and gone after `close`."""

    def __init__(self, kind: str, folder: Path, services: Mapping[str, str]) -> None:
        self.kind = kind
        self.name = f"codegrant_{secrets.token_hex(6)}"
        self.address = {
            "PostgreSQL": services.get("postgres", ""),
            "Valkey": services.get("redis", ""),
        }.get(kind, str(folder / "codegrant.db"))
        self.where = f"{kind} {self.name} {self.address}"
        self._opened: list[Any] = []

    def open(self) -> Any:
        """Return a new store, as another process has it; of memory there is one."""
        if self.kind == "memory" and self._opened:
            return self._opened[0]
        self._opened.append(open_store(self.where))
        return self._opened[-1]

    def count(self, table: str) -> int:
        """Return how many rows there are of `logins`, `callbacks` or `leases`."""
        if self.kind == "PostgreSQL":
            with psycopg.connect(self.address) as connection:
                query = f"SELECT COUNT(*) FROM {self.name}.{table}"  # noqa: S608
                found = connection.execute(query.encode()).fetchone()
                assert found is not None
                return int(found[0])
        kind = {"logins": "session", "callbacks": "callback", "leases": "lease"}[table]
        with closing(redis.Redis.from_url(self.address)) as client:
            return len(list(client.scan_iter(f"{{{self.name}}}:{kind}:*")))

    def close(self) -> None:
        for store in self._opened:
            if hasattr(store, "close"):
                store.close()
        if self.kind == "PostgreSQL":
            with psycopg.connect(self.address, autocommit=True) as connection:
                connection.execute(f"DROP SCHEMA IF EXISTS {self.name} CASCADE".encode())
        if self.kind == "Valkey":
            with closing(redis.Redis.from_url(self.address)) as client:
                for key in client.scan_iter(f"{{{self.name}}}:*"):
                    client.delete(key)


class Performer:
    """A store, asked in one colour."""

    def __init__(self, store: TokenStore, colour: Colour) -> None:
        self.store = store
        self._colour = colour

    def perform(self, effect: Effect[T]) -> T:
        if self._colour.is_async:
            waited: Any = self.store.perform_async(effect)
            return cast("T", self._colour.wait(waited))
        return self.store.perform(effect)

    def close(self) -> None:
        store: Any = self.store
        if self._colour.is_async and hasattr(store, "aclose"):
            self._colour.finish(store.aclose())
