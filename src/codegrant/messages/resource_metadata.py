"""Protected resource metadata: what an API says of itself. Layer: wire. RFC 9728 §2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue
from codegrant.messages.members import build_members, defaults_of, parse_members

__all__ = ["ResourceMetadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetadata:
    """What a protected resource says of itself, under the RFC's names.

    A text that is absent is empty, a list that is absent is an empty tuple.

    Attributes:
        resource: the resource identifier, which is also the audience of its tokens.
        authorization_servers: issuers whose tokens it takes.
        dpop_bound_access_tokens_required: whether it takes no bearer tokens.
        extra: members of the document that have no attribute here.
    """

    resource: str = ""
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    bearer_methods_supported: tuple[str, ...] = ()
    jwks_uri: str = ""
    resource_name: str = ""
    resource_documentation: str = ""
    dpop_bound_access_tokens_required: bool = False
    extra: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 1 << 18) -> ResourceMetadata:
        """Return the metadata that a JSON document is. A null counts as absent.

        Raises:
            MessageError: as `parse_object`; `missing_member`, there is no `resource`;
                `malformed_member`, a member that we know has the wrong type.

        RFC 9728 §3.2.
        """
        known, extra = parse_members(raw, _DEFAULTS, max_bytes=max_bytes)
        if not known.get("resource"):
            raise MessageError("resource: the member is missing", code="missing_member")
        return cls(**known, extra=extra)  # type: ignore[arg-type]  # `parse_members` sees to that

    def build(self) -> bytes:
        """Return the JSON document: no nulls, no empty lists, nothing that is the default.

        RFC 9728 §3.2.
        """
        return build_members(self, _DEFAULTS, self.extra)


_DEFAULTS = defaults_of(ResourceMetadata)
