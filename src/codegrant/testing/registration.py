"""What a provider of a test knows of an application. Layer: testing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codegrant.client.configuration import ClientConfig
from codegrant.errors import UsageError
from codegrant.secret import digest_of
from codegrant.server.records import AuthMethod, ClientRecord
from codegrant.testing.personas import Person, Persona

__all__ = [
    "ClientCredentials",
    "Configured",
    "client_record",
    "make_persona",
    "read_configuration",
    "words",
]

_SCOPE = ("openid", "profile", "email", "offline_access")
_GRANTS = ("authorization_code", "refresh_token")
_METHODS: Mapping[str | None, AuthMethod] = {
    None: "client_secret_basic",
    "client_secret_basic": "client_secret_basic",
    "client_secret_post": "client_secret_post",
    "none": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What a registered client knows of itself.

    Attributes:
        client_secret: None for a public client.
        redirect_uri: the first one.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str


class Configured(NamedTuple):
    """How an application authenticates and where people come back to it."""

    client_secret: str | None
    auth_method: AuthMethod
    redirect_uris: tuple[str, ...]


def words(text: str | Sequence[str]) -> tuple[str, ...]:
    """Return scope tokens, given as one text or one by one."""
    return tuple(text.split()) if isinstance(text, str) else tuple(text)


def client_record(
    client_id: str,
    *,
    client_secret: str | None,
    auth_method: AuthMethod,
    redirect_uris: tuple[str, ...],
    scope: tuple[str, ...],
    audiences: tuple[str, ...],
    ask_for_consent: bool,
    native: bool,
    now: int,
) -> ClientRecord:
    """Return the record of a client; without a secret it is public."""
    public = client_secret is None
    return ClientRecord(
        client_id=client_id,
        client_name=client_id,
        secret_digest=None if client_secret is None else digest_of(client_secret),
        token_endpoint_auth_method="none" if public else auth_method,
        application_type="native" if native else "web",
        redirect_uris=redirect_uris,
        grant_types=_GRANTS if public else (*_GRANTS, "client_credentials"),
        scope=tuple(dict.fromkeys((*_SCOPE, *scope))),
        audiences=audiences,
        skip_consent=not ask_for_consent,
        created_at=now,
        updated_at=now,
    )


def read_configuration(
    config: ClientConfig, issuer: str, redirect_uri: str | Sequence[str] | None
) -> Configured:
    """Return what a client's configuration says of the application that it speaks for.

    Args:
        issuer: of the provider where it is to be registered.
        redirect_uri: instead of the client's own.

    Raises:
        UsageError: it is of another issuer, has no redirect URI, or needs what the server does
            not know.
    """
    if config.issuer != issuer:
        raise UsageError(
            f"client: its issuer is {config.issuer!r}, the provider's is {issuer!r}",
            hint="give the provider the issuer of the application, see codegrant_issuer",
        )
    uris = redirect_uri or config.redirect_uri
    if not uris:
        raise UsageError("redirect_uri: the client has none of its own, so give it here")
    secret, asked = config.client_secret, config.token_endpoint_auth_method
    if secret is None and config.client_key is not None:
        asked = "private_key_jwt"
    method = _METHODS.get(asked)
    unknown = _unknown_to_the_server(config) if method else asked
    if method is None or unknown:
        raise UsageError(f"client: the server in tests knows no {unknown}")
    return Configured(
        None if secret is None else secret.reveal(),
        method,
        (uris,) if isinstance(uris, str) else tuple(uris),
    )


def _unknown_to_the_server(config: ClientConfig) -> str:
    """Return what a client insists on and the server does not have, or nothing."""
    if config.dpop:
        return "DPoP"
    if config.signed_requests:
        return "signed requests"
    return "pushed requests" if config.pushed_requests else ""


def make_persona(
    config: ClientConfig,
    redirect_uri: str | None,
    *,
    person: object,
    variables: Mapping[str, str] | None,
    clock: Callable[[], float],
) -> Persona:
    """Return the persona of a client's provider, where that client is registered.

    Raises:
        UsageError: the provider is not a known one, there is no redirect URI, or no secret, or
            `person` is somebody of another provider.
    """
    uri = redirect_uri or config.redirect_uri
    if config.provider is None:
        raise UsageError(
            f"client: {config.issuer!r} is no provider of the catalogue, and has no persona"
        )
    if uri is None:
        raise UsageError("redirect_uri: the client has none of its own, so give it here")
    if not isinstance(person, Person | None):
        raise UsageError(
            f"person: a persona knows no {type(person).__name__}",
            hint="codegrant.testing.personas.Person(email=..., name=...)",
        )
    secret, signed = config.client_secret, config.signed_secret
    needs_secret = config.provider.auth_method != "none"
    if secret is None and signed is None and needs_secret:
        raise UsageError(f"client: at {config.provider.id} a client needs a secret")
    return Persona(
        config.provider.id,
        client_id=config.client_id,
        client_secret=signed.key.to_pem().decode() if signed else secret.reveal() if secret else "",
        redirect_uri=uri,
        person=person,
        variables={**config.provider.variables, **(variables or {})},
        clock=clock,
    )
