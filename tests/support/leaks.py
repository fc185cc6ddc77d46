"""The search for secrets where none may be, in every spelling that a program may give them."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


def spellings(secret: str | bytes) -> set[bytes]:
    """Return how a secret may be spelled: raw, hexadecimal, base64, escaped for URL or JSON."""
    raw = secret.encode() if isinstance(secret, str) else secret
    text = raw.decode("utf-8", "replace")
    found = {
        raw,
        raw.hex().encode(),
        raw.hex().upper().encode(),
        quote(raw, safe="").encode(),
        quote_plus(raw, safe="").encode(),
        json.dumps(text)[1:-1].encode(),
        repr(raw)[2:-1].encode(),
    }
    # Within something longer base64 starts at any of three places: what depends on the
    # neighbours is cut off.
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw + b"\0\0")
            start = -(-before * 8 // 6)
            found.add(encoded[start : (before + len(raw)) * 8 // 6])
    return found


def find_leaks(text: str | bytes, secrets: Iterable[str | bytes]) -> list[bytes]:
    """Return every spelling of a secret that occurs in `text`.

    Args:
        secrets: each at least six characters, since shorter ones occur by chance.
    """
    where = text.encode() if isinstance(text, str) else text
    known = set(secrets)
    assert known
    assert min(map(len, known)) >= 6
    return [spelling for secret in known for spelling in spellings(secret) if spelling in where]
