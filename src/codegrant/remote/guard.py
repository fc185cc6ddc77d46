"""Where a fetch may go whose address somebody else chose. Layer: remote, no I/O.

A driver resolves the name once, has every address judged here, and connects to an
address that was judged, so that a name cannot change its mind in between. RFC 9700 §4.11.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from codegrant.errors import TransportError
from codegrant.http import is_loopback_host

__all__ = ["address_url", "check_guarded_url", "check_public_address", "judge_addresses"]

# Ranges that `ipaddress` takes for global but that lead elsewhere: an IPv4 address inside
# an IPv6 one (NAT64, 6to4, Teredo), relays, and the site-local of old.
_ELSEWHERE = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
        "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "::/96",
    )
)  # fmt: skip


def check_guarded_url(url: str, *, allow_private: bool = False) -> tuple[str, int]:
    """Check the form of a URL that somebody else chose; return its host and port.

    Args:
        url: absolute.
        allow_private: for development: http to a loopback host is allowed as well.

    Raises:
        TransportError: `address_refused`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(url, "the URL is malformed") from None
    if parts.scheme != "https" and not (
        allow_private and parts.scheme == "http" and is_loopback_host(host)
    ):
        raise _refused(host, f"the scheme is {parts.scheme!r}, only https is allowed")
    if not host or parts.username is not None or parts.password is not None:
        raise _refused(host, "a host and no user name is expected")
    return host, port or (443 if parts.scheme == "https" else 80)


def judge_addresses(
    host: str, addresses: Iterable[str], *, allow_private: bool = False
) -> tuple[str, ...]:
    """Return the addresses to connect to, once every address of `host` was judged.

    One address that is not public is enough to refuse: a name with both kinds is an
    attempt to slip through.

    Args:
        host: the name, for the message.
        addresses: what it resolved to, in order of preference.
        allow_private: for development: judge nothing.

    Raises:
        TransportError: `address_refused`; `connect_failed` when there is no address.
    """
    found = tuple(dict.fromkeys(addresses))
    if not found:
        raise TransportError(f"{host!r} has no address", code="connect_failed")
    if not allow_private:
        for address in found:
            check_public_address(address, host=host)
    return found


def check_public_address(address: str, *, host: str = "") -> None:
    """Check that `address` belongs to the public Internet.

    Args:
        address: IPv4 or IPv6, a zone index allowed.
        host: the name it came from, for the message.

    Raises:
        TransportError: `address_refused`: private, loopback, link-local, shared (CGNAT),
            multicast, reserved, or an IPv6 form of an IPv4 address.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        raise _refused(host or address, "it is no IP address") from None
    if not _is_public(parsed):
        raise _refused(host or address, f"{address} is not a public address")


def address_url(url: str, address: str, port: int) -> str:
    """Return `url` with the host replaced by `address`."""
    netloc = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return urlsplit(url)._replace(netloc=netloc).geturl()


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _ELSEWHERE)


def _refused(host: str, why: str) -> TransportError:
    return TransportError(
        f"{host!r}: {why}",
        code="address_refused",
        hint="addresses that others name must be public https ones",
    )
