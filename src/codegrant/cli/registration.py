"""Clients and resource servers as an operator describes them: judged, built, shown.

Names on the outside are those of RFC 7591; what it has no name for is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from codegrant.accounts.subjects import check_client_id
from codegrant.cli.output import JsonObject
from codegrant.errors import ConfigurationError, MessageError, MetadataRejected, OAuthError
from codegrant.jose import parse_public_keys
from codegrant.messages.json import JsonValue, build_json, parse_object
from codegrant.rules.redirect_uri import check_redirect_uri_registration
from codegrant.rules.resource_indicator import check_resource
from codegrant.rules.scope import format_scope, parse_scope
from codegrant.rules.uri import check_https_or_loopback
from codegrant.server.client_authentication import AUTH_METHODS
from codegrant.server.keys import SIGNING_ALGORITHMS
from codegrant.server.records import AuthMethod, ClientRecord, ResourceRecord

__all__ = [
    "DEFAULT_GRANT_TYPES",
    "GRANT_TYPES",
    "ClientChanges",
    "change_client",
    "check_audience",
    "check_id",
    "default_scope_for",
    "parse_scope_option",
    "show_client",
    "show_resource",
]

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
DEFAULT_GRANT_TYPES = ("authorization_code", "refresh_token")
_DEFAULT_SCOPE = ("openid", "profile", "email")
_MOST_NAME = 200

# 1*VSCHAR without the space. RFC 6749 appendix A.1
_ID = re.compile(r"[\x21-\x7e]{1,255}")

# Members of RFC 7591 that a flag sets, or that only the server does.
_FLAG_OF: Mapping[str, str] = {
    "redirect_uris": "--redirect-uri",
    "application_type": "--native",
    "scope": "--scope",
    "grant_types": "--grant",
    "token_endpoint_auth_method": "--auth-method",
    "id_token_signed_response_alg": "--id-token-alg",
    "jwks": "--jwks",
    "client_name": "--name",
}
_OURS = frozenset(
    {
        "client_id",
        "client_secret",
        "client_id_issued_at",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
        "response_types",
        "default_scope",
        "audiences",
        "require_pkce",
        "skip_consent",
        "enabled",
        "updated_at",
    }
)


@dataclass(frozen=True, kw_only=True)
class ClientChanges:
    """What an operator says about a client; None for what stays as it is.

    Attributes:
        jwks: the text of a JWK Set.
        metadata: the text of a JSON object, RFC 7591 members without a flag.
    """

    redirect_uris: tuple[str, ...] | None = None
    native: bool | None = None
    scope: str | None = None
    default_scope: str | None = None
    grant_types: tuple[str, ...] | None = None
    auth_method: str | None = None
    id_token_alg: str | None = None
    require_pkce: bool | None = None
    skip_consent: bool | None = None
    audiences: tuple[str, ...] | None = None
    jwks: bytes | None = None
    name: str | None = None
    metadata: bytes | None = None
    enabled: bool | None = None


def change_client(client: ClientRecord, changes: ClientChanges, now: int) -> ClientRecord:
    """Return `client` with the changes, all of it judged.

    Raises:
        ConfigurationError: a value that is not allowed.
    """
    # Any: one mapping for attributes of many types; ClientRecord's own types are checked below.
    new: dict[str, Any] = {
        "redirect_uris": changes.redirect_uris,
        "require_pkce": changes.require_pkce,
        "skip_consent": changes.skip_consent,
        "enabled": changes.enabled,
        "client_name": changes.name,
        "audiences": changes.audiences,
        "updated_at": now,
    }
    if changes.native is not None:
        new["application_type"] = "native" if changes.native else "web"
    if changes.grant_types is not None:
        new["grant_types"] = _each_of("grant", changes.grant_types, GRANT_TYPES)
    if changes.auth_method is not None:
        new["token_endpoint_auth_method"] = _auth_method(changes.auth_method)
    if changes.id_token_alg is not None:
        algorithms = _each_of("id-token-alg", (changes.id_token_alg,), SIGNING_ALGORITHMS)
        new["id_token_signed_response_alg"] = algorithms[0]
    if changes.scope is not None:
        new["scope"] = parse_scope_option("scope", changes.scope)
    if changes.default_scope is not None:
        new["default_scope"] = (
            parse_scope_option("default-scope", changes.default_scope)
            if changes.default_scope
            else ()
        )
    if changes.jwks is not None:
        new["jwks"] = _jwks(changes.jwks)
    if changes.metadata is not None:
        new["metadata"] = {**client.metadata, **_metadata(changes.metadata)}
    changed = replace(client, **{name: value for name, value in new.items() if value is not None})
    _check(changed)
    return changed


def default_scope_for(grant_types: tuple[str, ...]) -> str:
    """Return what a new client may ask for when nobody says."""
    offline = ("offline_access",) if "refresh_token" in grant_types else ()
    return format_scope((*_DEFAULT_SCOPE, *offline))


def check_id(client_id: str) -> None:
    """Check the id of a new client or resource server. RFC 6749 appendix A.1."""
    if not _ID.fullmatch(client_id):
        raise ConfigurationError(
            f"id: {client_id[:100]!r} is not allowed, 1 to 255 printable ASCII characters "
            "without spaces are"
        )
    check_client_id(client_id)


def check_audience(audience: str) -> None:
    """Check that a resource server may have this audience. RFC 8707 §2."""
    try:
        check_resource(audience)
    except OAuthError:
        raise ConfigurationError(
            f"audience: {audience[:100]!r} is not allowed, an absolute URI without fragment is"
        ) from None


def parse_scope_option(name: str, text: str) -> tuple[str, ...]:
    """Return the tokens of a scope option."""
    try:
        return parse_scope(text)
    except OAuthError:
        raise ConfigurationError(
            f"{name}: {text[:100]!r} is not allowed, scope tokens parted by spaces are"
        ) from None


def show_client(client: ClientRecord, *, secret: str | None = None) -> JsonObject:
    """Return a client by the names of RFC 7591 §2.

    Args:
        secret: to be shown this once.
    """
    shown: dict[str, JsonValue] = {"client_id": client.client_id}
    if secret is not None:
        shown |= {"client_secret": secret, "client_secret_expires_at": 0}
    shown |= {
        "client_id_issued_at": client.created_at,
        "client_name": client.client_name,
        "application_type": client.application_type,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": ["code"] if "authorization_code" in client.grant_types else [],
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "id_token_signed_response_alg": client.id_token_signed_response_alg,
        "scope": format_scope(client.scope),
        "default_scope": format_scope(client.default_scope),
        "audiences": list(client.audiences),
        "require_pkce": client.require_pkce,
        "skip_consent": client.skip_consent,
        "enabled": client.enabled,
        "updated_at": client.updated_at,
    }
    if client.jwks:
        shown["jwks"] = cast("JsonValue", parse_object(client.jwks))
    return {**client.metadata, **shown}


def show_resource(resource: ResourceRecord, *, secret: str | None = None) -> JsonObject:
    """Return a resource server: its audience (RFC 8707), and what it authenticates with.

    Args:
        secret: to be shown this once.
    """
    shown: dict[str, JsonValue] = {
        "resource": resource.audience,
        "client_id": resource.resource_id,
    }
    if secret is not None:
        shown |= {"client_secret": secret, "client_secret_expires_at": 0}
    return {
        **shown,
        "client_id_issued_at": resource.created_at,
        "scope": format_scope(resource.scope),
        "updated_at": resource.updated_at,
    }


def _check(client: ClientRecord) -> None:
    """Check what hangs together. RFC 9700 §4.1.3."""
    if not client.redirect_uris and "authorization_code" in client.grant_types:
        raise ConfigurationError("redirect-uri: at least one is needed for authorization_code")
    for uri in client.redirect_uris:
        try:
            check_redirect_uri_registration(uri, native=client.application_type == "native")
        except OAuthError as error:
            raise ConfigurationError(f"redirect-uri: {error.description}") from None
    for audience in client.audiences:
        check_audience(audience)
    foreign = set(client.default_scope) - set(client.scope)
    if foreign:
        raise ConfigurationError(
            f"default-scope: {format_scope(sorted(foreign))!r} is not allowed, a part of scope is"
        )
    if client.is_public and not client.require_pkce:
        raise ConfigurationError("no-require-pkce: a public client always needs PKCE")
    if client.is_public and "client_credentials" in client.grant_types:
        raise ConfigurationError("grant: a public client has no credentials of its own")
    name = client.client_name
    if len(name) > _MOST_NAME or not name.isprintable() or name != name.strip():
        raise ConfigurationError(
            f"name: at most {_MOST_NAME} printable characters, trimmed, are allowed"
        )


def _each_of(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values, each once."""
    for value in values:
        if value not in allowed:
            raise ConfigurationError(
                f"{name}: {value[:100]!r} is not allowed, {' and '.join(allowed)} are"
            )
    return tuple(dict.fromkeys(values))


def _auth_method(value: str) -> AuthMethod:
    return cast("AuthMethod", _each_of("auth-method", (value,), AUTH_METHODS)[0])


def _jwks(text: bytes) -> str:
    """Return a JWK Set of public keys as it is stored. RFC 7517 §5."""
    try:
        keys = parse_object(text).get("keys")
        if not isinstance(keys, list) or not keys:
            raise ConfigurationError("jwks: an object with an array `keys` is allowed")
        for key in keys:
            if not isinstance(key, dict):
                raise ConfigurationError("jwks: an array of objects is allowed as `keys`")
            parse_public_keys(key)
    except (MessageError, MetadataRejected) as error:
        raise ConfigurationError(f"jwks: {error.message}") from None
    return build_json({"keys": keys}).decode()


def _metadata(text: bytes) -> dict[str, JsonValue]:
    """Return the members of a metadata file, none of which a flag or the server sets."""
    try:
        members = parse_object(text)
    except MessageError as error:
        raise ConfigurationError(f"metadata: {error.message}") from None
    for name, value in members.items():
        if name in _FLAG_OF:
            raise ConfigurationError(f"metadata: {name} is not allowed, {_FLAG_OF[name]} is for it")
        if name in _OURS:
            raise ConfigurationError(f"metadata: {name} is not allowed, it is not for you to set")
        for uri in value if isinstance(value, list) else [value]:
            # They end up as links on pages and as addresses to send things to.
            if name.partition("#")[0].endswith(("_uri", "_uris")):
                _check_uri(name, uri)
    return members


def _check_uri(name: str, value: JsonValue) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"metadata: {name} is not allowed to be anything but a URL")
    check_https_or_loopback(value, name=f"metadata: {name}", error=ConfigurationError)
