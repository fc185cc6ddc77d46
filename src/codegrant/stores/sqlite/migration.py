"""Bringing a SQLite database to the program's schema. Layer: stores.

`migrations/0001.sql` and those after it are applied once each, in order, whichever program
opens the database first; `schema_version` remembers which.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from codegrant.errors import StoreError
from codegrant.stores import faults
from codegrant.stores.sqlite.connection import (
    Location,
    closed,
    connect,
    create_file,
    translated,
)

__all__ = ["SCHEMA_VERSION", "check", "prepare", "prepare_connection"]

_FOLDER = Path(__file__).parents[1] / "migrations"
_FILES = sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9].sql"))
SCHEMA_VERSION = len(_FILES)

# "Cgrn", so that `file` and we know a database for ours.
_APPLICATION_ID = 0x4367726E
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
_RETRY = 0.02


def prepare(location: Location) -> None:
    """Make the database file if there is none, and bring it to the program's schema.

    Of several processes at once exactly one applies each migration.

    Raises:
        StoreError: `store_newer`, `store_older` (read-only), `store_not_a_database`,
            `store_readonly`, `store_busy`, `store_full`, `store_missing_folder`,
            `store_missing_file` (read-only).
    """
    if location.path is None:
        return
    create_file(location)
    with closed(connect(location)) as connection:
        prepare_connection(connection, location)


def prepare_connection(connection: sqlite3.Connection, location: Location) -> None:
    """Bring the database of an open connection to the program's schema; as `prepare`."""
    with translated(location):
        version = _version(connection, location)
        if location.readonly:
            if version < SCHEMA_VERSION:
                raise _older(location, version)
            return
        _use_write_ahead_log(connection, location)
        if version == SCHEMA_VERSION:
            _check_writable(connection)
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            version = _version(connection, location)
            _apply(connection, range(version, SCHEMA_VERSION))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check(location: Location) -> None:
    """Check an existing database without changing it.

    Raises:
        StoreError: as `prepare` does for a read-only location, or `store_damaged`.
    """
    if location.path is None:
        return
    # SQLite leaves the CHECK constraints out where a file is opened read-only.
    with closed(connect(location, readonly=True)) as connection, translated(location):
        prepare_connection(connection, replace(location, readonly=True))
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            raise faults.damaged(str(location))


def _version(connection: sqlite3.Connection, location: Location) -> int:
    """Return the version of a database's schema, 0 for an empty database."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    if application_id == 0 and tables == 0:
        return 0
    if application_id != _APPLICATION_ID:
        raise faults.not_a_database(str(location), "is a database of another program")
    (version,) = connection.execute("SELECT MAX(version) FROM schema_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{location} has schema {version}, this program knows {SCHEMA_VERSION}",
            code="store_newer",
            stage="store",
            hint="a newer Codegrant has used it: install that version",
        )
    return int(version)


def _older(location: Location, version: int) -> StoreError:
    return StoreError(
        f"{location} has schema {version}, this program needs {SCHEMA_VERSION}",
        code="store_older",
        stage="store",
        hint="run `codegrant db upgrade`",
    )


def _use_write_ahead_log(connection: sqlite3.Connection, location: Location) -> None:
    """Switch to the write-ahead log; SQLite does not wait here for others who do the same."""
    deadline = time.monotonic() + location.busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY)
        else:
            return


def _check_writable(connection: sqlite3.Connection) -> None:
    """Take the write lock and give it back."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def _apply(connection: sqlite3.Connection, versions: range) -> None:
    """Apply migrations inside the open transaction."""
    if not versions:
        return
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version "
        "(version INTEGER NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL)"
    )
    for index in versions:
        for statement in _statements(_FILES[index].read_text(encoding="utf-8")):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO schema_version (version, applied_at) VALUES (?, ?)",
            (index + 1, int(time.time())),
        )


def _statements(source: str) -> Iterator[str]:
    """Yield the statements of a migration; `executescript` would commit before the first."""
    text = ""
    for line in _COMMENT.sub("", source).splitlines():
        text += f"{line}\n"
        if sqlite3.complete_statement(text):
            yield text
            text = ""
