"""`codegrant db`, and the one line for every database that cannot be served."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from codegrant.stores.bindings import bind_issuer
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.sqlite.migration import SCHEMA_VERSION
from tests.unit.cli.conftest import Run

FILE = Path("codegrant.db")
# Every way to open the database; none of them may do more than say what is wrong with it.
COMMANDS = [
    pytest.param(("db", "upgrade"), id="db upgrade"),
    pytest.param(("db", "check"), id="db check"),
    pytest.param(("users", "list"), id="users list"),
    pytest.param(("keys", "rotate"), id="keys rotate"),
]
every_command = pytest.mark.parametrize("command", COMMANDS)


def execute(*statements: str) -> None:
    with closing(sqlite3.connect(FILE, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def text_file() -> None:
    FILE.write_text("no database at all\n")


def foreign_database() -> None:
    execute("CREATE TABLE theirs (a)")


def newer_database() -> None:
    SqliteStore.open(FILE).close()
    execute("INSERT INTO schema_version VALUES (99, 0)")


def cut_database() -> None:
    SqliteStore.open(FILE).close()
    execute("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE")
    with FILE.open("r+b") as file:
        file.truncate(20_000)


def test_upgrade_makes_the_database_for_its_owner_alone(run: Run) -> None:
    for _ in range(2):
        outcome = run("db", "upgrade")
        assert (outcome.status, outcome.stderr) == (0, "")
        assert outcome.stdout == "codegrant: codegrant.db is up to date\n"
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert run("db", "check").stdout == "codegrant: codegrant.db is good\n"


def test_any_command_makes_it_where_the_folder_exists(run: Run, tmp_path: Path) -> None:
    absolute = tmp_path / "absolute.db"
    for url, file in (
        ("sqlite:///relative.db", Path("relative.db")),
        (f"sqlite:///{absolute}", absolute),
    ):
        assert run("users", "list", "--database", url).status == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    line = run("users", "list", "--database", "sqlite:///folder/a.db").error
    assert line.startswith(f"{tmp_path}/folder/a.db: there is no such folder (make the folder")
    assert not (tmp_path / "folder").exists()


def test_check_makes_nothing(run: Run, tmp_path: Path) -> None:
    assert run("db", "check").error == f"{tmp_path}/codegrant.db: there is no such file"
    assert list(tmp_path.iterdir()) == []
    run("db", "upgrade")
    run("db", "check")
    assert not Path("codegrant.db.key").exists()


@every_command
@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(text_file, "is no SQLite database, or a damaged one (name an", id="text"),
        pytest.param(cut_database, "is no SQLite database, or a damaged one (name", id="cut"),
        pytest.param(foreign_database, "is a database of another program (name", id="foreign"),
        pytest.param(
            newer_database,
            f"has schema 99, this program knows {SCHEMA_VERSION} (a newer",
            id="newer",
        ),
        pytest.param(FILE.mkdir, "is a folder (name another file", id="folder"),
    ],
)
def test_a_file_that_is_no_database_of_this_program_is_one_line(
    run: Run, tmp_path: Path, make: Callable[[], None], command: tuple[str, ...], said: str
) -> None:
    make()
    outcome = run(*command)
    assert outcome.status == 1
    assert outcome.error.startswith(f"{tmp_path}/codegrant.db {said}")
    assert not Path("codegrant.db.key").exists()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for other programs, not the five seconds."""
    monkeypatch.setitem(SqliteStore.open.__func__.__kwdefaults__, "busy_timeout", 0.05)  # type: ignore[attr-defined]


@pytest.fixture
def locked(run: Run, impatience: None) -> Iterator[sqlite3.Connection]:
    """Another program that writes and does not end."""
    run("db", "upgrade")
    with closing(sqlite3.connect(FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.mark.parametrize("command", [("db", "upgrade"), ("users", "list"), ("keys", "rotate")])
def test_a_database_that_another_program_holds_is_one_line(
    run: Run, tmp_path: Path, locked: sqlite3.Connection, command: tuple[str, ...]
) -> None:
    outcome = run(*command)
    assert outcome.status == 1
    assert outcome.error.startswith(f"{tmp_path}/codegrant.db is locked by another program (try")
    locked.execute("ROLLBACK")
    assert run(*command).status == 0


def test_damage_is_found_by_check(run: Run, tmp_path: Path) -> None:
    run("clients", "add", "app", "--redirect-uri", "https://app.test/cb")
    assert run("db", "check").status == 0
    execute("PRAGMA ignore_check_constraints = ON", "UPDATE clients SET enabled = 7")
    assert run("db", "check").error == (
        f"{tmp_path}/codegrant.db is damaged (restore it from a backup)"
    )


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "check"), ("users", "list")])
def test_postgresql_is_said_to_be_not_there_yet(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, "--database", "postgresql://me:s3cret@db.test/codegrant")
    assert outcome.status == 1
    assert outcome.error == (
        "database: postgresql:… is not allowed yet, this release stores in SQLite only "
        "(sqlite:///relative.db or sqlite:////absolute.db)"
    )


def test_check_tells_the_wrong_key_ring(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keys", "rotate")
    assert run("db", "check").status == 0
    monkeypatch.setenv("CODEGRANT_SECRET", "x" * 32)
    assert run("db", "check").error.startswith("the key ring does not open this database (set")
    monkeypatch.setenv("CODEGRANT_SECRET", "x" * 31)
    assert run("db", "check").error.startswith("CODEGRANT_SECRET: key ring: a key has 31")
    monkeypatch.delenv("CODEGRANT_SECRET")
    Path("codegrant.db.key").unlink()
    assert run("db", "check").error.startswith("codegrant.db.key: there is no such file, and no")
    assert not Path("codegrant.db.key").exists()


def test_check_tells_another_issuer_and_records_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("db", "upgrade")
    for issuer in ("https://one.test", "https://two.test"):
        monkeypatch.setenv("CODEGRANT_ISSUER", issuer)
        assert run("db", "check").status == 0
    with SqliteStore.open(FILE) as store:
        bind_issuer(store, "https://one.test")
    assert run("db", "check").error.startswith(
        "the database belongs to the issuer https://one.test, not to https://two.test (set the"
    )
    monkeypatch.setenv("CODEGRANT_ISSUER", "https://one.test")
    assert run("db", "check").status == 0
    monkeypatch.delenv("CODEGRANT_ISSUER")
    assert run("db", "check").status == 0
