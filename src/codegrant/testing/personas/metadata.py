"""What providers publish about themselves. Layer: testing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegrant.messages.json import JsonValue
from codegrant.testing.personas.binding import PROOF_ALGS
from codegrant.testing.personas.facts import Facts

__all__ = ["SEVERAL", "openid_metadata", "plain_metadata"]

SEVERAL = frozenset({"common", "organizations", "consumers"})
"""Of Microsoft: what stands for more than one directory."""


def openid_metadata(
    facts: Facts, address: Callable[[str], str], variables: Mapping[str, str]
) -> dict[str, JsonValue]:
    """Return the metadata of a server with OpenID. OpenID Connect Discovery §3.

    Args:
        facts: of the provider.
        address: fills in the variables of an address.
        variables: that it fills in.
    """
    issuer = address(facts.issuer)
    base, tenant = issuer.removesuffix("/"), variables.get("tenant", "")
    if tenant in SEVERAL:
        issuer = issuer.replace(tenant, "{tenantid}")
    told: dict[str, JsonValue] = {
        "issuer": facts.published_issuer or issuer,
        "authorization_endpoint": address(facts.authorize),
        "token_endpoint": address(facts.token),
        "userinfo_endpoint": address(facts.userinfo),
        "revocation_endpoint": address(facts.revoke),
        "jwks_uri": f"{base}/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": list(facts.scopes),
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic" if facts.auth == "basic" else "client_secret_post"
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
    }
    return {n: value for n, value in told.items() if value and n not in facts.unlisted}


def plain_metadata(facts: Facts, address: Callable[[str], str]) -> dict[str, JsonValue]:
    """Return the metadata of a server without OpenID. RFC 8414 §2.

    Args:
        facts: of the provider.
        address: fills in the variables of an address.
    """
    issuer = address(facts.plain_issuer)
    return {
        "issuer": issuer,
        # For its own use: nothing that it signs is for a client.
        "jwks_uri": f"{issuer}/oauth/jwks",
        "authorization_endpoint": address(facts.authorize),
        "token_endpoint": address(facts.token),
        "revocation_endpoint": address(facts.revoke),
        "pushed_authorization_request_endpoint": address(facts.pushed),
        "require_pushed_authorization_requests": True,
        "authorization_response_iss_parameter_supported": facts.iss,
        "client_id_metadata_document_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "dpop_signing_alg_values_supported": list(PROOF_ALGS),
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code"],
        "scopes_supported": list(facts.scopes),
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": [facts.auth],
    }
