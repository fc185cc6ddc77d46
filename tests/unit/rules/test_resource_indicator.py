from __future__ import annotations

import pytest

from codegrant.errors import OAuthError
from codegrant.rules.resource_indicator import check_resource, single_resource


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example",
        "https://api.example/v1?tenant=1",
        "http://api.internal:8080/",
        "urn:example:api",
        "https://[2001:db8::1]/",
    ],
)
def test_an_absolute_uri_names_a_resource(uri: str) -> None:
    check_resource(uri)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://api.example/#x", "a fragment"),
        ("https://api.example/#", "a fragment"),
        ("/v1", "no absolute URI"),
        ("//api.example/", "no absolute URI"),
        ("api.example", "no absolute URI"),
        ("urn:", "nothing after the scheme"),
        ("x-app://", "nothing after the scheme"),
        ("https://u:p@api.example/", "user information before the host"),
        ("https://api.example/ü", "a character that no URI may have"),
        ("https://api.example/ x", "a character that no URI may have"),
        ("https://api.example/%zz", "a character that no URI may have"),
        ("", "a character that no URI may have"),
    ],
)
def test_anything_else_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(OAuthError) as refused:
        check_resource(uri)
    error = refused.value
    assert (error.error, error.reason) == ("invalid_target", reason)
    assert error.description == "resource must be an absolute URI without fragment"


API = "https://api.example"


@pytest.mark.parametrize(
    ("uris", "resource"),
    [((), None), ((API,), API), ((API, API, API), API)],
    ids=["none", "one", "the same one repeated"],
)
def test_one_resource_is_named_or_none(uris: tuple[str, ...], resource: str | None) -> None:
    assert single_resource(uris) == resource


@pytest.mark.parametrize(
    "uris",
    [
        pytest.param((API, f"{API}/"), id="two"),
        pytest.param((API, API, "https://other.example"), id="two of three"),
        pytest.param(("/v1",), id="relative"),
        pytest.param((API, f"{API}#"), id="the second with a fragment"),
        pytest.param(("", API), id="the first empty"),
    ],
)
def test_several_resources_or_a_bad_one_are_refused(uris: tuple[str, ...]) -> None:
    with pytest.raises(OAuthError) as refused:
        single_resource(uris)
    assert refused.value.error == "invalid_target"
