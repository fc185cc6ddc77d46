"""`cli.output`: tables, JSON, and lines that stay one line whatever is in them."""

from __future__ import annotations

import json

import pytest

from codegrant.cli.output import JsonObject, fail, print_json, print_list, warn

ROWS: list[JsonObject] = [
    {"name": "a", "enabled": True, "uris": ["x", "y"], "at": 1, "more": None},
    {"name": "longer", "enabled": False, "uris": [], "at": 20},
]


def test_a_table_has_a_head_and_columns_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(ROWS, ("name", "enabled", "uris", "at", "more"), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "name    enabled  uris  at  more",
        "a       yes      x y   1",
        "longer  no             20",
    ]


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([], ("name", "enabled"), as_json=False)
    assert capsys.readouterr().out == "name  enabled\n"


def test_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(ROWS, ("name",), as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS
    print_list([], ("name",), as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_json_is_ascii_whatever_the_locale(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ä\u2028\x1b"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": "Ä\u2028\x1b"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("two\nlines", "two\\nlines", id="line feed"),
        pytest.param("a\rb", "a\\rb", id="carriage return"),
        pytest.param("\x1b[2J", "\\x1b[2J", id="escape"),
        pytest.param("a\u2028b", "a\\u2028b", id="line separator"),
        pytest.param("a\u202eb", "a\\u202eb", id="right to left"),
        pytest.param("a\0b", "a\\x00b", id="zero"),
        pytest.param("äöü ß", "äöü ß", id="letters"),
    ],
)
def test_nothing_ends_a_line_or_drives_a_terminal(
    capsys: pytest.CaptureFixture[str], text: str, shown: str
) -> None:
    assert fail(text) == 1
    warn(text)
    lines = capsys.readouterr()
    assert lines.out == ""
    assert lines.err == f"codegrant: {shown}\ncodegrant: warning: {shown}\n"
    print_list([{"a": text}], ("a",), as_json=False)
    assert capsys.readouterr().out == f"a\n{shown}\n"


def test_a_failure_has_the_status_that_is_asked_for() -> None:
    assert fail("x", status=2) == 2
