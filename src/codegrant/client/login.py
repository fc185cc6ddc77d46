"""What a program may ask for at the start of a login, and the request made of it. Layer: client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from codegrant.client.authorization_requests import prepare_request
from codegrant.client.configuration import ClientConfig, parse_scope_argument
from codegrant.client.known_provider import (
    authorization_url,
    default_scope,
    request_parameters,
    scope_parameter,
)
from codegrant.client.pending import (
    PendingLogin,
    ProviderIdentity,
    code_verifier_of,
    dpop_key_of,
    login_id_of,
    nonce_of,
)
from codegrant.client.proofs import proof_alg
from codegrant.errors import MetadataRejected, UsageError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import base64url
from codegrant.messages.authorization import AuthorizationRequest
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers import Quirk
from codegrant.rules.metadata import VerifiedServer
from codegrant.rules.pkce import challenge_of
from codegrant.rules.uri import check_https_or_loopback
from codegrant.sealing import KeyRing
from codegrant.secret import Secret

__all__ = [
    "LoginOptions",
    "LoginRequest",
    "SealedState",
    "identity_at",
    "make_login_request",
    "scope_at",
    "start_login",
]

# What Codegrant itself puts into the request: `extra` can neither replace nor repeat it.
_OWN = frozenset({
    "acr_values", "claims", "client_assertion", "client_assertion_type", "client_id",
    "client_secret", "code_challenge", "code_challenge_method", "code_verifier", "dpop_jkt",
    "login_hint", "max_age", "nonce", "prompt", "redirect_uri", "request", "request_uri",
    "resource", "response_mode", "response_type", "scope", "state", "ui_locales",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """What a login asks for in particular.

    Attributes:
        scope: instead of the client's: one text with spaces, or a sequence.
        prompt: e.g. `login`, `consent`, `select_account` or `none`.
        max_age: seconds since the person last gave a password; checked at the end.
        login_hint: who is expected to log in, e.g. an e-mail address.
        acr_values: authentication contexts, the preferred one first.
        acr_essential: whether the login fails without one of `acr_values`.
        ui_locales: languages, the preferred one first.
        resource: the APIs that the access token is for, instead of the client's. RFC 8707.
        claims: the `claims` parameter. OpenID Connect Core §5.5.
        extra: parameters that only this server knows.

    OpenID Connect Core §3.1.2.1.
    """

    scope: str | Sequence[str] | None = None
    prompt: str | None = None
    max_age: int | None = None
    login_hint: str | None = None
    acr_values: str | Sequence[str] = ()
    acr_essential: bool = False
    ui_locales: str | Sequence[str] = ()
    resource: str | Sequence[str] = ()
    claims: Mapping[str, object] | None = None
    extra: Mapping[str, str] | None = None

    def request(
        self, *, redirect_uri: str | None = None, return_to: str | None = None
    ) -> LoginRequest:
        """Return the request of these options.

        Raises:
            UsageError: names the option that is not allowed.
        """
        return make_login_request(
            redirect_uri=redirect_uri,
            scope=self.scope,
            prompt=self.prompt,
            max_age=self.max_age,
            login_hint=self.login_hint,
            acr_values=self.acr_values,
            acr_essential=self.acr_essential,
            ui_locales=self.ui_locales,
            resource=self.resource,
            claims=self.claims,
            extra=self.extra,
            return_to=return_to,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """The arguments of `Client.start_login`, checked; see `LoginOptions`."""

    redirect_uri: str | None = None
    scope: tuple[str, ...] | None = None
    prompt: str | None = None
    max_age: int | None = None
    login_hint: str | None = None
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    ui_locales: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    claims: Mapping[str, object] | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    return_to: str | None = None

    def __post_init__(self) -> None:
        """Check each value by itself.

        Raises:
            UsageError: names the argument.
        """
        if self.max_age is not None and self.max_age < 0:
            raise UsageError(f"max_age: {self.max_age} is negative; seconds are expected")
        if not _OWN.isdisjoint(self.extra):
            taken = ", ".join(sorted(_OWN & self.extra.keys()))
            raise UsageError(f"extra: {taken} cannot be set there", code="own_parameter")


class SealedState(NamedTuple):
    """How a web login wants its `state`: sealed, to be explained and restarted later.

    Attributes:
        key_ring: the application's keys.
        origin: where the login begins, e.g. `https://app.example`.
        user_agent: of the browser in which it begins.
    """

    key_ring: KeyRing
    origin: str
    user_agent: str = ""


def make_login_request(
    *,
    redirect_uri: str | None,
    scope: str | Sequence[str] | None,
    prompt: str | None,
    max_age: int | None,
    login_hint: str | None,
    acr_values: str | Sequence[str],
    acr_essential: bool,
    ui_locales: str | Sequence[str],
    resource: str | Sequence[str],
    claims: Mapping[str, object] | None,
    extra: Mapping[str, str] | None,
    return_to: str | None,
) -> LoginRequest:
    """Return the request of a façade's arguments.

    Raises:
        UsageError: names the argument.
    """
    return LoginRequest(
        redirect_uri=redirect_uri,
        scope=None if scope is None else parse_scope_argument(scope),
        prompt=prompt,
        max_age=max_age,
        login_hint=login_hint,
        acr_values=_words(acr_values),
        acr_essential=acr_essential,
        ui_locales=_words(ui_locales),
        resource=(resource,) if isinstance(resource, str) else tuple(resource),
        claims=claims,
        extra=extra or {},
        return_to=return_to,
    )


def start_login(
    config: ClientConfig,
    server: VerifiedServer,
    request: LoginRequest,
    now: int,
    sealed_state: SealedState | None = None,
) -> Flow[PendingLogin]:
    """Return a new pending login with the URL to send the browser to.

    Raises:
        UsageError: the request does not fit the configuration or the server.
        Refused, ResponseRejected, TransportError: see `prepare_request`.

    OAuth 2.1 §4.1.1; OpenID Connect Core §3.1.2.1; RFC 7636 §4.3.
    """
    provider = identity_at(config, server, request.redirect_uri)
    endpoint = _endpoint(server.metadata, "authorization_endpoint")
    scope = scope_at(config, server.metadata, request.scope)
    resource = request.resource or config.resource
    openid = config.is_openid(scope)
    _check_openid(server.metadata, openid=openid)
    seed = yield from ask(RandomBytes(32))
    if sealed_state is None:
        state = base64url.encode((yield from ask(RandomBytes(32))))
    else:
        from codegrant.client.state import LoginState, browser_digest

        state = LoginState(
            login_id=login_id_of(seed),
            started_at=now,
            origin=sealed_state.origin,
            return_to=request.return_to,
            browser=browser_digest(sealed_state.user_agent),
        ).seal(sealed_state.key_ring)
    challenge: str | None = None
    if config.sends_pkce(server.metadata):
        challenge = challenge_of(code_verifier_of(seed).reveal())
    key = dpop_key_of(seed, proof_alg(server.metadata)) if config.dpop else None
    message = AuthorizationRequest(
        client_id=config.client_id,
        response_type="code",
        redirect_uri=provider.redirect_uri,
        scope=scope_parameter(config, scope),
        state=state,
        response_mode=config.response_mode,
        nonce=nonce_of(seed) if openid and not config.has(Quirk.NO_NONCE) else None,
        code_challenge=challenge,
        code_challenge_method=challenge and "S256",
        prompt=request.prompt,
        max_age=None if request.max_age is None else str(request.max_age),
        login_hint=request.login_hint,
        acr_values=" ".join(request.acr_values) or None,
        ui_locales=" ".join(request.ui_locales) or None,
        claims=_claims_parameter(request.claims),
        dpop_jkt=None if key is None else key.public.thumbprint,
        resource=resource,
    )
    pairs = request_parameters(config, message, request.extra.items())
    front = yield from prepare_request(config, server.metadata, pairs, key, now)
    return PendingLogin(
        url=authorization_url(config, endpoint, front.pairs),
        url_expires_at=front.expires_at,
        state=state,
        seed=Secret(base64url.encode(seed)),
        provider=provider,
        started_at=now,
        scope=scope,
        resource=resource,
        max_age=request.max_age,
        acr_values=request.acr_values,
        acr_essential=request.acr_essential,
        return_to=request.return_to,
    )


def identity_at(
    config: ClientConfig, server: VerifiedServer, redirect_uri: str | None = None
) -> ProviderIdentity:
    """Return whom a login with this client at this server is with.

    Args:
        config: of the client.
        server: its server.
        redirect_uri: of this login, or `None` for the configured one.

    Raises:
        UsageError: there is no redirect URI, or it is not absolute, or has a fragment, or is not
            https where it must be.
        MetadataRejected: the server has no token endpoint.
    """
    chosen = redirect_uri or config.redirect_uri
    if chosen is None:
        raise UsageError("redirect_uri: it is neither configured nor given", code="no_redirect_uri")
    if not urlsplit(chosen).scheme or "#" in chosen:
        raise UsageError(
            f"redirect_uri: {chosen!r} is not an absolute URI without fragment",
            code="bad_redirect_uri",
        )
    if config.redirect_https:
        check_https_or_loopback(chosen, name="redirect_uri")
    return ProviderIdentity(
        issuer=server.metadata.issuer or "",
        client_id=config.client_id,
        redirect_uri=chosen,
        token_endpoint=_endpoint(server.metadata, "token_endpoint"),
    )


def scope_at(
    config: ClientConfig, metadata: ServerMetadata, requested: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the scope of a login: of the call, else of the configuration, else the default.

    At a known provider the catalogue has the default. At any other OpenID provider it is
    `openid profile email`, as far as its metadata lists them, and `offline_access` if listed;
    elsewhere there is none.
    """
    if requested is not None:
        return parse_scope_argument(requested)
    if config.scope is not None:
        return config.scope
    if config.provider is not None:
        return default_scope(config, config.provider)
    listed = metadata.scopes_supported
    if not metadata.jwks_uri or (listed and "openid" not in listed):
        return ()
    wanted = ("openid", "profile", "email")
    offline = ("offline_access",) if "offline_access" in listed else ()
    return tuple(name for name in wanted if not listed or name in listed) + offline


def _endpoint(
    metadata: ServerMetadata, name: Literal["authorization_endpoint", "token_endpoint"]
) -> str:
    """Return an endpoint that every login needs. RFC 8414 §2."""
    url = (
        metadata.authorization_endpoint
        if name == "authorization_endpoint"
        else metadata.token_endpoint
    )
    if not url:
        raise MetadataRejected(
            f"{name}: the server's metadata has none",
            code="endpoint_missing",
            stage="discovery",
            hint="it is needed for the authorization code grant",
        )
    return url


def _check_openid(metadata: ServerMetadata, *, openid: bool) -> None:
    if openid and not (metadata.issuer and metadata.jwks_uri):
        raise UsageError(
            "scope: openid needs a server with issuer and jwks_uri, or its ID token could not be "
            "verified",
            code="no_keys",
            hint="give the issuer for discovery, or add jwks_uri to ServerMetadata(...)",
        )


def _claims_parameter(claims: Mapping[str, object] | None) -> str | None:
    return None if claims is None else json.dumps(claims, separators=(",", ":"))


def _words(value: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(value.split()) if isinstance(value, str) else tuple(value)
