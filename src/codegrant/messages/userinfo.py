"""The userinfo response. Layer: wire. OpenID Connect Core §5.3.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue, build_json, parse_object

__all__ = ["UserInfoResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfoResponse:
    """What a userinfo endpoint says about a person.

    Attributes:
        claims: every member of the answer, `sub` included.
    """

    claims: Mapping[str, JsonValue] = field(repr=False)

    @property
    def sub(self) -> str:
        """Who it is about; empty when the answer does not say, which a rule judges."""
        sub = self.claims.get("sub")
        return sub if isinstance(sub, str) else ""

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 1 << 20) -> UserInfoResponse:
        """Return the response that a JSON body is.

        Raises:
            MessageError: as `parse_object`; `malformed_member`, `sub` is there and no text.
        """
        claims = parse_object(raw, max_bytes=max_bytes)
        if not isinstance(claims.get("sub", ""), str):
            raise MessageError("sub: the member is no text", code="malformed_member")
        return cls(claims=claims)

    def build(self) -> bytes:
        """Return the JSON body to answer with."""
        return build_json(self.claims)
