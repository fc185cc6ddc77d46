"""Auth objects for an httpx2 client of the program's own. Layer: client.

    http = httpx2.Client(auth=RefreshingAuth(client, tokens))

`Client.api` uses them too. Their twins for httpx and requests are in `codegrant.web`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator

import httpx2

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
from codegrant.secret import Secret

__all__ = ["BearerAuth", "RefreshingAuth", "make_auths"]


class _Auth(httpx2.Auth):
    """Drives calls for httpx2."""

    def __init__(self, calls: Calls, *, follow_redirects: bool) -> None:
        self._calls = calls
        self._follow_redirects = follow_redirects

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with the token.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
            CodegrantError: see `LiveTokens.fresh`.
        """
        follow = self._follow_redirects
        return steps(self._calls, request, _can_repeat, follow_redirects=follow)

    def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """As `sync_auth_flow`, for asyncio."""
        follow = self._follow_redirects
        return async_steps(self._calls, request, _can_repeat, follow_redirects=follow)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, origins={self._calls.origins})"


class BearerAuth(_Auth):
    """Sends an access token to https and loopback origins, and to no origin but those named.

    Args:
        access_token: goes into the `Authorization` header. RFC 6750 §2.1.
        origins: where it may go, e.g. `{"https://api.example"}`; empty means to every
            https or loopback origin that a call names.
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
    """Sends the access token of a login, and refreshes it before it expires or when it is refused.

    It goes where the client's `api_origins` say. One refresh serves every call that uses
    this object; what a refresh gives is saved before it is used.

    Args:
        client: that the tokens are of; an `AsyncClient` for an asynchronous HTTP client.
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


def make_auths(
    client: AnyClient, tokens: Tokens | SavedTokens, on_tokens: OnTokens | None
) -> tuple[httpx2.Auth, httpx2.Auth]:
    """Return the two auth objects of a session; the second one follows redirects."""
    calls = RefreshingCalls(client, tokens, on_tokens)
    return _Auth(calls, follow_redirects=False), _Auth(calls, follow_redirects=True)


def _can_repeat(request: httpx2.Request) -> bool:
    """Return whether the body of `request` is there to be sent twice."""
    return isinstance(request.stream, httpx2.ByteStream) or rewind_form(request.stream)
