"""Connections to PostgreSQL: statements in its dialect, time limits, errors in our words.

Layer: stores.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolClosed, PoolTimeout

from codegrant.errors import ConfigurationError, StoreError
from codegrant.flow import Effect, Flow, run, run_async
from codegrant.secret import Secret
from codegrant.stores import faults
from codegrant.stores.statements import Execute, Row, Statement, execute, parse_statements

__all__ = [
    "AsyncConnection",
    "Connection",
    "Location",
    "drive",
    "drive_async",
    "locate",
    "prepare",
    "translated",
]

RV = TypeVar("RV")

_SCHEMA = parse_statements(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
_TABLES = 3
_NONE = frozenset[str]()
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_TABLE = re.compile(r"\b(FROM|INTO|UPDATE|EXISTS|ON) (callbacks|logins|leases)\b")
_LOOK = 0.1
_MOST_OF_A_REASON = 300
_FULL = "53100"
_MAY_NOT = {"25006", "42501"}  # a server that only reads, a user who may not write
_AWAY = {"08", "57"}  # classes: the connection broke, the server stops


@dataclass(frozen=True, slots=True)
class Location:
    """Where the tables are and how long to wait for them.

    Attributes:
        conninfo: as libpq reads it, with the password perhaps.
        place: for errors: host, port and database.
        schema: that holds the tables.
        timeout: seconds for each step.
    """

    conninfo: Secret
    place: str
    schema: str
    timeout: float

    def __str__(self) -> str:
        return self.place

    def arguments(self) -> dict[str, Any]:
        """Return what psycopg connects with, besides the connection string.

        Nothing is prepared, and no setting is made: a pooler in between may give each
        transaction to another server process.
        """
        return {
            "autocommit": True,
            "prepare_threshold": None,
            "connect_timeout": max(2, round(self.timeout)),
        }


def locate(conninfo: str, schema: str, timeout: float) -> Location:
    """Return where a connection string leads.

    Raises:
        ConfigurationError: libpq cannot read it, or no schema should have that name.
    """
    if _SCHEMA_NAME.fullmatch(schema) is None:
        raise ConfigurationError("schema: a name of a-z, 0-9 and _, up to 63 characters, is needed")
    try:
        values = conninfo_to_dict(conninfo)
    except psycopg.Error:
        # What libpq says about it quotes it, and the password is part of it.
        raise ConfigurationError(
            "PostgreSQL: the connection string cannot be read",
            hint="postgresql://USER@HOST:PORT/DATABASE, the password in PGPASSWORD or ~/.pgpass",
        ) from None
    host, port = values.get("host") or values.get("hostaddr"), values.get("port")
    address = f"{host or 'its default address'}{f':{port}' if port else ''}"
    place = f"PostgreSQL at {address}/{values.get('dbname') or ''}".rstrip("/")
    return Location(Secret(conninfo), place, schema, timeout)


class Connection(psycopg.Connection[Any]):
    """A connection whose every step ends in time; libpq itself waits for ever."""

    limit: float = 5.0

    def wait(self, gen: PQGen[RV], interval: float = _LOOK, timeout: float | None = None) -> RV:
        """Run a step; a server that does not answer loses the connection."""
        del timeout
        return super().wait(_bounded(self, gen), interval)


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """As `Connection`, for an event loop."""

    limit: float = 5.0

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = _LOOK,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> RV:
        """Run a step; a server that does not answer loses the connection."""
        del timeout
        return await super().wait(_bounded(self, gen), interval)


def _bounded(connection: Connection | AsyncConnection, gen: PQGen[RV]) -> PQGen[RV]:
    """Run psycopg's own steps until the time is over."""
    give_up_at = monotonic() + connection.limit
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and monotonic() >= give_up_at:
                connection.pgconn.finish()
                raise psycopg.OperationalError("the server does not answer")
            wanted = gen.send(ready)
    except StopIteration as stop:
        answer: RV = stop.value
        return answer
    finally:
        gen.close()


def prepare(location: Location) -> Flow[None]:
    """Make the tables that are not there; inside a transaction.

    A user who may not make any is enough where they are there.
    """
    if (yield from _is_prepared(location)):
        return
    yield from execute(_SCHEMA["lock"])
    # Whoever had the lock before may have made them, and use them by now: to make an index that
    # is there locks its table all the same, against a login that holds the other one.
    if (yield from _is_prepared(location)):
        return
    if not (yield from execute(_SCHEMA["find_schema"], schema=location.schema)):
        yield from execute(Statement("make_schema", f"CREATE SCHEMA {location.schema}", _NONE))
    for name, statement in _SCHEMA.items():
        if name.startswith(("make_", "index_")):
            yield from execute(statement)


def _is_prepared(location: Location) -> Flow[bool]:
    (counted,) = yield from execute(_SCHEMA["count_tables"], schema=location.schema)
    return counted[0] == _TABLES


def drive(connection: psycopg.Connection[Any], location: Location, flow: Flow[RV]) -> RV:
    """Drive an operation to its end on this connection and return its answer."""

    def perform(effect: Effect[Any]) -> list[Row]:
        statement, parameters = _translate(effect, location.schema)
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    return run(flow, perform)


async def drive_async(
    connection: psycopg.AsyncConnection[Any], location: Location, flow: Flow[RV]
) -> RV:
    """As `drive`, in an event loop."""

    async def perform(effect: Effect[Any]) -> list[Row]:
        statement, parameters = _translate(effect, location.schema)
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []

    return await run_async(flow, perform)


def _translate(effect: Effect[Any], schema: str) -> tuple[bytes, dict[str, Any]]:
    """Return what psycopg executes for an `Execute`."""
    if not isinstance(effect, Execute):
        raise TypeError(f"an operation asks for {type(effect).__name__}")
    return _text(effect.statement.text, schema), dict(effect.parameters)


@lru_cache(maxsize=256)
def _text(text: str, schema: str) -> bytes:
    """Return a statement with psycopg's parameters and with its tables' schema."""
    named = _PARAMETER.sub(r"%(\1)s", text)
    return _TABLE.sub(rf'\1 "{schema}".\2', named).encode()


@contextmanager
def translated(location: Location) -> Generator[None]:
    """Turn any exception inside into a StoreError, without what psycopg keeps in its own."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - every failure of a store has one type
        raise _fault(location, error) from None


def _fault(location: Location, error: Exception) -> StoreError:
    place = str(location)
    match error:
        case PoolClosed():
            return faults.closed()
        case PoolTimeout():
            return faults.unreachable(place, f"no connection within {location.timeout:g} s")
        case psycopg.Error(sqlstate=str(state)):
            if state == _FULL:
                return faults.full(place)
            if state in _MAY_NOT:
                return faults.forbidden(place)
            if state[:2] in _AWAY:
                return faults.unreachable(place, state)
            return faults.failed(place, state)
        case psycopg.OperationalError():
            return faults.unreachable(place, _reason(location, str(error)))
        case _:
            return faults.failed(place, type(error).__name__)


def _reason(location: Location, text: str) -> str:
    """Return what libpq says, on one line and without the password."""
    password = conninfo_to_dict(location.conninfo.reveal()).get("password")
    line = " ".join(text.split())[:_MOST_OF_A_REASON]
    return "it says no" if password and str(password) in line else line
