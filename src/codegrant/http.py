"""HTTP as frozen values, and the effect that sends one. Layer: foundation, no I/O.

`Request` and `Response` serve both sides: what our client sends and receives, and what
our servers receive and answer. Headers are an ordered list of pairs, because a repeated
header is a fact that a rule may have to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias, cast

from codegrant.errors import MessageError
from codegrant.flow import Effect

__all__ = [
    "HeaderPairs",
    "Headers",
    "Request",
    "Response",
    "Send",
    "find_cookies",
    "is_loopback_host",
]

HeaderPairs: TypeAlias = Iterable[tuple[str, str]]

# field-name = token; of a value, NUL, CR and LF are dangerous and nothing above Latin-1 can
# be sent. RFC 9110 §5.1, §5.5.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_NO_VALUE = re.compile(r"[^\x01-\x09\x0b\x0c\x0e-\xff]")

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK = re.compile(rf"localhost|127(?:\.{_OCTET}){{3}}|::1|\[::1\]", re.ASCII | re.IGNORECASE)


class Headers:
    """Ordered header fields; names compare without case, repeats are kept."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: HeaderPairs | Mapping[str, str] = ()) -> None:
        items: HeaderPairs = (
            cast("Mapping[str, str]", pairs).items() if isinstance(pairs, Mapping) else pairs
        )
        self._pairs = tuple([(_field_name(name), value) for name, value in items])
        text = "".join([value for _, value in self._pairs])
        # What is printable ASCII needs no search.
        if not (text.isascii() and text.isprintable()) and _NO_VALUE.search(text):
            name = next(name for name, value in self._pairs if _NO_VALUE.search(value))
            raise MessageError(f"header {name!r}: the value has a character no field may have")

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of `name`, or `default`."""
        wanted = name.lower()
        for key, value in self._pairs:
            if key == wanted:
                return value
        return default

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name`, in order."""
        wanted = name.lower()
        return tuple([value for key, value in self._pairs if key == wanted])

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return all fields in order, names in lower case."""
        return self._pairs

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower() for key, _ in self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({', '.join(key for key, _ in self._pairs)})"


@lru_cache(maxsize=256)  # few names are in use, each in many messages
def _field_name(name: str) -> str:
    """Return the name of a field in lower case."""
    lower = name.lower()
    if not _NAME.fullmatch(lower):
        raise MessageError(f"header {lower!r}: not a field name")
    return lower


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, to be sent or as received.

    Attributes:
        method: in upper case.
        url: for a request to be sent: the absolute URL. As received: scheme, host and path
            as seen after trusted proxies, without the query.
        path: as received: the path below the mount point, percent-decoded; else empty.
        query: as received: the raw query without `?`; else empty.
        headers: ordered fields.
        body: the raw bytes.
        peer: as received: the address of the sender after trusted proxies; else empty.
        client_certificate: as received: PEM of the TLS client certificate; else empty.
    """

    method: str
    url: str
    path: str = ""
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    peer: str = ""
    client_certificate: str = ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP response, received or to be answered."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Send(Effect[Response]):
    """Send `request` and return the answer, whatever its status.

    The performer verifies TLS, follows no redirect, and bounds time and size.

    Attributes:
        request: with an absolute URL.
        guarded: the address comes from somebody we do not trust: the performer resolves
            it once and refuses private, loopback and other special-use addresses.

    Raises (inside the flow):
        TransportError: `connect_failed`, `timeout`, `tls_failed`, `too_large`,
            `address_refused`.
    """

    request: Request
    guarded: bool = False


def find_cookies(headers: Headers, name: str) -> tuple[str, ...]:
    """Return every value of the cookie `name`, in order. More than one means tossing. RFC 6265."""
    found: list[str] = []
    for line in headers.get_all("cookie"):
        for part in line.split(";"):
            # Other white space than these two belongs to the name: a browser that sees
            # "\x85__Host-a" does not know it for a prefixed name, so neither do we.
            key, separator, value = part.strip(" \t").partition("=")
            if separator and key == name:
                found.append(value.strip('"'))
    return tuple(found)


def is_loopback_host(host: str) -> bool:
    """Return whether `host`, without a port, is `localhost`, in 127.0.0.0/8, `::1` or `[::1]`."""
    return _LOOPBACK.fullmatch(host) is not None
