"""Resource indicators: the API that a token is for. Layer: rules. RFC 8707."""

from __future__ import annotations

from codegrant.errors import MessageError, OAuthError
from codegrant.rules.uri import parse_uri

__all__ = ["check_resource"]


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


def _refused(reason: str) -> OAuthError:
    return OAuthError(
        "invalid_target", "resource must be an absolute URI without fragment", reason=reason
    )
