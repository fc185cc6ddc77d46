"""The access token on its way to an API, as an httpx2 auth object. Layer: client.

`BearerAuth` is for those who bring an httpx2 client of their own; `RefreshingAuth` is what
`Client.api` puts to use.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from typing import Any

import httpx2

from codegrant.client.live import LiveTokens
from codegrant.errors import MessageError, UsageError
from codegrant.flow import Effect, Flow, ask
from codegrant.http import is_loopback_host
from codegrant.messages.bearer import parse_challenges
from codegrant.secret import Secret

__all__ = ["BearerAuth", "RefreshingAuth", "make_auths"]


class BearerAuth(httpx2.Auth):
    """Sends an access token to https and loopback origins, and to no origin but those named.

    Args:
        access_token: goes into the `Authorization` header. RFC 6750 §2.1.
        origins: where it may go, e.g. `{"https://api.example"}`; empty means to every
            https or loopback origin that a call names.
        follow_redirects: follow redirects here, with the token within one origin and
            without it to any other. The client's own setting stays off then.
    """

    def __init__(
        self,
        access_token: Secret,
        *,
        origins: Collection[str] = frozenset(),
        follow_redirects: bool = False,
    ) -> None:
        self._access_token = access_token
        self._destinations = _Destinations(origins)
        self._follow_redirects = follow_redirects

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with the token.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
        """
        self._destinations.check(request.url)
        _sign(request, self._access_token)
        response = yield request
        if self._follow_redirects:
            while (following := _find_next(request, response)) is not None:
                response = yield following

    def __repr__(self) -> str:
        return f"BearerAuth(***, origins={sorted(self._destinations.origins)})"


class _Exchange(Effect[httpx2.Response]):
    """Let the HTTP client send a request."""

    def __init__(self, request: httpx2.Request) -> None:
        self.request = request


class RefreshingAuth(httpx2.Auth):
    """Sends the access token of a login, and refreshes it before it expires or when it is refused.

    Between two requests a refresh runs whole: nothing is locked while the HTTP client has
    its turn, so a call that is broken off leaves nothing behind.

    Args:
        tokens: of the login.
        perform: carries out the effects of a refresh; a coroutine function for asyncio.
        clock: returns epoch seconds.
        origins: as for `BearerAuth`.
        follow_redirects: as for `BearerAuth`.
    """

    def __init__(
        self,
        tokens: LiveTokens,
        perform: Callable[[Effect[Any]], Any],
        clock: Callable[[], float],
        *,
        origins: Collection[str] = frozenset(),
        follow_redirects: bool = False,
    ) -> None:
        self._tokens = tokens
        self._perform = perform
        self._clock = clock
        self._destinations = _Destinations(origins)
        self._follow_redirects = follow_redirects

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with the token.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
            CodegrantError: see `LiveTokens.fresh`.
        """
        flow = self._send(request)
        try:
            effect = next(flow)
            while True:
                try:
                    if isinstance(effect, _Exchange):
                        answer: object = yield effect.request
                    else:
                        answer = self._perform(effect)
                except Exception as error:  # noqa: BLE001 - handed on into the flow
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration:
            return
        finally:
            flow.close()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """As `sync_auth_flow`, for asyncio."""
        flow = self._send(request)
        try:
            effect = next(flow)
            while True:
                try:
                    if isinstance(effect, _Exchange):
                        answer: object = yield effect.request
                    else:
                        answer = self._perform(effect)
                        answer = await answer if inspect.isawaitable(answer) else answer
                except Exception as error:  # noqa: BLE001 - handed on into the flow
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration:
            return
        finally:
            flow.close()

    def _send(self, request: httpx2.Request) -> Flow[None]:
        """Send `request`; when its token is refused, once more with another."""
        self._destinations.check(request.url)
        tokens = yield from self._tokens.fresh(self._now())
        _sign(request, tokens.access_token)
        response = yield from ask(_Exchange(request))
        if _is_refusal(response):
            newer = yield from self._tokens.replace(tokens, self._now())
            if newer is not None:
                _sign(request, newer.access_token)
                response = yield from ask(_Exchange(request))
                if _is_refusal(response):
                    self._tokens.give_up(newer)
        if self._follow_redirects:
            while (following := _find_next(request, response)) is not None:
                response = yield from ask(_Exchange(following))

    def _now(self) -> int:
        return int(self._clock())

    def __repr__(self) -> str:
        return f"RefreshingAuth(***, origins={sorted(self._destinations.origins)})"


def make_auths(
    tokens: LiveTokens,
    perform: Callable[[Effect[Any]], Any],
    clock: Callable[[], float],
    origins: Collection[str],
) -> tuple[RefreshingAuth, RefreshingAuth]:
    """Return the two auth objects of a session; the second one follows redirects."""
    return (
        RefreshingAuth(tokens, perform, clock, origins=origins),
        RefreshingAuth(tokens, perform, clock, origins=origins, follow_redirects=True),
    )


class _Destinations:
    """Where an access token may go; what was found good once is remembered."""

    def __init__(self, origins: Collection[str]) -> None:
        self.origins = frozenset(origins)
        self._judged: set[tuple[str, bytes, int | None]] = set()

    def check(self, url: httpx2.URL) -> None:
        """Check that a token may go to `url`.

        Raises:
            UsageError: `relative_api_url`, `insecure_api_url`, `foreign_api_origin`.
        """
        origin = _parts(url)
        if origin not in self._judged:
            self._judge(url)
            self._judged.add(origin)

    def _judge(self, url: httpx2.URL) -> None:
        if not url.host:
            raise UsageError(
                "api: a path alone names no API",
                code="relative_api_url",
                stage="api",
                hint="give the whole address, or base_url to api(...)",
            )
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback_host(url.host)):
            raise UsageError(
                f"api: an access token goes to https or loopback addresses only, not to {url.scheme}://{url.host}",
                code="insecure_api_url",
                stage="api",
            )
        if self.origins and _origin(url) not in self.origins:
            raise UsageError(
                f"api: {_origin(url)} is not among the configured api_origins",
                code="foreign_api_origin",
                stage="api",
                hint="add the origin to api_origins if this API may have the token",
            )


def _sign(request: httpx2.Request, access_token: Secret) -> None:
    """Put the token into the header. RFC 6750 §2.1."""
    request.headers["authorization"] = f"Bearer {access_token.reveal()}"


def _find_next(request: httpx2.Request, response: httpx2.Response) -> httpx2.Request | None:
    """Return the request that a redirect leads to, without the token outside of its origin."""
    following = response.next_request
    if following is not None and _parts(following.url) != _parts(request.url):
        following.headers.pop("authorization", None)
    return following


def _is_refusal(response: httpx2.Response) -> bool:
    """Return whether the API says that the token itself is no good. RFC 6750 §3.1."""
    if response.status_code != 401:
        return False
    try:
        found = parse_challenges(", ".join(response.headers.get_list("www-authenticate")))
    except MessageError:
        return False
    return any(
        challenge.scheme.lower() == "bearer" and challenge.params.get("error") == "invalid_token"
        for challenge in found
    )


def _parts(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


def _origin(url: httpx2.URL) -> str:
    name = url.raw_host.decode("ascii")  # `url.host` shows an internationalised name decoded
    host = f"[{name}]" if ":" in name else name
    return f"{url.scheme}://{host}" + ("" if url.port is None else f":{url.port}")
