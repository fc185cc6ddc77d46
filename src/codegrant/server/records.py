"""What the authorization server remembers, as frozen values. Layer: server, no I/O.

A record is what a store keeps and gives back. Codes, tokens and client secrets are in it
as digests only (SHA-256, 32 bytes); times are integer epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codegrant.messages.json import JsonValue

__all__ = [
    "AccessTokenRecord",
    "ApplicationType",
    "AuthMethod",
    "ClientRecord",
    "CodeRecord",
    "GrantRecord",
    "KeyRecord",
    "Person",
    "RefreshTokenRecord",
    "ResourceRecord",
    "Transaction",
]

ApplicationType: TypeAlias = Literal["web", "native"]
AuthMethod: TypeAlias = Literal["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """A registered client; names as in RFC 7591 where it has one.

    Attributes:
        secret_digest: SHA-256 of the secret; None for a public client.
        scope: every scope token it may be granted.
        default_scope: what a request without `scope` asks for (D10); may be empty.
        audiences: registered resources it may name; the first is the default (D19).
        metadata: registered members that have no attribute of their own.
    """

    client_id: str
    client_name: str = ""
    secret_digest: bytes | None = None
    token_endpoint_auth_method: AuthMethod = "client_secret_basic"
    application_type: ApplicationType = "web"
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    scope: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    default_scope: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    id_token_signed_response_alg: str = "RS256"
    require_pkce: bool = True
    skip_consent: bool = False
    jwks: str = ""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0

    @property
    def is_public(self) -> bool:
        """Whether the client has no credential. RFC 6749 §2.1."""
        return self.token_endpoint_auth_method == "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """A registered resource server: one audience, its scopes, its introspection credential."""

    audience: str
    resource_id: str
    secret_digest: bytes | None = None
    scope: tuple[str, ...] = ()
    access_format: Literal["", "jwt", "opaque"] = ""
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in, as the authorization server sees them.

    Attributes:
        subject: the stable `sub`; at most 255 ASCII characters, never given to another.
        claims: standard claims (OIDC Core §5.1) but for `sub`; absent ones are absent.
    """

    subject: str
    claims: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """An authorization request that waits for a person. Lives 10 minutes.

    Attributes:
        digest: of the id in the address.
        request: the checked request's parameters as ordered pairs, as they came.
        source: the address of the sender, to bound how many wait unbound.
        browser_digest: of the cookie of the one browser it is bound to; None before.
        login_sid: of the browser session that logged in for this transaction; empty before.
    """

    digest: bytes
    client_id: str
    request: tuple[tuple[str, str], ...]
    source: str
    created_at: int
    expires_at: int
    browser_digest: bytes | None = None
    login_sid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """What one person allowed one client: the root that all its tokens hang on.

    Attributes:
        scope: what was granted.
        audience: of its access tokens (D19).
        sid: public id of the browser session it came from; may be empty.
        cnf: sender constraint of all its tokens (a JWK thumbprint); empty for bearer.
    """

    grant_id: str
    client_id: str
    subject: str
    scope: tuple[str, ...]
    audience: str
    auth_time: int
    amr: tuple[str, ...] = ()
    acr: str = ""
    sid: str = ""
    cnf: str = ""
    created_at: int = 0
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRecord:
    """An authorization code, bound to all that RFC 6749 §10.5 names.

    Attributes:
        redirect_uri: as used in the authorization request.
        redirect_uri_sent: whether that request named it (else it was the only one).
        code_challenge: S256; empty only for a client whose PKCE was waived (D2).
        offline: whether a refresh token goes with its redemption (D18).
    """

    digest: bytes
    grant_id: str
    client_id: str
    redirect_uri: str
    redirect_uri_sent: bool
    code_challenge: str
    nonce: str
    requested_scope: tuple[str, ...]
    created_at: int
    expires_at: int
    claims: str = ""
    auth_time_requested: bool = False
    offline: bool = False
    cnf: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenRecord:
    """A refresh token; scope, audience and person are its grant's.

    Attributes:
        expires_at: the earlier of the idle limit and `ends_at`; each rotation moves it on.
        ends_at: of the whole family, from the first token on.
        rotated_at: when it was exchanged for its successor; None while it is the newest.
    """

    digest: bytes
    grant_id: str
    client_id: str
    created_at: int
    expires_at: int
    ends_at: int
    cnf: str = ""
    rotated_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenRecord:
    """An opaque access token; a JWT access token has no record (D15).

    Attributes:
        grant_id: empty for a token that a client got for itself (RFC 6749 §4.4).
    """

    digest: bytes
    grant_id: str
    client_id: str
    subject: str
    scope: tuple[str, ...]
    audience: str
    created_at: int
    expires_at: int
    cnf: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A signing key; the private half is sealed with the key ring.

    Attributes:
        sealed_private_key: `KeyRing.seal("signing key", PKCS8 PEM)`.
        activates_at: from when it signs; published before.
        retires_at: from when it no longer signs; None while it is the newest.
        removes_at: from when it is no longer published; None while it is the newest.
    """

    kid: str
    alg: str
    sealed_private_key: str
    created_at: int
    activates_at: int
    retires_at: int | None = None
    removes_at: int | None = None
