"""How a client shows who it is, with a secret or without. Layer: wire. RFC 6749 §2.3.1."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote_plus

from codegrant.errors import MessageError, UsageError
from codegrant.http import Headers
from codegrant.messages.parameters import Parameters, form_encode
from codegrant.secret import Secret

__all__ = [
    "ASSERTION_TYPE",
    "BasicCredentials",
    "ClientCredentials",
    "PostCredentials",
    "PublicCredentials",
    "build_client_authentication",
    "parse_client_authentication",
]

# RFC 7523 §2.2
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_CHARACTERS = 8192


class BasicCredentials(NamedTuple):
    """`client_secret_basic`: in the `Authorization` header."""

    client_id: str
    secret: Secret


class PostCredentials(NamedTuple):
    """`client_secret_post`: in the form."""

    client_id: str
    secret: Secret


class PublicCredentials(NamedTuple):
    """`none`: a name without a proof."""

    client_id: str


ClientCredentials: TypeAlias = BasicCredentials | PostCredentials | PublicCredentials


def parse_client_authentication(headers: Headers, form: Parameters) -> ClientCredentials | None:
    """Return the credentials of a request; None when it has none.

    Args:
        headers: of the request.
        form: its body.

    Raises:
        MessageError: `malformed_basic`, the `Authorization` header is nothing that Basic
            allows; `several_methods`, more than one way at once; `client_mismatch`, the
            form names another client; `unsupported_method`, an assertion, which must not
            pass for no proof at all; `missing_parameter`, a secret without `client_id`;
            `repeated_parameter`.

    RFC 6749 §2.3, §3.2.1.
    """
    lines = headers.get_all("authorization")
    client_id, secret = form.single("client_id"), form.single("client_secret")
    assertion = form.single("client_assertion") or form.single("client_assertion_type")
    if len(lines) > 1 or (bool(lines) + (secret is not None) + (assertion is not None)) > 1:
        raise MessageError(
            "client authentication: more than one method in one request", code="several_methods"
        )
    if assertion is not None:
        raise MessageError(
            "client authentication: an assertion, which is not supported",
            code="unsupported_method",
        )
    if lines:
        basic = _parse_basic(lines[0])
        if client_id not in {None, basic.client_id}:
            raise MessageError(
                "client_id: the form and the Authorization header differ", code="client_mismatch"
            )
        return basic
    if client_id is None:
        if secret is not None:
            raise MessageError("client_id: the parameter is missing", code="missing_parameter")
        return None
    return (
        PublicCredentials(client_id)
        if secret is None
        else PostCredentials(client_id, Secret(secret))
    )


def build_client_authentication(
    method: str, client_id: str, secret: Secret | None, assertion: Secret | None = None
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the header fields and the form parameters that authenticate a client.

    Args:
        method: `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`.
            RFC 7591 §2.
        client_id: of the client.
        secret: its secret, for the first two.
        assertion: for `private_key_jwt`, made for this one request.

    Raises:
        UsageError: another method, or no secret or assertion where one is needed.

    RFC 6749 §2.3.1: for Basic, name and secret are form-urlencoded before base64.
    RFC 7521 §4.2; RFC 7523 §2.2.
    """
    if method == "none":
        return [], [("client_id", client_id)]
    if method == "private_key_jwt" and assertion is not None:
        return [], [
            ("client_id", client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.reveal()),
        ]
    if method not in {"client_secret_basic", "client_secret_post"}:
        raise UsageError(f"token_endpoint_auth_method: {method!r} is not supported")
    if secret is None:
        raise UsageError(f"client_secret: {method} needs one")
    if method == "client_secret_post":
        return [], [("client_id", client_id), ("client_secret", secret.reveal())]
    text = f"{form_encode(client_id)}:{form_encode(secret.reveal())}"
    return [("authorization", f"Basic {b64encode(text.encode()).decode()}")], []


def _parse_basic(line: str) -> BasicCredentials:
    """Return the credentials in an `Authorization` header. RFC 7617 §2."""
    found = _BASIC.fullmatch(line) if len(line) <= _MOST_CHARACTERS else None
    if found is None:
        raise _malformed("Basic credentials were expected")
    try:
        name, colon, secret = b64decode(found[1], validate=True).decode().partition(":")
        client_id, text = _decode(name), _decode(secret)
    except (binascii.Error, UnicodeError):
        raise _malformed("not base64 of UTF-8") from None
    if not (colon and client_id and text):
        raise _malformed("client_id and secret, parted by a colon, were expected")
    return BasicCredentials(client_id, Secret(text))


def _decode(text: str) -> str:
    """Return a form-urlencoded text decoded."""
    if _BAD_ESCAPE.search(text):
        raise _malformed("a % that starts no escape")
    decoded = unquote_plus(text, errors="strict")
    if _CONTROL.search(decoded):
        raise _malformed("a control character")
    return decoded


def _malformed(what: str) -> MessageError:
    return MessageError(f"Authorization: {what}", code="malformed_basic")
