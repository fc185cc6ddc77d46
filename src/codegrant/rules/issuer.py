"""Issuers and the addresses of their metadata. Layer: rules.

RFC 8414 §2, §3.1; OpenID Connect Discovery §4.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from codegrant.errors import CodegrantError, UsageError
from codegrant.rules.uri import check_https_or_loopback, parse_uri, short

__all__ = ["check_issuer", "oauth_authorization_server_url", "openid_configuration_url"]


def check_issuer(issuer: str, *, error: Callable[[str], CodegrantError] = UsageError) -> None:
    """Check that `issuer` can be one.

    Args:
        issuer: https, or http on loopback, without query and fragment; it may have a path.
        error: makes the error of a message.

    Raises:
        UsageError: or what `error` makes.

    RFC 8414 §2. Stricter: no empty and no dot segment in the path, since the addresses of
    the metadata are made from it.
    """
    check_https_or_loopback(issuer, name="issuer", error=error)
    uri = parse_uri(issuer)
    if uri.query is not None:
        raise error(f"issuer: {short(issuer)} has a query")
    segments = [unquote(segment) for segment in uri.path[1:].removesuffix("/").split("/")]
    if uri.path not in {"", "/"} and not {"", ".", ".."}.isdisjoint(segments):
        raise error(f"issuer: {short(issuer)} has an empty or a dot segment in its path")


def openid_configuration_url(issuer: str) -> str:
    """Return the address that is appended to the issuer. OpenID Connect Discovery §4."""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


def oauth_authorization_server_url(issuer: str) -> str:
    """Return the address that is inserted before the issuer's path. RFC 8414 §3.1."""
    uri = parse_uri(issuer)
    path = uri.path.removesuffix("/")
    scheme = issuer.partition(":")[0]
    return f"{scheme}://{uri.authority}/.well-known/oauth-authorization-server{path}"
