"""`stores.statements`: files of named statements, and every statement of ours runs and is used."""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from codegrant.stores import statements, translation
from codegrant.stores.sqlite.connection import Location, connect
from codegrant.stores.sqlite.migration import prepare_connection
from codegrant.stores.statements import Execute, Statement, load_statements, parse_statements
from codegrant.stores.translation import Shape

PACKAGE = Path(statements.__file__).parent
FILES = sorted(path.stem for path in (PACKAGE / "sql").glob("*.sql"))
ALL = [
    pytest.param(statement, id=f"{file}.{statement.name}")
    for file in FILES
    for statement in load_statements(file).values()
]


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    location = Location(path=None)
    with closing(connect(location)) as connection:
        prepare_connection(connection, location)
        yield connection


def test_a_statement_has_its_name_text_and_parameters() -> None:
    source = """-- A file.

-- What it is for.
-- name: find_client
SELECT 'a:b', :client_id
-- inside
FROM clients WHERE a = :client_id AND b = :now;
"""
    (statement,) = parse_statements(source).values()
    assert statement.name == "find_client"
    assert statement.text.startswith("SELECT")
    assert statement.text.endswith(":now")
    assert "inside" not in statement.text
    assert statement.parameters == {"client_id", "now"}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", id="name twice"),
        pytest.param("-- name: a\nSELECT 1\n", id="no semicolon"),
        pytest.param("-- name: a\nSELECT 1; SELECT 2;\n", id="two statements"),
        pytest.param("-- name: a\n;\n", id="empty statement"),
        pytest.param("-- name: a\n-- name: b\nSELECT 1;\n", id="no statement"),
    ],
)
def test_a_malformed_file_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="statement a: "):
        parse_statements(source)


@pytest.mark.parametrize("statement", ALL)
def test_every_statement_is_valid(database: sqlite3.Connection, statement: Statement) -> None:
    parameters = dict.fromkeys(statement.parameters, 1)
    database.execute(f"EXPLAIN {statement.text}", parameters)


@pytest.mark.parametrize("statement", ALL)
def test_every_look_up_uses_an_index(database: sqlite3.Connection, statement: Statement) -> None:
    if statement.name in WHOLE_TABLE:
        return
    parameters = dict.fromkeys(statement.parameters, 1)
    plan = database.execute(f"EXPLAIN QUERY PLAN {statement.text}", parameters).fetchall()
    scans = [step[3] for step in plan if step[3].startswith("SCAN") and "CONSTANT" not in step[3]]
    assert not set(scans) - DERIVED


# What `list_access` has found for one person, and the one row of `find_caller`'s count.
DERIVED = {"SCAN held", "SCAN holders", "SCAN counted"}

# Lists for people, a handful of rows, and the removal of a client.
WHOLE_TABLE = {
    "find_key_of_alg",
    "list_accounts",
    "list_clients",
    "list_keys",
    "list_resources",
    "load_keys",
    "prune_signing_keys",
    "remove_grants_of_client",
    "remove_transactions_of_client",
    "retire_other_keys",
}


@pytest.mark.parametrize(
    ("statement", "shapes", "skip"),
    [
        pytest.param(("clients", "find_client"), [translation.CLIENT], 0, id="client"),
        pytest.param(("clients", "list_clients"), [translation.CLIENT], 0, id="clients"),
        pytest.param(("resources", "find_resource"), [translation.RESOURCE], 0, id="resource"),
        pytest.param(
            ("clients", "find_caller"), [translation.CLIENT, translation.RESOURCE], 4, id="caller"
        ),
        pytest.param(("resources", "list_resources"), [translation.RESOURCE], 0, id="resources"),
        pytest.param(("transactions", "find_transaction"), [translation.TRANSACTION], 0, id="txn"),
        pytest.param(("grants", "find_grant"), [translation.GRANT], 0, id="grant"),
        pytest.param(("grants", "revoke_grant"), [translation.GRANT], 0, id="revoked grant"),
        pytest.param(("grants", "find_code"), [translation.CODE, translation.GRANT], 2, id="code"),
        pytest.param(("grants", "find_access_token"), [translation.ACCESS_TOKEN], 0, id="token"),
        pytest.param(("keys", "load_keys"), [translation.KEY], 0, id="keys"),
        pytest.param(("keys", "list_keys"), [translation.KEY], 0, id="all keys"),
        pytest.param(("accounts", "find_account"), [translation.ACCOUNT], 0, id="account"),
        pytest.param(
            ("accounts", "find_account_by_subject"), [translation.ACCOUNT], 0, id="by subject"
        ),
        pytest.param(("accounts", "list_accounts"), [translation.ACCOUNT], 0, id="accounts"),
        pytest.param(("accounts", "find_session"), [translation.SESSION], 0, id="session"),
        pytest.param(
            ("accounts", "find_agreed_session"), [translation.SESSION], 1, id="agreed session"
        ),
        pytest.param(("logins", "find_login"), [translation.LOGIN], 0, id="login"),
    ],
)
def test_columns_stand_in_the_order_of_their_record(
    database: sqlite3.Connection,
    statement: tuple[str, str],
    shapes: list[Shape[object]],
    skip: int,
) -> None:
    file, name = statement
    found = load_statements(file)[name]
    cursor = database.execute(found.text, dict.fromkeys(found.parameters, 1))
    columns = [column[0] for column in cursor.description]
    assert columns[skip:] == [column for shape in shapes for column in shape.columns]
    cursor.close()


def test_every_statement_is_used_and_every_used_one_is_there() -> None:
    there = {name for file in FILES if file != "pruning" for name in load_statements(file)}
    used: set[str] = set()
    for path in (PACKAGE / "operations").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in there:
                used.add(str(node.value))
    assert used == there


def test_an_execute_shows_no_parameter() -> None:
    effect = Execute(Statement("find", "SELECT :a", frozenset("a")), {"a": "a secret"})
    assert repr(effect) == "Execute(find)"
