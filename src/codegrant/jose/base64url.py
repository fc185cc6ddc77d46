"""base64url without padding, each octet string in its one spelling. Layer: keys and signatures."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from codegrant.errors import MessageError

__all__ = ["decode", "encode"]

_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")
# To the standard alphabet; what only that one has becomes a byte that neither has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
# By what the length leaves over; one character alone spells no octet.
_PADDING = (b"", b"", b"==", b"=")
# The last characters that leave no stray bit, likewise: RFC 4648 §3.5.
_LAST = ("", "", "AQgw", "AEIMQUYcgkosw048")


def encode(data: bytes) -> str:
    """Return `data` in unpadded base64url. RFC 7515 §2."""
    return b2a_base64(data, newline=False).translate(_FROM_STANDARD, b"=").decode()


def decode(text: str) -> bytes:
    """Return the octets that `text` spells.

    Args:
        text: unpadded base64url. Padding, white space, the characters of plain base64 and
            stray bits at the end are refused: one value has one spelling.

    Raises:
        MessageError: `malformed_base64url`.

    RFC 7515 §2, RFC 4648 §3.5.
    """
    rest = len(text) & 3
    if rest and text[-1] not in _LAST[rest]:
        raise MessageError("base64url: stray bits at the end", code="malformed_base64url")
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        return a2b_base64(standard + _PADDING[rest] if rest else standard, strict_mode=True)
    except ValueError:
        raise MessageError("base64url: not well formed", code="malformed_base64url") from None
