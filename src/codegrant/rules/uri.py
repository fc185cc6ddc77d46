"""URIs, read strictly: what a browser or a library might repair is refused. Layer: rules.

RFC 3986, without what has no place here: user information, escapes in a host, empty ports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from codegrant.errors import CodegrantError, MessageError, UsageError
from codegrant.http import is_loopback_host

__all__ = ["Uri", "check_https_or_loopback", "origin_of", "parse_uri", "short"]

MAXIMUM_LENGTH = 2048

# unreserved / gen-delims / sub-delims / pct-encoded. RFC 3986 §2.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
# scheme ":" ["//" authority] path ["?" query] ["#" fragment]. RFC 3986 Appendix B.
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
# A name that DNS could have, an IPv4 address, or an IP literal; then a port of 1 to 65535.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_AUTHORITY = re.compile(
    rf"((?=.{{1,253}}(?::|$))(?:{_LABEL}\.)*+{_LABEL}|\[[0-9A-Fa-f:.]{{2,45}}\])"
    r"(?::([1-9][0-9]{0,4}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Uri(NamedTuple):
    """The parts of an absolute URI.

    Attributes:
        scheme: in lower case.
        authority: host and port as they stand; None when there is none.
        host: in lower case, an IPv6 address in its brackets; empty when there is none.
        port: None when it is not named.
        query: None when there is no `?`.
        fragment: None when there is no `#`.
    """

    scheme: str
    authority: str | None
    host: str
    port: int | None
    path: str
    query: str | None
    fragment: str | None


def parse_uri(text: str) -> Uri:
    """Return the parts of an absolute URI.

    Args:
        text: at most 2048 characters.

    Raises:
        MessageError: `malformed_uri`; the message says what is wrong and repeats nothing
            of `text`.

    RFC 3986 §3. Stricter: no user information, and no escape and no empty port in the
    authority.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise _malformed(f"longer than {MAXIMUM_LENGTH} characters")
    if not _CHARACTERS.fullmatch(text):
        raise _malformed("a character that no URI may have")
    found = _PARTS.fullmatch(text)
    if found is None or "#" in (found[5] or ""):
        raise _malformed("no absolute URI")
    scheme, authority, path, query, fragment = found.groups()
    if "[" in path or "]" in path:
        raise _malformed("a bracket in the path")
    host, port = ("", None) if authority is None else _parse_authority(authority)
    return Uri(scheme.lower(), authority, host, port, path, query, fragment)


def check_https_or_loopback(
    url: str, *, name: str, error: Callable[[str], CodegrantError] = UsageError
) -> None:
    """Check that `url` is one that tokens and secrets may be sent to.

    Args:
        url: https with a host, or http to a loopback host; no fragment.
        name: what it is, for the message.
        error: makes the error of a message.

    Raises:
        UsageError: or what `error` makes.

    RFC 6749 §3.1, §3.2; RFC 8252 §7.3.
    """
    try:
        uri = parse_uri(url)
    except MessageError as malformed:
        raise error(f"{name}: {short(url)} is no URL: {malformed.message}") from None
    if not uri.host:
        raise error(f"{name}: {short(url)} has no host")
    if uri.scheme != "https" and not (uri.scheme == "http" and is_loopback_host(uri.host)):
        raise error(f"{name}: {short(url)} is neither https nor http on loopback")
    if uri.fragment is not None:
        raise error(f"{name}: {short(url)} has a fragment")


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url`, in their one spelling. RFC 6454 §6.2.

    Args:
        url: http or https, with a host.

    Raises:
        UsageError: it is not.
    """
    try:
        uri = parse_uri(url)
    except MessageError as malformed:
        raise UsageError(f"{short(url)} is no URL: {malformed.message}") from None
    if not uri.host or uri.scheme not in _DEFAULT_PORTS:
        raise UsageError(f"{short(url)} is no http or https URL")
    port = "" if uri.port in {None, _DEFAULT_PORTS[uri.scheme]} else f":{uri.port}"
    return f"{uri.scheme}://{uri.host}{port}"


def short(text: str) -> str:
    """Return a text of somebody else quoted for a message, on one line and not too long."""
    return repr(text) if len(text) <= 100 else f"{text[:97]!r}..."


def _parse_authority(authority: str) -> tuple[str, int | None]:
    """Return host and port; an authority may be empty, as in `app.example:///path`."""
    if not authority:
        return "", None
    if "@" in authority:
        raise _malformed("user information before the host")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise _malformed("the host or the port")
    host, port = found[1].lower(), None if found[2] is None else int(found[2])
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            raise _malformed("the IPv6 address") from None
    if port is not None and port > 65_535:
        raise _malformed("the port")
    return host, port


def _malformed(what: str) -> MessageError:
    return MessageError(what, code="malformed_uri")
