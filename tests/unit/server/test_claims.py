from __future__ import annotations

import pytest

from codegrant.errors import OAuthError
from codegrant.messages.json import JsonValue
from codegrant.server.claims import CLAIMS, ClaimsRequest, claims_of, parse_claims


def test_a_claims_parameter_is_read_whole() -> None:
    text = """{
        "id_token": {"sub": {"value": "s"}, "auth_time": {"essential": true}, "email": null,
                     "acr": {"essential": true, "values": ["gold", "silver"]}},
        "userinfo": {"name": {"essential": false}}, "other": 5
    }"""
    assert parse_claims(text) == ClaimsRequest(
        id_token=frozenset({"sub", "auth_time", "email", "acr"}),
        userinfo=frozenset({"name"}),
        subject="s",
        essential_acr=("gold", "silver"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"id_token": null}',
        '{"id_token": {"acr": {"value": "gold"}}}',
        '{"id_token": {"acr": {"essential": true}}}',
        '{"id_token": {"acr": {"value": "gold", "essential": false}, "sub": null}}',
        '{"id_token": {"sub": {"essential": true}}, "userinfo": {"sub": {}}}',
        '{"userinfo": {"acr": {"essential": true, "value": "gold"}}}',
        '{"id_token": {"email": {"value": 5}, "name": {"values": []}}}',
    ],
)
def test_what_is_not_demanded_is_not_held_against_anybody(text: str) -> None:
    request = parse_claims(text)
    assert request.essential_acr == ()
    assert request.subject == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        '"x"',
        "5",
        "null",
        '{"id_token": 5}',
        '{"id_token": []}',
        '{"userinfo": "x"}',
        '{"id_token": {"email": 5}}',
        '{"id_token": {"email": [null]}}',
        '{"id_token": {"email": {"essential": "yes"}}}',
        '{"id_token": {"email": {"values": "x"}}}',
        '{"id_token": {"sub": {"value": "a"}}, "userinfo": {"sub": {"value": "b"}}}',
        '{"id_token": {"sub": {"values": ["a", "b"]}}}',
        '{"id_token": {"sub": {"value": "a", "values": ["a"]}}}',
        '{"id_token": {"sub": {"value": 5}}}',
        '{"id_token": {"sub": {"value": ""}}}',
        '{"id_token": {"sub": {"value": null}}}',
        '{"id_token": {"sub": {"values": []}}}',
        '{"userinfo": {"sub": {"values": ["a", 5]}}}',
        '{"id_token": {"acr": {"essential": true, "values": [5, null]}}}',
        '{"id_token": {"acr": {"essential": true, "values": []}}}',
        '{"id_token": {"acr": {"value": ["gold"]}}}',
        '{"id_token": {"email": {"value": "a", "values": ["b"]}}}',
        '{"id_token": {}, "id_token": {}}',
        '{"id_token": {"x": NaN}}',
        "[" * 2000,
        '{"a":' * 1000,
        '{"a": "' + "x" * 5000 + '"}',
        '{"a": "\\ud800"}',
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as caught:
        parse_claims(text)
    assert caught.value.error == "invalid_request"


KNOWN: dict[str, JsonValue] = {
    "name": "Alice",
    "email": "a@test",
    "email_verified": False,
    "nickname": "",
    "locale": None,
    "address": {},
    "zoneinfo": [],
    "internal_note": "secret",
}


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (("openid",), set[str]()),
        (("openid", "profile"), {"name"}),
        (("email",), {"email", "email_verified"}),
        (("profile", "email", "address", "phone"), {"name", "email", "email_verified"}),
        (("PROFILE", "profiles", "internal_note"), set[str]()),
    ],
)
def test_a_scope_opens_known_standard_claims_alone(scope: tuple[str, ...], names: set[str]) -> None:
    assert claims_of(KNOWN, scope).keys() == names


def test_wanting_a_claim_does_not_open_it() -> None:
    assert claims_of(KNOWN, ("email",), frozenset({"email", "name"})) == {"email": "a@test"}
    assert claims_of(KNOWN, ("email",), frozenset()) == {}
    assert "internal_note" not in CLAIMS
