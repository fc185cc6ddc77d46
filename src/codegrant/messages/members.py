"""Metadata documents: JSON objects of texts, booleans and lists of texts. Layer: wire.

RFC 8414 §3.2; RFC 9728 §3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias, cast

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue, build_json, parse_object

__all__ = ["Member", "build_members", "defaults_of", "parse_members"]

Member: TypeAlias = str | bool | tuple[str, ...]


def defaults_of(kind: type[Any]) -> dict[str, Member]:
    """Return the members that a document's type knows, with what each is when it is absent.

    Args:
        kind: a dataclass whose fields all have a default; `extra` is none of its members.
    """
    return {
        each.name: cast("Member", each.default) for each in fields(kind) if each.name != "extra"
    }


def parse_members(
    raw: bytes, defaults: Mapping[str, Member], *, max_bytes: int
) -> tuple[dict[str, Member], dict[str, JsonValue]]:
    """Return the members of a document that we know, and the others. A null counts as absent.

    Args:
        raw: the JSON document.
        defaults: the members that we know; each must have the type of its default.
        max_bytes: the size of `raw` above which it is not looked at.

    Raises:
        MessageError: as `parse_object`; `malformed_member`, a member that we know has the
            wrong type.
    """
    known: dict[str, Member] = {}
    extra: dict[str, JsonValue] = {}
    for name, value in parse_object(raw, max_bytes=max_bytes).items():
        if name not in defaults:
            extra[name] = value
        elif value is not None:
            known[name] = _member(name, value, defaults[name])
    return known, extra


def build_members(
    document: object, defaults: Mapping[str, Member], extra: Mapping[str, JsonValue]
) -> bytes:
    """Return the JSON document: no nulls, no empty lists, nothing that is the default."""
    members: dict[str, JsonValue] = {}
    for name, default in defaults.items():
        value = cast("Member", getattr(document, name))
        if value != default:
            members[name] = list(value) if isinstance(value, tuple) else value
    return build_json({**extra, **members} if extra else members)


def _member(name: str, value: JsonValue, default: Member) -> Member:
    """Return a member in the type that it must have."""
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(cast("list[str]", value))
        raise MessageError(f"{name}: the member is no list of texts", code="malformed_member")
    if isinstance(value, bool) and isinstance(default, bool):
        return value
    if isinstance(value, str) and isinstance(default, str):
        return value
    kind = "boolean" if isinstance(default, bool) else "text"
    raise MessageError(f"{name}: the member is no {kind}", code="malformed_member")
