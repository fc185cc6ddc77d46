"""Fetching public documents, and how long they stay fresh. Layer: remote, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from codegrant.errors import TransportError
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response, Send

__all__ = ["RETRY_AFTER", "Copy", "get_document", "send"]

T = TypeVar("T")

FRESH_DEFAULT = 3600
FRESH_MINIMUM = 300
FRESH_MAXIMUM = 86_400
RETRY_AFTER = 60
"""Seconds between two attempts to replace a copy that cannot be replaced at the moment."""

STALE_MAXIMUM = 7 * 86_400
"""Seconds for which an old copy serves while its origin is out of reach."""

# delta-seconds of RFC 9111 §1.2.2
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age=\"?(\d{1,9})\"?\s*(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Copy(Generic[T]):
    """A fetched and verified document.

    Attributes:
        value: what it says.
        fetched_at: epoch seconds.
        fresh_until: epoch seconds; afterwards it is fetched again.
    """

    value: T
    fetched_at: int
    fresh_until: int

    def serves(self, now: int) -> bool:
        """Return whether it may still be used while its origin is out of reach."""
        return now - self.fetched_at < STALE_MAXIMUM


def send(request: Request, *, stage: str, guarded: bool = False) -> Flow[Response]:
    """Send `request`; a failure says at which stage of the flow it happened."""
    try:
        return (yield from ask(Send(request, guarded)))
    except TransportError as error:
        error.stage = error.stage or stage
        raise


def get_document(url: str, *, stage: str, guarded: bool) -> Flow[Response]:
    """Get the JSON document at `url`, whatever the status.

    Raises:
        TransportError: also when the server says that it cannot answer now (429, 5xx).
    """
    request = Request(method="GET", url=url, headers=Headers([("accept", "application/json")]))
    response = yield from send(request, stage=stage, guarded=guarded)
    if response.status == 429 or response.status >= 500:
        raise TransportError(
            f"{url} answered {response.status}",
            code="server_unavailable",
            stage=stage,
            hint="the server has a problem of its own; trying again later may help",
            facts={"endpoint": url, "status": response.status},
        )
    return response


def fresh_until(response: Response, now: int) -> int:
    """Return until when a document is fresh: what its `max-age` says, within our bounds."""
    found = _MAX_AGE.search(response.headers.get("cache-control"))
    seconds = int(found[1]) if found else FRESH_DEFAULT
    return now + min(max(seconds, FRESH_MINIMUM), FRESH_MAXIMUM)
