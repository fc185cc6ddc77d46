from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from codegrant.client.login import (
    _OWN,
    LoginRequest,
    SealedState,
    identity_at,
    make_login_request,
    scope_at,
    start_login,
)
from codegrant.client.pending import PendingLogin
from codegrant.client.state import LoginState, browser_digest
from codegrant.errors import MetadataRejected, UsageError
from codegrant.messages.metadata import ServerMetadata
from codegrant.rules.metadata import trust_server_metadata, verify_server_metadata
from codegrant.rules.pkce import challenge_of
from codegrant.sealing import KeyRing
from tests.support.scripted import Script
from tests.unit.client.samples import ISSUER, METADATA, NOW, REDIRECT_URI, SERVER, client_config

RING = KeyRing(["r" * 32])
ARGUMENTS: dict[str, Any] = {
    "redirect_uri": None,
    "scope": None,
    "prompt": None,
    "max_age": None,
    "login_hint": None,
    "acr_values": (),
    "acr_essential": False,
    "ui_locales": (),
    "resource": (),
    "claims": None,
    "extra": None,
    "return_to": None,
}


def start(
    script: Script | None = None, sealed_state: SealedState | None = None, **changes: Any
) -> PendingLogin:
    request = make_login_request(**(ARGUMENTS | changes))
    flow = start_login(client_config(), SERVER, request, NOW, sealed_state)
    return (script or Script()).run(flow)


def query_of(login: PendingLogin) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(login.url).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.requirement("CL-FLOW-01")
def test_a_login_draws_512_bits_and_sends_no_secret_of_them() -> None:
    script = Script()
    login = start(script)
    assert [len(drawn) for drawn in script.drawn] == [32, 32]
    assert query_of(login) == {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid profile email",
        "state": login.state,
        "nonce": login.nonce,
        "code_challenge": challenge_of(login.code_verifier.reveal()),
        "code_challenge_method": "S256",
    }
    assert login.seed.reveal() not in login.url
    assert login.code_verifier.reveal() not in login.url
    assert login.started_at == NOW
    assert script.sent == []


def test_the_state_of_a_web_login_is_sealed_and_tells_where_it_began() -> None:
    script = Script()
    state = SealedState(key_ring=RING, origin="https://app.example", user_agent="Firefox")
    login = start(script, state, return_to="/deep?link=1")
    assert [len(drawn) for drawn in script.drawn] == [32]
    opened = LoginState.open(login.state, RING)
    assert opened == LoginState(
        login_id=login.login_id,
        started_at=NOW,
        origin="https://app.example",
        return_to="/deep?link=1",
        browser=browser_digest("Firefox"),
    )
    assert query_of(login)["state"] == login.state
    assert "deep" not in login.url


def test_plain_oauth_2_has_neither_scope_nor_nonce() -> None:
    described = replace(METADATA, issuer="", jwks_uri="")
    flow = start_login(
        client_config(server=described), trust_server_metadata(described), LoginRequest(), NOW
    )
    sent = query_of(Script().run(flow))
    assert not {"scope", "nonce"} & sent.keys()
    assert sent["code_challenge_method"] == "S256"


@pytest.mark.parametrize("name", sorted(_OWN))
def test_no_parameter_of_ours_can_be_replaced(name: str) -> None:
    assert query_of(start(extra={"audience": "x"}))["audience"] == "x"
    with pytest.raises(UsageError) as refused:
        start(extra={"audience": "x", name: "mine"})
    assert refused.value.code == "own_parameter"
    assert refused.value.message == f"extra: {name} cannot be set there"


def test_all_that_is_written_is_ours() -> None:
    everything = start(
        prompt="login",
        max_age=0,
        login_hint="a",
        acr_values="1 2",
        ui_locales="de",
        resource="https://api.example",
        claims={"id_token": {}},
    )
    assert query_of(everything).keys() <= _OWN


@pytest.mark.parametrize(
    ("given", "values"),
    [("a b", ("a", "b")), (["a b", "c"], ("a b", "c")), ("", ()), ((), ())],
)
def test_several_values_are_one_text_or_a_sequence(given: Any, values: tuple[str, ...]) -> None:
    made = make_login_request(**(ARGUMENTS | {"acr_values": given, "ui_locales": given}))
    assert made.acr_values == made.ui_locales == values


def test_one_resource_is_a_text_that_is_not_parted() -> None:
    made = start(resource="https://api.example/a b")
    assert parse_qs(urlsplit(made.url).query)["resource"] == ["https://api.example/a b"]


@pytest.mark.parametrize(
    ("redirect_uri", "code"),
    [
        (None, "no_redirect_uri"),
        ("", "no_redirect_uri"),
        ("/callback", "bad_redirect_uri"),
        ("app.example/callback", "bad_redirect_uri"),
        ("https://app.example/#x", "bad_redirect_uri"),
    ],
)
def test_a_redirect_uri_is_absolute(redirect_uri: str | None, code: str) -> None:
    nowhere = client_config(redirect_uri=None)
    assert identity_at(nowhere, SERVER, REDIRECT_URI).redirect_uri == REDIRECT_URI
    with pytest.raises(UsageError) as refused:
        identity_at(nowhere, SERVER, redirect_uri)
    assert refused.value.code == code


def test_the_redirect_uri_of_the_call_goes_before_the_configured_one() -> None:
    identity = identity_at(client_config(), SERVER, "com.example.app:/cb")
    assert identity == (ISSUER, "app", "com.example.app:/cb", f"{ISSUER}/token")
    assert identity_at(client_config(), SERVER).redirect_uri == REDIRECT_URI


@pytest.mark.parametrize("missing", ["authorization_endpoint", "token_endpoint"])
def test_a_discovered_server_has_the_endpoints_of_a_login(missing: str) -> None:
    changes: dict[str, Any] = {missing: ""}
    server = verify_server_metadata(replace(METADATA, **changes), issuer=ISSUER)
    with pytest.raises(MetadataRejected) as refused:
        Script().run(start_login(client_config(), server, LoginRequest(), NOW))
    assert refused.value.code == "endpoint_missing"
    assert refused.value.message.startswith(missing)


@pytest.mark.parametrize("changes", [{"jwks_uri": ""}, {"issuer": ""}])
def test_openid_needs_an_issuer_and_its_keys(changes: dict[str, Any]) -> None:
    server = trust_server_metadata(replace(METADATA, **changes))
    request = LoginRequest(scope=("openid",))
    with pytest.raises(UsageError) as refused:
        Script().run(start_login(client_config(), server, request, NOW))
    assert refused.value.code == "no_keys"


@pytest.mark.parametrize(
    ("requested", "configured", "listed", "scope"),
    [
        (("b",), ("a",), ("openid",), ("b",)),
        ((), ("a",), ("openid",), ()),
        (None, ("a",), ("openid",), ("a",)),
        (None, (), ("openid",), ()),
        (None, None, ("openid", "email", "x"), ("openid", "email")),
        (None, None, ("offline_access", "openid"), ("openid", "offline_access")),
        (None, None, (), ("openid", "profile", "email")),
        (None, None, ("read",), ()),
    ],
)
def test_the_scope_is_of_the_call_else_configured_else_what_is_listed(
    requested: tuple[str, ...] | None,
    configured: tuple[str, ...] | None,
    listed: tuple[str, ...],
    scope: tuple[str, ...],
) -> None:
    metadata = replace(METADATA, scopes_supported=listed)
    assert scope_at(client_config(scope=configured), metadata, requested) == scope
    without_keys = ServerMetadata(scopes_supported=("openid",))
    assert scope_at(client_config(), without_keys) == ()
