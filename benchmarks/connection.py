"""A connection that is kept: the smallest HTTP client that is fast enough to drive a server.

It knows answers with a length and chunked ones, sends one request at a time, and takes what
loopback servers send; it is no client for anything else.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What came back; the head is raw."""

    status: int
    head: bytes
    body: bytes

    @property
    def location(self) -> str:
        """Where it redirects to; empty when nowhere."""
        found = _LOCATION.search(self.head)
        return found[1].decode() if found else ""


class Connection(asyncio.Protocol):
    """One connection to a server; `await connection.ask(raw)` sends a request as it stands."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to the server of `url`."""
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def ask(self, raw: bytes) -> Answer:
        """Send a whole request and return its answer.

        Raises:
            ConnectionError: the server has hung up.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the server has closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        transport.write(raw)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server has hung up"))

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        self._buffer += data
        answer = _parse(self._buffer)
        if answer is not None and self._answer is not None:
            self._buffer = b""
            self._answer.set_result(answer)


def build(method: str, url: str, *headers: tuple[str, str], body: bytes | None = None) -> bytes:
    """Return a request as it goes on the wire.

    Args:
        method: in upper case.
        url: absolute.
        headers: further fields.
        body: a form; without it nothing is sent.
    """
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines += ["content-type: application/x-www-form-urlencoded", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def _parse(raw: bytes) -> Answer | None:
    """Return a whole answer, None while there is more to come."""
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return None
    status = int(head[9:12])
    length = _LENGTH.search(head)
    if length is not None:
        return Answer(status, head, body) if len(body) >= int(length[1]) else None
    if _CHUNKED.search(head):
        whole = _join_chunks(body)
        return None if whole is None else Answer(status, head, whole)
    return Answer(status, head, b"")


def _join_chunks(raw: bytes) -> bytes | None:
    """Return the body of a chunked answer, None while there is more to come. RFC 9112 §7.1."""
    joined = b""
    while True:
        size, line_end, raw = raw.partition(b"\r\n")
        if not line_end:
            return None
        length = int(size, 16)
        if length == 0:
            return joined if raw == b"\r\n" else None
        if len(raw) < length + 2:
            return None
        joined, raw = joined + raw[:length], raw[length + 2 :]
