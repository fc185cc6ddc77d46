"""The device authorization endpoint: request and response. Layer: wire. RFC 8628 §3.1, §3.2."""

from __future__ import annotations

from typing import NamedTuple

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue, parse_object
from codegrant.messages.token import parse_seconds
from codegrant.secret import Secret

__all__ = ["DeviceAuthorizationRequest", "DeviceAuthorizationResponse"]

_DEFAULT_INTERVAL = 5


class DeviceAuthorizationRequest(NamedTuple):
    """What a device asks for; a public client names itself as it authenticates."""

    scope: str = ""
    resource: tuple[str, ...] = ()

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send. RFC 8628 §3.1."""
        pairs = [("scope", self.scope)] if self.scope else []
        return pairs + [("resource", each) for each in self.resource]


class DeviceAuthorizationResponse(NamedTuple):
    """What a device shows to the person, and what it asks for tokens with.

    Attributes:
        verification_uri_complete: with the code in it; empty when absent.
        expires_in: seconds.
        interval: seconds between two token requests, at least 1.
    """

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 65536) -> DeviceAuthorizationResponse:
        """Return the response that a JSON body is.

        Raises:
            MessageError: as `parse_object`; `missing_member`, one that must be there is not;
                `malformed_member`, one has the wrong type.

        RFC 8628 §3.2.
        """
        members = parse_object(raw, max_bytes=max_bytes)
        # Google's name for it is older than the RFC's.
        uri = _text(members, "verification_uri") or _text(members, "verification_url")
        expires_in = parse_seconds("expires_in", members.get("expires_in"))
        interval = parse_seconds("interval", members.get("interval"))
        device_code, user_code = _text(members, "device_code"), _text(members, "user_code")
        needed = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": uri,
            "expires_in": expires_in,
        }
        for name, value in needed.items():
            if not value:
                raise MessageError(f"{name}: the member is missing", code="missing_member")
        return cls(
            device_code=Secret(device_code),
            user_code=user_code,
            verification_uri=uri,
            verification_uri_complete=_text(members, "verification_uri_complete"),
            expires_in=expires_in or 0,
            interval=_DEFAULT_INTERVAL if interval is None else max(interval, 1),
        )


def _text(members: dict[str, JsonValue], name: str) -> str:
    """Return a text of `members`; empty when it is absent."""
    value = members.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise MessageError(f"{name}: the member is no text", code="malformed_member")
