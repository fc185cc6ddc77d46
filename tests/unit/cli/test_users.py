"""`codegrant users`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codegrant.accounts.effects import FindAccount, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.secret import Secret
from codegrant.stores.sqlite import SqliteStore
from tests.unit.cli.conftest import Outcome, Run


def add(run: Run, name: str = "alice", *more: str, stdin: str | bytes = "wonderland\n") -> Outcome:
    return run("users", "add", name, "--password-stdin", *more, stdin=stdin)


def opens(password: str, name: str = "alice") -> bool:
    with SqliteStore.open("codegrant.db") as store:
        account = store.perform(FindAccount(name))
    assert account is not None
    return PasswordHasher().perform(VerifyPassword(Secret(password), account.password_hash))


def test_add_prints_the_person_and_no_password(run: Run) -> None:
    outcome = add(run, "alice", "--email", "alice@example.test", "--name", "Alice Liddell")
    shown = outcome.json
    assert shown["sub"].startswith("person-")
    assert shown["preferred_username"] == "alice"
    assert (shown["email"], shown["email_verified"]) == ("alice@example.test", False)
    assert shown["name"] == "Alice Liddell"
    assert shown["enabled"] is True
    assert outcome.stderr == ""
    assert "wonderland" not in outcome.stdout
    assert "argon2" not in outcome.stdout
    assert Path("codegrant.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        pytest.param("wonderland\n", "wonderland", id="a line"),
        pytest.param("wonderland", "wonderland", id="no line end"),
        pytest.param("wonderland\r\nnext\n", "wonderland", id="the first of two, from Windows"),
        pytest.param("  two words \n", "  two words ", id="spaces count"),
        pytest.param("pässwört-ß", "pässwört-ß", id="UTF-8"),
    ],
)
def test_the_password_is_the_first_line(run: Run, stdin: str, password: str) -> None:
    assert add(run, stdin=stdin).status == 0
    assert opens(password)
    assert not opens(f"{password}x")


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param("\nwonderland\n", "empty", id="an empty line"),
        pytest.param(b"\xff\xfe\n", "not UTF-8", id="not UTF-8"),
        pytest.param("x" * 70_000, "too long", id="endless"),
        pytest.param("a\x00b\n", "password", id="control character"),
        pytest.param("x" * 2000, "password", id="more than is hashed"),
    ],
)
def test_a_password_that_is_none_is_refused(run: Run, stdin: str | bytes, said: str) -> None:
    outcome = add(run, stdin=stdin)
    assert outcome.status == 1
    assert "password" in outcome.error
    assert said in outcome.error
    assert run("users", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("",), "user: ''", id="empty name"),
        pytest.param((" alice",), "user: ' alice'", id="space around it"),
        pytest.param(("x" * 151,), "user:", id="long name"),
        pytest.param(("alice", "--email", "nowhere"), "email: 'nowhere'", id="no address"),
        pytest.param(("alice", "--name", "x" * 201), "name:", id="long full name"),
    ],
)
def test_a_person_who_cannot_be_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    outcome = add(run, *arguments)
    assert outcome.status == 1
    assert said in outcome.error


@pytest.mark.parametrize("name", ["alice", "ALICE", "ａｌｉｃｅ"])  # noqa: RUF001
def test_a_name_that_is_taken_is_refused(run: Run, name: str) -> None:
    add(run)
    outcome = add(run, name)
    assert outcome.status == 1
    assert outcome.error == f"user: {name!r} exists already"
    assert len(run("users", "list", "--json").json) == 1


def test_list_is_a_table_or_a_json_array(run: Run) -> None:
    assert run("users", "list").stdout.split() == [
        "preferred_username",
        "name",
        "email",
        "enabled",
        "sub",
    ]
    for name in ("bob", "alice"):
        add(run, name)
    table = run("users", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["preferred_username", "alice", "bob"]
    rows = run("users", "list", "--json").json
    assert [row["preferred_username"] for row in rows] == ["alice", "bob"]


def test_show_finds_a_person_by_any_spelling_of_the_name(run: Run) -> None:
    added = add(run).json
    assert run("users", "show", "alice").json == added
    assert run("users", "show", "Alice").json == added


def test_passwd_replaces_the_password(run: Run) -> None:
    add(run)
    outcome = run("users", "passwd", "alice", "--password-stdin", stdin="looking glass\n")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert opens("looking glass")
    assert not opens("wonderland")


def test_disable_and_enable_are_seen_by_show(run: Run) -> None:
    add(run)
    assert run("users", "disable", "alice").status == 0
    assert run("users", "show", "alice").json["enabled"] is False
    assert run("users", "enable", "alice").status == 0
    assert run("users", "show", "alice").json["enabled"] is True


@pytest.mark.parametrize("command", ["show", "passwd", "disable", "enable"])
def test_nobody_is_one_line(run: Run, command: str) -> None:
    more = ("--password-stdin",) if command == "passwd" else ()
    outcome = run("users", command, "nobody", *more, stdin="looking glass\n")
    assert outcome.status == 1
    assert outcome.error == "user: 'nobody' does not exist"


def test_another_database_is_another_list(run: Run, tmp_path: Path) -> None:
    add(run, "alice", "--database", "sqlite:///one.db")
    absolute = f"sqlite:///{tmp_path / 'one.db'}"
    assert len(run("users", "list", "--json", "--database", absolute).json) == 1
    assert run("users", "list", "--json", "--database", "sqlite:///two.db").json == []


def test_what_a_name_holds_cannot_drive_a_terminal(run: Run) -> None:
    add(run, "alice", "--name", "Älice")
    assert "Älice" in run("users", "list").stdout
    assert "\\u00c4lice" in run("users", "list", "--json").stdout
    outcome = run("users", "show", "a\x1b[2Jb\nc")
    assert outcome.error == "user: 'a\\x1b[2Jb\\nc' does not exist"
    assert json.loads(run("users", "list", "--json").stdout)[0]["name"] == "Älice"
