"""Strict JSON, in and out. Layer: wire.

`json` alone keeps the last of two equal members, takes `NaN`, turns `1e400` into infinity
and recurses as deep as the sender likes. Two readers of one text must not see two
different messages, so all of that is refused here. RFC 8259, RFC 7493 §2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isinf
from typing import NoReturn, TypeAlias, cast

from codegrant.errors import MessageError, UsageError

__all__ = ["JsonValue", "build_json", "parse_json", "parse_object"]

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

MAXIMUM_DEPTH = 32

# A string as it stands in JSON; possessive, so that no input makes it try twice.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


def parse_json(text: bytes | str, *, max_bytes: int = 65536) -> JsonValue:
    """Return the value that `text` spells.

    Args:
        text: one JSON value in UTF-8, nested at most 32 deep.
        max_bytes: the size of `text` above which it is not looked at.

    Raises:
        MessageError: `too_large`, `malformed_encoding`, `too_deep`, `repeated_member`
            (two members of one name), or `malformed_json`, which numbers out of range and
            unpaired surrogates are too.

    RFC 8259; stricter in what RFC 7493 §2 asks of a sender.
    """
    if len(text) > max_bytes:
        raise _too_large(max_bytes)
    return _parse(_decode(text, max_bytes))


def parse_object(text: bytes | str, *, max_bytes: int = 65536) -> dict[str, JsonValue]:
    """Return the object that `text` spells.

    Args:
        text: one JSON object in UTF-8, nested at most 32 deep.
        max_bytes: the size of `text` above which it is not looked at.

    Raises:
        MessageError: as `parse_json`, and `malformed_json` for any value but an object.
    """
    if len(text) > max_bytes:
        raise _too_large(max_bytes)
    decoded = _decode(text, max_bytes)
    flat = _find_flat_object(decoded)
    if flat is not None:
        return flat
    value = _parse(decoded)
    if not isinstance(value, dict):
        raise MessageError("JSON: expected an object", code="malformed_json")
    return value


def build_json(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8, members in the order they have.

    Args:
        value: a `JsonValue`; tuples are written as arrays, any mapping as an object.

    Raises:
        UsageError: `value` holds NaN, an infinity, an unpaired surrogate, a cycle, or an
            object that JSON does not know.

    RFC 8259.
    """
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"JSON: {error}", code="not_json") from None


def _parse(decoded: str) -> JsonValue:
    """Return the value that a text spells, whatever it is."""
    if decoded.count("[") + decoded.count("{") > MAXIMUM_DEPTH:
        _check_depth(decoded)
    try:
        value = cast("JsonValue", _DECODER.decode(decoded))
    except (ValueError, RecursionError):
        raise MessageError("JSON: not well formed", code="malformed_json") from None
    if "\\u" in decoded:
        _check_surrogates(value)
    return value


def _find_flat_object(text: str) -> dict[str, JsonValue] | None:
    """Return an object of texts and numbers, as most tokens are one; None leaves it to others.

    Quick, since no Python runs for its members: the decoder keeps the last of two that have
    one name, and the quotes tell whether it did. Without an escape each of them begins or
    ends a text, and each text is a name or a value. So there are twice as many quotes as
    names and texts that were kept, or more when something was not.
    """
    if "\\" in text or "[" in text or text.find("{", 1) > 0:
        return None
    try:
        found, end = _FLAT_DECODER.raw_decode(text)
    except ValueError:
        return None
    if type(found) is not dict or end != len(text):
        return None
    members = cast("dict[str, JsonValue]", found)
    texts = len(members) + [*map(type, members.values())].count(str)
    return members if text.count('"') == 2 * texts else None


def _decode(text: bytes | str, max_bytes: int) -> str:
    """Return `text` as characters that have a form in UTF-8."""
    if isinstance(text, str) and text.isascii():
        return text
    try:
        if isinstance(text, bytes):
            return text.decode()
        size = len(text.encode())
    except UnicodeError:
        raise MessageError("JSON: not UTF-8", code="malformed_encoding") from None
    if size > max_bytes:
        raise _too_large(max_bytes)
    return text


def _check_depth(text: str) -> None:
    """Check the nesting before the decoder, which recurses, sees it."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAXIMUM_DEPTH:
            raise MessageError(f"JSON: nested deeper than {MAXIMUM_DEPTH}", code="too_deep")


def _check_surrogates(value: JsonValue) -> None:
    """Check that no escape left half of a pair: such a text has no UTF-8. RFC 8259 §8.2."""
    try:
        build_json(value)
    except UsageError:
        raise MessageError("JSON: an unpaired surrogate", code="malformed_json") from None


def _object(members: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(members)
    if len(found) != len(members):
        raise MessageError("JSON: two members have one name", code="repeated_member")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise MessageError("JSON: a number out of range", code="malformed_json")
    return number


def _no_constant(name: str) -> NoReturn:
    raise MessageError(f"JSON: {name} is no number", code="malformed_json")


def _too_large(max_bytes: int) -> MessageError:
    return MessageError(f"JSON: more than {max_bytes} bytes", code="too_large")


def _members(value: object) -> dict[object, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    return dict(cast("Mapping[object, object]", value))


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant
)
_FLAT_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_members
)
