"""Named SQL statements, read from `sql/*.sql`, and the effect that executes one.

A file is a list of statements, each under its name and ended by one semicolon:

    -- name: find_client
    SELECT … FROM clients WHERE client_id = :client_id;

Parameters are `:name`; the text is the same for every database where the dialects agree.
Layer: stores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from codegrant.flow import Effect, Flow, ask

__all__ = [
    "Execute",
    "Parameters",
    "Row",
    "SqlValue",
    "Statement",
    "execute",
    "load_statements",
    "matched",
    "parse_statements",
]

SqlValue: TypeAlias = str | int | bytes | None
Row: TypeAlias = tuple[SqlValue, ...]
Parameters: TypeAlias = Mapping[str, SqlValue]

_FOLDER = Path(__file__).with_name("sql")
_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


class Statement(NamedTuple):
    """One SQL statement: its name, its text and the names of its parameters."""

    name: str
    text: str
    parameters: frozenset[str]


class Execute(Effect[list[Row]]):
    """Execute a statement in the operation's transaction; its rows, none for a plain write."""

    __slots__ = ("parameters", "statement")

    def __init__(self, statement: Statement, parameters: Parameters) -> None:
        self.statement: Statement = statement
        self.parameters: Parameters = parameters

    def __repr__(self) -> str:
        return f"Execute({self.statement.name})"


def execute(statement: Statement, /, **parameters: SqlValue) -> Flow[list[Row]]:
    """Execute `statement` and return its rows. Parameters it does not name are left out."""
    return (yield from ask(Execute(statement, parameters)))


def matched(statement: Statement, /, **parameters: SqlValue) -> Flow[bool]:
    """Execute a statement and return whether it gave any row: RETURNING tells what it wrote."""
    return bool((yield from execute(statement, **parameters)))


def load_statements(file: str) -> Mapping[str, Statement]:
    """Return the statements of `sql/FILE.sql` by name.

    Raises:
        ValueError: the file is malformed; it names the statement.
    """
    return parse_statements((_FOLDER / f"{file}.sql").read_text(encoding="utf-8"))


def parse_statements(source: str) -> Mapping[str, Statement]:
    """Return the statements of a file's text by name.

    Raises:
        ValueError: a name occurs twice, or what follows it is not one statement.
    """
    _, *parts = _NAME.split(source)
    statements: dict[str, Statement] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        text = _COMMENT.sub("", body).strip()
        if name in statements:
            raise ValueError(f"statement {name}: the name occurs twice")
        if text.count(";") != 1 or not text.endswith(";") or text == ";":
            raise ValueError(f"statement {name}: exactly one statement with its semicolon expected")
        statements[name] = Statement(name, text[:-1], frozenset(_PARAMETER.findall(text)))
    return statements
