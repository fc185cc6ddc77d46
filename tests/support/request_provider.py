"""A provider that takes authorization requests pushed and signed, and nothing beside them."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt

from tests.support.mock_provider import (
    CLIENT_ID,
    Answer,
    Lie,
    MockProvider,
    Received,
    as_json,
)

PAR = "pushed_authorization_request_endpoint"


class RequestProvider(MockProvider):
    """Bend its `pushed` answer; with a `request_jwk` requests must be signed with that key.

    `fronts` has what each browser brought, `objects` header and claims of each signed request,
    `requests` what was asked for in the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pushed = Lie()
        self.pushed_status = 201
        self.request_jwk: Mapping[str, str] | None = None
        self.kept: dict[str, list[tuple[str, str]]] = {}
        self.fronts: list[list[tuple[str, str]]] = []
        self.objects: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.requests: list[dict[str, Any]] = []
        self.routes["/par"] = self.par_endpoint
        self.describe()

    def describe(self, **changes: object) -> None:
        """Publish that it takes pushed requests, with changes."""
        self.metadata = Lie({PAR: f"{self.issuer}/par", **changes})

    def par_endpoint(self, request: Received) -> Answer:
        if self._credentials(request)[0] != CLIENT_ID:
            return as_json({"error": "invalid_client"}, 401)
        pairs = parse_qsl(request.body.decode())
        names = [name for name, _ in pairs if name != "resource"]
        if len(names) != len(set(names)):
            return as_json({"error": "invalid_request", "error_description": "repeated"}, 400)
        self.minted.append(f"urn:ietf:params:oauth:request_uri:{token_urlsafe(16)}")
        self.kept[self.minted[-1]] = pairs
        answer = self.pushed({"request_uri": self.minted[-1], "expires_in": 60})
        return as_json(answer, self.pushed_status)

    def authorize(self, url: str) -> str:
        front = parse_qsl(urlsplit(url).query)
        self.fronts.append(front)
        query = dict(front)
        pairs = front
        if "request_uri" in query:
            assert front == [("client_id", CLIENT_ID), ("request_uri", query["request_uri"])]
            pairs = self.kept.pop(query["request_uri"])  # once
        asked: dict[str, Any] = dict(pairs)
        if self.request_jwk is not None:
            asked = self._opened(asked["request"], self.request_jwk)
        self.requests.append(asked)
        plain = {name: str(value) for name, value in asked.items()}
        return super().authorize(f"{self.issuer}/authorize?{urlencode(plain)}")

    def _opened(self, raw: str, jwk: Mapping[str, str]) -> dict[str, Any]:
        """Return what a signed request asks for, once it holds. RFC 9101 §6."""
        claims: dict[str, Any] = jwt.decode(
            raw,
            jwt.PyJWK(dict(jwk)),
            algorithms=[jwk["alg"]],
            audience=self.issuer,
            issuer=CLIENT_ID,
            options={"require": ["iss", "aud", "exp", "nbf", "jti"], "strict_aud": True},
        )
        self.objects.append((jwt.get_unverified_header(raw), claims))
        return claims
