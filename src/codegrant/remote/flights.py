"""What a flight came to, for all who waited for it: what both drivers share. Layer: remote."""

from __future__ import annotations

from copy import copy
from typing import Protocol, TypeVar

from codegrant.errors import CodegrantError

__all__ = ["outcome", "own_copy"]

E = TypeVar("E", bound=CodegrantError)
T_co = TypeVar("T_co", covariant=True)


class _Flight(Protocol[T_co]):
    """A `concurrent.futures.Future`."""

    def exception(self) -> BaseException | None: ...
    def result(self) -> T_co: ...


def outcome(flight: _Flight[T_co]) -> T_co:
    """Wait for a flight and return its result, or raise its error.

    Each who waits raises an error of its own: with everybody who raises one and the same its
    traceback grows, and what one notes in it the others would read. An error that is none of
    ours may not be copied.

    Raises:
        concurrent.futures.CancelledError: whoever ran it was interrupted.
    """
    error = flight.exception()
    if error is None:
        return flight.result()
    if not isinstance(error, CodegrantError):
        raise error
    raise own_copy(error).with_traceback(error.__traceback__) from error.__cause__


def own_copy(error: E) -> E:
    """Return an error that says the same and may be raised, and noted in, once more."""
    own = copy(error)
    own.facts = dict(error.facts)
    return own
