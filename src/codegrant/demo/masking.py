"""What may be seen of a request or an answer: everything else is a mask. Layer: demo, no I/O.

Nothing is shown because it looks harmless: parameters, members and header fields are shown
when their name stands on a list, and even then not when the value looks like a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import unescape
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response
from codegrant.messages.json import JsonValue, parse_object

__all__ = ["FORM", "MASK", "Message", "mask_json", "show_request", "show_response"]

MASK = "***"
FORM = "application/x-www-form-urlencoded"

# fmt: off
_PARAMETERS = frozenset({
    "client_id", "code_challenge_method", "decision", "error", "error_description",
    "grant_type", "iss", "prompt", "redirect_uri", "resource", "response_type", "return_to",
    "scope", "username",
})
_MEMBERS = frozenset({
    "alg", "authorization_endpoint", "client_id", "client_name", "crv", "email", "error",
    "error_description", "expires_in", "grant_types", "issuer", "jwks_uri", "keys", "kty",
    "name", "redirect_uris", "response_types", "scope", "token_endpoint",
    "token_endpoint_auth_method", "token_type", "use",
})
# fmt: on
_SECRET_MEMBERS = frozenset({"access_token", "client_secret", "id_token", "refresh_token"})
_REQUEST_FIELDS = ("host", "authorization", "cookie", "content-type")
_RESPONSE_FIELDS = ("location", "www-authenticate", "set-cookie", "content-type")
_COOKIE_ATTRIBUTES = frozenset({"httponly", "max-age", "path", "samesite", "secure"})
_OUR_COOKIES = "cg-"

_MOST_CHARACTERS = 300
_MOST_LINES = 60
_ELIDED = "…"

_RUN = re.compile(r"[A-Za-z0-9_~+/-]{22,}")
_TITLE = re.compile(r"<title>([^<]{1,200})</title>")
_SCHEME = re.compile(r"basic|bearer", re.IGNORECASE)


class Message(NamedTuple):
    """A request or an answer as it may be shown.

    Attributes:
        title: a few words, for a picture.
        lines: start line, fields, an empty line and the body, without secrets.
    """

    title: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "\n".join(self.lines)


def show_request(request: Request) -> Message:
    """Return a received request without its secrets."""
    path = _value(urlsplit(request.url).path or "/")
    lines = [*_broken(f"{request.method} {path}", "?", request.query)]
    lines += _fields(request.headers, _REQUEST_FIELDS, request.body)
    lines += _body(request.headers, request.body)
    return Message(f"{request.method} {_short(path)}", _bounded(lines))


def show_response(response: Response) -> Message:
    """Return an answer without its secrets."""
    phrase = HTTPStatus(response.status).phrase
    lines = [f"{response.status} {phrase}"]
    lines += _fields(response.headers, _RESPONSE_FIELDS, response.body)
    lines += _body(response.headers, response.body)
    location = response.headers.get("location")
    what = f"to {_short(_value(urlsplit(location).path or '/'))}" if location else phrase
    return Message(f"{response.status} {what}", _bounded(lines))


def mask_json(value: JsonValue) -> JsonValue:
    """Return a JSON value in which only known members are told, and no token."""
    if isinstance(value, dict):
        shown: dict[str, JsonValue] = {}
        for name, member in value.items():
            if name in _SECRET_MEMBERS:
                shown[name] = MASK
            elif name in _MEMBERS:
                shown[name] = mask_json(member)
        hidden = len(value) - len(shown)
        return {**shown, _ELIDED: f"{hidden} more"} if hidden else shown
    if isinstance(value, list):
        return [mask_json(entry) for entry in value]
    return _value(value) if isinstance(value, str) else value


def _value(text: str) -> str:
    """Return a value that may be shown, on one line; what looks like a token is masked."""
    if any(_looks_random(run) for run in _RUN.findall(text)):
        return MASK
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= _MOST_CHARACTERS else f"{plain[:_MOST_CHARACTERS]}{_ELIDED}"


def _looks_random(run: str) -> bool:
    """Return whether a long run mixes what words do not: small and capital letters and digits."""
    return bool(re.search(r"[a-z]", run) and re.search(r"[A-Z]", run) and re.search(r"[0-9]", run))


def _short(path: str) -> str:
    """Return a path that fits into a picture."""
    return path if len(path) <= 20 else f"{_ELIDED}/{path.rpartition('/')[2]}"


def _pairs(text: str) -> list[str]:
    """Return the `name=value` pairs of a query or form; values as they came, or masked."""
    shown: list[str] = []
    for pair in filter(None, text.split("&")):
        raw_name, separator, raw_value = pair.partition("=")
        name = unquote_plus(raw_name)
        known = name in _PARAMETERS and _value(unquote_plus(raw_value)) != MASK
        shown.append(f"{_value(raw_name)}{separator}{_value(raw_value) if known else MASK}")
    return shown


def _broken(start: str, mark: str, query: str) -> list[str]:
    """Return an address with its query, one parameter to a line when there are many."""
    pairs = _pairs(query)
    if len(pairs) <= 1:
        return [start + "".join(f"{mark}{pair}" for pair in pairs)]
    return [start, *(f"    {'&' if at else mark}{pair}" for at, pair in enumerate(pairs))]


def _fields(headers: Headers, names: Iterable[str], body: bytes) -> list[str]:
    """Return the header fields that are shown; of what kind nothing is, is not told."""
    lines: list[str] = []
    for name in names:
        if name == "content-type" and not body:
            continue
        for value in headers.get_all(name):
            lines += _field(name, value)
    return lines


def _field(name: str, value: str) -> list[str]:
    shown = name.title().replace("Www", "WWW")
    match name:
        case "authorization":
            scheme = value.partition(" ")[0]
            return [f"{shown}: {scheme if _SCHEME.fullmatch(scheme) else MASK} {MASK}"]
        case "cookie":
            names = [part.partition("=")[0].strip() for part in value.split(";")]
            ours = [f"{_value(one)}={MASK}" for one in names if one.startswith(_OUR_COOKIES)]
            return [f"{shown}: {'; '.join(ours)}"] if ours else []
        case "set-cookie":
            pair, *attributes = (part.strip() for part in value.split(";"))
            known = [a for a in attributes if a.partition("=")[0].lower() in _COOKIE_ATTRIBUTES]
            kept = [_value(attribute) for attribute in known]
            cookie = f"{_value(pair.partition('=')[0])}={MASK}"
            return [f"{shown}: {'; '.join([cookie, *kept])}"]
        case "location":
            address, _, query = value.partition("#")[0].partition("?")
            return _broken(f"{shown}: {_value(address)}", "?", query)
        case _:
            return [f"{shown}: {_value(value)}"]


def _body(headers: Headers, body: bytes) -> list[str]:
    """Return a body after its empty line: a form, JSON, or what kind of thing it is."""
    if not body:
        return []
    kind = headers.get("content-type").partition(";")[0].strip().lower()
    if kind == FORM:
        pairs = _pairs(body.decode("utf-8", "replace"))
        return ["", *(f"{'&' if at else ''}{pair}" for at, pair in enumerate(pairs))]
    if kind == "application/json":
        try:
            shown = mask_json(parse_object(body))
        except MessageError:
            return ["", f"({len(body)} bytes that are no JSON object)"]
        return ["", *json.dumps(shown, indent=2, ensure_ascii=False).splitlines()]
    if kind == "text/html":
        title = _TITLE.search(body[:4096].decode("utf-8", "replace"))
        return ["", f"(a page: {_value(unescape(title[1]))})" if title else "(a page)"]
    return ["", f"({len(body)} bytes)"]


def _bounded(lines: list[str]) -> tuple[str, ...]:
    return tuple(lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], _ELIDED])
