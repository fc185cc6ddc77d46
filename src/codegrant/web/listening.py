"""Sockets to listen on, with one clear line for an address that cannot be had. Layer: web."""

from __future__ import annotations

import errno
import os
import socket

from codegrant.errors import ConfigurationError

__all__ = ["bind", "listen"]

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen yet.

    Args:
        port: 0 for any free one.

    Raises:
        ConfigurationError: the port is taken or not for us, or the host is not this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigurationError(
            f"host: {host!r} is not allowed, a name or an address of this machine is"
        ) from None
    # A name such as localhost has several addresses: IPv4 first, as clients can do both.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _refusal(host, port, error) from None
    return listener


def listen(listener: socket.socket) -> None:
    """Let connections queue.

    Raises:
        ConfigurationError: somebody else listens there by now.
    """
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise _refusal(host, port, error) from None


def _refusal(host: str, port: int, error: OSError) -> ConfigurationError:
    """Return the line for an address that could not be had; its code tells a taken port."""
    match error.errno:
        case errno.EADDRINUSE:
            return ConfigurationError(
                f"port: {port} is taken on {host}, choose another (0 is any free one)",
                code="port_taken",
            )
        case errno.EACCES:
            return ConfigurationError(
                f"port: {port} is not allowed to this user, one from 1024 on is"
            )
        case errno.EADDRNOTAVAIL:
            return ConfigurationError(
                f"host: {host!r} is not allowed, an address of this machine is"
            )
        case _:
            return ConfigurationError(f"host: cannot listen on {host}:{port}: {error.strerror}")
