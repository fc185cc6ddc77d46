"""Flask's request as ours, our response as Flask's. Layer: web."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeAlias
from urllib.parse import quote

import flask
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as FlaskResponse

from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response

__all__ = ["Guarded", "View", "from_flask", "keep_out_of_caches", "to_flask"]

P = ParamSpec("P")

View: TypeAlias = Callable[P, ResponseReturnValue | Awaitable[ResponseReturnValue]]
Guarded: TypeAlias = Callable[P, ResponseReturnValue]

_LONGEST_FORM = 65_536


def from_flask() -> Request:
    """Return Flask's current request as ours."""
    request = flask.request
    # `base_url` is made for reading: it shows %25 as %.
    path = quote(request.root_path + request.path)
    return Request(
        method=request.method,
        url=f"{request.scheme}://{request.host}{path}",
        path=request.path,
        query=request.query_string.decode("latin-1"),
        headers=_headers(list(request.headers.items())),
        body=_form_of(request),
        peer=request.remote_addr or "",
    )


def _form_of(request: flask.Request) -> bytes:
    """Return the body when it is a form of at most 64 KiB; the view can still read it.

    Of one that does not say its length nothing is read: there is no telling where it ends.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        return b""
    length = request.content_length
    return b"" if length is None or length > _LONGEST_FORM else request.get_data()


def to_flask(response: Response) -> FlaskResponse:
    """Return our response as Flask's."""
    answer = FlaskResponse(response.body, response.status)
    for name, value in response.headers.pairs():
        if name == "content-type":
            answer.headers["Content-Type"] = value
        else:
            answer.headers.add(name, value)
    return answer


def keep_out_of_caches(response: flask.Response) -> flask.Response:
    """Say that an answer is for one person, unless the view says otherwise. RFC 6750 §2.3."""
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def _headers(pairs: list[tuple[str, str]]) -> Headers:
    """Return the header fields; what some servers let through and is none stays out."""
    try:
        return Headers(pairs)
    except MessageError:
        if len(pairs) == 1:
            return Headers()
    return Headers(field for pair in pairs for field in _headers([pair]).pairs())
