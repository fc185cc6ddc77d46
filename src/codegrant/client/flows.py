"""The client's logic without a colour: what `Client` and `AsyncClient` both drive. Layer: client.

Web adapters compose these flows with those of their token store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codegrant.client.configuration import ClientConfig
from codegrant.client.exchange import exchange_code
from codegrant.client.known_provider import add_callback
from codegrant.client.lineage import Lineage
from codegrant.client.login import LoginRequest, SealedState, identity_at, scope_at, start_login
from codegrant.client.pending import PendingLogin, ProviderIdentity
from codegrant.client.refresh import login_required, refresh_token_of, refresh_tokens
from codegrant.client.state_errors import other_provider, state_error
from codegrant.client.tokens import Tokens
from codegrant.errors import CallbackRejected, CodegrantError, MessageError, UsageError
from codegrant.flow import Flow, ask
from codegrant.messages.authorization import (
    AuthorizationErrorResponse,
    AuthorizationResponse,
    parse_authorization_response,
)
from codegrant.messages.parameters import Parameters
from codegrant.remote.discovery import Discovery
from codegrant.remote.effects import FieldName, Report, SingleFlight
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.callback import check_callback
from codegrant.rules.known_issuer import expected_callback_issuer
from codegrant.rules.metadata import VerifiedServer, trust_server_metadata
from codegrant.secret import digest_of, same_secret

if TYPE_CHECKING:  # what not every login needs is imported when it is used
    from codegrant.client.device import DeviceLogin
    from codegrant.client.token_exchange import ExchangedToken
    from codegrant.client.userinfo import UserInfo
    from codegrant.messages.grants import ClientCredentialsRequest, TokenExchangeRequest
    from codegrant.messages.resource_metadata import ResourceMetadata
    from codegrant.rules.identity import Identity
    from codegrant.rules.logout_token import LogoutToken

__all__ = ["ClientFlows"]

_REMEMBERED_LOGINS = 4096
_WIDE_AUDIENCE = "client assertions are made for the token endpoint, as configured"


class ClientFlows:
    """The flows of one client at one server, and what it remembers of that server.

    Safe to share between threads and tasks: what changes is replaced whole.

    Args:
        config: of the client.

    Attributes:
        config: as given.
        lineage: which tokens came of which.

    Raises:
        UsageError: the issuer or the described server has an address we may not use.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self.lineage: Lineage = Lineage()
        if isinstance(config.server, str):
            self._discovery: Discovery | None = Discovery(
                config.server,
                missing_s256=config.missing_s256,
                guarded=config.guarded,
                template=config.issuer_template,
            )
            self._described: VerifiedServer | None = None
        else:
            self._discovery = None
            self._described = trust_server_metadata(config.server)
        self._key_sets: dict[str, RemoteKeySet] = {}
        self._has_warned = False
        self._used: dict[bytes, object] = {}

    def find_server(self, now: int) -> Flow[VerifiedServer]:
        """Return the server, discovered on first use.

        Raises:
            MetadataRejected, TransportError: see `Discovery.find`.
        """
        if self.config.token_endpoint_audience and not self._has_warned:
            self._has_warned = True
            yield from ask(Report(logging.WARNING, _WIDE_AUDIENCE, {"issuer": self.config.issuer}))
        if self._described is not None:
            return self._described
        assert self._discovery is not None  # noqa: S101 - one of the two, see __init__
        return (yield from self._discovery.find(now))

    def start_login(
        self, request: LoginRequest, now: int, sealed_state: SealedState | None = None
    ) -> Flow[PendingLogin]:
        """Return a new pending login; see `Client.start_login`."""
        server = yield from self.find_server(now)
        return (yield from start_login(self.config, server, request, now, sealed_state))

    def provider_identity(
        self, now: int, redirect_uri: str | None = None
    ) -> Flow[ProviderIdentity]:
        """Return whom a login started now would be with; for `resume_login`."""
        server = yield from self.find_server(now)
        return identity_at(self.config, server, redirect_uri)

    def default_scope(self, now: int) -> Flow[tuple[str, ...]]:
        """Return the scope of a login that names none; for `resume_login`."""
        server = yield from self.find_server(now)
        return scope_at(self.config, server.metadata)

    def finish_login(self, callback_url: str, login: PendingLogin, now: int) -> Flow[Tokens]:
        """Return the tokens of a login; see `Client.finish_login`.

        The order: form, state, age, provider, `iss`, error, code. Nothing is sent before
        all of them hold, and a login is exchanged once.
        """
        parameters, response = _parse_callback(callback_url)
        if not response.state:
            raise state_error("state_missing", "the callback has no state")
        if not same_secret(response.state, login.state):
            raise state_error("state_mismatch", "the state is not the one of this login")
        age = now - login.started_at
        if age > self.config.login_lifetime:
            raise state_error(
                "state_expired",
                f"the login began {age} s ago, {self.config.login_lifetime} s are allowed",
            )
        if (login.provider.issuer, login.provider.client_id) != (
            self.config.issuer,
            self.config.client_id,
        ):
            raise other_provider()
        server = yield from self.find_server(now)
        if login.provider != identity_at(self.config, server, login.provider.redirect_uri):
            raise other_provider()
        answer = check_callback(
            response,
            expected_state=login.state,
            expected_iss=expected_callback_issuer(
                self.config.provider, server.metadata.issuer, response.iss
            )
            or None,
            iss_required=self.config.iss_required
            or server.metadata.authorization_response_iss_parameter_supported,
            endpoint=server.metadata.authorization_endpoint,
            redirect_uri=login.provider.redirect_uri,
        )
        self._claim(login)
        tokens = yield from exchange_code(
            self.config, server, self._keys_of(server), answer=answer, login=login, now=now
        )
        tokens = add_callback(self.config, parameters, tokens)
        yield from ask(Report(logging.INFO, "login finished", _about(tokens)))
        return tokens

    def refresh(self, tokens: Tokens, now: int) -> Flow[Tokens]:
        """Return new tokens for `tokens`; see `Client.refresh`."""
        self.check_own(tokens)
        latest = self.lineage.latest(tokens)
        is_newer = latest is not tokens and not self.lineage.has_ended(latest)
        if is_newer and not latest.is_due(now):
            return latest
        # Tokens of the client's own have no refresh token: they are asked for again.
        spent = latest.access_token if latest.grant_type else refresh_token_of(latest)
        key = f"refresh {spent.digest().hex()}"
        flight = SingleFlight(key, lambda: self._refresh(latest, now), finishes=True)
        return (yield from ask(flight))

    def _refresh(self, tokens: Tokens, now: int) -> Flow[Tokens]:
        """Refresh, unless the flight before this one has just done so."""
        latest = self.lineage.latest(tokens)
        if latest is not tokens:
            return latest
        if self.lineage.has_ended(tokens):
            raise login_required("the tokens were revoked", code="tokens_revoked")
        server = yield from self.find_server(now)
        if tokens.grant_type:
            from codegrant.client.client_credentials import ask_again

            new = yield from ask_again(self.config, server, tokens, now)
        else:
            new = yield from refresh_tokens(self.config, server, self._keys_of(server), tokens, now)
        if not self.lineage.add(tokens, new):
            yield from self.revoke_quietly(new, now)
            raise login_required("the tokens were revoked meanwhile", code="tokens_revoked")
        yield from ask(Report(logging.INFO, "tokens refreshed", _about(new)))
        return new

    def client_credentials(self, request: ClientCredentialsRequest, now: int) -> Flow[Tokens]:
        """Return tokens of the client itself; see `Client.client_credentials`."""
        from codegrant.client.client_credentials import ask_for_client

        if not request.resource and not request.audience:
            request = request._replace(resource=self.config.resource)
        server = yield from self.find_server(now)
        tokens = yield from ask_for_client(self.config, server, request, now)
        yield from ask(Report(logging.INFO, "client tokens issued", _about(tokens)))
        return tokens

    def start_device_login(
        self, scope: tuple[str, ...] | None, resource: tuple[str, ...], now: int
    ) -> Flow[DeviceLogin]:
        """Return a new login on another device; see `Client.start_device_login`."""
        from codegrant.client.device import start_device_login

        server = yield from self.find_server(now)
        wanted = scope_at(self.config, server.metadata) if scope is None else scope
        resource = resource or self.config.resource
        return (yield from start_device_login(self.config, server, wanted, resource, now))

    def finish_device_login(self, login: DeviceLogin, clock: Callable[[], float]) -> Flow[Tokens]:
        """Return the tokens of such a login; see `Client.finish_device_login`."""
        from codegrant.client.device import finish_device_login

        server = yield from self.find_server(int(clock()))
        tokens = yield from finish_device_login(
            self.config, server, self._keys_of(server), login, clock
        )
        yield from ask(Report(logging.INFO, "login finished", _about(tokens)))
        return tokens

    def exchange_token(self, request: TokenExchangeRequest, now: int) -> Flow[ExchangedToken]:
        """Return what the server gives for a token; see `Client.exchange_token`."""
        from codegrant.client.token_exchange import exchange_token

        server = yield from self.find_server(now)
        return (yield from exchange_token(self.config, server, request, now))

    def find_resource(self, url: str) -> Flow[ResourceMetadata]:
        """Return what an API says of itself; see `Client.find_resource`."""
        from codegrant.client.protected_resource import find_resource

        return (yield from find_resource(self.config, url))

    def revoke(self, tokens: Tokens, now: int) -> Flow[None]:
        """Make `tokens` worthless; see `Client.revoke`."""
        from codegrant.client.revocation import revoke_tokens

        self.check_own(tokens)
        latest = self.lineage.end(tokens)
        try:
            server = yield from self.find_server(now)
            yield from revoke_tokens(self.config, server, latest, now)
        except CodegrantError:
            self.lineage.resume(latest)
            raise
        yield from ask(Report(logging.INFO, "tokens revoked", _about(latest)))

    def revoke_quietly(self, tokens: Tokens, now: int) -> Flow[None]:
        """Revoke tokens that nobody wants any more, if the server lets us: a failure is logged."""
        try:
            yield from self.revoke(tokens, now)
        except CodegrantError as error:
            fields = _about(tokens)
            fields["code"] = error.code
            level = logging.INFO if error.code == "no_revocation" else logging.WARNING
            yield from ask(Report(level, "tokens could not be revoked", fields))

    def end_session_url(
        self, tokens: Tokens | None, post_logout_redirect_uri: str, state: str, now: int
    ) -> Flow[str | None]:
        """Return where the browser ends its session at the provider; None if nowhere.

        Args:
            tokens: of the login that ends; None when they are gone.
            post_logout_redirect_uri, state: see `client.logout.end_session_url`.
            now: epoch seconds.
        """
        from codegrant.client.logout import end_session_url

        server = yield from self.find_server(now)
        return end_session_url(
            self.config,
            server.metadata,
            id_token=None if tokens is None else tokens.id_token,
            post_logout_redirect_uri=post_logout_redirect_uri,
            state=state,
        )

    def verify_logout_token(self, raw_token: str, now: int) -> Flow[LogoutToken]:
        """Return whom the provider has signed out, as its logout token says."""
        from codegrant.client.logout import verify_logout_token

        server = yield from self.find_server(now)
        keys = self._keys_of(server)
        return (yield from verify_logout_token(self.config, server, keys, raw_token, now))

    def userinfo(self, tokens: Tokens, now: int) -> Flow[UserInfo]:
        """Return the claims of the userinfo endpoint; see `Client.userinfo`."""
        from codegrant.client.userinfo import fetch_userinfo

        self.check_own(tokens)
        server = yield from self.find_server(now)
        return (yield from fetch_userinfo(self.config, server, tokens, now))

    def identity(self, tokens: Tokens, now: int) -> Flow[Identity]:
        """Return who logged in; see `Client.identity`."""
        from codegrant.client.identity import fetch_identity

        self.check_own(tokens)
        server = yield from self.find_server(now)
        return (yield from fetch_identity(self.config, server, tokens, now))

    def find_identity(self, tokens: Tokens, now: int) -> Flow[Identity | None]:
        """Return who logged in; None when the login was one that identifies nobody."""
        from codegrant.client.identity import is_identifying

        if not is_identifying(self.config, tokens):
            return None
        return (yield from self.identity(tokens, now))

    def check_own(self, tokens: Tokens) -> None:
        """Check that `tokens` were issued to this client by this server.

        Raises:
            UsageError: they belong to another client or issuer.
        """
        if not self.config.owns(tokens):
            raise UsageError(
                "tokens: they were issued by another server or to another client",
                code="foreign_tokens",
                facts={"issuer": tokens.issuer, "expected": self.config.issuer},
            )

    def _keys_of(self, server: VerifiedServer) -> RemoteKeySet | None:
        uri = server.metadata.jwks_uri
        if not uri:
            return None
        found = self._key_sets.get(uri)
        if found is None:
            self._key_sets.clear()  # the address has changed: one is enough
            found = self._key_sets.setdefault(uri, RemoteKeySet(uri, guarded=self.config.guarded))
        return found

    def _claim(self, login: PendingLogin) -> None:
        """Let the first finish of a login pass; this process remembers the last few thousand."""
        mark = object()
        if self._used.setdefault(digest_of(login.state), mark) is not mark:
            raise state_error("state_already_used", "this login was finished before")
        if len(self._used) > 2 * _REMEMBERED_LOGINS:
            for oldest in list(self._used)[:_REMEMBERED_LOGINS]:
                self._used.pop(oldest, None)


def _about(tokens: Tokens) -> dict[FieldName, str | int]:
    """Return what a report says about tokens."""
    fields: dict[FieldName, str | int] = {"issuer": tokens.issuer, "client_id": tokens.client_id}
    if tokens.missing_scope:
        fields["missing_scope"] = " ".join(sorted(tokens.missing_scope))
    return fields


def _parse_callback(
    callback_url: str,
) -> tuple[Parameters, AuthorizationResponse | AuthorizationErrorResponse]:
    """Return the parameters in a callback's URL, and the authorization response that they are."""
    address, _, query = callback_url.strip().partition("#")[0].partition("?")
    try:
        urlsplit(address)  # refuses what is no URL, and knows the address from the login before
        parameters = Parameters.parse(query)
        return parameters, parse_authorization_response(parameters)
    except (MessageError, ValueError) as error:
        reason = error.message if isinstance(error, MessageError) else "it is no URL"
        code = error.code if isinstance(error, MessageError) else "malformed_callback"
        raise CallbackRejected(
            f"the callback is malformed: {reason}",
            code=code,
            stage="callback",
            hint="pass the whole address that the browser asked for, with its query",
        ) from None
