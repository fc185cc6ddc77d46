"""Which API a client may send its tokens to, by what the API says of itself. Layer: rules.

RFC 9728 §3.1, §3.3, §5, §7.
"""

from __future__ import annotations

from codegrant.errors import MessageError, MetadataRejected, UsageError
from codegrant.http import Response
from codegrant.messages.bearer import parse_challenges
from codegrant.messages.resource_metadata import ResourceMetadata
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.uri import check_https_or_loopback, origin_of, parse_uri, short

__all__ = [
    "challenged_metadata_url",
    "check_resource_metadata",
    "resource_metadata_url",
]

_MOST_CHARACTERS = 200


def resource_metadata_url(resource: str) -> str:
    """Return where the metadata of `resource` is published by itself.

    The well-known name goes between the host and what follows it.

    Raises:
        UsageError: `resource` is neither https nor loopback, or has a fragment.

    RFC 9728 §3.1.
    """
    check_https_or_loopback(resource, name="resource")
    uri = parse_uri(resource)
    path = "" if uri.path == "/" else uri.path
    query = "" if uri.query is None else f"?{uri.query}"
    well_known = "/.well-known/oauth-protected-resource"
    return f"{uri.scheme}://{uri.authority}{well_known}{path}{query}"


def challenged_metadata_url(response: Response, *, resource: str) -> str | None:
    """Return where the answer to a request without a token says that the metadata is.

    Args:
        response: of the API.
        resource: the URL that was asked for.

    Raises:
        MetadataRejected: `malformed_challenge`; `bad_endpoint`, the address is on another
            origin than the resource.

    RFC 9728 §5.1. Stricter: of the resource's own origin, so that no API can make its
    clients ask elsewhere.
    """
    if response.status != 401:
        return None
    try:
        lines = response.headers.get_all("www-authenticate")
        challenges = [each for line in lines for each in parse_challenges(line)]
    except MessageError as error:
        raise _rejected(error.message, "malformed_challenge", resource) from None
    found = [c.params["resource_metadata"] for c in challenges if "resource_metadata" in c.params]
    if not found:
        return None
    url = found[0]
    try:
        check_https_or_loopback(url, name="resource_metadata")
        same = origin_of(url) == origin_of(resource)
    except UsageError as error:
        raise _rejected(error.message, "bad_endpoint", resource) from None
    if not same:
        raise _rejected(
            f"resource_metadata: {short(clean_error_text(url))} is on another origin",
            "bad_endpoint",
            resource,
        )
    return url


def check_resource_metadata(metadata: ResourceMetadata, *, resource: str, issuer: str) -> None:
    """Check that an API is the one it is taken for, and takes tokens of `issuer`.

    Args:
        metadata: the document found for `resource`.
        resource: the URL that is used; compared character by character.
        issuer: whose tokens are to be sent.

    Raises:
        MetadataRejected: `resource_mismatch`, the document is another resource's;
            `resource_other_server`, it does not name the issuer among its servers.

    RFC 9728 §3.3, §7.6.
    """
    if metadata.resource != resource:
        got = clean_error_text(metadata.resource[:_MOST_CHARACTERS])
        raise _rejected(
            f"resource: the metadata is of {short(got)}, not of {short(resource)}",
            "resource_mismatch",
            resource,
            "use the resource exactly as the API writes it, a trailing slash included",
        )
    if issuer not in metadata.authorization_servers:
        named = metadata.authorization_servers[:3]
        got = clean_error_text(", ".join(named)[:_MOST_CHARACTERS]) or "no server at all"
        raise _rejected(
            f"authorization_servers: the API names {got}, not {short(issuer)}",
            "resource_other_server",
            resource,
            "its tokens come from another server; make a client of that one",
        )


def _rejected(message: str, code: str, resource: str, hint: str = "") -> MetadataRejected:
    facts = {"resource": resource}
    return MetadataRejected(message, code=code, stage="discovery", hint=hint, facts=facts)
