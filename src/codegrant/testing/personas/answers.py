"""The shapes in which providers answer a token request, or refuse one. Layer: testing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from codegrant.http import Headers, Response
from codegrant.messages.json import JsonValue, build_json
from codegrant.messages.parameters import build_query
from codegrant.testing.personas.facts import ErrorStyle

__all__ = ["refusal", "token_answer"]


def refusal(style: ErrorStyle, code: str, description: str, status: int) -> Response:
    """Return a refusal as a provider words it."""
    match style:
        case "standard":
            return _json({"error": code, "error_description": description}, status)
        case "with_200":
            # Only of the token endpoint: an API answers 401 with a message.
            if status == 401 and code == "invalid_token":
                return _json({"message": "Bad credentials", "status": "401"}, 401)
            return _json({"error": code, "error_description": description, "error_uri": ""}, 200)
        case "ok_false":
            return _json({"ok": False, "error": code}, 200)
        case "object":
            number = int(code) if code.isdecimal() else 0
            told: JsonValue = {
                "message": description,
                "type": "OAuthException",
                "code": number,
                "fbtrace_id": "A",
            }
            return _json({"error": told}, status)
        case "message":
            return _json({"status": status, "message": code}, status)
        case "reason":
            return _json({"reason": description, "error": code}, status)
        case _:
            assert_never(style)


def token_answer(members: Mapping[str, JsonValue], *, as_form: bool) -> Response:
    """Return the answer to a token request."""
    if not as_form:
        return _json(members, 200)
    body = build_query((name, str(value)) for name, value in members.items())
    headers = Headers([("content-type", "application/x-www-form-urlencoded; charset=utf-8")])
    return Response(status=200, headers=headers, body=body.encode())


def _json(value: Mapping[str, JsonValue], status: int) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=build_json(value))
