from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.errors import MetadataRejected, UsageError
from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.metadata import (
    _ENDPOINTS,
    VerifiedServer,
    trust_server_metadata,
    verify_server_metadata,
)

ISSUER = "https://as.example/t"
METADATA = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    code_challenge_methods_supported=("S256",),
)


def refusal(metadata: ServerMetadata, issuer: str = ISSUER, **options: Any) -> MetadataRejected:
    with pytest.raises(MetadataRejected) as refused:
        verify_server_metadata(metadata, issuer=issuer, **options)
    return refused.value


def with_endpoint(name: str, url: str, issuer: str = ISSUER) -> ServerMetadata:
    changes: dict[str, Any] = {name: url, "issuer": issuer}
    base = ServerMetadata(code_challenge_methods_supported=("S256",))
    return replace(base, **changes)


def test_metadata_that_holds_is_returned_as_it_came() -> None:
    assert verify_server_metadata(METADATA, issuer=ISSUER).metadata is METADATA


@pytest.mark.requirement("CL-META-01")
@pytest.mark.parametrize(
    "issuer",
    [
        "",
        f"{ISSUER}/",
        ISSUER.upper(),
        "https://as.example",
        "https://AS.example/t",
        "https://as.example:443/t",
        "http://as.example/t",
        "https://evil.example/t",
    ],
)
def test_the_issuer_is_compared_character_by_character(issuer: str) -> None:
    error = refusal(replace(METADATA, issuer=issuer))
    assert (error.code, error.stage) == ("issuer_mismatch", "discovery")
    assert error.facts == {"expected": ISSUER, "got": issuer}
    assert error.message == f"issuer: the metadata is of {issuer!r}, not of {ISSUER!r}"


def test_the_issuer_of_somebody_else_is_cut_and_cleaned() -> None:
    error = refusal(replace(METADATA, issuer="https://x/\n" + "y" * 1000))
    got = error.facts["got"]
    assert isinstance(got, str)
    assert len(got) == 200
    assert got.startswith("https://x/ y")
    assert len(error.message) < 200


def test_every_address_of_the_metadata_is_judged() -> None:
    addresses = {
        name for name in ServerMetadata.__dataclass_fields__ if name.endswith(("_endpoint", "_uri"))
    }
    # A page for people is not where anything is sent.
    assert set(_ENDPOINTS) == addresses - {"op_policy_uri", "op_tos_uri"}


@pytest.mark.requirement("CL-META-02")
@pytest.mark.parametrize("name", _ENDPOINTS)
def test_each_endpoint_is_https(name: str) -> None:
    verify_server_metadata(with_endpoint(name, "https://other.example/x?y=z"), issuer=ISSUER)
    for url in (
        "http://as.example/x",
        "http://127.0.0.1/x",
        "javascript:alert(1)",
        "file:///x",
        "https://as.example/x#y",
        "https://u:p@as.example/",
        "/x",
        "https:",
    ):
        error = refusal(with_endpoint(name, url))
        assert (error.code, error.stage) == ("bad_endpoint", "discovery")
        assert error.message.startswith(f"{name}: ")


def test_an_issuer_on_loopback_may_have_endpoints_on_loopback() -> None:
    local = "http://127.0.0.1:8080"
    fine = with_endpoint("token_endpoint", f"{local}/token", issuer=local)
    verify_server_metadata(fine, issuer=local)
    plain = with_endpoint("token_endpoint", "http://as.example/token", issuer=local)
    assert refusal(plain, issuer=local).code == "bad_endpoint"
    upper = "HTTPS://as.example"
    loopback = with_endpoint("token_endpoint", f"{local}/token", issuer=upper)
    assert refusal(loopback, issuer=upper).code == "bad_endpoint"


@pytest.mark.requirement("CL-FLOW-02")
@pytest.mark.parametrize("methods", [(), ("plain",), ("s256",), ("S512", "plain")])
def test_a_server_without_s256_is_refused_unless_allowed(methods: tuple[str, ...]) -> None:
    metadata = replace(METADATA, code_challenge_methods_supported=methods)
    error = refusal(metadata)
    assert error.code == "pkce_not_supported"
    assert "dangerously_allow_missing_pkce_support" in error.hint
    assert verify_server_metadata(metadata, issuer=ISSUER, require_s256=False).metadata == metadata
    both = replace(METADATA, code_challenge_methods_supported=("plain", "S256"))
    verify_server_metadata(both, issuer=ISSUER)


@pytest.mark.parametrize("missing", ["authorization_endpoint", "token_endpoint"])
def test_a_described_server_has_what_every_login_needs(missing: str) -> None:
    assert trust_server_metadata(METADATA).metadata is METADATA
    changes: dict[str, Any] = {missing: ""}
    with pytest.raises(UsageError) as refused:
        trust_server_metadata(replace(METADATA, **changes))
    assert refused.value.code == "endpoint_missing"
    assert refused.value.message.startswith(missing)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": "http://as.example/token"},
        {"userinfo_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "jwks"},
        {"issuer": "http://as.example"},
        {"issuer": "https://as.example/?a=b"},
    ],
)
def test_a_described_server_has_addresses_that_secrets_may_go_to(changes: dict[str, Any]) -> None:
    trust_server_metadata(replace(METADATA, issuer="", userinfo_endpoint="http://localhost/u"))
    with pytest.raises(UsageError):
        trust_server_metadata(replace(METADATA, **changes))


def test_nothing_else_makes_a_verified_server() -> None:
    with pytest.raises(UsageError):
        VerifiedServer(METADATA)
    one = verify_server_metadata(METADATA, issuer=ISSUER)
    assert one == trust_server_metadata(METADATA)
    assert hash(one) == hash(trust_server_metadata(METADATA))
    assert one != trust_server_metadata(replace(METADATA, issuer=""))
    assert one != METADATA
    assert repr(one) == f"VerifiedServer({ISSUER})"
    nameless = trust_server_metadata(replace(METADATA, issuer=""))
    assert repr(nameless) == f"VerifiedServer({ISSUER}/authorize)"
