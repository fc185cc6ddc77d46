"""Finding a server's metadata from its issuer. Layer: remote, no I/O.

Lazy: nothing is fetched before a login needs it. Cached, and fetched again when no longer
fresh; while the server is out of reach the last verified copy serves.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal, TypeAlias

from codegrant.errors import CodegrantError, MessageError, MetadataRejected
from codegrant.flow import Flow, ask
from codegrant.messages.metadata import ServerMetadata
from codegrant.remote.effects import Report, SingleFlight
from codegrant.remote.fetch import RETRY_AFTER, Copy, LastFailure, fresh_until, get_document
from codegrant.rules.issuer import (
    check_issuer,
    oauth_authorization_server_url,
    openid_configuration_url,
)
from codegrant.rules.metadata import VerifiedServer, verify_server_metadata

__all__ = ["Discovery", "MissingS256"]

MissingS256: TypeAlias = Literal["refuse", "report", "ignore"]

_NO_S256 = "the server does not advertise S256 PKCE, and the configuration allows that"


class Discovery:
    """What is known of one issuer; safe to share between threads and tasks.

    Args:
        issuer: https, or http on loopback; compared character by character.
        missing_s256: what becomes of a server that does not advertise S256 PKCE; `ignore` is
            for a role that sends nobody there to log in.
        guarded: somebody else chose the issuer: public addresses only.
        failure_holds: seconds for which a failed attempt counts while there is no copy; for
            a role that has a reason to try with every request.
        template: what this issuer is known to publish in the place of its own name, when it
            stands for one issuer per tenant.

    Raises:
        UsageError: `issuer` is no issuer.
    """

    def __init__(
        self,
        issuer: str,
        *,
        missing_s256: MissingS256 = "refuse",
        guarded: bool = False,
        failure_holds: int = 0,
        template: str = "",
    ) -> None:
        check_issuer(issuer)
        self._template = template
        self._failure = LastFailure(failure_holds)
        self._issuer = issuer
        self._missing_s256 = missing_s256
        self._guarded = guarded
        self._copy: Copy[VerifiedServer] | None = None
        self._retry_at = 0

    @property
    def serves_until(self) -> int:
        """Epoch seconds until which the copy is used as it is; 0 while there is none."""
        return 0 if self._copy is None else self._copy.serves_until(self._retry_at)

    def forget(self) -> None:
        """Be as at the beginning: without a copy, and without a failure that counts."""
        self._failure.forget()
        self._copy, self._retry_at = None, 0

    def find(self, now: int) -> Flow[VerifiedServer]:
        """Return the issuer's verified metadata.

        Args:
            now: epoch seconds.

        Raises:
            MetadataRejected: none of the addresses has a document we may use, and no copy
                is left that serves.
            TransportError: the server is out of reach, and no copy is left that serves.

        OpenID Connect Discovery §4; RFC 8414 §3.
        """
        copy = self._copy
        if copy is None or not copy.serves(now):
            flight = SingleFlight(f"discovery {self._issuer}", lambda: self._fetch_first(now))
            return (yield from ask(flight))
        if now < copy.fresh_until or now < self._retry_at:
            return copy.value
        self._retry_at = now + RETRY_AFTER  # the others go on with the copy meanwhile
        try:
            return (yield from self._fetch(now))
        except CodegrantError as error:
            yield from ask(
                Report(
                    logging.WARNING,
                    "metadata could not be fetched again",
                    {"issuer": self._issuer, "code": error.code, "age": now - copy.fetched_at},
                )
            )
            return copy.value

    def _fetch_first(self, now: int) -> Flow[VerifiedServer]:
        """Fetch, unless the flight before this one has just done so."""
        copy = self._copy
        if copy is not None and copy.serves(now):
            return copy.value
        self._failure.check(now)
        try:
            return (yield from self._fetch(now))
        except CodegrantError as error:
            self._failure.note(error, now)
            raise

    def _fetch(self, now: int) -> Flow[VerifiedServer]:
        """Fetch, verify and remember."""
        answers: list[str] = []
        status = 0
        for url in (
            openid_configuration_url(self._issuer),
            oauth_authorization_server_url(self._issuer),
        ):
            response = yield from get_document(url, stage="discovery", guarded=self._guarded)
            status = response.status
            if status != 200:
                answers.append(f"{url} answered {response.status}")
                continue
            try:
                metadata = ServerMetadata.parse(response.body)
            except MessageError as error:
                answers.append(f"{url}: {error.message}")
                continue
            if self._template and metadata.issuer == self._template:
                metadata = replace(metadata, issuer=self._issuer)
            server = verify_server_metadata(
                metadata,
                issuer=self._issuer,
                require_s256=self._missing_s256 == "refuse",
            )
            missing = "S256" not in metadata.code_challenge_methods_supported
            if missing and self._missing_s256 == "report":
                yield from ask(Report(logging.WARNING, _NO_S256, {"issuer": self._issuer}))
            self._copy = Copy(server, now, fresh_until(response, now))
            return server
        from codegrant.rules.known_causes import discovery_hint

        raise MetadataRejected(
            f"no metadata for {self._issuer}: {'; '.join(answers)}",
            code="discovery_failed",
            stage="discovery",
            hint=discovery_hint(self._issuer),
            facts={
                "issuer": self._issuer,
                "endpoint": openid_configuration_url(self._issuer),
                "status": status,
            },
        )
