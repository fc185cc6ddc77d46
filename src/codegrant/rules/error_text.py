"""Texts of others, made fit for a header, a page or a log. Layer: rules."""

from __future__ import annotations

import re

__all__ = ["clean_error_text"]

_MOST_CHARACTERS = 500

# error_description = %x20-21 / %x23-5B / %x5D-7E. RFC 6749 §4.1.2.1, §5.2.
_NOT_ALLOWED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")
_STAND_INS = {'"': "'", "\\": "/", "\t": " ", "\r": " ", "\n": " "}


def clean_error_text(text: str) -> str:
    """Return `text` in the characters that an OAuth error may have, at most 500 of them.

    A quote becomes an apostrophe, white space a space, any other character a `?`.

    RFC 6749 §4.1.2.1, §5.2.
    """
    cut = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."
    return _NOT_ALLOWED.sub(lambda found: _STAND_INS.get(found[0], "?"), cut)
