"""Readers of single settings: one text or TOML value in, one checked value out."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, cast

__all__ = [
    "Reader",
    "addresses",
    "choice",
    "flag",
    "path",
    "text",
    "whole",
]

T = TypeVar("T")


class Reader(NamedTuple, Generic[T]):
    """How one setting is read.

    Attributes:
        allowed: the values it takes, to complete "… is not allowed, … is".
        read: turns text (from a flag or the environment) or a TOML value into the value;
            ValueError for one that is not allowed.
        hides_value: whether a value that is not allowed must not be shown.
    """

    allowed: str
    read: Callable[[object], T]
    hides_value: bool = False


def whole(least: int, most: int) -> Reader[int]:
    """Return the reader of a whole number."""

    def read(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw, re.ASCII):
            raw = int(raw)
        if type(raw) is not int or not least <= raw <= most:
            raise ValueError
        return raw

    return Reader(f"a whole number from {least} to {most}", read)


def choice(*allowed: str) -> Reader[str]:
    """Return the reader of one of a few words."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or raw not in allowed:
            raise ValueError
        return raw

    return Reader(f"{', '.join(allowed[:-1])} or {allowed[-1]}", read)


def flag() -> Reader[bool]:
    """Return the reader of a yes or no."""
    words = {"true": True, "1": True, "false": False, "0": False}

    def read(raw: object) -> bool:
        value = words.get(raw.lower()) if isinstance(raw, str) else raw
        if not isinstance(value, bool):
            raise ValueError  # noqa: TRY004 - a value that is not allowed, whatever its type
        return value

    return Reader("true or false", read)


def text(allowed: str, *, hides_value: bool = False) -> Reader[str]:
    """Return the reader of a text that another check looks into."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw or not raw.isprintable() or raw != raw.strip():
            raise ValueError
        return raw

    return Reader(allowed, read, hides_value)


def path() -> Reader[Path]:
    """Return the reader of a path; a relative one starts at the current folder."""

    def read(raw: object) -> Path:
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError
        return Path(raw)

    return Reader("the path of a file", read)


def addresses() -> Reader[tuple[str, ...]]:
    """Return the reader of a list of IP addresses and networks; as text, parted by commas."""

    def read(raw: object) -> tuple[str, ...]:
        parts = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(parts, list):
            raise ValueError  # noqa: TRY004
        found: list[str] = []
        for part in cast("list[object]", parts):
            if not isinstance(part, str):
                raise ValueError  # noqa: TRY004
            found.append(str(ip_network(part.strip())))
        return tuple(found)

    return Reader("a list of IP addresses and networks (10.0.0.5, 10.0.0.0/8)", read)
