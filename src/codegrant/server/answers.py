"""Answers of every endpoint, and the one place that renders an OAuth error.

Header tuples are built once. Nothing of a request goes into a header unchecked: `Headers`
refuses control characters, and redirects are percent-encoded. Layer: server, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from codegrant.errors import CodegrantError, MessageError, OAuthError, StoreError
from codegrant.http import Headers, Request, Response
from codegrant.messages.json import build_json
from codegrant.rules.bearer import refuse_bearer
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.redirect_uri import add_to_query

__all__ = [
    "AtApi",
    "AtPage",
    "AtRedirect",
    "Place",
    "as_oauth_error",
    "method_not_allowed",
    "nothing_to_say",
    "plain_error_page",
    "preflight",
    "public_json",
    "redirect",
    "render_error",
    "secret_json",
]

# What the next try may find mended.
_PASSING = frozenset({"store_busy", "store_full", "store_write_failed"})
# RFC 9700 §2.6: any origin may read what needs no cookie; credentials are never allowed.
_CORS = (
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "www-authenticate, retry-after"),
)
_NO_STORE = (("cache-control", "no-store"), ("pragma", "no-cache"))
_PAGE = (
    *_NO_STORE,
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)
_JSON = (
    ("content-type", "application/json"),
    *_NO_STORE,
    ("x-content-type-options", "nosniff"),
)
_SECRET_JSON = Headers((*_JSON, *_CORS))
_SECRET_JSON_SAME_ORIGIN = Headers(_JSON)
_NOTHING = Headers((*_NO_STORE, *_CORS))
_PUBLIC_JSON = Headers(
    (
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=300"),
        ("x-content-type-options", "nosniff"),
        *_CORS,
    )
)
_PLAIN_PAGE = (
    ("content-type", "text/plain; charset=utf-8"),
    *_PAGE,
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-frame-options", "DENY"),
)
_BASIC_CHALLENGE = 'Basic realm="client authentication", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class AtApi:
    """An error at an endpoint that programs call: JSON, or a bearer challenge.

    Attributes:
        cors: whether pages of other origins may read it; a bearer challenge they always may.
    """

    bearer: bool = False
    cors: bool = True


@dataclass(frozen=True, slots=True)
class AtRedirect:
    """An error of an authorization request whose client and redirect URI are known good."""

    redirect_uri: str
    state: str | None
    iss: str


@dataclass(frozen=True, slots=True)
class AtPage:
    """An error that only the person in front of the browser may see."""

    error_page: Callable[[OAuthError, Request], Response]
    request: Request


Place: TypeAlias = AtApi | AtRedirect | AtPage


def render_error(error: OAuthError, place: Place) -> Response:
    """Return the answer for `error`; its private reason is left out.

    Args:
        place: where it is shown. An error that is not `redirectable` must not come with
            `AtRedirect`.

    RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1; RFC 9207 §2.
    """
    match place:
        case AtApi(bearer=True):
            return _bearer_error(error)
        case AtApi(cors=cors):
            return _json_error(error, cors=cors)
        case AtRedirect(redirect_uri, state, iss):
            pairs = [("error", error.error)]
            if error.description:
                pairs.append(("error_description", clean_error_text(error.description)))
            if state is not None:
                pairs.append(("state", state))
            pairs.append(("iss", iss))
            return redirect(add_to_query(redirect_uri, pairs))
        case AtPage(error_page, request):
            return error_page(error, request)
        case _:
            assert_never(place)


def _json_error(error: OAuthError, *, cors: bool) -> Response:
    """Return the JSON form. RFC 6749 §5.2."""
    members = {"error": error.error}
    if error.description:
        members["error_description"] = clean_error_text(error.description)
    extra = _retry_after(error)
    if error.status == 401:
        extra += (("www-authenticate", _BASIC_CHALLENGE),)
    headers = _SECRET_JSON if cors else _SECRET_JSON_SAME_ORIGIN
    if extra:
        headers = Headers((*headers.pairs(), *extra))
    return Response(status=error.status, headers=headers, body=build_json(members))


def _bearer_error(error: OAuthError) -> Response:
    """Return the challenge form. RFC 6750 §3."""
    refused = refuse_bearer(error)
    return replace(refused, headers=Headers((*refused.headers.pairs(), *_CORS)))


def _retry_after(error: OAuthError) -> tuple[tuple[str, str], ...]:
    """Return the header that goes with the fact `retry_after` (seconds). RFC 9110 §10.2.3."""
    seconds = error.facts.get("retry_after")
    return () if seconds is None else (("retry-after", str(seconds)),)


def as_oauth_error(error: CodegrantError) -> OAuthError:
    """Return what the wire may see of any error of ours: never a cause inside the house."""
    if isinstance(error, OAuthError):
        return error
    if isinstance(error, MessageError):
        status = 413 if error.code == "too_large" else 400
        return OAuthError("invalid_request", error.message, reason=error.code, status=status)
    if isinstance(error, StoreError) and error.code in _PASSING:
        return OAuthError(
            "temporarily_unavailable",
            "the server is busy, try again",
            reason=error.code,
            status=503,
            redirectable=False,
            facts={"retry_after": 5},
        )
    return OAuthError(
        "server_error",
        "the server could not answer",
        reason=error.code,
        status=500,
        redirectable=False,
    )


def secret_json(body: bytes, *, cors: bool = True) -> Response:
    """Return a 200 with JSON that no cache may keep. RFC 6749 §5.1."""
    headers = _SECRET_JSON if cors else _SECRET_JSON_SAME_ORIGIN
    return Response(status=200, headers=headers, body=body)


def nothing_to_say() -> Response:
    """Return a 200 without a body, which is the whole answer. RFC 7009 §2.2."""
    return Response(status=200, headers=_NOTHING)


def public_json(body: bytes) -> Response:
    """Return a 200 with JSON that everybody may read and keep for five minutes."""
    return Response(status=200, headers=_PUBLIC_JSON, body=body)


def redirect(location: str, set_cookies: tuple[str, ...] = ()) -> Response:
    """Return a 303, so that a browser never sends a form on. RFC 9700 §4.12."""
    cookies = tuple(("set-cookie", cookie) for cookie in set_cookies)
    return Response(status=303, headers=Headers((("location", location), *_PAGE, *cookies)))


def preflight(methods: str) -> Response:
    """Return the answer to a CORS preflight of an endpoint that programs call."""
    return Response(
        status=204,
        headers=Headers(
            (
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", methods),
                ("access-control-allow-headers", "authorization, content-type, x-requested-with"),
                ("access-control-max-age", "3600"),
                ("vary", "origin"),
            )
        ),
    )


def method_not_allowed(methods: str, *, cors: bool) -> Response:
    """Return a 405 that names the methods there are. RFC 9110 §15.5.6."""
    pairs = (*_NO_STORE, ("allow", methods), *(_CORS if cors else ()))
    return Response(status=405, headers=Headers(pairs))


def plain_error_page(error: OAuthError, request: Request) -> Response:  # noqa: ARG001
    """Return the error as plain text, for a host without pages of its own."""
    text = f"{error.error}\n{clean_error_text(error.description)}\n"
    headers = Headers((*_PLAIN_PAGE, *_retry_after(error)))
    return Response(status=error.status, headers=headers, body=text.encode())
