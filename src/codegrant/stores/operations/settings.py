"""The effects on what a database as a whole is bound to, and what they mean. Layer: stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegrant.flow import Effect, Flow
from codegrant.stores.statements import execute, load_statements, matched

__all__ = [
    "FindSetting",
    "KeepSetting",
    "ResealKeys",
    "find_setting",
    "keep_setting",
    "reseal_keys",
]

_SQL = load_statements("settings")
_KEYS = load_statements("keys")


@dataclass(frozen=True, slots=True)
class FindSetting(Effect[str | None]):
    """A setting, or None."""

    name: str


@dataclass(frozen=True, slots=True)
class KeepSetting(Effect[str]):
    """Store a setting unless it is there, and return what is there: the first value stays."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ResealKeys(Effect[bool]):
    """Replace a sealed setting and the sealed signing keys together.

    False, and nothing replaced, when the setting is no longer `expected`.

    Attributes:
        sealed_keys: sealed private keys by `kid`.
    """

    name: str
    expected: str
    value: str
    sealed_keys: Mapping[str, str]


def find_setting(effect: FindSetting) -> Flow[str | None]:
    """Read a setting."""
    found = yield from execute(_SQL["find_setting"], name=effect.name)
    return str(found[0][0]) if found else None


def keep_setting(effect: KeepSetting) -> Flow[str]:
    """Insert a setting unless it is there, and read it."""
    yield from execute(_SQL["keep_setting"], name=effect.name, value=effect.value)
    found = yield from execute(_SQL["find_setting"], name=effect.name)
    return str(found[0][0])


def reseal_keys(effect: ResealKeys) -> Flow[bool]:
    """Replace a setting that is still as expected, and the signing keys with it."""
    replaced = yield from matched(
        _SQL["replace_setting"], name=effect.name, expected=effect.expected, value=effect.value
    )
    if not replaced:
        return False
    for kid, sealed in effect.sealed_keys.items():
        yield from execute(_KEYS["reseal_key"], kid=kid, sealed_private_key=sealed)
    return True
