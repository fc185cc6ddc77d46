"""The rows of the catalogue and the tests named for them agree, read from the syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.attacks.catalogue import ATTACKS, REST, WAITS

HERE = Path(__file__).parent
NAME = re.compile(r"test_atk_([0-9]{3})_[a-z0-9_]{10,}")


def names_of_tests(source: str) -> list[str]:
    """Return the names of the tests of a module, in order."""
    found = ast.walk(ast.parse(source))
    functions = [node for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node.name for node in functions if node.name.startswith("test")]


def find_faults(
    names: Iterable[str],
    rows: Iterable[str],
    waits: Mapping[str, str],
    rest: Mapping[str, str],
) -> list[str]:
    """Return a line for each way in which rows and tests disagree."""
    faults: list[str] = []
    rows, shown = set(rows), set[str]()
    for name in names:
        match = NAME.fullmatch(name)
        if match is None:
            faults.append(f"{name} is named for no row")
            continue
        attack = f"ATK-{match[1]}"
        shown.add(attack)
        if attack not in rows:
            faults.append(f"{name} is named for a row that is unknown")
        if attack in waits:
            faults.append(f"{name} shows a row that waits for {waits[attack]}")
    faults += [
        f"{row} has no test and waits for nothing" for row in sorted(rows - shown - {*waits})
    ]
    for title, reasons in (("WAITS", waits), ("REST", rest)):
        faults += [f"{title} has the unknown {row}" for row in sorted(reasons.keys() - rows)]
        faults += [
            f"{title} has no reason for {row}" for row in sorted(reasons) if not reasons[row]
        ]
    faults += [f"{row} is in WAITS and in REST" for row in sorted(waits.keys() & rest.keys())]
    return faults


def test_every_row_is_there_once() -> None:
    assert len(ATTACKS) == 127
    assert all(re.fullmatch(r"ATK-[0-9]{3}", row) and name for row, name in ATTACKS.items())
    assert len(set(ATTACKS.values())) == len(ATTACKS)


def test_every_attack_has_its_test_or_waits_for_something() -> None:
    names = [
        name
        for path in sorted(HERE.glob("test_*.py"))
        if path.name != Path(__file__).name
        for name in names_of_tests(path.read_text(encoding="utf-8"))
    ]
    faults = find_faults(names, ATTACKS, WAITS, REST)
    assert not faults, "\n" + "\n".join(faults)


GOOD = ["test_atk_001_a_sentence_about_it", "test_atk_002_another_sentence"]


@pytest.mark.parametrize(
    ("names", "waits", "rest", "fault"),
    [
        pytest.param(GOOD[:1], {}, {}, "ATK-002 has no test and waits", id="untested row"),
        pytest.param(GOOD, {"ATK-002": "it"}, {}, "shows a row that waits for it", id="waiting"),
        pytest.param([*GOOD, "test_atk_003_a_sentence"], {}, {}, "unknown", id="unknown row"),
        pytest.param([*GOOD, "test_something"], {}, {}, "named for no row", id="no row"),
        pytest.param([*GOOD, "test_atk_1_a_sentence"], {}, {}, "named for no row", id="no id"),
        pytest.param([*GOOD, "test_atk_001_x"], {}, {}, "named for no row", id="no sentence"),
        pytest.param(GOOD, {"ATK-009": "it"}, {}, "WAITS has the unknown", id="unknown waits"),
        pytest.param(GOOD, {}, {"ATK-009": "it"}, "REST has the unknown", id="unknown rest"),
        pytest.param(GOOD[:1], {"ATK-002": ""}, {}, "no reason for ATK-002", id="no reason"),
        pytest.param(
            GOOD[:1], {"ATK-002": "it"}, {"ATK-002": "it"}, "in WAITS and in REST", id="both"
        ),
    ],
)
def test_each_fault_is_seen(
    names: list[str], waits: Mapping[str, str], rest: Mapping[str, str], fault: str
) -> None:
    assert fault in "\n".join(find_faults(names, ["ATK-001", "ATK-002"], waits, rest))


def test_rows_and_tests_that_agree_have_no_fault() -> None:
    rows = ["ATK-001", "ATK-002", "ATK-003"]
    assert not find_faults(GOOD, rows, {"ATK-003": "it"}, {"ATK-001": "more"})


def test_tests_are_found_wherever_they_stand() -> None:
    source = "def test_a(): ...\nclass T:\n    async def test_b(self): ...\ndef helper(): ...\n"
    assert names_of_tests(source) == ["test_a", "test_b"]
