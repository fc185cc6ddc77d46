"""Times in the words of a page. Layer: accounts, no clock.

UTC, since a page does not know where its reader is.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Moment", "moment_of", "too_many_attempts"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MONTHS = (
    *(("January", 31), ("February", 28), ("March", 31), ("April", 30), ("May", 31), ("June", 30)),
    *(("July", 31), ("August", 31), ("September", 30), ("October", 31), ("November", 30)),
    ("December", 31),
)


class Moment(NamedTuple):
    """A time for people and for machines.

    Attributes:
        iso: for the attribute `datetime` of a `<time>`.
        day: for example `3 May 2026`.
        ago: for example `5 minutes ago`; the day for what is long past.
    """

    iso: str
    day: str
    ago: str


def moment_of(at: int, now: int) -> Moment:
    """Return the words for epoch second `at`, as seen at `now`."""
    days, second = divmod(at, _DAY)
    year, month, day = _date_of(days)
    time = f"{second // _HOUR:02}:{second // _MINUTE % 60:02}:{second % 60:02}"
    words = f"{day} {_MONTHS[month - 1][0]} {year}"
    iso = f"{year:04}-{month:02}-{day:02}T{time}Z"
    return Moment(iso, words, _ago(now - at) or f"on {words}")


def _date_of(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the day that is `days` after 1 January 1970."""
    year = 1970 + days // 366
    while _days_before(year + 1) <= days:
        year += 1
    day = days - _days_before(year)
    leap = _days_before(year + 1) - _days_before(year) == 366
    for month, (_, usual) in enumerate(_MONTHS, 1):
        length = usual + (leap and month == 2)
        if day < length:
            return year, month, day + 1
        day -= length
    raise AssertionError("a year has twelve months")


def _days_before(year: int) -> int:
    """Return the days from 1 January 1970 to 1 January of `year`."""
    last = year - 1
    return 365 * (year - 1970) + last // 4 - last // 100 + last // 400 - 477


def too_many_attempts(seconds: int) -> str:
    """Return what is said to somebody who has to wait for `seconds`; never too short."""
    count, unit = (seconds, "second") if seconds < _MINUTE else (-(-seconds // _MINUTE), "minute")
    return f"Too many attempts have failed. Try again in {_counted(count, unit)}."


def _ago(seconds: int) -> str:
    """Return how long ago it was; empty for more than 30 days."""
    if seconds < 2 * _MINUTE:
        return "just now"
    for unit, length, most in (("minute", _MINUTE, _HOUR), ("hour", _HOUR, _DAY)):
        if seconds < most:
            return f"{_counted(seconds // length, unit)} ago"
    return f"{_counted(seconds // _DAY, 'day')} ago" if seconds <= 30 * _DAY else ""


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
