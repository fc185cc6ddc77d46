"""Resource indicators: the API that a token is for. Layer: rules. RFC 8707."""

from __future__ import annotations

from collections.abc import Sequence

from codegrant.errors import MessageError, OAuthError
from codegrant.rules.uri import parse_uri

__all__ = ["check_resource", "single_resource"]


def check_resource(uri: str) -> None:
    """Check that `uri` can name a resource: absolute and without fragment.

    Raises:
        OAuthError: `invalid_target`.

    RFC 8707 §2.
    """
    try:
        parts = parse_uri(uri)
    except MessageError as error:
        raise _refused(error.message) from None
    if parts.fragment is not None:
        raise _refused("a fragment")
    if not (parts.host or parts.path):
        raise _refused("nothing after the scheme")


def single_resource(uris: Sequence[str]) -> str | None:
    """Return the one resource that is named, None when there is none.

    Raises:
        OAuthError: `invalid_target`: one of them can name no resource, or they differ.

    RFC 8707 §2: more than one may be refused; an access token here has one audience (D19).
    """
    for uri in uris:
        check_resource(uri)
    if len(set(uris)) > 1:
        raise OAuthError("invalid_target", "one resource per access token")
    return uris[0] if uris else None


def _refused(reason: str) -> OAuthError:
    return OAuthError(
        "invalid_target", "resource must be an absolute URI without fragment", reason=reason
    )
