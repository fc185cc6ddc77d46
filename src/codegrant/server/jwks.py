"""The key set endpoint. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.server.answers import public_json

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_jwks"]


def answer_jwks(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:  # noqa: ARG001
    """Return the public keys that verify our signatures. RFC 7517 §5."""
    published = yield from server.keys.current(now)
    return public_json(published.document)
