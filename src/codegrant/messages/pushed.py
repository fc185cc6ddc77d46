"""The answer of the pushed authorization request endpoint. Layer: wire. RFC 9126 §2.2."""

from __future__ import annotations

from typing import NamedTuple

from codegrant.errors import MessageError
from codegrant.messages.json import parse_object
from codegrant.messages.token import parse_seconds

__all__ = ["PushedAuthorizationResponse"]


class PushedAuthorizationResponse(NamedTuple):
    """Where the server keeps an authorization request.

    Attributes:
        request_uri: what stands for the request in the front channel.
        expires_in: seconds, at least 1.
    """

    request_uri: str
    expires_in: int

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 65536) -> PushedAuthorizationResponse:
        """Return the response that a JSON body is.

        Raises:
            MessageError: as `parse_object`; `missing_member`, one of the two is not there;
                `malformed_member`, one has the wrong type or no value that can be.

        RFC 9126 §2.2.
        """
        members = parse_object(raw, max_bytes=max_bytes)
        request_uri = members.get("request_uri")
        if request_uri is None:
            raise MessageError("request_uri: the member is missing", code="missing_member")
        if not isinstance(request_uri, str) or not request_uri:
            raise MessageError("request_uri: the member is no text", code="malformed_member")
        expires_in = parse_seconds("expires_in", members.get("expires_in"))
        if expires_in is None:
            raise MessageError("expires_in: the member is missing", code="missing_member")
        if expires_in < 1:
            raise MessageError("expires_in: it is not positive", code="malformed_member")
        return cls(request_uri, expires_in)
