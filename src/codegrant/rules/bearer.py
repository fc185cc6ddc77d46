"""Bearer tokens: where they may stand in a request, and how one is refused. Layer: rules.

RFC 6750; OAuth 2.1 §5.1, §5.2.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from codegrant.errors import OAuthError
from codegrant.http import Headers, Request, Response
from codegrant.messages.bearer import Challenge
from codegrant.messages.json import build_json
from codegrant.rules.error_text import clean_error_text

__all__ = [
    "MAXIMUM_TOKEN_LENGTH",
    "challenge_for",
    "has_form",
    "read_bearer_token",
    "refuse_bearer",
]

MAXIMUM_TOKEN_LENGTH = 16_384

# b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=". RFC 6750 §2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_FORM = "application/x-www-form-urlencoded"


def has_form(headers: Headers) -> bool:
    """Return whether the body of a request is a form, in which a token might stand."""
    return headers.get("content-type").partition(";")[0].strip().lower() == _FORM


def read_bearer_token(request: Request) -> str:
    """Return the access token of a request: of its `Authorization` header and nowhere else.

    Args:
        request: as received; its body is looked at only when it is a form.

    Raises:
        OAuthError: 401 without an error code, there are no credentials, or none of this
            scheme; `invalid_request` (400), a token in the query or in a form, several
            `Authorization` headers, or a token that is malformed or too long.

    RFC 6750 §2, §3.1. Stricter: no token in a form, which OAuth 2.1 §5.1 makes optional.
    """
    if request.query and _names_token(request.query):
        raise _bad_request("the access token must not stand in the query")
    if has_form(request.headers) and _names_token(request.body.decode("latin-1")):
        raise _bad_request("the access token must not stand in the body")
    lines = request.headers.get_all("authorization")
    if len(lines) > 1:
        raise _bad_request("there is more than one Authorization header")
    scheme, _, rest = lines[0].partition(" ") if lines else ("", "", "")
    if scheme.lower() != "bearer":
        raise OAuthError("", reason="no credentials", status=401, stage="access_token")
    if len(rest) > MAXIMUM_TOKEN_LENGTH:
        raise _bad_request("the access token is too long")
    token = rest.lstrip(" ")
    if not _TOKEN.fullmatch(token):
        raise _bad_request("the access token is malformed")
    return token


def challenge_for(error: OAuthError) -> Challenge:
    """Return the challenge that goes with a refusal.

    An error without a code gives a challenge without one: the request had no credentials.
    The fact `scope` of an `insufficient_scope` says what would do.

    Args:
        error: what the resource answers.

    RFC 6750 §3, §3.1: values keep to its characters, and nothing of the request is among
    them but what `error` has for everybody.
    """
    params: dict[str, str] = {}
    if error.error:
        params["error"] = clean_error_text(error.error)
        if error.description:
            params["error_description"] = clean_error_text(error.description)
    scope = error.facts.get("scope")
    if error.error == "insufficient_scope" and scope:
        # Token by token: a long scope must not be cut in the middle of one.
        params["scope"] = " ".join(map(clean_error_text, str(scope).split(" ")))
    return Challenge("Bearer", params)


def refuse_bearer(error: OAuthError) -> Response:
    """Return the answer of a protected resource to a request that it refuses.

    Args:
        error: why; its fact `retry_after` (seconds) becomes a header.

    RFC 6750 §3.
    """
    pairs = [("cache-control", "no-store")]
    if error.status < 500:
        pairs.append(("www-authenticate", challenge_for(error).build()))
    retry_after = error.facts.get("retry_after")
    if retry_after is not None:
        pairs.append(("retry-after", str(retry_after)))
    if not error.error:
        return Response(status=error.status, headers=Headers(pairs))
    members = {"error": clean_error_text(error.error)}
    if error.description:
        members["error_description"] = clean_error_text(error.description)
    pairs.append(("content-type", "application/json"))
    return Response(status=error.status, headers=Headers(pairs), body=build_json(members))


def _names_token(pairs: str) -> bool:
    """Return whether a parameter is named `access_token`, however the name is encoded."""
    names = (pair.partition("=")[0] for pair in pairs.split("&"))
    return any(unquote_plus(name) == "access_token" for name in names)


def _bad_request(description: str) -> OAuthError:
    return OAuthError("invalid_request", description, stage="access_token")
