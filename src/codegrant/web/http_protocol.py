"""Bounds on the head of a request, which neither uvicorn nor httptools sets. Layer: web.

Too long an address is answered 414, too large a head 431, and a head that does not arrive
in time costs its sender the connection. Fields after a body (trailers) count as the head's
and are dropped: uvicorn would take them for the head's, where a proxy has not seen them.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["BoundedProtocol"]

_MOST_FIELDS = 100
_MOST_HEAD_BYTES = 32_768
_MOST_ADDRESS_BYTES = 16_384
_HEAD_SECONDS = 10.0
# ": " and a line end, as they stand around every field.
_AROUND_A_FIELD = 4

_ADDRESS_TOO_LONG = "414 URI Too Long"
_HEAD_TOO_LARGE = "431 Request Header Fields Too Large"


class BoundedProtocol(HttpToolsProtocol):
    """One connection of uvicorn whose request heads are bounded in size, number and time."""

    _refusal = ""
    _head_is_whole = False
    _piece = 0
    # Since which piece fields may come; None while a body does.
    _fields_since: int | None = 0
    # A head is counted twice, each for itself: in whole fields, as it may have come together
    # with a body, and in pieces, as a field may never become whole.
    _parsed_bytes = 0
    _received_bytes = 0
    # When the head that is awaited must be whole; None while a request is being answered.
    _head_until: float | None = None
    # One for the whole connection, which may find that it came too early.
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._await_head(_HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece; a single field may be spread over any number of them."""
        self._piece += 1
        super().data_received(data)
        # A piece that begins with something else may be of any length.
        only_fields = self._fields_since is not None and self._fields_since < self._piece
        if only_fields and not self.transport.is_closing():
            self._received_bytes += len(data)
            if self._received_bytes > _MOST_HEAD_BYTES:
                self._refusal = _HEAD_TOO_LARGE
                self.send_400_response(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Count anew."""
        self._parsed_bytes = self._received_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        super().on_url(url)
        self._parsed_bytes += len(url)
        if len(self.url) > _MOST_ADDRESS_BYTES:
            self._refuse(_ADDRESS_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one of a trailer is not merged. RFC 9110 §6.5.1."""
        if not self._head_is_whole:
            super().on_header(name, value)
        self._parsed_bytes += len(name) + len(value) + _AROUND_A_FIELD
        if self._parsed_bytes > _MOST_HEAD_BYTES or len(self.headers) > _MOST_FIELDS:
            self._refuse(_HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Stop waiting, the head is whole."""
        self._head_is_whole, self._fields_since = True, None
        self._head_until = None
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Expect a trailer: the last chunk is the one without a body."""
        self._fields_since = self._piece

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._fields_since = None
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect another head."""
        self._head_is_whole, self._fields_since = False, self._piece
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, once the connection may lie idle no longer."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._await_head(self.timeout_keep_alive + _HEAD_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, or is one past our bounds."""
        if not self._refusal:
            super().send_400_response(msg)
            return
        answer = f"HTTP/1.1 {self._refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(answer.encode())
        self.transport.close()

    def _refuse(self, status: str) -> NoReturn:
        """End parsing: httptools hands this on to uvicorn as a request that is not valid."""
        self._refusal = status
        raise ValueError(status)

    def _await_head(self, seconds: float) -> None:
        self._head_until = self.loop.time() + seconds
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._look_at_clock)

    def _look_at_clock(self) -> None:
        """Close the connection if it is time, unless a request of it is being answered."""
        self._timer = None
        if self._head_until is None:
            return
        left = self._head_until - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look_at_clock)
        elif not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        # None before the first request, which uvicorn's type does not say.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete
