"""`stores.sqlite.migration`: a database is made or brought up to date once, or refused in words."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from codegrant.errors import StoreError
from codegrant.server.administration import AddClient
from codegrant.server.effects import FindClient
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.sqlite.migration import SCHEMA_VERSION
from tests.unit.stores.examples import client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codegrant.db"


def execute(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Do something to a database behind the store's back; the rows of the last statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found: list[tuple[object, ...]] = []
        for statement in statements:
            found = connection.execute(statement).fetchall()
        return found


def refusal(path: Path, *, readonly: bool = False, busy_timeout: float = 5.0) -> StoreError:
    with pytest.raises(StoreError) as raised:
        SqliteStore.open(path, readonly=readonly, busy_timeout=busy_timeout)
    return raised.value


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Give a folder and no right to write in it, to root as well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "codegrant.db").touch(0o644)
        if os.geteuid() == 0:
            os.seteuid(65534)
            try:
                yield folder
            finally:
                os.seteuid(0)
        else:
            folder.chmod(0o555)
            (folder / "codegrant.db").chmod(0o444)
            yield folder
            folder.chmod(0o755)


def test_a_new_database_is_made_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with SqliteStore.open(path) as store:
            store.perform(AddClient(client()))
            files = sorted(path.parent.iterdir())
            assert [file.name for file in files] == [
                path.name + end for end in ("", "-shm", "-wal")
            ]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_an_open_database_is_of_the_programs_schema(path: Path) -> None:
    SqliteStore.open(path)
    assert execute(path, "SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]
    before = execute(path, "SELECT * FROM sqlite_schema")
    SqliteStore.open(path)
    assert execute(path, "SELECT * FROM sqlite_schema") == before


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    with SqliteStore.open(path) as store:
        assert store.perform(AddClient(client()))


def test_the_first_effect_makes_the_database_too(path: Path) -> None:
    store = SqliteStore(path)
    assert not path.exists()
    assert store.perform(FindClient("web")) is None
    assert path.exists()
    store.close()


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    store = SqliteStore("a #?%20.db")
    monkeypatch.chdir(tmp_path)
    store.perform(FindClient("web"))
    store.close()
    assert (tmp_path / "one" / "a #?%20.db").exists()


def test_a_newer_database_is_refused(path: Path) -> None:
    SqliteStore.open(path)
    execute(path, "UPDATE schema_version SET version = version + 1")
    for readonly in (False, True):
        error = refusal(path, readonly=readonly)
        assert error.code == "store_newer"
        assert str(SCHEMA_VERSION + 1) in error.message


def test_an_older_database_is_not_brought_up_to_date_read_only(path: Path) -> None:
    path.touch()
    assert refusal(path, readonly=True).code == "store_older"
    assert path.stat().st_size == 0


def text_file(path: Path) -> None:
    path.write_text("This is no database, but it is long enough to have a header. " * 20)


def foreign_database(path: Path) -> None:
    execute(path, "CREATE TABLE schema_version (version INTEGER)", "CREATE TABLE clients (a)")


def claimed_database(path: Path) -> None:
    execute(path, "PRAGMA application_id = 252006674")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [text_file, foreign_database, claimed_database, folder])
def test_what_is_no_database_of_ours_is_refused_and_kept(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    for readonly in (False, True):
        error = refusal(path, readonly=readonly)
        assert error.code == "store_not_a_database"
        assert str(path) in str(error)
    assert (None if path.is_dir() else path.read_bytes()) == before


def test_a_missing_folder_is_named(path: Path) -> None:
    error = refusal(path.parent / "no" / "codegrant.db")
    assert error.code == "store_missing_folder"
    assert not (path.parent / "no").exists()


def test_a_missing_file_is_not_made_read_only(path: Path) -> None:
    assert refusal(path, readonly=True).code == "store_missing_file"
    assert not path.exists()


@pytest.mark.parametrize("name", ["codegrant.db", "new.db"], ids=["file", "folder"])
def test_without_the_right_to_write_a_database_is_refused(name: str) -> None:
    with unprivileged() as folder:
        assert refusal(folder / name).code == "store_readonly"


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_a_log_that_cannot_be_made_is_refused(path: Path, end: str) -> None:
    SqliteStore.open(path)
    (path.parent / f"{path.name}{end}").mkdir()
    assert refusal(path).code == "store_readonly"


def test_a_database_locked_by_another_program_is_refused(path: Path) -> None:
    SqliteStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = refusal(path, busy_timeout=0.01)
    assert error.code == "store_busy"
    assert str(path) in str(error)
    SqliteStore.open(path)


def test_a_failed_migration_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = path.with_name("0001.sql")
    broken.write_text("CREATE TABLE a (b);\nCREATE TABLE a (b);\n")
    with monkeypatch.context() as patch:
        patch.setattr("codegrant.stores.sqlite.migration._FILES", [broken])
        assert refusal(path).code == "store_failed"
    assert execute(path, "SELECT name FROM sqlite_schema") == []
    SqliteStore.open(path)


def test_later_migrations_are_applied_once_and_in_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore.open(path)
    second, third = path.with_name("0002.sql"), path.with_name("0003.sql")
    second.write_text("-- a comment; with a semicolon\nCREATE TABLE news (a TEXT);\n")
    third.write_text(
        "ALTER TABLE news ADD COLUMN b TEXT DEFAULT ';\n';\nINSERT INTO news VALUES (1, 2);"
    )
    migration = "codegrant.stores.sqlite.migration"
    monkeypatch.setattr(f"{migration}._FILES", [path, second, third])
    monkeypatch.setattr(f"{migration}.SCHEMA_VERSION", 3)
    for _ in range(2):
        SqliteStore.open(path)
        assert execute(path, "SELECT * FROM news") == [("1", "2")]
    assert execute(path, "SELECT version FROM schema_version") == [(1,), (2,), (3,)]


def test_of_many_processes_one_applies_the_migrations(path: Path) -> None:
    source = (
        "import sys; from codegrant.stores.sqlite import SqliteStore;"
        "sys.stdin.read(); SqliteStore.open(sys.argv[1])"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", source, str(path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None
    assert [child.communicate()[1] for child in children] == [""] * 5
    assert execute(path, "SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]


def test_a_check_changes_nothing(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(StoreError) as raised:
        store.check()
    assert raised.value.code == "store_missing_file"
    assert not path.exists()
    SqliteStore.open(path)
    store.check()
    SqliteStore(":memory:").check()


def test_a_check_sees_damage(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.perform(AddClient(client()))
    execute(path, "PRAGMA ignore_check_constraints = ON", "UPDATE clients SET enabled = 7")
    with pytest.raises(StoreError) as raised:
        SqliteStore(path).check()
    assert raised.value.code == "store_damaged"


def test_a_new_database_that_somebody_writes_is_busy(path: Path) -> None:
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert refusal(path, busy_timeout=0.05).code == "store_busy"
    SqliteStore.open(path)
