"""`Site`: a whole issuer, endpoints and pages, as flows from a request to a response.

Layer: accounts, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from codegrant.accounts.account import answer_account, show_account
from codegrant.accounts.consent import answer_consent, show_consent
from codegrant.accounts.forms import read_form
from codegrant.accounts.login import answer_login, show_login
from codegrant.accounts.logout import answer_logout, show_logout
from codegrant.accounts.pages.render import Pages
from codegrant.accounts.people import build_host
from codegrant.errors import CodegrantError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response
from codegrant.sealing import KeyRing
from codegrant.server.answers import as_oauth_error
from codegrant.server.effects import Emit, FindClient
from codegrant.server.events import Event, brief
from codegrant.server.interaction import repeat_answer
from codegrant.server.policy import Policy
from codegrant.server.rate_limits import source_of
from codegrant.server.server import AuthorizationServer

__all__ = ["Site"]

_Answer: TypeAlias = Callable[[Request, int], Flow[Response]]

_PLAIN = Headers(
    (
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    )
)


class Site:
    """An authorization server together with the people and pages it needs.

    Args:
        server: whose host `build_host(policy, pages)` made.
        pages: what a person sees.
    """

    def __init__(self, server: AuthorizationServer, pages: Pages) -> None:
        self.server = server
        self.pages = pages
        path = server.policy.path
        self._routes: dict[str, dict[str, _Answer]] = {
            f"{path}/login": {
                "GET": partial(show_login, server, pages),
                "POST": partial(_or_once_more, server, partial(answer_login, server, pages)),
            },
            f"{path}/consent": {
                "GET": partial(show_consent, server, pages),
                "POST": partial(_or_once_more, server, partial(answer_consent, server)),
            },
            f"{path}/account": {
                "GET": partial(show_account, server, pages),
                "POST": partial(answer_account, server, pages),
            },
            f"{path}/logout": {
                "GET": partial(show_logout, server, pages),
                "POST": partial(answer_logout, server),
            },
            f"{path}/style.css": {"GET": self._stylesheet, "HEAD": self._stylesheet},
            # A process is watched, not an issuer: these two are at the root of the origin.
            "/healthz": {"GET": _alive, "HEAD": _alive},
            "/readyz": {"GET": _ready, "HEAD": _ready},
        }

    @classmethod
    def build(
        cls, policy: Policy, key_ring: KeyRing, *, template_folder: str | Path | None = None
    ) -> Site:
        """Return the site of one issuer, from its settings.

        Args:
            template_folder: templates that stand in for ours; see `Pages`.

        Raises:
            ConfigurationError: the folder does not exist, or Jinja2 is not installed.
        """
        pages = Pages(policy, template_folder)
        return cls(AuthorizationServer(policy, build_host(policy, pages), key_ring), pages)

    def __repr__(self) -> str:
        return f"Site({self.server.policy.issuer!r})"

    def respond(self, request: Request, now: int) -> Flow[Response]:
        """Return the answer to `request`, whatever it is.

        Args:
            request: `path` is percent-decoded and counted from the root of the origin.
            now: epoch seconds.

        Raises:
            Nothing of ours: every CodegrantError becomes an answer.
        """
        methods = self._routes.get(request.path)
        if methods is None:
            if self.server.handles(request.path):
                return (yield from self.server.respond(request, now))
            unknown = OAuthError("not_found", "there is nothing at this address", status=404)
            return self.pages.error(unknown, request)
        answer = methods.get(request.method)
        if answer is None:
            return self._wrong_method(request, methods)
        try:
            return (yield from answer(request, now))
        except CodegrantError as error:
            refused = as_oauth_error(error)
            if refused.status >= 500:
                yield from self.server.report_failure(refused, request, now)
            else:
                yield from ask(Emit(_refusal(refused, request, now)))
            return self.pages.error(refused, request)

    def _stylesheet(self, request: Request, now: int) -> Flow[Response]:  # noqa: ARG002
        """Return the stylesheet."""
        yield from ()
        return self.pages.stylesheet(request)

    def _wrong_method(self, request: Request, methods: dict[str, _Answer]) -> Response:
        """Return a 405 page that names the methods there are. RFC 9110 §15.5.6."""
        error = OAuthError("method_not_allowed", "this address takes other methods", status=405)
        page = self.pages.error(error, request)
        headers = Headers((*page.headers.pairs(), ("allow", ", ".join(methods))))
        return Response(status=405, headers=headers, body=page.body)


def _or_once_more(
    server: AuthorizationServer, answer: _Answer, request: Request, now: int
) -> Flow[Response]:
    """Answer a form; one that is refused since it has just been answered, as before."""
    try:
        return (yield from answer(request, now))
    except OAuthError:
        transaction_id = read_form(request).single("transaction")
        repeated = yield from repeat_answer(server, request, transaction_id, now)
        if repeated is None:
            raise
        return repeated


def _refusal(error: OAuthError, request: Request, now: int) -> Event:
    """Return the event of a page that refused what its browser sent."""
    facts: dict[str, str | int] = {
        "endpoint": request.path,
        "source": source_of(request.peer),
        "error": error.error,
        "reason": brief(error.reason),
    }
    return Event("page_refused", now, facts)


def _alive(request: Request, now: int) -> Flow[Response]:  # noqa: ARG001
    """Answer that the process runs, whatever its database does."""
    yield from ()
    return Response(status=200, headers=_PLAIN, body=b"alive\n")


def _ready(request: Request, now: int) -> Flow[Response]:  # noqa: ARG001
    """Answer whether the database answers."""
    try:
        yield from ask(FindClient(""))
    except CodegrantError:
        return Response(status=503, headers=_PLAIN, body=b"not ready\n")
    return Response(status=200, headers=_PLAIN, body=b"ready\n")
