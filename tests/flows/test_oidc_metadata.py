"""What the metadata says of OpenID Connect, held against what the server does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codegrant.messages.json import JsonValue
from codegrant.rules.prompt import PROMPTS
from tests.flows.authorization_server import document
from tests.flows.house import Browser, House
from tests.flows.oidc import answer_of, claims_in, is_page, open_house, send, sign_in, tokens_of

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture(scope="module")
def alice(house: House) -> Browser:
    browser = Browser(house)
    sign_in(browser)
    return browser


@pytest.fixture(params=[OPENID, OAUTH], ids=["openid", "oauth"])
def advertised(house: House, request: pytest.FixtureRequest) -> dict[str, Any]:
    return document(send(house, "GET", request.param))


def leaves_of(value: JsonValue) -> Iterator[JsonValue]:
    """Return every value inside a document, the containers too."""
    yield value
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves_of(member)
    if isinstance(value, list):
        for element in value:
            yield from leaves_of(element)


@pytest.mark.requirement("AS-META-05")
@pytest.mark.parametrize("acr_values", [(), ("gold",)])
def test_nothing_is_empty_and_nothing_stands_twice(acr_values: tuple[str, ...]) -> None:
    with open_house(acr_values=acr_values) as house:
        for path in (OPENID, OAUTH):
            found = document(send(house, "GET", path))
            assert not [leaf for leaf in leaves_of(found) if leaf in (None, "", [], {})]
            lists = [member for member in found.values() if isinstance(member, list)]
            assert all(len(set(member)) == len(member) for member in lists)
            assert found.get("acr_values_supported", []) == list(acr_values)
            assert ("acr" in found["claims_supported"]) == bool(acr_values)


def test_each_advertised_prompt_does_something_and_no_other_is_taken(
    advertised: dict[str, Any], alice: Browser
) -> None:
    assert set(advertised["prompt_values_supported"]) == PROMPTS
    pages = {"login": "login", "select_account": "login", "consent": "consent"}
    for prompt in advertised["prompt_values_supported"]:
        page = alice.start(prompt=prompt)
        if prompt in pages:
            assert is_page(page, pages[prompt]), prompt
        else:
            assert "code" in answer_of(page), prompt
    for prompt in ("create", "None", "admin_consent", "refresh_session"):
        assert answer_of(alice.start(prompt=prompt))["error"] == "invalid_request"


def test_what_is_not_served_is_not_advertised(advertised: dict[str, Any], alice: Browser) -> None:
    # One kind of page in one language; no wish for another is an error.
    assert not {"display_values_supported", "ui_locales_supported"} & advertised.keys()
    assert "code" in answer_of(alice.start(display="touch", ui_locales="de"))
    assert "acr_values_supported" not in advertised
    # Absent means false for the first and true for the second. OIDC Discovery §3.
    assert not advertised.get("request_parameter_supported", False)
    assert advertised.get("request_uri_parameter_supported", True) is False
    for name in ("request", "request_uri", "registration"):
        refused = answer_of(alice.start(**{name: "https://a.test/"}))
        assert refused["error"] == f"{name}_not_supported"


def test_the_scopes_and_signatures_are_those_that_there_are(
    advertised: dict[str, Any], house: House, alice: Browser
) -> None:
    scope = "openid profile email address phone offline_access"
    assert advertised["scopes_supported"] == scope.split()
    assert {"RS256"} <= set(advertised["id_token_signing_alg_values_supported"])
    assert not {"none", "HS256"} & set(advertised["id_token_signing_alg_values_supported"])
    told = claims_in(house, tokens_of(house, alice)["id_token"])
    assert {"sub", "auth_time", "amr"} <= told.keys() & set(advertised["claims_supported"])


def test_the_claims_parameter_is_advertised_and_read(
    advertised: dict[str, Any], alice: Browser
) -> None:
    assert advertised["claims_parameter_supported"] is True
    assert answer_of(alice.start(claims="{"))["error"] == "invalid_request"
    assert "code" in answer_of(alice.start(claims="{}"))
