"""A client's configuration, its server and its tokens, for the tests of its flows."""

from __future__ import annotations

from typing import Any

from codegrant.client.configuration import ClientConfig
from codegrant.client.tokens import Tokens
from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.id_token import IdToken
from codegrant.rules.metadata import VerifiedServer, trust_server_metadata
from codegrant.secret import Secret

NOW = 1_800_000_000
ISSUER = "https://as.example"
REDIRECT_URI = "https://app.example/callback"

METADATA = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    userinfo_endpoint=f"{ISSUER}/userinfo",
    jwks_uri=f"{ISSUER}/jwks",
    code_challenge_methods_supported=("S256",),
)
SERVER: VerifiedServer = trust_server_metadata(METADATA)

IDENTITY = IdToken(
    issuer=ISSUER,
    subject="person-1",
    audience=("app",),
    nonce="a-nonce",
    auth_time=NOW - 9,
    acr="1",
    amr=("pwd", "otp"),
    expires_at=NOW + 300,
    issued_at=NOW,
    claims={"sub": "person-1", "groups": ["a", "b"], "email": None},
)
TOKENS = Tokens(
    access_token=Secret("s3cret-access-token"),
    token_type="Bearer",
    expires_at=NOW + 300,
    scope=frozenset({"openid", "profile"}),
    missing_scope=frozenset({"email"}),
    refresh_token=Secret("s3cret-refresh-token"),
    id_token=Secret("s3cret.id.token"),
    identity=IDENTITY,
    issuer=ISSUER,
    token_endpoint=f"{ISSUER}/token",
    client_id="app",
    resource=("https://api.example",),
    received_at=NOW,
    extra={"session": {"a": [1, None]}, "device_secret": "s3cret-of-the-device"},
)


def client_config(**changes: Any) -> ClientConfig:
    given: dict[str, Any] = {
        "server": METADATA,
        "client_id": "app",
        "client_secret": Secret("s3cret-of-the-client"),
        "redirect_uri": REDIRECT_URI,
    }
    return ClientConfig(**(given | changes))
