"""Where a person goes after a login: a path of the own origin and nothing else. Layer: rules.

RFC 9700 §4.11.1.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

__all__ = ["safe_return_to"]

_MOST_BYTES = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT = "%/:?#[]@!$&'()*+,;=-._~"


def safe_return_to(text: str) -> str | None:
    """Return `text` as a path to redirect to; None when it could lead to another origin.

    Args:
        text: a path with its query, for example `/orders?page=2`; what is not ASCII, and a
            space, is percent-encoded.

    At most 200 bytes as encoded. Browsers take a backslash for a slash and drop tabs and
    line ends, and a proxy may decode once more than we did: none of these gets through,
    encoded or not.
    """
    if not text.startswith("/") or len(text) > _MOST_BYTES or _CONTROL.search(text):
        return None
    if _BAD_ESCAPE.search(text):
        return None
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    # Two rounds find what was encoded twice.
    for _ in range(3):
        if path.startswith("//") or _CONTROL.search(path) or _has_dot_segment(path):
            return None
        path = unquote(path)
    try:
        encoded = quote(text, safe=_KEPT)
    except UnicodeError:
        return None
    return encoded if len(encoded) <= _MOST_BYTES else None


def _has_dot_segment(path: str) -> bool:
    return any(segment in {".", ".."} for segment in path.split("/"))
