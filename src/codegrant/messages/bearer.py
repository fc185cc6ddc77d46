"""Challenges: the `WWW-Authenticate` header. Layer: wire.

RFC 9110 §11.6.1; RFC 6750 §3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import MessageError, UsageError

__all__ = ["Challenge", "parse_challenges"]

# token = 1*tchar; RFC 9110 §5.6.2
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_TOKEN68 = r"[A-Za-z0-9._~+/-]+=*"
# quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE; RFC 9110 §5.6.4
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*+"'

_NAME = re.compile(_TOKEN)
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED})(?=[ \t]*(?:,|$))")
_SCHEME = re.compile(rf"({_TOKEN})(?: +({_TOKEN68})(?=[ \t]*(?:,|$))|(?= |[ \t]*(?:,|$)))")
_COMMAS = re.compile(r"[ \t]*(?:,[ \t]*)*")
_PAIR = re.compile(r"\\(.)")

# What RFC 6750 §3 allows in a value: %x20-21 / %x23-5B / %x5D-7E.
_VALUE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_MOST_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge.

    Attributes:
        scheme: for example `Bearer`; compares without case.
        params: names in lower case and their values.
    """

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def build(self) -> str:
        """Return the text of a `WWW-Authenticate` header.

        Raises:
            UsageError: a name is no token, or a value has a character that RFC 6750 §3
                does not allow; nothing is escaped, so nothing can break out.
        """
        for name, value in self.params.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise UsageError(f"challenge: {name} has a character that is not allowed")
        if not _NAME.fullmatch(self.scheme):
            raise UsageError("challenge: the scheme is no token")
        params = ", ".join(f'{name}="{value}"' for name, value in self.params.items())
        return f"{self.scheme} {params}" if params else self.scheme


def parse_challenges(text: str) -> tuple[Challenge, ...]:
    """Return the challenges of one `WWW-Authenticate` header.

    Args:
        text: a list, since one header may offer several schemes.

    Raises:
        MessageError: `malformed_challenge`; `repeated_parameter`.

    RFC 9110 §11.6.1. The text form `token68` is recognised and left out.
    """
    if len(text) > _MOST_CHARACTERS:
        raise _malformed()
    found: list[Challenge] = []
    at = _skip(text, 0)
    while at < len(text):
        parameter = _PARAMETER.match(text, at) if found else None
        if parameter is not None:
            _add(found[-1], parameter[1].lower(), parameter[2])
            at = _skip(text, parameter.end())
            continue
        scheme = _SCHEME.match(text, at)
        if scheme is None:
            raise _malformed()
        found.append(Challenge(scheme[1], {}))
        at = _skip(text, scheme.end())
    return tuple(found)


def _add(challenge: Challenge, name: str, raw_value: str) -> None:
    """Put a parameter into the challenge that is being read."""
    params = challenge.params
    if name in params or not isinstance(params, dict):
        raise MessageError("challenge: a parameter is repeated", code="repeated_parameter")
    quoted = raw_value.startswith('"')
    params[name] = _PAIR.sub(r"\1", raw_value[1:-1]) if quoted else raw_value


def _skip(text: str, at: int) -> int:
    """Return where the next element of the list begins."""
    found = _COMMAS.match(text, at)
    return at if found is None else found.end()


def _malformed() -> MessageError:
    return MessageError("challenge: not well formed", code="malformed_challenge")
