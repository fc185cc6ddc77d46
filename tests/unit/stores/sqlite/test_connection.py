"""`stores.sqlite.connection`: settings of every connection, and errors in our words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.stores.sqlite.connection import (
    Location,
    connect,
    create_file,
    drive,
    error_of,
    translated,
)
from codegrant.stores.statements import Statement, execute


@pytest.fixture
def location(tmp_path: Path) -> Location:
    found = Location(path=tmp_path / "codegrant.db")
    create_file(found)
    return found


@pytest.fixture
def connection(location: Location) -> Iterator[sqlite3.Connection]:
    with closing(connect(location)) as opened:
        yield opened


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("SQLite's own words")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_SOMETHING"
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, "store_busy"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "store_busy"),
        (sqlite3.SQLITE_LOCKED, "store_busy"),
        (sqlite3.SQLITE_FULL, "store_full"),
        (sqlite3.SQLITE_IOERR_WRITE, "store_write_failed"),
        (sqlite3.SQLITE_IOERR_FSYNC, "store_write_failed"),
        (sqlite3.SQLITE_IOERR_READ, "store_failed"),
        (sqlite3.SQLITE_READONLY, "store_readonly"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "store_readonly"),
        (sqlite3.SQLITE_NOTADB, "store_not_a_database"),
        (sqlite3.SQLITE_CORRUPT, "store_not_a_database"),
        (sqlite3.SQLITE_IOERR, "store_failed"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "store_failed"),
        (sqlite3.SQLITE_ERROR, "store_failed"),
    ],
)
def test_every_code_of_sqlite_is_told(location: Location, code: int, expected: str) -> None:
    cause = sqlite_error(code)
    error = error_of(location, cause)
    assert error.code == expected
    assert str(location.path) in str(error)
    assert "own words" not in str(error)
    assert error.__cause__ is cause


def test_an_error_without_a_code_is_told_by_its_kind(location: Location) -> None:
    closed = error_of(location, sqlite3.ProgrammingError("Cannot operate on a closed database."))
    assert closed.code == "store_failed"
    assert "ProgrammingError" in str(closed)


def test_our_own_error_stays_as_it_is(location: Location) -> None:
    ours = StoreError("something of ours")
    assert error_of(location, ours) is ours
    with pytest.raises(StoreError) as raised, translated(location):
        raise ours
    assert raised.value is ours
    assert raised.value.__cause__ is None


def test_a_file_that_went_is_missing(location: Location) -> None:
    assert location.path is not None
    location.path.unlink()
    with pytest.raises(StoreError) as raised:
        connect(location)
    assert raised.value.code == "store_missing_file"


def test_a_connection_that_reads_refuses_to_write(location: Location) -> None:
    with closing(connect(location, readonly=True)) as reader:
        with pytest.raises(sqlite3.OperationalError) as raised:
            reader.execute("CREATE TABLE a (b)")
        assert error_of(location, raised.value).code == "store_readonly"


def test_foreign_keys_are_held(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_an_operation_is_driven_to_its_end(connection: sqlite3.Connection) -> None:
    statement = Statement("sum", "SELECT :a + :b, :a", frozenset("ab"))
    assert drive(connection, execute(statement, a=1, b=2, unnamed=3)) == [(3, 1)]


def draws() -> Flow[object]:
    return (yield from ask(RandomBytes()))


def test_an_operation_may_ask_for_nothing_but_statements(connection: sqlite3.Connection) -> None:
    with pytest.raises(TypeError, match="RandomBytes"):
        drive(connection, draws())


def test_a_file_in_use_is_not_taken_for_abandoned_by_other_programs(
    location: Location, connection: sqlite3.Connection
) -> None:
    assert location.path is not None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE a (b)")
    create_file(location)  # as the writer does, beside a reader that is open already
    with pytest.raises(StoreError):
        connect(Location(path=location.path / "nowhere"))
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('INSERT INTO a VALUES (1)'); c.commit(); c.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(location.path)], check=True)
    # The last one to close deletes the log: that must not have been the other program.
    assert location.path.with_name(f"{location.path.name}-wal").exists()
    assert connection.execute("SELECT b FROM a").fetchall() == [(1,)]


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        create_file(Location(path=tmp_path))
    assert raised.value.code == "store_not_a_database"
