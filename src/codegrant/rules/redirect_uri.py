"""Redirect URIs: what may be registered, and what equals a registered one. Layer: rules.

RFC 6749 §3.1.2; RFC 9700 §2.1, §4.1.3; RFC 8252 §7, §8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from codegrant.errors import MessageError, OAuthError
from codegrant.http import is_loopback_host
from codegrant.messages.parameters import Parameters, build_query
from codegrant.rules.uri import Uri, parse_uri

__all__ = ["add_to_query", "check_redirect_uri_registration", "match_redirect_uri"]

# The three spellings whose port may vary, each for itself; then all but the port.
_LOOPBACK = re.compile(
    r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([1-9][0-9]{0,4}))?(?=[/?]|$)(.*)"
)

# A client that finds one of these twice cannot tell the server's from its own.
_RESPONSE_PARAMETERS = frozenset(
    {"access_token", "code", "error", "error_description", "error_uri", "id_token", "iss",
     "response", "state"}
)  # fmt: skip


def check_redirect_uri_registration(uri: str, *, native: bool) -> None:
    """Check that `uri` may be registered as a redirect URI.

    Allowed are https, http on loopback and, for native applications, private-use schemes,
    which have a dot (`com.example.app:/callback`).

    Args:
        uri: absolute, without fragment, user information and dot segments, and without a
            query parameter that an authorization response would repeat.
        native: whether the client's `application_type` is `native`.

    Raises:
        OAuthError: `invalid_redirect_uri`; the description says what is wrong.

    RFC 6749 §3.1.2; RFC 8252 §7.1, §8.4; RFC 9700 §2.6; RFC 7591 §3.2.2.
    """
    try:
        parts = parse_uri(uri)
    except MessageError as error:
        raise _refused(error.message) from None
    if parts.fragment is not None:
        raise _refused("a fragment")
    if any(unquote(segment) in {".", ".."} for segment in parts.path.split("/")):
        raise _refused("a dot segment in the path")
    _check_scheme(parts, native=native)
    try:
        names = Parameters.parse(parts.query or "").names
    except MessageError as error:
        raise _refused(error.message) from None
    taken = sorted(_RESPONSE_PARAMETERS.intersection(names))
    if taken:
        raise _refused(f"{taken[0]} in the query, which belongs to the response")


def match_redirect_uri(requested: str, registered: Sequence[str], *, native: bool) -> bool:
    """Return whether `requested` is one of the client's redirect URIs.

    Character by character, with one exception: for a native application the port of a
    registered `http://127.0.0.1`, `http://[::1]` or `http://localhost` may be any, or
    none. The three hosts never stand for one another (D11).

    Args:
        requested: as sent.
        registered: as registered.
        native: whether the client's `application_type` is `native`.

    RFC 9700 §2.1, §4.1.3; RFC 3986 §6.2.1; RFC 8252 §7.3.
    """
    if requested in registered:
        return True
    if not native:
        return False
    wanted = _without_port(requested)
    return wanted is not None and any(_without_port(uri) == wanted for uri in registered)


def add_to_query(uri: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return `uri` with `pairs` added to its query, which is kept as it is.

    Args:
        uri: absolute; a fragment stays at its end.
        pairs: not yet encoded.

    Raises:
        UsageError: as `build_query`.

    RFC 6749 §3.1.2.
    """
    before, hash_sign, fragment = uri.partition("#")
    added = build_query(pairs)
    if not added:
        return uri
    separator = "&" if "?" in before else "?"
    if before.endswith(("?", "&")):
        separator = ""
    return f"{before}{separator}{added}{hash_sign}{fragment}"


def _check_scheme(parts: Uri, *, native: bool) -> None:
    """Check who the scheme would hand the code to."""
    if parts.scheme in {"http", "https"}:
        if not parts.host:
            raise _refused("no host")
        if parts.scheme == "http" and not is_loopback_host(parts.host):
            raise _refused("http, which is allowed on loopback only")
        return
    if "." not in parts.scheme:
        raise _refused("the scheme; https is allowed, http on loopback, and a private-use "
                       "scheme with a dot for native applications")  # fmt: skip
    if not native:
        raise _refused("a private-use scheme, which only native applications may have")
    if parts.authority is None and not parts.path.startswith("/"):
        raise _refused("no path; expected for example com.example.app:/callback")


def _without_port(uri: str) -> tuple[str, str] | None:
    """Return what must agree of a loopback URI; None for any other. RFC 8252 §7.3."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found[2] or 80) > 65_535:
        return None
    return found[1], found[3]


def _refused(what: str) -> OAuthError:
    return OAuthError(
        "invalid_redirect_uri",
        f"the redirect URI is not allowed: {what}",
        redirectable=False,
    )
