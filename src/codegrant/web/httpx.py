"""Auth objects for httpx: the access token on its way to an API. Layer: web.

    http = httpx.Client(auth=RefreshingAuth(client, tokens))

With an `AsyncClient` of Codegrant's it is `httpx.AsyncClient`. For httpx2 the same two are in
`codegrant.client`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator

from codegrant.client.authorizing import (
    AnyClient,
    BearerCalls,
    Calls,
    RefreshingCalls,
)
from codegrant.client.live import OnTokens
from codegrant.client.saved import SavedTokens
from codegrant.client.stepping import async_steps, rewind_form, steps
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError
from codegrant.secret import Secret

try:
    import httpx
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.httpx needs httpx: pip install 'codegrant[httpx]'"
    ) from _error

__all__ = ["BearerAuth", "RefreshingAuth"]


class _Auth(httpx.Auth):
    """Drives calls for httpx."""

    def __init__(self, calls: Calls, *, follow_redirects: bool) -> None:
        self._calls = calls
        self._follow_redirects = follow_redirects

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send `request` with the token.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
            CodegrantError: see `LiveTokens.fresh`.
        """
        follow = self._follow_redirects
        return steps(self._calls, request, _can_repeat, follow_redirects=follow)

    def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """As `sync_auth_flow`, for asyncio."""
        follow = self._follow_redirects
        return async_steps(self._calls, request, _can_repeat, follow_redirects=follow)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, origins={self._calls.origins})"


class BearerAuth(_Auth):
    """Sends one access token; see `codegrant.client.BearerAuth`.

    Args:
        access_token: goes into the `Authorization` header. RFC 6750 §2.1.
        origins: where it may go; empty means to every https or loopback origin.
        follow_redirects: follow redirects here, with the token within one origin and
            without it to any other. The HTTP client's own setting stays off then.
    """

    def __init__(
        self,
        access_token: Secret,
        *,
        origins: Collection[str] = frozenset(),
        follow_redirects: bool = False,
    ) -> None:
        super().__init__(BearerCalls(access_token, origins), follow_redirects=follow_redirects)


class RefreshingAuth(_Auth):
    """Sends the access token of a login, and refreshes it; see `codegrant.client.RefreshingAuth`.

    Args:
        client: that the tokens are of; an `AsyncClient` for `httpx.AsyncClient`.
        tokens: of a login, or where they are kept.
        on_tokens: as for `Client.api`.
        follow_redirects: as for `BearerAuth`.

    Raises:
        UsageError: the tokens are not of a login at this client.
    """

    def __init__(
        self,
        client: AnyClient,
        tokens: Tokens | SavedTokens,
        *,
        on_tokens: OnTokens | None = None,
        follow_redirects: bool = False,
    ) -> None:
        calls = RefreshingCalls(client, tokens, on_tokens)
        super().__init__(calls, follow_redirects=follow_redirects)


def _can_repeat(request: httpx.Request) -> bool:
    """Return whether the body of `request` is there to be sent twice."""
    return isinstance(request.stream, httpx.ByteStream) or rewind_form(request.stream)
