"""How a resource server is configured; the flow itself is in `tests/flows/test_access_token.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from codegrant.errors import ConfigurationError, UsageError
from codegrant.resource import AsyncResourceServer, ResourceFlows, ResourceServer
from codegrant.resource.verification import ResourceConfig, parse_issuers

ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example"


@pytest.mark.parametrize(
    ("issuers", "parsed"),
    [
        pytest.param(ISSUER, (ISSUER,), id="one text"),
        pytest.param([ISSUER, "https://b.example"], (ISSUER, "https://b.example"), id="a list"),
        pytest.param((ISSUER, ISSUER), (ISSUER,), id="the same twice"),
        pytest.param([], (), id="none"),
    ],
)
def test_issuers_are_one_text_or_several(issuers: str | Sequence[str], parsed: object) -> None:
    assert parse_issuers(issuers) == parsed


@pytest.mark.requirement("RS-JAT-02")
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"audience": ""}, "audience", id="no audience"),
        pytest.param({"issuers": ()}, "issuers", id="no issuer"),
        pytest.param({"leeway": -1}, "leeway", id="negative leeway"),
        pytest.param({"leeway": 61}, "leeway", id="more than a minute"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(changes: dict[str, Any], key: str) -> None:
    good: dict[str, Any] = {"issuers": (ISSUER,), "audience": AUDIENCE, "leeway": 60}
    with pytest.raises(ConfigurationError) as caught:
        ResourceConfig(**(good | changes))
    assert caught.value.message.startswith(f"{key}: ")
    assert ResourceConfig(**good).audience == AUDIENCE


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("http://issuer.example", id="http"),
        pytest.param("issuer.example", id="no scheme"),
        pytest.param(f"{ISSUER}?x=1", id="query"),
        pytest.param(f"{ISSUER}#x", id="fragment"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_issuer_is_refused_before_any_request(issuer: str) -> None:
    with pytest.raises(UsageError):
        ResourceFlows(ResourceConfig(issuers=(ISSUER, issuer), audience=AUDIENCE))
    for kind in (ResourceServer, AsyncResourceServer):
        with pytest.raises(UsageError):
            kind(issuer, AUDIENCE)


def test_an_issuer_on_loopback_may_be_http() -> None:
    for issuer in ("http://127.0.0.1:8080", "http://localhost:8080/tenant", ISSUER):
        ResourceServer([issuer], AUDIENCE).close()
