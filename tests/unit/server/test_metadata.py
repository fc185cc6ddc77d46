from __future__ import annotations

from typing import Any

import pytest

from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.prompt import PROMPTS
from codegrant.server.metadata import build_metadata
from codegrant.server.policy import Policy
from codegrant.server.token import GRANTS
from tests.flows.authorization_server import Bench, document

PATH = "/.well-known/openid-configuration"


@pytest.fixture
def metadata() -> dict[str, Any]:
    return document(Bench().send("GET", PATH))


def test_what_must_be_there_is_there(metadata: dict[str, Any]) -> None:
    base = "https://issuer.test"
    assert metadata["issuer"] == base
    assert metadata["authorization_endpoint"] == f"{base}/authorize"
    assert metadata["token_endpoint"] == f"{base}/token"
    assert metadata["userinfo_endpoint"] == f"{base}/userinfo"
    assert metadata["revocation_endpoint"] == f"{base}/revoke"
    assert metadata["introspection_endpoint"] == f"{base}/introspect"
    assert metadata["jwks_uri"] == f"{base}/jwks"
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["response_modes_supported"] == ["query"]
    assert metadata["subject_types_supported"] == ["public"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]


def test_only_what_works_is_advertised(metadata: dict[str, Any]) -> None:
    assert metadata["grant_types_supported"] == list(GRANTS)
    assert metadata["scopes_supported"][-1] == "offline_access"
    assert "refresh_token" in GRANTS
    assert metadata["prompt_values_supported"] == sorted(PROMPTS)
    assert metadata["request_uri_parameter_supported"] is False
    assert not {"none", "HS256"} & set(metadata["id_token_signing_alg_values_supported"])
    for later in ("registration_endpoint", "end_session_endpoint", "device_authorization_endpoint"):
        assert later not in metadata


def test_whoever_introspects_must_have_a_secret(metadata: dict[str, Any]) -> None:
    methods = ["client_secret_basic", "client_secret_post"]
    assert metadata["introspection_endpoint_auth_methods_supported"] == methods
    for endpoint in ("token_endpoint", "revocation_endpoint"):
        assert metadata[f"{endpoint}_auth_methods_supported"] == [*methods, "none"]


def test_nothing_is_null_or_empty(metadata: dict[str, Any]) -> None:
    assert all(value not in (None, [], "", {}) for value in metadata.values())


def test_the_request_does_not_change_it() -> None:
    bench = Bench()
    spoofed = [("host", "evil.test"), ("x-forwarded-host", "evil.test"), ("forwarded", "host=e")]
    assert bench.send("GET", PATH, headers=spoofed).body == bench.send("GET", PATH).body


def test_our_own_client_reads_it() -> None:
    document = build_metadata(Policy(issuer="https://h.test/t1", acr_values=("gold",)))
    read = ServerMetadata.parse(document)
    assert read.issuer == "https://h.test/t1"
    assert read.acr_values_supported == ("gold",)


def test_a_context_is_a_claim_where_it_can_be_reached(metadata: dict[str, Any]) -> None:
    assert "acr_values_supported" not in metadata
    assert "acr" not in metadata["claims_supported"]
    gold = ServerMetadata.parse(build_metadata(Policy(issuer="https://h.test", acr_values=("g",))))
    assert set(gold.claims_supported) - set(metadata["claims_supported"]) == {"acr"}
