"""Authorization server metadata, published and read. Layer: wire.

RFC 8414 §2; OpenID Connect Discovery §3; RFC 9207 §3; RFC 9126 §5; RP-Initiated Logout §2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.messages.json import JsonValue
from codegrant.messages.members import build_members, defaults_of, parse_members

__all__ = ["ServerMetadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """What an authorization server says of itself, under the RFCs' names.

    Discovery reads it. For a server without discovery, write it by hand:

        ServerMetadata(
            issuer="https://example.com",
            authorization_endpoint="https://example.com/authorize",
            token_endpoint="https://example.com/token",
        )

    A text that is absent is empty, a list that is absent is an empty tuple, a boolean that
    is absent has the RFCs' default.

    Attributes:
        extra: members of a document that have no attribute here.
    """

    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""
    userinfo_endpoint: str = ""
    revocation_endpoint: str = ""
    introspection_endpoint: str = ""
    end_session_endpoint: str = ""
    registration_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    device_authorization_endpoint: str = ""
    scopes_supported: tuple[str, ...] = ()
    response_types_supported: tuple[str, ...] = ()
    response_modes_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    subject_types_supported: tuple[str, ...] = ()
    acr_values_supported: tuple[str, ...] = ()
    prompt_values_supported: tuple[str, ...] = ()
    display_values_supported: tuple[str, ...] = ()
    claim_types_supported: tuple[str, ...] = ()
    claims_supported: tuple[str, ...] = ()
    claims_locales_supported: tuple[str, ...] = ()
    ui_locales_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    userinfo_signing_alg_values_supported: tuple[str, ...] = ()
    request_object_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    claims_parameter_supported: bool = False
    request_parameter_supported: bool = False
    request_uri_parameter_supported: bool = True
    require_request_uri_registration: bool = False
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    backchannel_logout_supported: bool = False
    backchannel_logout_session_supported: bool = False
    service_documentation: str = ""
    op_policy_uri: str = ""
    op_tos_uri: str = ""
    extra: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 1 << 18) -> ServerMetadata:
        """Return the metadata that a JSON document is. A null counts as absent.

        Raises:
            MessageError: as `parse_object`; `malformed_member`, a member that we know has
                the wrong type.

        RFC 8414 §3.2.
        """
        known, extra = parse_members(raw, _DEFAULTS, max_bytes=max_bytes)
        return cls(**known, extra=extra)  # type: ignore[arg-type]  # `parse_members` sees to that

    def build(self) -> bytes:
        """Return the JSON document: no nulls, no empty lists, nothing that is the default.

        RFC 8414 §3.2.
        """
        return build_members(self, _DEFAULTS, self.extra)

    def __repr__(self) -> str:
        return f"ServerMetadata({self.issuer or self.authorization_endpoint})"


_DEFAULTS = defaults_of(ServerMetadata)
