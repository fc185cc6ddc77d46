"""The issuer that an ID token must name, where it has several spellings."""

from __future__ import annotations

from typing import Any

import pytest

from codegrant import TokenRejected, provider
from codegrant.rules.known_issuer import expected_issuer

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OTHER = "11111111-2222-3333-4444-555555555555"
ISSUER = "https://issuer.example"


def test_everybody_else_has_one() -> None:
    claims: dict[str, Any] = {"tid": OTHER, "iss": "https://evil.example"}
    assert expected_issuer(None, ISSUER, claims) == ISSUER
    for known in (provider("google"), provider("microsoft", tenant=TENANT)):
        assert expected_issuer(known, ISSUER, claims) == ISSUER


def test_a_tenant_that_is_allowed_has_its_own() -> None:
    for known in (
        provider("microsoft", tenant="common", allowed_tenants=[TENANT]),
        provider("microsoft", tenant="common", allowed_tenants="any"),
        provider("microsoft", tenant="organizations", allowed_tenants=[TENANT.upper()]),
    ):
        found = expected_issuer(known, ISSUER, {"tid": TENANT})
        assert found == f"https://login.microsoftonline.com/{TENANT}/v2.0"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, "claim_missing"),
        ({"tid": ""}, "claim_malformed"),
        ({"tid": 7}, "claim_malformed"),
        ({"tid": [TENANT]}, "claim_malformed"),
        ({"tid": "common"}, "claim_malformed"),
        ({"tid": "{tenantid}"}, "claim_malformed"),
        ({"tid": f"{TENANT}/../{OTHER}"}, "claim_malformed"),
        ({"tid": f"{TENANT}\n"}, "claim_malformed"),
        ({"tid": TENANT.upper()}, "claim_malformed"),
        ({"tid": OTHER}, "tenant_refused"),
    ],
)
def test_any_other_tenant_is_refused(claims: dict[str, Any], code: str) -> None:
    known = provider("microsoft", tenant="common", allowed_tenants=[TENANT])
    with pytest.raises(TokenRejected) as caught:
        expected_issuer(known, ISSUER, claims)
    assert (caught.value.code, caught.value.stage) == (code, "id_token")
