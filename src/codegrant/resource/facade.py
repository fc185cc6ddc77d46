"""`ResourceServer` and `AsyncResourceServer`: the same flows, in a thread or an event loop.

Layer: resource; here the clock is read and the drivers are made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from codegrant.errors import MessageError, OAuthError
from codegrant.flow import run, run_async
from codegrant.http import Request, Response
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings, machine_time
from codegrant.resource.introspection import Introspection
from codegrant.resource.verification import ResourceConfig, ResourceFlows, parse_issuers
from codegrant.rules.access_token import AccessToken
from codegrant.rules.bearer import read_bearer_token, refuse_bearer

__all__ = ["AsyncResourceServer", "ResourceServer"]

_log = logging.getLogger("codegrant.resource")


class ResourceServer:
    """Verifies the access tokens of requests to one API, in threads.

    Immutable and safe to share; nothing is fetched before the first token arrives. JWTs
    are verified here, without asking the issuer about each. So a token that was revoked
    there is good here until it expires: for the lifetime that the issuer gives it (five
    minutes by Codegrant's default) and `leeway`, and no longer. A key that the issuer took
    out of its key set counts until the set is fetched again, an hour later unless its
    `Cache-Control` says otherwise. An API that must know sooner asks the issuer about every
    token: `Introspection(every_token=True)`.

    Args:
        issuers: the authorization servers whose tokens count: one URL or several.
        audience: the identifier of this API, as registered there; mandatory.
        leeway: seconds that clocks may differ, 0 to 60.
        timeout: seconds for one whole request to an issuer, 0.1 to 60.
        ca_file: PEM file with the only CAs to trust, or `None` for the system's.
        introspection: how to ask an issuer about tokens that are no JWTs; without it those
            are refused.
        clock: returns epoch seconds; for tests.

    Raises:
        UsageError: an argument is not allowed; the message names it.

    RFC 9068 §4; RFC 7662; RFC 7009 §3.
    """

    def __init__(
        self,
        issuers: str | Sequence[str],
        audience: str,
        *,
        leeway: int = 60,
        timeout: float = 10.0,
        ca_file: str | None = None,
        introspection: Introspection | None = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        config = ResourceConfig(
            issuers=parse_issuers(issuers),
            audience=audience,
            leeway=leeway,
            introspection=introspection,
        )
        self._flows = ResourceFlows(config)
        self._driver = SyncDriver(_settings(timeout, ca_file))
        self._clock = clock

    def verify(
        self, raw_token: str, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken:
        """Return the verified access token that `raw_token` is.

        Args:
            raw_token: as it came in the `Authorization` header.
            scope: scope tokens that the token must have, all of them.
            person: a token that a client got for itself will not do.

        Raises:
            OAuthError: see `ResourceFlows.verify_request`; answer it with `refuse`.
            UsageError: `scope` is no collection of scope tokens.
        """
        now = int(self._clock())
        token = self._flows.verify_at_once(raw_token, now, scope, person=person)
        if token is not None:
            return token
        flow = self._flows.verify_token(raw_token, now, scope, person=person)
        return run(flow, self._driver.perform)

    def verify_request(
        self, request: Request, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken:
        """Return the verified access token of a request; see `ResourceFlows.verify_request`."""
        return self.verify(read_bearer_token(request), scope, person=person)

    def refuse(self, error: OAuthError | MessageError) -> Response:
        """Return the answer to a request that was refused, and log why. RFC 6750 §3.

        Args:
            error: of `verify_request`, or of a request that was no well-formed message.
        """
        return _refuse(error)

    def close(self) -> None:
        """Close the connections to the issuers; a later token opens new ones."""
        self._driver.close()


class AsyncResourceServer:
    """As `ResourceServer`, in an event loop."""

    def __init__(
        self,
        issuers: str | Sequence[str],
        audience: str,
        *,
        leeway: int = 60,
        timeout: float = 10.0,
        ca_file: str | None = None,
        introspection: Introspection | None = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        config = ResourceConfig(
            issuers=parse_issuers(issuers),
            audience=audience,
            leeway=leeway,
            introspection=introspection,
        )
        self._flows = ResourceFlows(config)
        self._driver = AsyncDriver(_settings(timeout, ca_file))
        self._clock = clock

    async def verify(
        self, raw_token: str, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken:
        """Return the verified access token that `raw_token` is; see `ResourceServer.verify`."""
        now = int(self._clock())
        token = self._flows.verify_at_once(raw_token, now, scope, person=person)
        if token is not None:
            return token
        flow = self._flows.verify_token(raw_token, now, scope, person=person)
        return await run_async(flow, self._driver.perform)

    async def verify_request(
        self, request: Request, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken:
        """Return the verified access token of a request; see `ResourceFlows.verify_request`."""
        return await self.verify(read_bearer_token(request), scope, person=person)

    def refuse(self, error: OAuthError | MessageError) -> Response:
        """Return the answer to a request that was refused; see `ResourceServer.refuse`."""
        return _refuse(error)

    async def aclose(self) -> None:
        """Close the connections to the issuers; a later token opens new ones."""
        await self._driver.aclose()


def _settings(timeout: float, ca_file: str | None) -> HttpSettings:
    return HttpSettings(timeout=timeout, ca_file=ca_file, logger="codegrant.resource")


def _refuse(error: OAuthError | MessageError) -> Response:
    """Return the answer to a refused request; what the peer is not told goes to the log."""
    if isinstance(error, MessageError):
        error = OAuthError("invalid_request", "the request is malformed", reason=error.message)
    if error.error:
        level = logging.WARNING if error.status >= 500 else logging.INFO
        facts = {"error": error.error, "status": error.status, "code": error.facts.get("code", "")}
        told = {name: value for name, value in facts.items() if value}
        _log.log(level, "request refused: %s", error.reason, extra={"codegrant": told})
    return refuse_bearer(error)
