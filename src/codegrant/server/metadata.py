"""The two metadata documents, equal but for their address. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.prompt import PROMPTS
from codegrant.server.answers import public_json
from codegrant.server.claims import CLAIMS, SCOPE_CLAIMS
from codegrant.server.client_authentication import AUTH_METHODS, SECRET_METHODS
from codegrant.server.keys import SIGNING_ALGORITHMS
from codegrant.server.policy import Policy
from codegrant.server.token import GRANTS

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_metadata", "build_metadata"]


def build_metadata(policy: Policy) -> bytes:
    """Return the metadata document: exactly what works. RFC 8414 §2; OIDC Discovery §3."""
    # Nobody reaches an authentication context that no operator has named.
    acr = ("acr",) if policy.acr_values else ()
    return ServerMetadata(
        issuer=policy.issuer,
        authorization_endpoint=policy.endpoint("authorize"),
        token_endpoint=policy.endpoint("token"),
        userinfo_endpoint=policy.endpoint("userinfo"),
        revocation_endpoint=policy.endpoint("revoke"),
        introspection_endpoint=policy.endpoint("introspect"),
        jwks_uri=policy.endpoint("jwks"),
        scopes_supported=("openid", *SCOPE_CLAIMS, "offline_access"),
        response_types_supported=("code",),
        response_modes_supported=("query",),
        grant_types_supported=tuple(GRANTS),
        subject_types_supported=("public",),
        id_token_signing_alg_values_supported=SIGNING_ALGORITHMS,
        token_endpoint_auth_methods_supported=AUTH_METHODS,
        revocation_endpoint_auth_methods_supported=AUTH_METHODS,
        introspection_endpoint_auth_methods_supported=SECRET_METHODS,
        code_challenge_methods_supported=("S256",),
        authorization_response_iss_parameter_supported=True,
        acr_values_supported=policy.acr_values,
        claims_supported=("sub", "auth_time", *acr, "amr", *sorted(CLAIMS)),
        claims_parameter_supported=True,
        request_parameter_supported=False,
        request_uri_parameter_supported=False,
        prompt_values_supported=tuple(sorted(PROMPTS)),
    ).build()


def answer_metadata(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:  # noqa: ARG001
    """Return the document, which depends on settings alone, never on the request."""
    yield from ()
    return public_json(server.metadata)
