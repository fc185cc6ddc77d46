"""Auth objects for requests: the access token on its way to an API. Layer: web.

    session = requests.Session()
    session.auth = RefreshingAuth(client, tokens)

requests follows redirects by itself; the token stays within the origin that a call named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast
from urllib.parse import urljoin, urlsplit

from codegrant.client.authorizing import (
    BearerCalls,
    Calls,
    RefreshingCalls,
    advance,
    origin_parts,
)
from codegrant.client.facade import Client
from codegrant.client.live import OnTokens
from codegrant.client.saved import SavedTokens
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError
from codegrant.flow import Flow
from codegrant.secret import Secret

try:
    import requests
    from requests.auth import AuthBase
    from requests.utils import requote_uri
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.requests needs requests: pip install 'codegrant[requests]'"
    ) from _error

__all__ = ["BearerAuth", "RefreshingAuth"]

_PORTS = {"https": 443, "http": 80}


class _Auth(AuthBase):
    """Drives calls for requests: up to the first exchange here, and on from a hook."""

    def __init__(self, calls: Calls) -> None:
        calls.check_colour(is_async=False)
        self._calls = calls

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token into `request`.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
            CodegrantError: see `LiveTokens.fresh`.
        """
        call = _Call(self._calls, request)
        request.hooks["response"].append(call)
        return request

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, origins={self._calls.origins})"


class BearerAuth(_Auth):
    """Sends one access token; see `codegrant.client.BearerAuth`.

    Args:
        access_token: goes into the `Authorization` header. RFC 6750 §2.1.
        origins: where it may go; empty means to every https or loopback origin.
    """

    def __init__(self, access_token: Secret, *, origins: Collection[str] = frozenset()) -> None:
        super().__init__(BearerCalls(access_token, origins))


class RefreshingAuth(_Auth):
    """Sends the access token of a login, and refreshes it; see `codegrant.client.RefreshingAuth`.

    Args:
        client: that the tokens are of.
        tokens: of a login, or where they are kept.
        on_tokens: as for `Client.api`.

    Raises:
        UsageError: the tokens are not of a login at this client.
    """

    def __init__(
        self,
        client: Client,
        tokens: Tokens | SavedTokens,
        *,
        on_tokens: OnTokens | None = None,
    ) -> None:
        super().__init__(RefreshingCalls(client, tokens, on_tokens))


class _Call:
    """One call, as a hook that sees every response to it, those to redirects included."""

    __slots__ = ("_calls", "_flow", "_is_first", "_position", "_tokens")

    def __init__(self, calls: Calls, request: requests.PreparedRequest) -> None:
        self._calls = calls
        self._position = _position(request.body)
        self._tokens = calls.start(request, _address(request.url or ""))
        self._flow: Flow[None] | None = None
        self._is_first = True
        if self._tokens is None:
            self._flow = calls.go_on(request, partial(self._rewind, request), None, None)
            advance(self._flow, calls.perform)

    def __call__(self, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401
        """Return `response`, or the one to the request that was sent once more."""
        if self._is_first:
            self._is_first = False
            if response.status_code == 401 or self._flow is not None:
                response = self._go_on(response, options)
        if response.is_redirect:
            # The next request is a copy of this one. A proof is for one address.
            proven = response.request.headers.pop("DPoP", None) is not None
            if proven or _leads_away(response):
                response.request.headers.pop("Authorization", None)
        return response

    def _go_on(self, response: requests.Response, options: dict[str, Any]) -> requests.Response:
        flow, perform, request = self._flow, self._calls.perform, response.request
        if flow is None:
            rewind = partial(self._rewind, request)
            flow = self._calls.go_on(request, rewind, self._tokens, response)
            exchange = advance(flow, perform)
        else:
            exchange = advance(flow, perform, response)
        while exchange is not None:
            refused = response
            _ = refused.content  # read to its end, so that its connection serves again
            refused.close()
            response = refused.connection.send(request, **options)
            response.history.append(refused)
            response.request = request
            exchange = advance(flow, perform, response)
        self._flow = None
        return response

    def _rewind(self, request: requests.PreparedRequest) -> bool:
        """Make the body ready to be sent once more; False if it cannot be."""
        body = cast("object", request.body)  # a file too, whatever its type says
        if body is None or isinstance(body, str | bytes):
            return True
        seek: Callable[[int], object] | None = getattr(body, "seek", None)
        if seek is None or self._position is None:
            return False
        try:
            seek(self._position)
        except OSError:
            return False
        return True


class _Url(NamedTuple):
    scheme: str
    host: str
    raw_host: bytes
    port: int | None


@lru_cache(maxsize=256)
def _address(url: str) -> _Url:
    """Return what `url` names, read as requests itself does when it connects."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        raw_host = host.encode("ascii")  # by now, requests has encoded every other name
    except (ValueError, UnicodeError):
        return _Url("", "", b"", None)
    return _Url(scheme, host, raw_host, None if port == _PORTS.get(scheme) else port)


def _leads_away(response: requests.Response) -> bool:
    """Return whether a redirect leads to another origin."""
    here = response.request.url or ""
    there = urljoin(here, requote_uri(response.headers["location"]))
    return origin_parts(_address(there)) != origin_parts(_address(here))


def _position(body: object) -> int | None:
    """Return where a file that is a body begins; `None` for any other body."""
    tell: Callable[[], int] | None = getattr(body, "tell", None)
    try:
        return None if tell is None else tell()
    except OSError:
        return None
