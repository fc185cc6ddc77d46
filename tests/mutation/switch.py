"""Which refusal is off in this process, and who reached which while none was."""

from __future__ import annotations

__all__ = ["is_off", "reached", "run_as", "switch_off"]

_off = 0
_test = ""
reached: dict[int, set[str]] = {}


def is_off(number: int) -> bool:
    """Return whether the refusal `number` is switched off; a question in every refusal."""
    if _off:
        return number == _off
    if _test:
        reached.setdefault(number, set()).add(_test)
    return False


def switch_off(number: int) -> None:
    """Switch one refusal off, in this process and for good."""
    global _off  # noqa: PLW0603 - one process is one mutant
    _off = number


def run_as(test: str) -> None:
    """Say which test runs from now on."""
    global _test  # noqa: PLW0603 - tests run one after the other
    _test = test
