"""Asking an API what it says of itself, before it is sent a token. Layer: client, no I/O."""

from __future__ import annotations

from codegrant.client.configuration import ClientConfig
from codegrant.errors import MessageError, MetadataRejected, UsageError
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.messages.resource_metadata import ResourceMetadata
from codegrant.remote.fetch import get_document, send
from codegrant.rules.resource_metadata import (
    challenged_metadata_url,
    check_resource_metadata,
    resource_metadata_url,
)

__all__ = ["find_resource"]


def find_resource(config: ClientConfig, url: str) -> Flow[ResourceMetadata]:
    """Return the verified metadata of the API at `url`; nothing secret is sent.

    Looked for where RFC 9728 puts it, and then where the API's own challenge points.

    Raises:
        UsageError: `url` is neither https nor loopback, or the client's server has
            no issuer, by which an API could know it.
        MetadataRejected: there is no metadata, or it is another resource's, or the API
            takes no tokens of the client's server.
        TransportError: the API could not be reached.

    RFC 9728 §3, §5.
    """
    if not config.issuer:
        raise UsageError(
            "resource: the client's server has no issuer, so no API can name it",
            code="no_issuer",
        )
    well_known = resource_metadata_url(url)
    response = yield from get_document(well_known, stage="discovery", guarded=config.guarded)
    if response.status != 200:
        response = yield from _follow_challenge(config, url, response)
    try:
        metadata = ResourceMetadata.parse(response.body)
    except MessageError as error:
        raise MetadataRejected(
            f"the metadata of {url} is malformed: {error.message}",
            code="malformed_metadata",
            stage="discovery",
            facts={"resource": url},
        ) from None
    check_resource_metadata(metadata, resource=url, issuer=config.issuer)
    return metadata


def _follow_challenge(config: ClientConfig, url: str, before: Response) -> Flow[Response]:
    """Return the document that the API points to when it is asked without a token."""
    request = Request(method="GET", url=url, headers=Headers([("accept", "application/json")]))
    answer = yield from send(request, stage="discovery", guarded=config.guarded)
    place = challenged_metadata_url(answer, resource=url)
    if place is not None:
        before = yield from get_document(place, stage="discovery", guarded=config.guarded)
    if before.status != 200:
        raise MetadataRejected(
            f"no metadata for {url}: {place or resource_metadata_url(url)} answered "
            f"{before.status}",
            code="discovery_failed",
            stage="discovery",
            hint="does the API publish protected resource metadata (RFC 9728)?",
            facts={"resource": url},
        )
    return before
