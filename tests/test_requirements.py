"""The rows of `requirements.py` and the tests that show them agree, read from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.requirements import OPEN, PARTIAL, REQUIREMENTS

TESTS = Path(__file__).parent
MOST_PER_TEST = 3


def carried_ids(source: str, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each marked test of `source` as `file::test` with its ids, in order."""
    tree = ast.parse(source, name)
    marks = {id(node) for node in ast.walk(tree) if _is_mark(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        found = [d for d in node.decorator_list if isinstance(d, ast.Call) and _is_mark(d.func)]
        marks -= {id(mark.func) for mark in found}
        if found:
            assert node.name.startswith("test_"), f"{name}::{node.name} is no test"
            yield f"{name}::{node.name}", tuple(ast.literal_eval(a) for m in found for a in m.args)
    assert not marks, f"{name}: the requirement mark stands on test functions only"


def _is_mark(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "requirement"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "mark"
    )


def find_faults(
    tests: Iterable[tuple[str, tuple[str, ...]]],
    rows: Iterable[str],
    still_open: frozenset[str],
    partial: Mapping[str, str],
) -> list[str]:
    """Return a line for each way in which tests and rows disagree."""
    faults: list[str] = []
    rows, shown = set(rows), set[str]()
    for test, ids in tests:
        shown.update(ids)
        if not ids:
            faults.append(f"{test} carries an empty mark")
        if len(ids) > MOST_PER_TEST or len(set(ids)) < len(ids):
            faults.append(f"{test} carries {len(ids)} ids, at most {MOST_PER_TEST} different ones")
        faults += [f"{test} carries the unknown {i}" for i in ids if i not in rows]
        faults += [f"{test} carries {i}, which is in OPEN" for i in ids if i in still_open]
    faults += [f"{i} has no test and is not in OPEN" for i in sorted(rows - still_open - shown)]
    faults += [f"OPEN has the unknown {i}" for i in sorted(still_open - rows)]
    faults += [f"PARTIAL has the unknown {i}" for i in sorted(partial.keys() - rows)]
    faults += [f"{i} is in PARTIAL and in OPEN" for i in sorted(partial.keys() & still_open)]
    return faults


def test_every_row_is_there_once() -> None:
    assert len(REQUIREMENTS) == 358
    assert sum(row.milestone for row in REQUIREMENTS.values()) == 254
    assert all(all(row[2:]) for row in REQUIREMENTS.values())


def test_every_row_has_its_test_or_is_known_to_be_open() -> None:
    tests = [
        found
        for path in sorted(TESTS.rglob("test_*.py"))
        for found in carried_ids(
            path.read_text(encoding="utf-8"), path.relative_to(TESTS).as_posix()
        )
    ]
    faults = find_faults(tests, REQUIREMENTS, OPEN, PARTIAL)
    assert not faults, "\n" + "\n".join(faults)


MARKED = """
import pytest

@pytest.mark.requirement("A-1", "A-2")
@pytest.mark.parametrize("case", [1])
@pytest.mark.requirement("A-3")
async def test_one(case): ...

class TestMore:
    @pytest.mark.requirement("A-4")
    def test_two(self): ...

def test_unmarked(): ...
"""


def test_marks_are_read_from_every_test_function() -> None:
    assert list(carried_ids(MARKED, "t.py")) == [
        ("t.py::test_one", ("A-1", "A-2", "A-3")),
        ("t.py::test_two", ("A-4",)),
    ]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('pytestmark = pytest.mark.requirement("A-1")', id="module"),
        pytest.param('@pytest.mark.requirement("A-1")\nclass TestAll: ...', id="class"),
        pytest.param('row = pytest.mark.requirement\n@row("A-1")\ndef test_a(): ...', id="alias"),
        pytest.param('@pytest.mark.requirement("A-1")\ndef fixture(): ...', id="no test"),
        pytest.param('param = pytest.param(1, marks=pytest.mark.requirement("A-1"))', id="case"),
    ],
)
def test_a_mark_elsewhere_is_refused(source: str) -> None:
    with pytest.raises(AssertionError, match=r"^t\.py"):
        list(carried_ids(source, "t.py"))


@pytest.mark.parametrize(
    ("ids", "still_open", "partial", "fault"),
    [
        pytest.param(("A-1", "A-2", "A-3", "A-4"), "", "", "carries 4 ids", id="four ids"),
        pytest.param(("A-1", "A-1"), "A-2 A-3 A-4", "", "at most 3 different", id="twice"),
        pytest.param((), "A-1 A-2 A-3 A-4", "", "empty mark", id="no id"),
        pytest.param(("B-1",), "A-1 A-2 A-3 A-4", "", "carries the unknown B-1", id="unknown id"),
        pytest.param(("A-1",), "A-1 A-2 A-3 A-4", "", "A-1, which is in OPEN", id="open id"),
        pytest.param(("A-1",), "A-2 A-3", "", "A-4 has no test", id="untested row"),
        pytest.param(("A-1",), "A-2 A-3 A-4 B-1", "", "OPEN has the unknown B-1", id="open"),
        pytest.param(("A-1",), "A-2 A-3 A-4", "B-1", "PARTIAL has the unknown B-1", id="partial"),
        pytest.param(("A-1",), "A-2 A-3 A-4", "A-2", "A-2 is in PARTIAL and", id="partial, open"),
    ],
)
def test_each_fault_is_seen(
    ids: tuple[str, ...], still_open: str, partial: str, fault: str
) -> None:
    rows = ["A-1", "A-2", "A-3", "A-4"]
    waits = dict.fromkeys(partial.split(), "more")
    assert fault in "\n".join(find_faults([("t", ids)], rows, frozenset(still_open.split()), waits))


def test_rows_and_tests_that_agree_have_no_fault() -> None:
    tests = [("one", ("A-1", "A-2")), ("two", ("A-1",))]
    assert not find_faults(tests, ["A-1", "A-2", "A-3"], frozenset({"A-3"}), {"A-2": "more"})
