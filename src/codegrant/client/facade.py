"""`Client`: the client role as a program with threads uses it. Layer: client.

`client/aio.py` has its twin for asyncio. Both are immutable and made of the same flows; they
differ in how they wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from codegrant.client.configuration import make_config, parse_scope_argument
from codegrant.client.flows import ClientFlows
from codegrant.client.login import make_login_request
from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin
from codegrant.client.profiles import ProfileName, apply_profile
from codegrant.client.saved import SavedTokens
from codegrant.client.tokens import Tokens
from codegrant.flow import Effect, run
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers import Provider
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings, machine_time
from codegrant.secret import Secret

if TYPE_CHECKING:  # imported when they are used
    from codegrant.client import ApiSession, DeviceLogin
    from codegrant.client.token_exchange import ExchangedToken
    from codegrant.client.userinfo import UserInfo
    from codegrant.jose import PrivateKey
    from codegrant.messages.resource_metadata import ResourceMetadata
    from codegrant.rules.identity import Identity

__all__ = ["LOGGER", "Client"]

LOGGER = "codegrant.client"


class Client:
    """An OAuth client at one server: logs people in and calls APIs for them.

    Share one: it is immutable, and safe between threads, requests and forked workers. Making
    it sends nothing; the server's metadata is fetched when a login needs it, and kept.

    Args:
        server: the issuer, e.g. `https://accounts.example`; or a known provider, `"google"`
            say; or a `ServerMetadata`, which without `jwks_uri` means plain OAuth 2.
        client_id: as registered.
        client_secret: as registered; none for a public client, or for one with a key.
        private_key: PEM or a JWK as text, the path of a file with either, or a `PrivateKey`.
        private_key_id: what the server calls the key, if it has a name there.
        token_endpoint_auth_method: how to authenticate; see `ClientConfig`.
        redirect_uri: as registered; may be given with each login instead.
        scope: what to ask for, one text or a sequence; see `ClientConfig`.
        resource: the APIs that access tokens are for, unless a call names others. RFC 8707.
        pushed_requests, signed_requests, dpop: see `ClientConfig`.
        profile: `fapi2` turns on all that the FAPI 2.0 Security Profile asks of a client.
        response_mode: `form_post` has the callback come as a form; by default in the address.
        api_origins: where access tokens may go; by default every https or loopback origin.
        id_token_algs: which may sign an ID token; by default those of the metadata.
        leeway: seconds, 10 to 60, by which clocks may differ.
        login_lifetime: seconds, 30 to 86400, from `start_login` to `finish_login`.
        timeout: seconds for one whole request to the server, 0.1 to 60.
        ca_file: path of a PEM file with the only CAs to trust, for a private CA.
        untrusted_issuer: somebody else chose the server: it must live at public addresses.
        dangerously_*: see `ClientConfig`.
        offline: ask a known provider for a refresh token, in the way it wants to be asked.
        clock: returns epoch seconds; for tests.

    Raises:
        ConfigurationError: an argument has a value that is not allowed.
        UsageError: the issuer or an endpoint is neither https nor loopback.

    OAuth 2.1 §4.1; OpenID Connect Core §3.1.
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
        self._driver = SyncDriver(HttpSettings(timeout=timeout, ca_file=ca_file, logger=LOGGER))
        self._clock = clock

    def start_login(
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
        """Start a login: send the browser to `url` of what is returned, and keep the rest.

        Args:
            redirect_uri: where the server sends the browser back to; as registered.
            scope: what to ask for, instead of the client's.
            prompt, max_age, login_hint, acr_values, acr_essential, ui_locales, resource,
            claims, extra: see `LoginOptions`.
            return_to: where the application wants to continue; comes back with the login.

        Raises:
            UsageError: the arguments do not fit the configuration or the server.
            Refused, ResponseRejected: the server does not take the request that was pushed.
            MetadataRejected, TransportError: as for `refresh`.

        OAuth 2.1 §4.1.1; OpenID Connect Core §3.1.2.1.
        """
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
        return run(self._flows.start_login(request, self._now()), self._driver.perform)

    def finish_login(self, callback_url: str, login: PendingLogin) -> Tokens:
        """Judge the callback, exchange the code, verify the ID token, and return the tokens.

        Args:
            callback_url: the address that the browser came back to, with its query or form.
            login: what `start_login` returned for this browser. It is good for one call.

        Raises:
            StateError: the callback does not belong to `login`, or comes too late or twice.
            CallbackRejected: the callback must not be used.
            Refused: the server answered with an OAuth error, e.g. `access_denied`.
            ResponseRejected: the token response must not be used.
            TokenRejected: the ID token does not hold.
            MetadataRejected: the server's metadata or keys must not be used.
            TransportError: the server could not be reached.

        OAuth 2.1 §4.1.2, §4.1.3; OpenID Connect Core §3.1.3; RFC 9207 §2.4.
        """
        flow = self._flows.finish_login(callback_url, login, self._now())
        return run(flow, self._driver.perform)

    def userinfo(self, tokens: Tokens) -> UserInfo:
        """Return what the server says about the person whose tokens they are.

        Raises:
            UsageError: the tokens are not of an OpenID login at this client.
            ResponseRejected: the answer must not be used, e.g. it is about somebody else.
            Refused, MetadataRejected, TransportError: as for `refresh`.

        OpenID Connect Core §5.3.
        """
        return run(self._flows.userinfo(tokens, self._now()), self._driver.perform)

    def identity(self, tokens: Tokens) -> Identity:
        """Return who the person is whose tokens they are, in one form for every provider.

        Raises:
            UsageError: the tokens identify nobody, or are not of a login at this client.
            Refused, ResponseRejected, MetadataRejected, TransportError: as for `refresh`.
        """
        return run(self._flows.identity(tokens, self._now()), self._driver.perform)

    def refresh(self, tokens: Tokens) -> Tokens:
        """Return new tokens for `tokens`, whose refresh token is spent from then on.

        Keep what is returned in their place. Tokens that this client has refreshed already
        give what became of them: no refresh token is sent twice.

        Raises:
            LoginRequired: the server does not take the refresh token any more, or there is none.
                No other error is a reason to forget `tokens`; but a server whose answer was lost
                or refused may have spent them.
            UsageError: the tokens are not of a login at this client; nothing was sent.
            Refused: the server answered with another OAuth error.
            ResponseRejected: the token response must not be used.
            TokenRejected: the ID token is not of the same login.
            MetadataRejected: the server's metadata or keys must not be used.
            TransportError: the server could not be reached.

        RFC 6749 §6; OpenID Connect Core §12.
        """
        return run(self._flows.refresh(tokens, self._now()), self._driver.perform)

    def revoke(self, tokens: Tokens) -> None:
        """Make `tokens` worthless: the refresh token, and with it the login.

        Without a refresh token it is the access token. Forget the tokens first.

        Raises:
            UsageError: the tokens are not of a login at this client, or the server has no
                revocation endpoint (`no_revocation`); nothing was sent.
            Refused, ResponseRejected, MetadataRejected, TransportError: as for `refresh`.

        RFC 7009 §2.
        """
        run(self._flows.revoke(tokens, self._now()), self._driver.perform)

    def client_credentials(
        self,
        *,
        scope: str | Sequence[str] = (),
        resource: str | Sequence[str] = (),
        audience: str | Sequence[str] = (),
    ) -> Tokens:
        """Return tokens of this client's own, without a person.

        `api` asks for new ones when they expire.

        Args:
            scope: what to ask for; by default what the server gives.
            resource: the APIs that the access token is for. RFC 8707.
            audience: the same, at servers that know that name instead.

        Raises:
            UsageError: this is a public client; nothing was sent.
            Refused, ResponseRejected, MetadataRejected, TransportError: as for `refresh`.

        RFC 6749 §4.4.
        """
        from codegrant.client.client_credentials import make_request

        request = make_request(scope, resource, audience)
        return run(self._flows.client_credentials(request, self._now()), self._driver.perform)

    def start_device_login(
        self,
        *,
        scope: str | Sequence[str] | None = None,
        resource: str | Sequence[str] = (),
    ) -> DeviceLogin:
        """Start a login that the person finishes on another device, e.g. for a television.

        Args:
            scope: what to ask for, instead of the client's.
            resource: the APIs that the access token is for. RFC 8707.

        Raises:
            UsageError: the server has no device authorization endpoint; nothing was sent.
            Refused, ResponseRejected, MetadataRejected, TransportError: as for `refresh`.

        RFC 8628 §3.1.
        """
        wanted = None if scope is None else parse_scope_argument(scope)
        apis = (resource,) if isinstance(resource, str) else tuple(resource)
        flow = self._flows.start_device_login(wanted, apis, self._now())
        return run(flow, self._driver.perform)

    def finish_device_login(self, login: DeviceLogin) -> Tokens:
        """Wait until the person has decided, and return the tokens.

        Args:
            login: what `start_device_login` returned.

        Raises:
            UsageError: the login is another client's; nothing was sent.
            Refused: `access_denied`, the person said no; `expired_token`, there was no answer
                in time; or another OAuth error.
            ResponseRejected, TokenRejected, MetadataRejected, TransportError: as for
                `finish_login`; failures that may pass are waited for.

        RFC 8628 §3.4, §3.5.
        """
        return run(self._flows.finish_device_login(login, self._clock), self._driver.perform)

    def exchange_token(
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
        """Return a token that the server gives for another one.

        Args:
            subject_token: of whom the new token is to be.
            subject_token_type: `access_token`, `refresh_token`, `id_token`, `saml1`, `saml2`,
                `jwt`, or another type's URI.
            actor_token: of the party that acts for that person, if there is one.
            actor_token_type: its type, with `actor_token` and never without.
            requested_token_type: by default what the server gives.
            scope: what to ask for.
            resource: the APIs that the new token is for. RFC 8707.
            audience: the same by the names that the server has for them.

        Raises:
            UsageError: the arguments do not fit together; nothing was sent.
            Refused, ResponseRejected, MetadataRejected, TransportError: as for `refresh`.

        RFC 8693 §2.
        """
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
        return run(self._flows.exchange_token(request, self._now()), self._driver.perform)

    def find_resource(self, url: str) -> ResourceMetadata:
        """Return what the API at `url` says of itself, once it is known to take our tokens.

        Raises:
            MetadataRejected: it publishes nothing, or something about another resource, or it
                does not name this client's server.
            UsageError, TransportError: as for `start_login`.

        RFC 9728 §3.3, §7.6.
        """
        return run(self._flows.find_resource(url), self._driver.perform)

    def api(
        self,
        tokens: Tokens | SavedTokens,
        *,
        base_url: str = "",
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> ApiSession:
        """Return a session that calls APIs with the access token, refreshed when it must be.

        That is shortly before it expires, and once after an API has called it invalid; one
        refresh serves every thread of this process, and every process that shares a place
        with a lease (`LeasedTokens`). What it gives is saved before it is used.

        Args:
            tokens: of a login at this client, or where they are kept: a `TokenFile`, say.
            base_url: goes before the paths of calls, e.g. `https://api.example/v1`.
            on_tokens: called with the tokens of every refresh before they are used, to
                keep them. What it raises ends the call. It must not call this session, which
                waits for it.

        Raises:
            UsageError: the tokens are not of a login at this client.
        """
        from codegrant.client.api import ApiSession
        from codegrant.client.api_auth import make_auths  # httpx2 is slow to import

        auths = make_auths(self, tokens, on_tokens)
        return ApiSession(lambda: self._driver.pool(), *auths, base_url)  # noqa: PLW0108 - for tests

    def close(self) -> None:
        """Close this process's connections; a later call opens new ones."""
        self._driver.close()

    @property
    def clock(self) -> Callable[[], float]:
        """What tells this client the time, for web adapters."""
        return self._clock

    @property
    def flows(self) -> ClientFlows:
        """The logic behind the methods, for web adapters that drive it themselves."""
        return self._flows

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect of `flows`; for web adapters."""
        return self._driver.perform(effect)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        config = self._flows.config
        return f"Client({config.issuer!r}, client_id={config.client_id!r})"

    def _now(self) -> int:
        return int(self._clock())
