"""Which refusals the mutation run finds, and that a switched-off one is gone."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from tests.mutation.points import ASK, instrument

SOURCE = '''
    """A module."""
    from __future__ import annotations

    def check(a, b):
        """Both are small, and they differ."""
        if a > 9 or b > 9:
            raise ValueError("too large")
        if a == b:
            raise ValueError("the same")

    def is_inside(a) -> bool:
        return 1 <= a <= 9 and a != 5

    def find_fault(a) -> str:
        if a > 9:
            return "too large"
        return ""
'''


def run_without(number: int) -> dict[str, Any]:
    """Return the module's names with one refusal off (0: none)."""
    tree, points = instrument(dedent(SOURCE), "module.py", 1)
    del tree.body[2]  # the import of the switch: this one stands in for it
    names: dict[str, Any] = {ASK: lambda asked: asked == number}
    exec(compile(tree, "module.py", "exec"), names)  # noqa: S102 - it is ours
    names["points"] = points
    return names


def number_of(text: str) -> int:
    (found,) = [point.number for point in run_without(0)["points"] if point.text == text]
    return int(found)


def outcome(names: dict[str, Any], a: int, b: int) -> str:
    try:
        names["check"](a, b)
    except ValueError as error:
        return str(error)
    return "fine"


def test_every_refusal_is_found_once_and_named() -> None:
    points = run_without(0)["points"]
    assert [(point.function, point.text) for point in points] == [
        ("check", "or a > 9"),
        ("check", "or b > 9"),
        ("check", "raise ValueError('too large')"),
        ("check", "raise ValueError('the same')"),
        ("is_inside", "return 1 <= a <= 9 and a != 5"),
        ("is_inside", "and 1 <= a <= 9"),
        ("is_inside", "and the first of 1 <= a <= 9"),
        ("is_inside", "and the last of 1 <= a <= 9"),
        ("is_inside", "and a != 5"),
        ("find_fault", "return 'too large'"),
    ]
    assert [point.number for point in points] == list(range(1, 11))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(10, 1, "too large"), (1, 10, "too large"), (3, 3, "the same"), (1, 2, "fine")],
)
def test_with_every_switch_on_nothing_has_changed(a: int, b: int, expected: str) -> None:
    assert outcome(run_without(0), a, b) == expected


@pytest.mark.parametrize(
    ("text", "passes", "still_refused"),
    [
        ("or a > 9", (10, 1), (1, 10)),
        ("or b > 9", (1, 10), (10, 1)),
        ("raise ValueError('too large')", (10, 1), (3, 3)),
        ("raise ValueError('the same')", (3, 3), (10, 1)),
    ],
)
def test_a_refusal_that_is_off_is_gone_and_its_neighbour_is_not(
    text: str, passes: tuple[int, int], still_refused: tuple[int, int]
) -> None:
    names = run_without(number_of(text))
    assert outcome(names, *passes) == "fine"
    assert outcome(names, *still_refused) != "fine"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("", [1, 9]),
        ("return 1 <= a <= 9 and a != 5", [0, 1, 5, 9, 10]),
        ("and 1 <= a <= 9", [0, 1, 9, 10]),
        ("and the first of 1 <= a <= 9", [0, 1, 9]),
        ("and the last of 1 <= a <= 9", [1, 9, 10]),
        ("and a != 5", [1, 5, 9]),
    ],
)
def test_a_demand_that_is_off_holds_for_everything(text: str, inside: list[int]) -> None:
    names = run_without(number_of(text) if text else 0)
    assert [a for a in (0, 1, 5, 9, 10) if names["is_inside"](a)] == inside


def test_a_reason_that_is_off_is_not_given() -> None:
    assert run_without(0)["find_fault"](10) == "too large"
    assert run_without(number_of("return 'too large'"))["find_fault"](10) == ""
