"""A WSGI request as ours, our response as WSGI's, and what a login notes between. Layer: web.

PEP 3333: texts of the environment are bytes, spelled in Latin-1.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from wsgiref.util import guess_scheme

from codegrant.client.api import ApiSession
from codegrant.errors import UsageError
from codegrant.http import Request, Response
from codegrant.web.asgi_http import lenient_headers
from codegrant.web.login_sessions import SignedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import TypeAlias
    from wsgiref.types import StartResponse

    ExcInfo: TypeAlias = (
        tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    )

__all__ = ["Visit", "from_environ", "noting", "read_form", "send_response", "visit_of"]

_LONGEST_FORM = 65_536


class Visit:
    """What one login knows about one request.

    Attributes:
        is_looked_up: `signed_in` is known.
        signed_in: who sent the request.
        is_guarded: the answer is for one person.
        has_begun: the application has begun an answer.
        api: made at most once.
    """

    __slots__ = ("api", "has_begun", "is_guarded", "is_looked_up", "signed_in")

    def __init__(self) -> None:
        self.is_looked_up: bool = False
        self.signed_in: SignedIn | None = None
        self.is_guarded: bool = False
        self.has_begun: bool = False
        self.api: ApiSession | None = None

    def know(self, signed_in: SignedIn | None) -> None:
        """Keep who it is for the rest of the request."""
        self.is_looked_up, self.signed_in = True, signed_in

    def failure(self) -> ExcInfo | None:
        """Return what is being handled, where another answer must take the place of one."""
        return sys.exc_info() if self.has_begun else None


def visit_of(environ: dict[str, Any], kept_as: str) -> Visit:
    """Return what a login has noted about a request.

    Raises:
        UsageError: the request did not come through an application of that login.
    """
    visit = environ.get(kept_as)
    if not isinstance(visit, Visit):
        raise UsageError("request: it did not come through the application of this login")
    return visit


def from_environ(environ: dict[str, Any], body: bytes = b"") -> Request:
    """Return a request as ours."""
    root = str(environ.get("SCRIPT_NAME", "")).encode("latin-1").rstrip(b"/")
    below = str(environ.get("PATH_INFO", "")).encode("latin-1")
    pairs = [
        (name[5:].replace("_", "-"), str(value).strip())
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    if environ.get("CONTENT_TYPE"):
        pairs.append(("Content-Type", environ["CONTENT_TYPE"]))
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    scheme = environ.get("wsgi.url_scheme") or guess_scheme(environ)
    return Request(
        method=environ["REQUEST_METHOD"],
        url=f"{scheme}://{host}{quote(root + below)}",
        path=below.decode(errors="replace"),
        query=environ.get("QUERY_STRING", ""),
        headers=lenient_headers(pairs),
        body=body,
        peer=environ.get("REMOTE_ADDR", ""),
    )


def read_form(environ: dict[str, Any]) -> bytes:
    """Return the body when it is a form of at most 64 KiB, and the whole of it came.

    Of one that does not say its length nothing is read: there is no telling where it ends.
    """
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    length = environ.get("CONTENT_LENGTH") or ""
    if media_type != "application/x-www-form-urlencoded" or not length.isdecimal():
        return b""
    if len(length) > 5 or int(length) > _LONGEST_FORM:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    return body if len(body) == int(length) else b""


def noting(start_response: StartResponse, visit: Visit) -> StartResponse:
    """Return what begins an answer and tells caches what came of the request."""

    def start(
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
        /,
    ) -> Callable[[bytes], object]:
        fields, visit.has_begun = list(headers), True
        if visit.is_looked_up:  # RFC 9110 §12.5.5
            varies = {
                token.strip().lower()
                for name, value in fields
                if name.lower() == "vary"
                for token in value.split(",")
            }
            if varies.isdisjoint({"cookie", "*"}):
                fields.append(("Vary", "Cookie"))
        if visit.is_guarded and all(name.lower() != "cache-control" for name, _ in fields):
            fields.append(("Cache-Control", "private, no-store"))  # RFC 6750 §2.3
        return start_response(status, fields, exc_info)

    return start


def send_response(
    environ: dict[str, Any],
    start_response: StartResponse,
    response: Response,
    exc_info: ExcInfo | None = None,
) -> Iterable[bytes]:
    """Begin an answer and return its body; to a HEAD none. RFC 9110 §9.3.2.

    Args:
        environ: of the request.
        start_response: of the server.
        response: the answer.
        exc_info: of the failure that the answer is about: it then takes the place of an answer
            that had been begun, or the server raises the failure if that is on its way. PEP 3333
    """
    fields = [*response.headers.pairs(), ("content-length", str(len(response.body)))]
    if "content-type" not in response.headers:  # which servers may insist on
        fields.append(("content-type", "text/plain; charset=utf-8"))
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    if exc_info is None:
        start_response(status, fields)
    else:
        start_response(status, fields, exc_info)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]
