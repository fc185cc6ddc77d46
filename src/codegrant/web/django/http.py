"""Django's request as ours, our response as Django's, and what a login notes between.

Scheme and host are those that Django believes: `ALLOWED_HOSTS`, `SECURE_PROXY_SSL_HEADER`
and `USE_X_FORWARDED_HOST` decide. Layer: web.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase

from codegrant.client.api import ApiSession, AsyncApiSession
from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response
from codegrant.web.login_sessions import SignedIn

__all__ = [
    "Visit",
    "from_django",
    "guard",
    "hide_parameters",
    "keep_out_of_caches",
    "read_form",
    "to_django",
    "visits_of",
]

_LONGEST_FORM = 65_536
_VISITS, _GUARDED = "codegrant.visits", "codegrant.guarded"


class Visit:
    """What one login knows about one request.

    Attributes:
        is_looked_up: `signed_in` is known.
        signed_in: who sent the request.
        api: made at most once.
    """

    __slots__ = ("api", "is_looked_up", "signed_in")

    def __init__(self) -> None:
        self.is_looked_up: bool = False
        self.signed_in: SignedIn | None = None
        self.api: ApiSession | AsyncApiSession | None = None

    def know(self, signed_in: SignedIn | None) -> None:
        """Keep who it is for the rest of the request."""
        self.is_looked_up, self.signed_in = True, signed_in


def visits_of(request: HttpRequest) -> dict[Any, Visit]:
    """Return the visits of a request by their logins, the one that asked last at the end."""
    # In `META`: what frameworks put around a request shares it.
    visits: dict[Any, Visit] = request.META.setdefault(_VISITS, {})
    return visits


def guard(request: HttpRequest) -> None:
    """Note that the answer to a request is for one person, whatever becomes of its view."""
    request.META[_GUARDED] = True


def keep_out_of_caches(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Say so, if that was noted and unless the view says otherwise. RFC 6750 §2.3."""
    if _GUARDED in request.META:
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def from_django(request: HttpRequest, body: bytes = b"") -> Request:
    """Return a request as ours.

    Raises:
        django.core.exceptions.DisallowedHost: left alone, Django answers it with a 400.
    """
    meta = request.META
    return Request(
        method=request.method or "GET",
        url=f"{request.scheme}://{request.get_host()}{quote(request.path)}",
        path=request.path_info,
        query=meta.get("QUERY_STRING", ""),
        headers=_headers(_fields(request)),
        body=body,
        peer=meta.get("REMOTE_ADDR") or "",
    )


def hide_parameters(request: HttpRequest) -> None:
    """Keep codes and tokens out of what Django logs and reports of a request that fails."""
    kept: Any = request
    kept.META["QUERY_STRING"], kept.GET = "", QueryDict()
    kept.sensitive_post_parameters = "__ALL__"


def read_form(request: HttpRequest) -> bytes:
    """Return the body when it is a form of at most 64 KiB; the view can still read it.

    Of one that does not say its length nothing is read: there is no telling where it ends.
    """
    length = request.META.get("CONTENT_LENGTH") or ""
    if request.content_type != "application/x-www-form-urlencoded" or not length.isdecimal():
        return b""
    return b"" if len(length) > 5 or int(length) > _LONGEST_FORM else request.body


def to_django(response: Response) -> HttpResponse:
    """Return our response as Django's."""
    answer = HttpResponse(response.body, status=response.status)
    del answer["Content-Type"]
    for name, value in response.headers.pairs():
        if name == "set-cookie":
            answer.cookies.load(value)
        else:
            answer[name] = f"{answer[name]}, {value}" if name in answer else value
    return answer


def _fields(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the header fields as they came.

    Over ASGI from the scope: Django puts a comma between the cookies of HTTP/2.
    """
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is None:
        return list(request.headers.items())
    return [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]


def _headers(pairs: list[tuple[str, str]]) -> Headers:
    """Return the header fields; what some servers let through and is none stays out."""
    try:
        return Headers(pairs)
    except MessageError:
        if len(pairs) == 1:
            return Headers()
    return Headers(field for pair in pairs for field in _headers([pair]).pairs())
