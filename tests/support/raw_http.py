"""One HTTP exchange over a socket: what is sent is sent as it stands, however wrong it is."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

FORM = ("content-type", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came, repeated headers too; status 0 when the connection just ended."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """Return the one value of a header; empty when it is absent."""
        values = self.all(name)
        assert len(values) < 2, (name, values)
        return values[0] if values else ""


def send_raw(
    origin: str,
    method: str,
    target: str | bytes,
    headers: Sequence[tuple[str, str | bytes]] = (),
    body: bytes = b"",
    *,
    source: str = "",
) -> RawAnswer:
    """Send one request on a connection of its own and return the answer.

    Args:
        origin: of the server, `http` only.
        target: what stands in the request line; nothing is encoded here.
        headers: `Host`, `Connection` and `Content-Length` are added where they are absent.
        source: the address to come from.
    """
    parts = urlsplit(origin)
    given = {name.lower() for name, _ in headers}
    always = [("host", parts.netloc), ("connection", "close"), ("content-length", str(len(body)))]
    fields = [*((name, value) for name, value in always if name not in given), *headers]
    head = b"".join(b"%b: %b\r\n" % (_bytes(name), _bytes(value)) for name, value in fields)
    line = b"%b %b HTTP/1.1\r\n" % (_bytes(method), _bytes(target))
    address = (parts.hostname or "", parts.port or 80)
    whence = (source, 0) if source else None
    with socket.create_connection(address, timeout=20, source_address=whence) as connection:
        # A server that has seen enough answers before everything is sent.
        with contextlib.suppress(ConnectionError):
            connection.sendall(line + head + b"\r\n" + body)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            pairs = [(name.lower(), value) for name, value in response.getheaders()]
            return RawAnswer(response.status, pairs, response.read())
        except ConnectionError:
            return RawAnswer(0)
        finally:
            response.close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
