"""Many requests that reach a server at the same moment."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from urllib.parse import urlencode, urlsplit

from tests.support.raw_http import RawAnswer


def form_request(
    url: str, fields: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of one POST of a form on a connection of its own."""
    parts, body = urlsplit(url), urlencode(fields).encode()
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        "connection: close",
        "content-type: application/x-www-form-urlencoded",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def fire(origin: str, requests: Sequence[bytes]) -> list[RawAnswer]:
    """Send all of the requests at once and return their answers, in order.

    Every one of them is complete but for its last byte, on a connection that stands, before
    the first last byte is sent: nothing is left that could keep them apart.
    """
    parts = urlsplit(origin)
    address = (parts.hostname or "", parts.port or 80)
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(address, timeout=20)) for _ in requests
        ]
        for connection, request in zip(connections, requests, strict=True):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request[:-1])
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request[-1:])
        return [_read(connection) for connection in connections]


def _read(connection: socket.socket) -> RawAnswer:
    response = http.client.HTTPResponse(connection, method="POST")
    try:
        response.begin()
        pairs = [(name.lower(), value) for name, value in response.getheaders()]
        return RawAnswer(response.status, pairs, response.read())
    finally:
        response.close()
