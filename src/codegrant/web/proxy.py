"""What a request looked like before the proxies that an operator trusts. Layer: web, no I/O.

Nobody is trusted unless the operator says so: anybody can send `X-Forwarded-For`. Each
proxy appends to the lists, so they are read from the right, and only as far as trust goes.
RFC 7239 §8.1, RFC 9700 §4.13.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from codegrant.errors import ConfigurationError
from codegrant.http import Headers

__all__ = ["Origin", "TrustedProxies"]


class Origin(NamedTuple):
    """Where a request came from and what it was sent to."""

    peer: str
    scheme: str
    host: str


class TrustedProxies:
    """The proxies whose forwarded headers count.

    Args:
        addresses: IP addresses and networks, `10.0.0.5` or `10.0.0.0/8`. Without any,
            forwarded headers never count.

    Raises:
        ConfigurationError: one is neither.
    """

    __slots__ = ("_networks",)

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        try:
            self._networks = tuple(ip_network(address) for address in addresses)
        except ValueError as error:
            raise ConfigurationError(
                f"proxy.trusted: {error}; IP addresses and networks are allowed"
            ) from None

    def __bool__(self) -> bool:
        return bool(self._networks)

    def origin(self, headers: Headers, seen: Origin) -> Origin:
        """Return where the request came from, `seen` when its sender is not trusted.

        Args:
            headers: of the request, as received.
            seen: address of the sender, scheme and host of this very connection.
        """
        if not self._networks or not self._trusts(seen.peer):
            return seen
        scheme = _last(headers, "x-forwarded-proto").lower()
        return Origin(
            peer=self._first_stranger(_hops(headers), seen.peer),
            scheme=scheme if scheme in {"http", "https"} else seen.scheme,
            host=_last(headers, "x-forwarded-host") or seen.host,
        )

    def _first_stranger(self, chain: list[str], peer: str) -> str:
        """Return the last address that no trusted proxy vouches beyond."""
        for address in reversed(chain):
            if _parse(address) is None:
                return peer
            peer = address
            if not self._trusts(address):
                return peer
        return peer

    def _trusts(self, address: str) -> bool:
        ip = _parse(address)
        return ip is not None and any(
            ip.version == network.version and ip in network for network in self._networks
        )


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Return the address; one of a dual-stack socket in its IPv4 form."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip


def _hops(headers: Headers) -> list[str]:
    """Return the addresses of `X-Forwarded-For`, without the port that some proxies add."""
    return [_without_port(member) for member in _listed(headers, "x-forwarded-for")]


def _without_port(member: str) -> str:
    """Return the address of `192.0.2.1:4711`, `[2001:db8::1]` or `[2001:db8::1]:4711`."""
    if member.startswith("["):
        address, bracket, port = member[1:].partition("]")
        is_whole = bracket and (not port or (port[0] == ":" and port[1:].isdecimal()))
        return address if is_whole and ":" in address else member
    address, _, port = member.partition(":")
    return address if port.isdecimal() and "." in address else member


def _listed(headers: Headers, name: str) -> list[str]:
    """Return the members of a list field, over all its lines. RFC 9110 §5.6.1."""
    lines = headers.get_all(name)
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def _last(headers: Headers, name: str) -> str:
    """Return what the nearest proxy said."""
    members = _listed(headers, name)
    return members[-1] if members else ""
