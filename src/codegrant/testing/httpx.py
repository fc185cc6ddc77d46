"""A wire as a transport of httpx: `httpx.Client(transport=WireTransport(provider.wire))`.

That of httpx2, whose clients take no transport of httpx, is `provider.transport()`.
Layer: testing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from codegrant.errors import ConfigurationError
from codegrant.http import Headers, Request, Response
from codegrant.testing.wire import Unanswered, Wire

try:
    import httpx
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.testing.httpx needs httpx: pip install 'codegrant[httpx]'"
    ) from _error

__all__ = ["WireTransport"]


class WireTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers for `httpx.Client` and `httpx.AsyncClient`.

    Args:
        wire: answers.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer.

        Raises:
            TransportError: `not_served`, nobody answers at this address.
        """
        request.read()
        try:
            return _to_httpx(self._wire.answer(_from_httpx(request)))
        except Unanswered as error:
            raise _as_httpx_error(error, request) from None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `handle_request`."""
        await request.aread()
        try:
            return _to_httpx(await self._wire.answer_async(_from_httpx(request)))
        except Unanswered as error:
            raise _as_httpx_error(error, request) from None


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is there as a whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


def _from_httpx(request: httpx.Request) -> Request:
    headers = Headers((k.decode("ascii"), v.decode("latin-1")) for k, v in request.headers.raw)
    return Request(
        method=request.method, url=str(request.url), headers=headers, body=request.content
    )


def _to_httpx(response: Response) -> httpx.Response:
    pairs = [(k.encode("ascii"), v.encode("latin-1")) for k, v in response.headers.pairs()]
    return httpx.Response(response.status, headers=pairs, stream=_Body(response.body))


def _as_httpx_error(error: Unanswered, request: httpx.Request) -> httpx.TransportError:
    if error.stalls:
        return httpx.ReadTimeout("the peer stalls", request=request)
    return httpx.ConnectError("the connection is refused", request=request)
