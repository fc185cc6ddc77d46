"""What the command writes: JSON objects, tables, and one line for an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from codegrant.messages.json import JsonValue

__all__ = ["JsonObject", "fail", "print_json", "print_list", "warn"]

JsonObject: TypeAlias = Mapping[str, JsonValue]


def fail(message: str, *, status: int = 1) -> int:
    """Write an error as one line to stderr and return the exit status that goes with it."""
    print(f"codegrant: {_one_line(message)}", file=sys.stderr)
    return status


def warn(message: str) -> None:
    """Write a warning as one line to stderr."""
    print(f"codegrant: warning: {_one_line(message)}", file=sys.stderr)


def print_json(value: JsonObject | Sequence[JsonObject]) -> None:
    """Write one JSON value to stdout, indented, in ASCII whatever the locale."""
    print(json.dumps(value, indent=2))


def print_list(rows: Sequence[JsonObject], columns: Sequence[str], *, as_json: bool) -> None:
    """Write rows to stdout: all of them as one JSON array, or some columns as a table."""
    if as_json:
        print_json(rows)
        return
    lines = [list(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cell(value: JsonValue) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(map(_cell, value))
        case _:
            return _one_line(str(value))


def _one_line(text: str) -> str:
    """Return `text` with everything escaped that could start a line or drive a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
