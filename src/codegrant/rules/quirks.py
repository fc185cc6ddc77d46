"""A provider's own ways of answering, put into the standard's. Layer: rules.

An answer with a quirk is written anew as RFC 6749 wants it, and then judged as strictly as
any other. Only what the provider's quirks name is touched; anything else, and every answer of
a server that is not in the catalogue, stays as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from codegrant.errors import MessageError
from codegrant.http import Response
from codegrant.messages.json import JsonValue, build_json, parse_object
from codegrant.messages.parameters import Parameters
from codegrant.providers import Provider, Quirk

__all__ = ["callback_scope", "standard_answer", "standard_token_answer"]

_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "text/plain"})
_TOKEN_QUIRKS = frozenset(
    {
        Quirk.EXPIRES_MEMBER,
        Quirk.FORM_TOKEN_ANSWER,
        Quirk.NO_TOKEN_TYPE,
        Quirk.SCOPE_ARRAY,
        Quirk.SCOPE_COMMAS,
        Quirk.SCOPES_MEMBER,
    }
)
_ERROR_QUIRKS = frozenset(
    {
        Quirk.ERROR_MESSAGE,
        Quirk.ERROR_OBJECT,
        Quirk.ERROR_REASON,
        Quirk.ERROR_WITH_200,
        Quirk.OK_FALSE,
    }
)


_REFUSED_WITH_200 = frozenset({Quirk.ERROR_WITH_200, Quirk.OK_FALSE})


def standard_token_answer(response: Response, provider: Provider | None) -> Response:
    """Return the answer of a token endpoint as RFC 6749 §5 wants it.

    Args:
        response: as it came.
        provider: whose; None for a server that is not in the catalogue.
    """
    if provider is None or not (provider.quirks & _TOKEN_QUIRKS or _may_differ(provider)):
        return response
    members = _read(response, provider)
    if members is None:
        return response
    error = _find_error(members, response.status, provider)
    if error is not None:
        return _answer(response, error)
    return _answer(response, _standard_token(members, provider))


def standard_answer(response: Response, provider: Provider | None) -> Response:
    """Return the answer of any other endpoint with its error, if it is one, as RFC 6749 §5.2.

    Args:
        response: as it came.
        provider: whose; None for a server that is not in the catalogue.
    """
    if provider is None or not _may_differ(provider):
        return response
    if response.status == 200 and provider.quirks.isdisjoint(_REFUSED_WITH_200):
        return response
    try:
        members = parse_object(response.body, max_bytes=len(response.body))
    except MessageError:
        return response
    error = _find_error(members, response.status, provider)
    # An answer that says 200 to an error is none that any reader of a success should see.
    return response if error is None else _answer(response, error, refused=True)


def callback_scope(parameters: Parameters, provider: Provider | None) -> tuple[str, ...] | None:
    """Return the granted scope that a callback tells; None when it tells none.

    Raises:
        MessageError: `repeated_parameter`.
    """
    if provider is None or not provider.has(Quirk.SCOPE_IN_CALLBACK):
        return None
    text = parameters.single("scope")
    return None if text is None else tuple(filter(None, text.split(",")))


def _may_differ(provider: Provider) -> bool:
    """Return whether the errors of a provider may be other than the standard's."""
    return bool(provider.error_codes) or not provider.quirks.isdisjoint(_ERROR_QUIRKS)


def _read(response: Response, provider: Provider) -> dict[str, JsonValue] | None:
    """Return the members of an answer; None when it is nothing that can be read."""
    try:
        return parse_object(response.body, max_bytes=1 << 20)
    except MessageError:
        if not provider.has(Quirk.FORM_TOKEN_ANSWER):
            return None
    kind = response.headers.get("content-type").partition(";")[0].strip().lower()
    if kind not in _FORM_TYPES:
        return None
    try:
        form = Parameters.parse(response.body)
        return {name: form.single(name) for name in form.names}
    except MessageError:
        return None


def _standard_token(members: dict[str, JsonValue], provider: Provider) -> dict[str, JsonValue]:
    """Return the members of a success under their own names and in their own types."""
    if "access_token" not in members:
        return members
    if provider.has(Quirk.EXPIRES_MEMBER) and "expires_in" not in members:
        members["expires_in"] = members.pop("expires", None)
    if provider.has(Quirk.NO_TOKEN_TYPE) and members.get("token_type") is None:
        members["token_type"] = "Bearer"
    if provider.has(Quirk.SCOPES_MEMBER) and "scope" not in members:
        members["scope"] = members.pop("scopes", None)
    scope = members.get("scope")
    if provider.has(Quirk.SCOPE_ARRAY) and isinstance(scope, list):
        texts = [each for each in scope if isinstance(each, str)]
        if len(texts) == len(scope):
            members["scope"] = " ".join(texts)
    if provider.has(Quirk.SCOPE_COMMAS) and isinstance(scope, str):
        members["scope"] = " ".join(filter(None, scope.split(",")))
    return members


def _find_error(
    members: Mapping[str, JsonValue], status: int, provider: Provider
) -> dict[str, JsonValue] | None:
    """Return the error that an answer is, with the OAuth code; None when it is a success."""
    error, description = members.get("error"), _text(members.get("error_description"))
    code = _text(error)
    if provider.has(Quirk.ERROR_OBJECT) and isinstance(error, dict):
        number, description = _text(error.get("code")), _text(error.get("message"))
        code = number if number in provider.error_codes else _text(error.get("type")) or number
        code = code or "error"
    elif provider.has(Quirk.OK_FALSE) and members.get("ok") is False:
        code = code or "error"
    elif provider.has(Quirk.ERROR_MESSAGE) and status >= 400:
        message = _text(members.get("message"))
        known = message in provider.error_codes
        code, description = (message if known else code or "error"), message or description
    elif provider.has(Quirk.ERROR_REASON) and code:
        description = description or _text(members.get("reason"))
    if not code:
        return None
    standard = provider.error_codes.get(code, code)
    if code not in {standard, description}:
        description = f"{code}: {description}" if description else code
    return {"error": standard, "error_description": description or None}


def _text(value: JsonValue) -> str:
    """Return a text or a whole number as text; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _answer(
    response: Response, members: Mapping[str, JsonValue], *, refused: bool = False
) -> Response:
    """Return an answer with another body."""
    status = 400 if refused and response.status == 200 else response.status
    present = {name: value for name, value in members.items() if value is not None}
    return replace(response, status=status, body=build_json(cast("object", present)))
