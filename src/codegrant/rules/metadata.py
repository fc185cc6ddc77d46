"""Which authorization server a client may talk to. Layer: rules.

RFC 8414 §3.3, §6.1; OpenID Connect Discovery §4.3; RFC 9700 §2.1.1.
"""

from __future__ import annotations

from typing import Final

from codegrant.errors import MetadataRejected, UsageError
from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.issuer import check_issuer
from codegrant.rules.uri import check_https_or_loopback, short

__all__ = ["VerifiedServer", "trust_server_metadata", "verify_server_metadata"]

# Everything that we may send something to, or somebody.
_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "end_session_endpoint",
    "registration_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
)
_NEEDED = ("authorization_endpoint", "token_endpoint")
_MOST_CHARACTERS = 200
_CHECKED_HERE = object()


class VerifiedServer:
    """A server whose metadata was checked; only the functions of this module make one.

    Attributes:
        metadata: as published, or as written by hand.

    Raises:
        UsageError: it was made by anything else.
    """

    __slots__ = ("metadata",)

    def __init__(self, metadata: ServerMetadata, proof: object = None) -> None:
        if proof is not _CHECKED_HERE:
            raise UsageError("VerifiedServer: only a rule makes one")
        self.metadata: Final = metadata

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifiedServer) and self.metadata == other.metadata

    def __hash__(self) -> int:
        return hash(self.metadata)

    def __repr__(self) -> str:
        return f"VerifiedServer({self.metadata.issuer or self.metadata.authorization_endpoint})"


def verify_server_metadata(
    metadata: ServerMetadata, *, issuer: str, require_s256: bool = True
) -> VerifiedServer:
    """Return the server that a document describes, checked.

    Which endpoints a role needs is for that role to say.

    Args:
        metadata: the document found for `issuer`.
        issuer: the issuer it was looked up for; compared character by character.
        require_s256: refuse a server that does not say it speaks PKCE with S256.

    Raises:
        MetadataRejected: `issuer_mismatch`; `bad_endpoint`, an address is neither https nor,
            for an issuer on http, http on loopback; `pkce_not_supported`.

    RFC 8414 §3.3; OpenID Connect Discovery §4.3; RFC 9700 §2.1.1.
    """
    if metadata.issuer != issuer:
        from codegrant.rules.known_causes import issuer_hint

        got = clean_error_text(metadata.issuer[:_MOST_CHARACTERS])
        raise MetadataRejected(
            f"issuer: the metadata is of {short(got)}, not of {short(issuer)}",
            code="issuer_mismatch",
            stage="discovery",
            hint=issuer_hint(issuer, metadata.issuer),
            facts={"expected": issuer, "got": got},
        )
    for name in _ENDPOINTS:
        url: str = getattr(metadata, name)
        if not url:
            continue
        check_https_or_loopback(url, name=name, error=_bad_endpoint)
        if issuer.lower().startswith("https:") and not url.lower().startswith("https:"):
            raise _bad_endpoint(f"{name}: http, though the issuer is https")
    if require_s256 and "S256" not in metadata.code_challenge_methods_supported:
        raise MetadataRejected(
            "code_challenge_methods_supported: the server does not advertise S256",
            code="pkce_not_supported",
            stage="discovery",
            hint="a server that supports PKCE without saying so is allowed by "
            "dangerously_allow_missing_pkce_support=True",
            facts={"issuer": issuer},
        )
    return VerifiedServer(metadata, _CHECKED_HERE)


def trust_server_metadata(metadata: ServerMetadata) -> VerifiedServer:
    """Return the server that a program describes by hand; its addresses are checked.

    Args:
        metadata: with at least the two endpoints that every login needs.

    Raises:
        UsageError: one of the two is missing; an address is neither https nor http on
            loopback; `issuer` is no issuer.
    """
    for name in _NEEDED:
        if not getattr(metadata, name):
            raise UsageError(f"{name}: ServerMetadata needs it", code="endpoint_missing")
    if metadata.issuer:
        check_issuer(metadata.issuer)
    for name in _ENDPOINTS:
        url: str = getattr(metadata, name)
        if url:
            check_https_or_loopback(url, name=name)
    return VerifiedServer(metadata, _CHECKED_HERE)


def _bad_endpoint(message: str) -> MetadataRejected:
    return MetadataRejected(message, code="bad_endpoint", stage="discovery")
