"""`AsyncClient`: the client role as a program with asyncio uses it. Layer: client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from codegrant.client.configuration import make_config, parse_scope_argument
from codegrant.client.facade import LOGGER
from codegrant.client.flows import ClientFlows
from codegrant.client.login import make_login_request
from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin
from codegrant.client.profiles import ProfileName, apply_profile
from codegrant.client.saved import SavedTokens
from codegrant.client.tokens import Tokens
from codegrant.flow import Effect, run_async
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers import Provider
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.transport import HttpSettings, machine_time
from codegrant.secret import Secret

if TYPE_CHECKING:  # imported when they are used
    from codegrant.client.api import AsyncApiSession
    from codegrant.client.device import DeviceLogin
    from codegrant.client.token_exchange import ExchangedToken
    from codegrant.client.userinfo import UserInfo
    from codegrant.jose import PrivateKey
    from codegrant.messages.resource_metadata import ResourceMetadata
    from codegrant.rules.identity import Identity

__all__ = ["AsyncClient"]


class AsyncClient:
    """As `Client`, for asyncio: the same arguments, and methods to be awaited.

    Safe to share between tasks; it may be used from one event loop after another, or from
    several at once. `aclose` (or `async with`) closes the connections of the running loop, once
    a refresh that is under way has come to its end; without it the end of `asyncio.run` does.
    """

    __slots__ = ("__weakref__", "_clock", "_driver", "_flows")

    def __init__(
        self,
        server: str | ServerMetadata | Provider,
        *,
        client_id: str,
        client_secret: str | Secret | None = None,
        private_key: str | Path | Secret | PrivateKey | None = None,
        private_key_id: str = "",
        token_endpoint_auth_method: str | None = None,
        redirect_uri: str | None = None,
        scope: str | Sequence[str] | None = None,
        resource: str | Sequence[str] = (),
        pushed_requests: bool | None = None,
        signed_requests: bool = False,
        response_mode: Literal["query", "form_post"] | None = None,
        api_origins: Sequence[str] = (),
        id_token_algs: Sequence[str] = (),
        leeway: int = 60,
        login_lifetime: int = LOGIN_LIFETIME,
        timeout: float = 10.0,
        ca_file: str | None = None,
        untrusted_issuer: bool = False,
        dangerously_allow_missing_pkce_support: bool = False,
        dangerously_use_token_endpoint_as_audience: bool = False,
        offline: bool = False,
        dpop: bool = False,
        profile: ProfileName | None = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        config = make_config(
            server,
            client_id=client_id,
            client_secret=client_secret,
            private_key=private_key,
            private_key_id=private_key_id,
            token_endpoint_auth_method=token_endpoint_auth_method,
            redirect_uri=redirect_uri,
            scope=scope,
            response_mode=response_mode,
            api_origins=api_origins,
            id_token_algs=id_token_algs,
            leeway=leeway,
            login_lifetime=login_lifetime,
            untrusted_issuer=untrusted_issuer,
            require_s256=not dangerously_allow_missing_pkce_support,
            token_endpoint_audience=dangerously_use_token_endpoint_as_audience,
            resource=resource,
            pushed_requests=pushed_requests,
            signed_requests=signed_requests,
            offline=offline,
            dpop=dpop,
        )
        self._flows = ClientFlows(apply_profile(config, profile))
        self._driver = AsyncDriver(HttpSettings(timeout=timeout, ca_file=ca_file, logger=LOGGER))
        self._clock = clock

    async def start_login(
        self,
        *,
        redirect_uri: str | None = None,
        scope: str | Sequence[str] | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        login_hint: str | None = None,
        acr_values: str | Sequence[str] = (),
        acr_essential: bool = False,
        ui_locales: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        claims: Mapping[str, object] | None = None,
        extra: Mapping[str, str] | None = None,
        return_to: str | None = None,
    ) -> PendingLogin:
        """As `Client.start_login`."""
        request = make_login_request(
            redirect_uri=redirect_uri,
            scope=scope,
            prompt=prompt,
            max_age=max_age,
            login_hint=login_hint,
            acr_values=acr_values,
            acr_essential=acr_essential,
            ui_locales=ui_locales,
            resource=resource,
            claims=claims,
            extra=extra,
            return_to=return_to,
        )
        flow = self._flows.start_login(request, self._now())
        return await run_async(flow, self._driver.perform)

    async def finish_login(self, callback_url: str, login: PendingLogin) -> Tokens:
        """As `Client.finish_login`."""
        flow = self._flows.finish_login(callback_url, login, self._now())
        return await run_async(flow, self._driver.perform)

    async def userinfo(self, tokens: Tokens) -> UserInfo:
        """As `Client.userinfo`."""
        return await run_async(self._flows.userinfo(tokens, self._now()), self._driver.perform)

    async def identity(self, tokens: Tokens) -> Identity:
        """As `Client.identity`."""
        return await run_async(self._flows.identity(tokens, self._now()), self._driver.perform)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """As `Client.refresh`; once begun, it comes to its end although its task is cancelled.

        `aclose` waits for it, and so does `asyncio.run`; a loop that is closed by hand does not.
        """
        return await run_async(self._flows.refresh(tokens, self._now()), self._driver.perform)

    async def revoke(self, tokens: Tokens) -> None:
        """As `Client.revoke`."""
        await run_async(self._flows.revoke(tokens, self._now()), self._driver.perform)

    async def client_credentials(
        self,
        *,
        scope: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        audience: str | Sequence[str] = (),
    ) -> Tokens:
        """As `Client.client_credentials`."""
        from codegrant.client.client_credentials import make_request

        flow = self._flows.client_credentials(make_request(scope, resource, audience), self._now())
        return await run_async(flow, self._driver.perform)

    async def start_device_login(
        self,
        *,
        scope: str | Sequence[str] | None = None,
        resource: str | Sequence[str] = (),
    ) -> DeviceLogin:
        """As `Client.start_device_login`."""
        wanted = None if scope is None else parse_scope_argument(scope)
        apis = (resource,) if isinstance(resource, str) else tuple(resource)
        flow = self._flows.start_device_login(wanted, apis, self._now())
        return await run_async(flow, self._driver.perform)

    async def finish_device_login(self, login: DeviceLogin) -> Tokens:
        """As `Client.finish_device_login`."""
        flow = self._flows.finish_device_login(login, self._clock)
        return await run_async(flow, self._driver.perform)

    async def exchange_token(
        self,
        subject_token: str | Secret,
        *,
        subject_token_type: str = "access_token",
        actor_token: str | Secret | None = None,
        actor_token_type: str | None = None,
        requested_token_type: str | None = None,
        scope: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        audience: str | Sequence[str] = (),
    ) -> ExchangedToken:
        """As `Client.exchange_token`."""
        from codegrant.client.token_exchange import make_request

        request = make_request(
            subject_token,
            subject_token_type=subject_token_type,
            actor_token=actor_token,
            actor_token_type=actor_token_type,
            requested_token_type=requested_token_type,
            scope=scope,
            resource=resource,
            audience=audience,
        )
        return await run_async(
            self._flows.exchange_token(request, self._now()), self._driver.perform
        )

    async def find_resource(self, url: str) -> ResourceMetadata:
        """As `Client.find_resource`."""
        return await run_async(self._flows.find_resource(url), self._driver.perform)

    def api(
        self,
        tokens: Tokens | SavedTokens,
        *,
        base_url: str = "",
        on_tokens: Callable[[Tokens], Awaitable[None] | None] | None = None,
    ) -> AsyncApiSession:
        """As `Client.api`; the session's methods are to be awaited.

        A place that keeps tokens is asked in a thread; `on_tokens` may be a coroutine
        function, and is called in the event loop.
        """
        from codegrant.client.api import AsyncApiSession
        from codegrant.client.api_auth import make_auths  # httpx2 is slow to import

        auths = make_auths(self, tokens, on_tokens)
        return AsyncApiSession(lambda: self._driver.pool(), *auths, base_url)  # noqa: PLW0108 - for tests

    async def aclose(self) -> None:
        """Close this event loop's connections; a later call opens new ones."""
        await self._driver.aclose()

    @property
    def clock(self) -> Callable[[], float]:
        """What tells this client the time, for web adapters."""
        return self._clock

    @property
    def flows(self) -> ClientFlows:
        """The logic behind the methods, for web adapters that drive it themselves."""
        return self._flows

    async def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect of `flows`; for web adapters."""
        return await self._driver.perform(effect)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        config = self._flows.config
        return f"AsyncClient({config.issuer!r}, client_id={config.client_id!r})"

    def _now(self) -> int:
        return int(self._clock())
