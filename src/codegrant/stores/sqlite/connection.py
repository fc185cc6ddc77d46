"""Connections to a SQLite database, and its errors in our words. Layer: stores."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from codegrant.errors import StoreError
from codegrant.flow import Effect, Flow, run
from codegrant.stores import faults
from codegrant.stores.statements import Execute, Row

__all__ = [
    "Location",
    "Synchronous",
    "closed",
    "connect",
    "create_file",
    "drive",
    "error_of",
    "translated",
]

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

_WAL_LIMIT = 64 * 1024 * 1024
_STATEMENTS = 256
# A quota, for one: SQLite knows only a full disk by name.
_FAILED_WRITES = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}


@dataclass(frozen=True, slots=True)
class Location:
    """Where a database is and how it is opened.

    Attributes:
        path: of the file, absolute; None for one in memory.
        busy_timeout: seconds that a connection waits for a lock of another program.
    """

    path: Path | None
    synchronous: Synchronous = "FULL"
    readonly: bool = False
    busy_timeout: float = 5.0

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else "the database in memory"


def connect(location: Location, *, wait: bool = True, readonly: bool = False) -> sqlite3.Connection:
    """Return a new connection in autocommit mode; any one thread at a time may use it.

    Args:
        wait: whether it waits for the locks of others.
        readonly: whether it refuses to write, also when the location does not.

    Raises:
        StoreError: the file cannot be opened.
    """
    if location.path is None:
        name = ":memory:"
    else:
        name = f"{location.path.as_uri()}?mode={'ro' if location.readonly else 'rw'}"
    with translated(location):
        connection = sqlite3.connect(
            name,
            uri=True,
            timeout=location.busy_timeout if wait else 0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        try:
            connection.execute(f"PRAGMA synchronous = {location.synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            if readonly:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def closed(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Close the connection at the end."""
    try:
        yield connection
    finally:
        connection.close()


def create_file(location: Location) -> None:
    """Make the database's file, readable by its owner alone, unless it is there.

    SQLite gives the files beside it the same permissions. A file that is there is not even
    opened: POSIX takes a process's locks on a file away when it closes any descriptor of it,
    and then another program deletes the write-ahead log under our connections.

    Raises:
        StoreError: `store_missing_folder`, `store_readonly`, `store_full`.

    SQLite "How To Corrupt An SQLite Database File" §2.2.
    """
    path = location.path
    if path is None or location.readonly:
        return
    try:
        with suppress(FileExistsError):
            os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise faults.file_error(path, error) from None
    if path.is_dir():
        raise faults.not_a_database(str(path), "is a folder")
    if not os.access(path, os.R_OK | os.W_OK):
        raise faults.readonly(str(path))


def drive(connection: sqlite3.Connection, operation: Flow[object]) -> object:
    """Drive an operation to its end on this connection and return its answer."""

    def perform(effect: Effect[list[Row]]) -> list[Row]:
        if not isinstance(effect, Execute):
            raise TypeError(f"an operation asks for {type(effect).__name__}")
        return connection.execute(effect.statement.text, effect.parameters).fetchall()

    return run(operation, perform)


@contextmanager
def translated(location: Location) -> Generator[None]:
    """Turn any exception inside into a StoreError."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise error_of(location, error) from error


def error_of(location: Location, error: BaseException) -> StoreError:
    """Return the StoreError for what came out of SQLite or of an operation.

    It names the file and SQLite's own code, and has the exception as its cause. No
    parameter of a statement is in either.
    """
    if isinstance(error, StoreError):
        return error
    failure = _fault(location, error)
    failure.__cause__ = error
    return failure


def _fault(location: Location, error: BaseException) -> StoreError:
    """Return the StoreError for an exception, told by SQLite's primary result code."""
    place = str(location)
    if not isinstance(error, sqlite3.Error):
        return faults.failed(place, type(error).__name__)
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return faults.busy(place)
        case sqlite3.SQLITE_FULL:
            return faults.full(place)
        case sqlite3.SQLITE_READONLY:
            return faults.readonly(place)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return faults.not_a_database(place, "is no SQLite database, or a damaged one")
        case sqlite3.SQLITE_CANTOPEN if location.path is not None:
            return _cannot_open(location.path)
        case sqlite3.SQLITE_IOERR if location.path is not None and location.path.is_dir():
            return _cannot_open(location.path)
        case sqlite3.SQLITE_IOERR if error.sqlite_errorcode in _FAILED_WRITES:
            return faults.write_failed(place)
        case _:
            return faults.failed(place, getattr(error, "sqlite_errorname", type(error).__name__))


def _cannot_open(path: Path) -> StoreError:
    """Return why SQLite cannot open a file; it does not say so itself."""
    if path.is_dir():
        return faults.not_a_database(str(path), "is a folder")
    try:
        path.stat()
        # Tells whether there is a descriptor left; not the file itself, see `create_file`.
        os.close(os.open(path.parent, os.O_RDONLY))
    except OSError as error:
        return faults.file_error(path, error)
    # The file itself can be read, so it is the files beside it that cannot be made.
    return faults.readonly(str(path))
