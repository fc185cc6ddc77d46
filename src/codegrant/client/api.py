"""Calling an API for the person who logged in: sessions over httpx2. Layer: client.

A session adds the access token and nothing else: arguments, answers and exceptions are
those of httpx2. Only a token that had to be refreshed, and could not be, ends a call with an
error of Codegrant's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack

if TYPE_CHECKING:
    import httpx2

__all__ = ["ApiSession", "AsyncApiSession", "CallOptions"]

_Plain: TypeAlias = str | int | float | bool | None

# scheme "://"; further on, in a query, the two slashes make no address.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class CallOptions(TypedDict, total=False):
    """What a call may carry; the meaning is that of httpx2.

    Attributes:
        params: of the query.
        headers: besides `Authorization`, which is the session's.
        json: a value to be sent as JSON.
        data: form fields.
        content: a raw body.
        files: name to content, or to (file name, content[, content type]).
        timeout: seconds, instead of the client's.
    """

    params: Mapping[str, _Plain | Sequence[_Plain]]
    headers: Mapping[str, str]
    json: object
    data: Mapping[str, str | list[str]]
    content: bytes | str
    files: Mapping[str, bytes | tuple[str, bytes] | tuple[str, bytes, str]]
    timeout: float


class ApiSession:
    """Calls APIs with one person's access token; made by `Client.api`.

    Redirects are followed when a call says `follow_redirects=True`: with the token inside
    the origin that the call named, without it to any other.

    Args:
        http: gives the connection pool to use.
        auth: attaches the token.
        following: attaches the token and follows redirects.
        base_url: goes before a URL that is only a path; may be empty.
    """

    __slots__ = ("_auth", "_base_url", "_following", "_http")

    def __init__(
        self,
        http: Callable[[], httpx2.Client],
        auth: httpx2.Auth,
        following: httpx2.Auth,
        base_url: str = "",
    ) -> None:
        self._http = http
        self._auth = auth
        self._following = following
        self._base_url = base_url.rstrip("/")

    def request(
        self,
        method: str,
        url: str,
        *,
        follow_redirects: bool = False,
        **options: Unpack[CallOptions],
    ) -> httpx2.Response:
        """Send a request with the access token and return the answer, whatever its status.

        Args:
            method: e.g. `GET`.
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises:
            UsageError: the token may not go to that origin; nothing was sent.
            LoginRequired: the tokens are gone for good: send the person to log in again.
            StoreError: the tokens could not be loaded or saved.
            Refused, PeerError, TransportError: a refresh failed, and no token is left to use.
            httpx2.HTTPError: the answer did not come.

        RFC 6750 §2.1.
        """
        auth = self._following if follow_redirects else self._auth
        return self._http().request(method, self._url(url), auth=auth, **options)

    def get(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with GET.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("GET", url, follow_redirects=follow_redirects, **options)

    def head(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with HEAD.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("HEAD", url, follow_redirects=follow_redirects, **options)

    def post(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with POST.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("POST", url, follow_redirects=follow_redirects, **options)

    def put(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with PUT.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("PUT", url, follow_redirects=follow_redirects, **options)

    def patch(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with PATCH.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("PATCH", url, follow_redirects=follow_redirects, **options)

    def delete(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `request` with DELETE.

        Args:
            url: absolute, or a path below the base URL.
            follow_redirects: see the class.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        return self.request("DELETE", url, follow_redirects=follow_redirects, **options)

    @contextmanager
    def stream(
        self, method: str, url: str, **options: Unpack[CallOptions]
    ) -> Generator[httpx2.Response, None, None]:
        """As `request`, for an answer whose body is read piece by piece inside the `with`.

        Args:
            method: e.g. `GET`.
            url: absolute, or a path below the base URL.
            options: see `CallOptions`.

        Raises as `request` does.
        """
        target = self._url(url)
        with self._http().stream(method, target, auth=self._auth, **options) as response:
            yield response

    def _url(self, url: str) -> str:
        return _join(self._base_url, url)

    def __repr__(self) -> str:
        return f"ApiSession({self._base_url})"


class AsyncApiSession:
    """As `ApiSession`, for asyncio; made by `AsyncClient.api`."""

    __slots__ = ("_auth", "_base_url", "_following", "_http")

    def __init__(
        self,
        http: Callable[[], httpx2.AsyncClient],
        auth: httpx2.Auth,
        following: httpx2.Auth,
        base_url: str = "",
    ) -> None:
        self._http = http
        self._auth = auth
        self._following = following
        self._base_url = base_url.rstrip("/")

    async def request(
        self,
        method: str,
        url: str,
        *,
        follow_redirects: bool = False,
        **options: Unpack[CallOptions],
    ) -> httpx2.Response:
        """As `ApiSession.request`."""
        auth = self._following if follow_redirects else self._auth
        return await self._http().request(method, self._url(url), auth=auth, **options)

    async def get(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.get`."""
        return await self.request("GET", url, follow_redirects=follow_redirects, **options)

    async def head(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.head`."""
        return await self.request("HEAD", url, follow_redirects=follow_redirects, **options)

    async def post(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.post`."""
        return await self.request("POST", url, follow_redirects=follow_redirects, **options)

    async def put(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.put`."""
        return await self.request("PUT", url, follow_redirects=follow_redirects, **options)

    async def patch(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.patch`."""
        return await self.request("PATCH", url, follow_redirects=follow_redirects, **options)

    async def delete(
        self, url: str, *, follow_redirects: bool = False, **options: Unpack[CallOptions]
    ) -> httpx2.Response:
        """As `ApiSession.delete`."""
        return await self.request("DELETE", url, follow_redirects=follow_redirects, **options)

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[httpx2.Response, None]:
        """As `ApiSession.stream`, with `async with`."""
        target = self._url(url)
        async with self._http().stream(method, target, auth=self._auth, **options) as response:
            yield response

    def _url(self, url: str) -> str:
        return _join(self._base_url, url)

    def __repr__(self) -> str:
        return f"AsyncApiSession({self._base_url})"


def _join(base_url: str, url: str) -> str:
    """Return `url` if it is absolute, else the path that it is below `base_url`."""
    return url if _ABSOLUTE.match(url) else f"{base_url}/{url.lstrip('/')}"
