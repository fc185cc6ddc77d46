"""The access token on its way to an API, whatever the HTTP library. Layer: client, no I/O.

One flow says where a token may go, which one goes, and what to do about a refusal. An auth
object per HTTP library drives it: `client/api_auth.py` for httpx2 and `web/httpx.py` for httpx,
by the steps of `client/stepping.py`, and `web/requests.py` for requests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

from codegrant.client.flows import ClientFlows
from codegrant.client.live import LiveTokens, OnTokens
from codegrant.client.saved import SavedTokens
from codegrant.client.signing import (
    ApiRequest,
    ApiResponse,
    Exchange,
    is_refusal,
    send_signed,
    sign,
)
from codegrant.client.tokens import Tokens
from codegrant.errors import UsageError
from codegrant.flow import Effect, Flow
from codegrant.http import is_loopback_host
from codegrant.providers import Quirk
from codegrant.secret import Secret

__all__ = [
    "Address", "AnyClient", "BearerCalls", "Calls", "Exchange", "RefreshingCalls",
    "advance", "origin_parts",
]  # fmt: skip


class AnyClient(Protocol):
    """A `Client` or an `AsyncClient`."""

    @property
    def flows(self) -> ClientFlows:
        """The logic behind the methods."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """What tells the time."""
        ...

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect; a coroutine function for asyncio."""
        ...


class Address(Protocol):
    """A URL as httpx2 and httpx have it: normalised, without the scheme's own port."""

    @property
    def scheme(self) -> str: ...  # noqa: D102
    @property
    def host(self) -> str: ...  # noqa: D102
    @property
    def raw_host(self) -> bytes: ...  # noqa: D102
    @property
    def port(self) -> int | None: ...  # noqa: D102


class Calls(Protocol):
    """What an auth object drives: `start` for each call of an API, and `go_on` where it must."""

    def start(self, request: ApiRequest, url: Address) -> Tokens | None:
        """Put a token into `request`, if one is at hand, and return what it is of.

        Raises:
            UsageError: no token may go to `url`.
        """
        ...

    def go_on(
        self,
        request: ApiRequest,
        rewind: Callable[[], bool],
        tokens: Tokens | None,
        response: ApiResponse | None,
    ) -> Flow[None]:
        """Do what is left: nearly always nothing.

        Args:
            request: of the HTTP library, as it was given to `start`.
            rewind: makes it ready to be sent once more; False if it cannot be.
            tokens: what `start` returned.
            response: to the request; `None` when it has not been sent, for want of tokens.

        Raises:
            CodegrantError: see `LiveTokens.fresh`.
        """
        ...

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out an effect that is no `Exchange`."""
        ...

    def check_colour(self, *, is_async: bool) -> None:
        """Check that the effects can be carried out as the HTTP client waits.

        Raises:
            UsageError: `wrong_colour`.
        """
        ...

    @property
    def origins(self) -> list[str]:
        """Where tokens may go; empty for any https or loopback origin."""
        ...


class BearerCalls:
    """Calls with one access token, for as long as it is good.

    Args:
        access_token: RFC 6750 §2.1.
        origins: where it may go; empty for any https or loopback origin.
    """

    def __init__(self, access_token: Secret, origins: Collection[str]) -> None:
        self._tokens = Tokens(
            access_token=access_token, token_type="Bearer", expires_at=None, scope=frozenset()
        )
        self._destinations = _Destinations(origins)

    def start(self, request: ApiRequest, url: Address) -> Tokens:
        """See `Calls.start`."""
        self._destinations.check(url)
        sign(request, self._tokens)
        return self._tokens

    def go_on(
        self,
        request: ApiRequest,  # noqa: ARG002
        rewind: Callable[[], bool],  # noqa: ARG002
        tokens: Tokens | None,  # noqa: ARG002
        response: ApiResponse | None,  # noqa: ARG002
    ) -> Flow[None]:
        """There is nothing left: no other token could be sent."""
        yield from ()

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """There is nothing to carry out."""
        raise UsageError(f"{type(effect).__name__} is no effect of a call")

    def check_colour(self, *, is_async: bool) -> None:
        """Nothing is waited for: either will do."""

    @property
    def origins(self) -> list[str]:
        """As given, in order."""
        return self._destinations.listed()


class RefreshingCalls:
    """Calls with the tokens of one login, refreshed in time and when an API refuses them.

    Between two requests a refresh runs whole: nothing is locked while the HTTP library has
    its turn, so a call that is broken off leaves nothing behind.

    Args:
        client: whose tokens they are.
        tokens: or where they are kept.
        on_tokens: called with what a refresh gave, before it is used.

    Raises:
        UsageError: the tokens are not of a login at this client.
    """

    def __init__(
        self,
        client: AnyClient,
        tokens: Tokens | SavedTokens,
        on_tokens: OnTokens | None = None,
    ) -> None:
        self._tokens = LiveTokens(client.flows, tokens, client.clock, on_tokens)
        self._clock = client.clock
        self._perform = client.perform
        self._is_async = inspect.iscoroutinefunction(client.perform)
        self._destinations = _Destinations(client.flows.config.api_origins)
        self._headers = client.flows.config.api_headers
        self._nonces = client.flows.config.nonces
        self._bare = client.flows.config.has(Quirk.BARE_401)

    def start(self, request: ApiRequest, url: Address) -> Tokens | None:
        """See `Calls.start`; `None` also when a refresh is due, or the token needs a proof."""
        self._destinations.check(url)
        for name, value in self._headers:
            request.headers[name] = value
        tokens = self._tokens.ready(int(self._clock()))
        if tokens is None or tokens.dpop_key is not None:
            return None  # a proof is made in `go_on`
        sign(request, tokens)
        return tokens

    def go_on(
        self,
        request: ApiRequest,
        rewind: Callable[[], bool],
        tokens: Tokens | None,
        response: ApiResponse | None,
    ) -> Flow[None]:
        """Send `request`, if that is still to be done; once more when its token is refused."""
        if tokens is None or response is None:
            tokens = yield from self._tokens.fresh(int(self._clock()))
            response = yield from self._send(request, tokens, rewind)
        if not is_refusal(response, bare=self._bare):
            return
        newer = yield from self._tokens.replace(tokens, int(self._clock()))
        if newer is None or not rewind():
            return
        response = yield from self._send(request, newer, rewind)
        if is_refusal(response, bare=self._bare):
            self._tokens.give_up(newer, int(self._clock()))

    def _send(
        self, request: ApiRequest, tokens: Tokens, rewind: Callable[[], bool]
    ) -> Flow[ApiResponse]:
        """Send `request` with its token, and with a proof where the token is bound to a key."""
        return (yield from send_signed(request, tokens, self._nonces, self._clock, rewind))

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """See `Calls.perform`."""
        return self._perform(effect)

    def check_colour(self, *, is_async: bool) -> None:
        """See `Calls.check_colour`: threads go with `Client`, asyncio with `AsyncClient`."""
        if is_async != self._is_async:
            raise UsageError(
                "api: an asynchronous HTTP client goes with AsyncClient, any other with Client",
                code="wrong_colour",
                stage="api",
            )

    @property
    def origins(self) -> list[str]:
        """Those of the client, in order."""
        return self._destinations.listed()


def advance(
    flow: Flow[None],
    perform: Callable[[Effect[Any]], Any],
    answer: object = None,
) -> Exchange | None:
    """Drive a call to its next exchange, which is returned; `None` at its end."""
    try:
        effect = flow.send(answer)
        while not isinstance(effect, Exchange):
            try:
                answer = perform(effect)
            except Exception as error:  # noqa: BLE001 - handed on into the flow
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration:
        return None
    return effect


class _Origin(NamedTuple):
    scheme: str
    raw_host: bytes
    port: int | None

    def __str__(self) -> str:
        name = self.raw_host.decode("ascii")  # `url.host` shows an internationalised name decoded
        host = f"[{name}]" if ":" in name else name
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


class _Destinations:
    """Where an access token may go; what was found good once is remembered."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)
        self._judged: set[tuple[str, bytes, int | None]] = set()

    def listed(self) -> list[str]:
        return sorted(self._origins)

    def check(self, url: Address) -> None:
        """Check that a token may go to `url`.

        Raises:
            UsageError: `relative_api_url`, `insecure_api_url`, `foreign_api_origin`.
        """
        origin = url.scheme, url.raw_host, url.port
        if origin not in self._judged:
            self._judge(url, str(_Origin(*origin)))
            self._judged.add(origin)

    def _judge(self, url: Address, origin: str) -> None:
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
        if self._origins and origin not in self._origins:
            raise UsageError(
                f"api: {origin} is not among the configured api_origins",
                code="foreign_api_origin",
                stage="api",
                hint="add the origin to api_origins if this API may have the token",
            )


def origin_parts(url: Address) -> tuple[str, bytes, int | None]:
    """Return what two URLs of one origin have in common. RFC 6454 §4."""
    return url.scheme, url.raw_host, url.port
