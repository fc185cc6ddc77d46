"""What the application that has the people answers: `Host`. Layer: server, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegrant.errors import OAuthError
from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.server.answers import plain_error_page
from codegrant.server.records import Person

__all__ = ["Authentication", "Host", "Visitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Who is logged in in a browser, and how that came about.

    Attributes:
        subject: the person's `sub`.
        auth_time: epoch seconds of the login itself.
        amr: methods, RFC 8176 names.
        acr: authentication context class reached; usually empty.
        sid: public id of the browser session, new with every login.
    """

    subject: str
    auth_time: int
    amr: tuple[str, ...] = ()
    acr: str = ""
    sid: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in in the browser that asks, and what they agreed to before.

    Attributes:
        consent: the scope that is remembered for the client and audience in question, or None.
    """

    authentication: Authentication
    consent: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the application that has the people answers.

    Attributes:
        find_visitor: `(request, client_id, audience, now)`: who is logged in in this browser,
            and what `find_consent` would say of them; None for nobody, an ended session or a
            disabled person.
        find_consent: `(subject, client_id, audience)`: the scope that the person agreed to
            for access to that audience and that is remembered, or None.
        find_person: `(subject)`: the person as they are now, or None.
        error_page: `(error, request)`: a page for a request that may not be redirected.
            Its status is `error.status`.
        ends_grants: whether a person who is disabled or removed loses all of their grants in
            the same step, and gets none after it. Then a grant that is alive answers for its
            person, who is asked for only where their claims are needed. It takes people and
            grants in one database, so it is for `accounts.build_host`; leave it off elsewhere.
    """

    find_visitor: Callable[[Request, str, str, int], Flow[Visitor | None]]
    find_consent: Callable[[str, str, str], Flow[frozenset[str] | None]]
    find_person: Callable[[str], Flow[Person | None]]
    error_page: Callable[[OAuthError, Request], Response] = plain_error_page
    ends_grants: bool = False
