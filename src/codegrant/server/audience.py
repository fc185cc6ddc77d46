"""Whom an access token is for, and which scope fits that audience (D19). Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.server.effects import FindResource, FindResourceScopes
from codegrant.server.records import ClientRecord

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["ISSUER_SCOPES", "resolve_audience"]

ISSUER_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
"""Scopes of the issuer itself, good with any audience (D19). All of them concern a person."""


def resolve_audience(
    server: AuthorizationServer,
    client: ClientRecord,
    resource_uri: str | None,
    scope: tuple[str, ...],
) -> Flow[tuple[str, tuple[str, ...]]]:
    """Return the audience and what of `scope` goes with it.

    Args:
        resource_uri: one of the client's audiences, as asked for; None for its first one.
        scope: as far as the client is registered for it.

    Raises:
        OAuthError: `invalid_target`, the resource is gone; `invalid_scope`, all of the scope
            belongs to other resources.

    RFC 8707 §2.
    """
    audience = server.policy.issuer
    resource = None
    if resource_uri is not None:
        audience = resource_uri
        resource = yield from ask(FindResource(audience))
        if resource is None:
            raise OAuthError("invalid_target", "the resource is not known for this client")
    elif client.audiences:
        audience = client.audiences[0]
    if ISSUER_SCOPES.issuperset(scope):
        return audience, scope
    if resource is None and audience != server.policy.issuer:
        resource = yield from ask(FindResource(audience))
    fit = ISSUER_SCOPES if resource is None else ISSUER_SCOPES.union(resource.scope)
    others = tuple(token for token in scope if token not in fit)
    # A scope that another resource lists is granted only for that resource.
    foreign = (yield from ask(FindResourceScopes(others))) if others else frozenset[str]()
    left = tuple(token for token in scope if token not in foreign)
    if not left:
        raise OAuthError("invalid_scope", "the scope belongs to another resource")
    return audience, left
