"""Fetching public documents, and how long they stay fresh. Layer: remote, no I/O."""

from __future__ import annotations

import re
from copy import copy
from typing import Generic, NamedTuple, TypeVar

from codegrant.errors import CodegrantError, TransportError
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response, Send

__all__ = ["RETRY_AFTER", "Copy", "LastFailure", "get_document", "send"]

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


class Copy(NamedTuple, Generic[T]):
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

    def serves_until(self, retry_at: int) -> int:
        """Return until when it is used as it is, given when it is next tried to replace it."""
        return min(max(self.fresh_until, retry_at), self.fetched_at + STALE_MAXIMUM)


class LastFailure:
    """An attempt that has just failed: for a moment the next one fails the same way, untried.

    Args:
        holds: seconds; 0 for every attempt to be made.
    """

    __slots__ = ("_holds", "_noted")

    def __init__(self, holds: int) -> None:
        self._holds = holds
        self._noted: tuple[CodegrantError, int] | None = None

    def note(self, error: CodegrantError, now: int) -> None:
        """Remember that an attempt failed at `now` (epoch seconds)."""
        if self._holds:
            self._noted = copy(error), now  # a copy has no traceback, which would hold much

    def forget(self) -> None:
        """Let the next attempt be made."""
        self._noted = None

    def check(self, now: int) -> None:
        """Check that no attempt failed a moment ago.

        Raises:
            CodegrantError: the one that was noted.
        """
        noted = self._noted
        if noted is not None and 0 <= now - noted[1] < self._holds:
            raise copy(noted[0])


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
