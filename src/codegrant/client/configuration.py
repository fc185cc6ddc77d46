"""The configuration of one client at one server: immutable, checked when made. Layer: client."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from codegrant.client.pending import LOGIN_LIFETIME
from codegrant.client.proofs import ProofNonces
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, OAuthError, UsageError
from codegrant.jose import ALGORITHMS, PrivateKey
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers import Provider, Quirk, SignedSecret
from codegrant.remote.posts import METHODS, ClientAuthentication, choose_method
from codegrant.rules.resource_indicator import check_resource
from codegrant.rules.scope import is_scope_token
from codegrant.rules.uri import check_https_or_loopback, origin_of
from codegrant.secret import Secret

if TYPE_CHECKING:
    from codegrant.remote.client_assertion import ClientKey

__all__ = ["ClientConfig", "make_config", "parse_scope_argument"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What a `Client` was given, checked.

    Attributes: those of `Client` that need more words; the others are as they stand there.
        client_key: of `private_key`.
        token_endpoint_auth_method: `client_secret_basic`, `client_secret_post`,
            `private_key_jwt` or `none`. By default what the server's metadata takes: the key
            first, since it never travels, then basic.
        scope: by default, at an OpenID provider, `openid profile email`, and
            `offline_access` if it is listed.
        response_mode: by default what the catalogue knows, else none is sent, and the callback
            comes in the address. OAuth 2.0 Form Post Response Mode.
        require_s256: whether a server that does not advertise S256 PKCE is refused. The
            challenge is sent in any case.
        token_endpoint_audience: whether an assertion is made for the token endpoint, at a
            server that refuses one for its issuer. Another server that this client uses
            could pass such a one on.
        resource: the APIs that access tokens are for, unless a call names others. RFC 8707.
        pushed_requests: whether an authorization request goes to the server first, and the
            browser brings only its name (RFC 9126). By default wherever the server offers or
            requires it; True insists on it, False does without.
        signed_requests: whether it is signed with the key (RFC 9101); where the server
            requires it, it always is.
        guarded: whether the server must live at public addresses.
        provider: what the catalogue knows of the server, if it knows it.
        offline: whether a refresh token is asked for in the provider's own way.
        dpop: whether tokens are bound to a key that is drawn for each login, and an answer
            without such a binding is refused (RFC 9449).
        iss_required: whether a callback must name its issuer although the server's metadata does
            not promise it (RFC 9207).
        redirect_https: whether a redirect URI must be https, or http on loopback.
        nonces: what each origin wants in its proofs.
    """

    server: str | ServerMetadata
    client_id: str
    client_secret: Secret | None = field(default=None, repr=False)
    client_key: ClientKey | None = None
    token_endpoint_auth_method: str | None = None
    redirect_uri: str | None = None
    scope: tuple[str, ...] | None = None
    response_mode: str | None = None
    api_origins: frozenset[str] = frozenset()
    id_token_algs: tuple[str, ...] = ()
    leeway: int = 60
    login_lifetime: int = LOGIN_LIFETIME
    require_s256: bool = True
    token_endpoint_audience: bool = False
    resource: tuple[str, ...] = ()
    pushed_requests: bool | None = None
    signed_requests: bool = False
    guarded: bool = False
    provider: Provider | None = None
    offline: bool = False
    dpop: bool = False
    iss_required: bool = False
    redirect_https: bool = False
    nonces: ProofNonces = field(default_factory=ProofNonces, compare=False, repr=False)
    _authentication: list[tuple[ServerMetadata, ClientAuthentication]] = field(
        default_factory=list["tuple[ServerMetadata, ClientAuthentication]"],
        init=False,
        compare=False,
        repr=False,
    )

    def __post_init__(self) -> None:
        """Check each value by itself.

        Raises:
            ConfigurationError: names the argument, its value and what is allowed.
        """
        _check_text("client_id", self.client_id)
        method = self.token_endpoint_auth_method
        if method == "client_secret_jwt":
            raise ConfigurationError(
                f"token_endpoint_auth_method: {method} is left out on purpose: the server would "
                "have to keep the secret itself to verify it",
                hint="use private_key_jwt, or client_secret_basic",
            )
        if method is not None and method not in METHODS:
            raise ConfigurationError(
                f"token_endpoint_auth_method: {method!r} is none of {', '.join(METHODS)}"
            )
        if method == "private_key_jwt" and self.client_key is None:
            raise ConfigurationError(f"private_key: {method} needs one")
        has_secret = self.client_secret is not None or self.signed_secret is not None
        if method in {"client_secret_basic", "client_secret_post"} and not has_secret:
            raise ConfigurationError(f"client_secret: {method} needs one")
        if method == "none" and self.client_secret is not None:
            raise ConfigurationError(
                "client_secret: a client with a secret must use it; leave one of the two out: "
                "the secret for a public client, or the method"
            )
        if self.signed_requests and self.client_key is None:
            raise ConfigurationError("private_key: signed_requests needs one")
        if self.response_mode not in {None, "query", "form_post"}:
            raise ConfigurationError(
                f"response_mode: {self.response_mode!r} is neither query nor form_post"
            )
        for resource in self.resource:
            _check_resource(resource)
        if self.redirect_uri is not None:
            _check_text("redirect_uri", self.redirect_uri)
        for alg in self.id_token_algs:
            if alg not in ALGORITHMS:
                raise ConfigurationError(
                    f"id_token_algs: {alg!r} is none of {', '.join(ALGORITHMS)}"
                )
        # Below 10: the clock is read once, before the exchange, which may take that long.
        if not 10 <= self.leeway <= 60:
            raise ConfigurationError(f"leeway: {self.leeway} is outside 10 to 60 seconds")
        if not 30 <= self.login_lifetime <= 86_400:
            raise ConfigurationError(
                f"login_lifetime: {self.login_lifetime} is outside 30 to 86400 seconds"
            )

    @property
    def issuer(self) -> str:
        """The issuer; empty for a server described without one."""
        return self.server if isinstance(self.server, str) else self.server.issuer or ""

    @property
    def missing_s256(self) -> Literal["refuse", "report", "ignore"]:
        """What becomes of metadata without S256. Of a known provider the catalogue tells."""
        if self.provider is not None:
            return "ignore"
        return "refuse" if self.require_s256 else "report"

    @property
    def signed_secret(self) -> SignedSecret | None:
        """What the client secret is made from, where it is a JWT of the client's own."""
        return None if self.provider is None else self.provider.signed_secret

    def sends_pkce(self, metadata: ServerMetadata) -> bool:
        """Return whether a login has a code challenge: always, but at a few known providers."""
        if self.provider is None or self.provider.pkce == "always":
            return True
        listed = "S256" in metadata.code_challenge_methods_supported
        return self.provider.pkce == "if_listed" and listed

    @property
    def issuer_alias(self) -> str:
        """The second spelling of the issuer in an ID token; empty but at a known provider."""
        return "" if self.provider is None else self.provider.issuer_alias

    @property
    def issuer_template(self) -> str:
        """What the metadata says in the place of the issuer; empty but at a known provider."""
        tenants = None if self.provider is None else self.provider.tenants
        return "" if tenants is None else tenants.template

    def has(self, quirk: Quirk) -> bool:
        """Return whether the server is known to depart from the standards in this way."""
        return self.provider is not None and self.provider.has(quirk)

    def is_openid(self, scope: Collection[str]) -> bool:
        """Return whether a login with this scope ends with an ID token."""
        return "openid" in scope or self.has(Quirk.ID_TOKEN_UNASKED)

    @property
    def api_headers(self) -> tuple[tuple[str, str], ...]:
        """What the server's APIs want to see besides the token."""
        if self.provider is None:
            return ()
        headers = self.provider.api_headers
        named = ((name, text.replace("{client_id}", self.client_id)) for name, text in headers)
        return (*self.common_headers, *named)

    @property
    def common_headers(self) -> tuple[tuple[str, str], ...]:
        """What every endpoint of the server wants to see."""
        agent = "" if self.provider is None else self.provider.user_agent
        return (("user-agent", agent),) if agent else ()

    def authentication_at(
        self, metadata: ServerMetadata, methods: Sequence[str] = ()
    ) -> ClientAuthentication:
        """Return how this client authenticates at a server.

        Args:
            metadata: of the server.
            methods: what it lists for this endpoint, if not the same as for its token endpoint.

        Raises:
            ConfigurationError: it takes no method that this client can use.
        """
        for known, made in self._authentication:
            if known is metadata and not methods:
                return made
        made = self._authenticate_at(metadata, methods)
        if not methods:
            self._authentication[:] = [(metadata, made)]  # of the copy that is in use
        return made

    def _authenticate_at(
        self, metadata: ServerMetadata, methods: Sequence[str]
    ) -> ClientAuthentication:
        supported = tuple(methods) or metadata.token_endpoint_auth_methods_supported
        secret, key = self.client_secret, self.client_key
        return ClientAuthentication(
            client_id=self.client_id,
            method=choose_method(
                self.token_endpoint_auth_method, secret=secret, key=key, supported=supported
            ),
            secret=secret,
            key=key,
            audience=metadata.token_endpoint if self.token_endpoint_audience else metadata.issuer,
            algs=metadata.token_endpoint_auth_signing_alg_values_supported,
            supported=supported,
            guarded=self.guarded,
            signed_secret=self.signed_secret,
            headers=self.common_headers,
        )

    def owns(self, tokens: Tokens) -> bool:
        """Return whether `tokens` were issued to this client by this server.

        A server is known by its issuer, and without one by its token endpoint.
        """
        if (tokens.issuer, tokens.client_id) != (self.issuer, self.client_id):
            return False
        if self.issuer or isinstance(self.server, str):
            return True
        return tokens.token_endpoint == self.server.token_endpoint


def make_config(
    server: str | ServerMetadata | Provider,
    *,
    client_id: str,
    client_secret: str | Secret | None,
    private_key: str | Path | Secret | PrivateKey | None,
    private_key_id: str,
    token_endpoint_auth_method: str | None,
    redirect_uri: str | None,
    scope: str | Sequence[str] | None,
    response_mode: str | None,
    api_origins: Sequence[str],
    id_token_algs: Sequence[str],
    leeway: int,
    login_lifetime: int,
    untrusted_issuer: bool,
    require_s256: bool,
    token_endpoint_audience: bool,
    resource: str | Sequence[str],
    pushed_requests: bool | None,
    signed_requests: bool,
    offline: bool,
    dpop: bool,
) -> ClientConfig:
    """Return the configuration of a façade's arguments.

    Raises:
        ConfigurationError: an argument has a value that is not allowed.
        UsageError: a scope token is malformed.
    """
    _check_server(server)
    known = _find_provider(server)
    if client_secret == "":
        raise ConfigurationError("client_secret: it is empty; leave it out for a public client")
    if private_key_id and not private_key:
        raise ConfigurationError("private_key_id: there is no private_key that it could name")
    has_secret = client_secret is not None or (known is not None and known.signed_secret)
    if known is not None and token_endpoint_auth_method is None and has_secret:
        token_endpoint_auth_method = known.auth_method
    client_key: ClientKey | None = None
    if private_key is not None:
        from codegrant.remote.client_assertion import read_client_key

        client_key = read_client_key(private_key, private_key_id)
    return ClientConfig(
        server=known.server if known is not None else cast("str | ServerMetadata", server),
        client_id=client_id,
        client_secret=Secret(client_secret) if isinstance(client_secret, str) else client_secret,
        client_key=client_key,
        token_endpoint_auth_method=token_endpoint_auth_method,
        redirect_uri=redirect_uri,
        scope=None if scope is None else parse_scope_argument(scope),
        response_mode=response_mode or (known and known.response_mode) or None,
        api_origins=parse_origins(api_origins),
        id_token_algs=tuple(id_token_algs),
        leeway=leeway,
        login_lifetime=login_lifetime,
        require_s256=require_s256,
        token_endpoint_audience=token_endpoint_audience,
        resource=(resource,) if isinstance(resource, str) and resource else tuple(resource),
        pushed_requests=pushed_requests,
        signed_requests=signed_requests,
        guarded=untrusted_issuer or (known is not None and known.has(Quirk.HOST_CHOSEN)),
        provider=known,
        offline=offline,
        dpop=dpop or (known is not None and known.dpop),
    )


def parse_scope_argument(scope: str | Sequence[str]) -> tuple[str, ...]:
    """Return the scope tokens of an argument: one text with spaces, or a sequence.

    Raises:
        UsageError: a token is empty or has characters outside RFC 6749 §3.3.
    """
    tokens = filter(None, scope.split(" ")) if isinstance(scope, str) else scope
    found = tuple(dict.fromkeys(tokens))
    for token in found:
        if not is_scope_token(token):
            raise UsageError(f"scope: {token!r} is no scope token", code="bad_scope")
    return found


def parse_origins(origins: Sequence[str]) -> frozenset[str]:
    """Return the origins, checked: `https://host[:port]`, or http on loopback.

    Raises:
        ConfigurationError: one has a path, a query or another scheme.
    """
    if isinstance(origins, str):
        raise ConfigurationError("api_origins: a list of origins is expected, not one text")
    for origin in origins:
        check_https_or_loopback(origin, name="api_origins", error=ConfigurationError)
        if origin_of(origin) != origin.rstrip("/"):
            raise ConfigurationError(
                f"api_origins: {origin!r} is no origin; expected e.g. {origin_of(origin)!r}"
            )
    return frozenset(origin_of(origin) for origin in origins)


def _check_resource(resource: str) -> None:
    try:
        check_resource(resource)
    except OAuthError as error:
        raise ConfigurationError(f"resource: {resource!r}: {error.reason}") from None


def _check_server(server: object) -> None:
    """Check what may well come from the environment, where it may be missing."""
    if not isinstance(server, str | ServerMetadata | Provider):
        raise ConfigurationError(
            "server: an issuer, a provider or a ServerMetadata is needed, not "
            f"{type(server).__name__}"
        )


def _find_provider(server: str | ServerMetadata | Provider) -> Provider | None:
    """Return the known provider that an argument names; None for an issuer or metadata.

    Raises:
        ConfigurationError: a text that is no address is no provider's id either.
    """
    if isinstance(server, Provider):
        return server
    if not isinstance(server, str) or "://" in server:
        return None
    from codegrant.providers.catalogue import provider  # most programs name an issuer

    return provider(server)


def _check_text(name: str, value: str) -> None:
    if not value or value != value.strip() or not value.isprintable():
        raise ConfigurationError(f"{name}: {value!r} is empty or has spaces or control characters")
