"""Parameters of a form or a query, in order and with their repetitions. Layer: wire.

`application/x-www-form-urlencoded` in UTF-8: RFC 6749 Appendix B.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from codegrant.errors import MessageError, UsageError

__all__ = ["Parameters", "build_query", "form_encode"]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

# Tab and line ends may stand in a text that a person typed; no other control may.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# What stands for itself: RFC 3986 §2.3.
_UNRESERVED: Final = f"{string.ascii_letters}{string.digits}-._~".encode()
# How each ASCII character is written: RFC 3986 §2.1, §2.3, and a space in the way of forms.
_ESCAPES: Final = {code: quote_plus(chr(code)) for code in range(128)}

_REPEATABLE: Final = frozenset({"resource"})


class Parameters:
    """Ordered parameters; a name may occur more than once, which a rule may have to judge.

    Args:
        pairs: names and values, decoded.

    Attributes:
        pairs: all of them, empty values too.
        names: each name once, in the order of its first occurrence.
    """

    __slots__ = ("_values", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs: Final = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name, []).append(value)

    @classmethod
    def parse(
        cls, raw: bytes | str, *, max_bytes: int = 65536, max_fields: int = 100
    ) -> Parameters:
        """Return the parameters of a form body, or of a query without its `?`.

        Args:
            raw: names and values, percent-encoded. Text beyond ASCII may stand unencoded,
                as it does in an address that a framework has made readable.
            max_bytes: the size of `raw` above which it is not looked at.
            max_fields: how many parameters there may be.

        Raises:
            MessageError: `too_large`; `too_many_parameters`; `malformed_encoding`: a broken
                %-escape, what is not UTF-8, a control character other than tab, CR and LF.

        RFC 6749 Appendix B.
        """
        if len(raw) > max_bytes:
            raise _too_large(max_bytes)
        try:
            text = raw.decode() if isinstance(raw, bytes) else raw
            if not text.isascii() and len(text.encode()) > max_bytes:
                raise _too_large(max_bytes)
        except UnicodeError:
            raise _malformed("not UTF-8") from None
        if text.count("&") >= max_fields:
            raise MessageError(f"parameters: more than {max_fields}", code="too_many_parameters")
        if _BAD_ESCAPE.search(text):
            raise _malformed("a % that starts no escape")
        pairs: list[tuple[str, str]] = []
        try:
            for part in text.split("&"):
                if part:
                    name, _, value = part.partition("=")
                    if "%" in part or "+" in part:
                        name, value = _decode(name), _decode(value)
                    pairs.append((name, value))
        except UnicodeError:
            raise _malformed("not UTF-8") from None
        text = "".join(chain.from_iterable(pairs))
        # What is printable has no control character; this finds out sooner than a search.
        if not text.isprintable() and _CONTROL.search(text):
            raise _malformed("a control character")
        return cls(pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """Each name once, in the order of its first occurrence."""
        return tuple(self._values)

    def single(self, name: str) -> str | None:
        """Return the value of `name`; None when it is absent or empty. RFC 6749 §3.1.

        Raises:
            MessageError: `repeated_parameter`: `name` occurs twice, empty or not.
        """
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise MessageError(f"{name[:40]}: the parameter is repeated", code="repeated_parameter")
        return values[0] or None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name` that is not empty, in order."""
        return tuple(filter(None, self._values.get(name, ())))

    def find_repeated(self, allowed: frozenset[str] = _REPEATABLE) -> str | None:
        """Return the first name that occurs twice although it is not `allowed` to. RFC 6749 §3.1.

        `resource` may: RFC 8707 §2.
        """
        if len(self._values) == len(self.pairs):
            return None
        repeated = (name for name, values in self._values.items() if len(values) > 1)
        return next((name for name in repeated if name not in allowed), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameters) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(self._values)})"


def build_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return `pairs` form-urlencoded: a body, or a query without its `?`.

    Raises:
        UsageError: `malformed_encoding`: a text holds half a surrogate pair.

    RFC 6749 Appendix B.
    """
    try:
        return "&".join([f"{_encode_name(name)}={form_encode(value)}" for name, value in pairs])
    except UnicodeError:
        raise UsageError(
            "parameters: a text holds half a character, which has no UTF-8",
            code="malformed_encoding",
        ) from None


def form_encode(text: str) -> str:
    """Return a name or a value form-urlencoded: as `quote_plus` does it, but sooner.

    Raises:
        UnicodeError: `text` holds half a surrogate pair.
    """
    if not text.encode().translate(None, _UNRESERVED):
        return text
    return text.translate(_ESCAPES) if text.isascii() else quote_plus(text)


@lru_cache(maxsize=256)  # few names are in use, each in many messages
def _encode_name(name: str) -> str:
    """As `form_encode`."""
    return form_encode(name)


def _decode(text: str) -> str:
    """Return a name or a value decoded."""
    if "%" not in text and "+" not in text:
        return text
    return unquote_to_bytes(text.replace("+", " ")).decode()


def _too_large(max_bytes: int) -> MessageError:
    return MessageError(f"parameters: more than {max_bytes} bytes", code="too_large")


def _malformed(what: str) -> MessageError:
    return MessageError(f"parameters: {what}", code="malformed_encoding")
