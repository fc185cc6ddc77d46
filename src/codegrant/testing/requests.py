"""A wire as an adapter of requests: `session.mount("https://", WireAdapter(provider.wire))`.

Layer: testing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.client import HTTPMessage
from io import BytesIO
from typing import TYPE_CHECKING, cast

from codegrant.errors import ConfigurationError
from codegrant.http import Headers, Request, Response
from codegrant.testing.wire import Unanswered, Wire

if TYPE_CHECKING:
    from http.client import HTTPResponse as HTTPResponseOfPython

try:
    import requests
    from requests.adapters import BaseAdapter, HTTPAdapter
    from urllib3 import HTTPHeaderDict, HTTPResponse
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.testing.requests needs requests: pip install 'codegrant[requests]'"
    ) from _error

__all__ = ["WireAdapter"]


class WireAdapter(BaseAdapter):
    """Answers for `requests.Session`.

    Args:
        wire: answers.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(  # noqa: PLR0917
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - as requests has it
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,  # noqa: ARG002
        verify: bool | str = True,  # noqa: ARG002, FBT001, FBT002
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Return the answer.

        Raises:
            TransportError: `not_served`, nobody answers at this address.
        """
        try:
            return _to_requests(request, self._wire.answer(_from_requests(request)))
        except Unanswered as error:
            if error.stalls:
                raise requests.ReadTimeout("the peer stalls", request=request) from None
            raise requests.ConnectionError("the connection is refused", request=request) from None

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _from_requests(request: requests.PreparedRequest) -> Request:
    # A file or a generator as well, whatever its type says.
    body = cast("str | bytes | Iterable[bytes] | None", request.body) or b""
    content = body.encode() if isinstance(body, str) else body
    pairs = cast("Mapping[str, str | bytes]", request.headers).items()
    return Request(
        method=request.method or "GET",
        url=request.url or "",
        headers=Headers(
            (name, value.decode("latin-1") if isinstance(value, bytes) else value)
            for name, value in pairs
        ),
        body=content if isinstance(content, bytes) else b"".join(content),
    )


class _Head:
    """The head of an answer where requests looks for its cookies."""

    def __init__(self, response: Response) -> None:
        self.msg = HTTPMessage()
        for name, value in response.headers.pairs():
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Say that no connection is left to be read from."""
        return True

    def close(self) -> None:
        """Do nothing."""


def _to_requests(request: requests.PreparedRequest, response: Response) -> requests.Response:
    raw = HTTPResponse(
        body=BytesIO(response.body),
        headers=HTTPHeaderDict(response.headers.pairs()),
        status=response.status,
        preload_content=False,
        original_response=cast("HTTPResponseOfPython", _Head(response)),
    )
    # What requests itself makes of an answer.
    return HTTPAdapter().build_response(request, raw)
