from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.client.configuration import (
    ClientConfig,
    make_config,
    parse_origins,
    parse_scope_argument,
)
from codegrant.errors import ConfigurationError, UsageError
from codegrant.jose import PrivateKey
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers import provider
from codegrant.remote.client_assertion import ClientKey
from codegrant.secret import Secret

ARGUMENTS: dict[str, Any] = {
    "client_id": "app",
    "client_secret": "s3cret-of-the-client",
    "private_key": None,
    "private_key_id": "",
    "token_endpoint_auth_method": None,
    "redirect_uri": None,
    "scope": None,
    "response_mode": None,
    "api_origins": (),
    "id_token_algs": (),
    "leeway": 60,
    "login_lifetime": 600,
    "untrusted_issuer": False,
    "require_s256": True,
    "offline": False,
    "dpop": False,
    "token_endpoint_audience": False,
    "resource": (),
    "pushed_requests": None,
    "signed_requests": False,
}


def config(**changes: Any) -> ClientConfig:
    return make_config("https://as.example", **(ARGUMENTS | changes))


def test_the_arguments_become_values() -> None:
    made = config(
        scope="openid  profile openid",
        api_origins=["https://api.example/"],
        id_token_algs=["ES256"],
        untrusted_issuer=True,
    )
    assert made.client_secret == Secret("s3cret-of-the-client")
    assert made.scope == ("openid", "profile")
    assert made.api_origins == {"https://api.example"}
    assert made.id_token_algs == ("ES256",)
    assert made.guarded
    assert made.issuer == "https://as.example"
    assert "s3cret" not in repr(made)


def test_the_response_mode_is_of_the_argument_else_of_the_catalogue() -> None:
    by_form = replace(provider("google"), response_mode="form_post")
    assert make_config(by_form, **ARGUMENTS).response_mode == "form_post"
    assert make_config("google", **ARGUMENTS).response_mode is None
    assert config().response_mode is None
    assert config(response_mode="form_post").response_mode == "form_post"
    assert config(response_mode="query").response_mode == "query"
    for other in ("fragment", "form_post.jwt", " "):
        with pytest.raises(ConfigurationError, match="neither query nor form_post"):
            config(response_mode=other)


def test_a_secret_may_be_wrapped_already() -> None:
    assert config(client_secret=Secret("s")).client_secret == Secret("s")
    assert config(client_secret=None).client_secret is None


def test_a_key_may_stand_beside_a_secret_or_alone() -> None:
    key = PrivateKey.generate("ES256")
    assert config(private_key=key).client_key == ClientKey((key,), key.kid)
    alone = config(client_secret=None, private_key=key.to_pem().decode(), private_key_id="k")
    assert alone.client_key is not None
    assert alone.client_key.kid == "k"
    assert alone.authentication_at(ServerMetadata()).method == "private_key_jwt"


@pytest.mark.parametrize("server", [None, b"https://as.example", 1])
def test_what_is_no_server_is_refused_by_name(server: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^server: an issuer, a provider or a Server"):
        make_config(server, **ARGUMENTS)


def test_a_described_server_has_its_own_issuer_or_none() -> None:
    described = ServerMetadata(issuer="https://as.example", token_endpoint="https://as.example/t")
    assert make_config(described, **ARGUMENTS).issuer == "https://as.example"
    assert make_config(ServerMetadata(), **ARGUMENTS).issuer == ""


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a\n"}, "client_id"),
        ({"client_id": " a"}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": None, "token_endpoint_auth_method": "client_secret_basic"}, "secret"),
        ({"token_endpoint_auth_method": "none"}, "client_secret"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "private_key"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": ""}, "token_endpoint_auth_method"),
        ({"private_key": ""}, "private_key"),
        ({"resource": "api"}, "resource"),
        ({"resource": ["https://api.example", "https://api.example/#x"]}, "resource"),
        ({"private_key": "no key"}, "private_key"),
        ({"private_key_id": "k"}, "private_key_id"),
        ({"redirect_uri": ""}, "redirect_uri"),
        ({"redirect_uri": "https://a/ "}, "redirect_uri"),
        ({"id_token_algs": ["none"]}, "id_token_algs"),
        ({"id_token_algs": ["ES256", "HS256"]}, "id_token_algs"),
        ({"id_token_algs": "ES256"}, "id_token_algs"),
        ({"leeway": 9}, "leeway"),
        ({"leeway": 61}, "leeway"),
        ({"login_lifetime": 29}, "login_lifetime"),
        ({"login_lifetime": 86_401}, "login_lifetime"),
        ({"api_origins": "https://api.example"}, "api_origins"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config(**changes)
    assert named in refused.value.message.partition(":")[0]
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"leeway": 10},
        {"login_lifetime": 30},
        {"login_lifetime": 86_400},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "none", "client_secret": None},
        {"id_token_algs": ["RS256", "PS256", "ES256", "EdDSA"]},
    ],
)
def test_the_edges_are_allowed(changes: dict[str, Any]) -> None:
    config(**changes)


@pytest.mark.parametrize(
    "origin",
    [
        "https://api.example/v1",
        "https://API.example",
        "https://api.example:443",
        "https://api.example/?a",
        "https://api.example?",
        "https://api.example#",
        "http://api.example",
        "api.example",
        "https://u@api.example",
        "*",
        "",
    ],
)
def test_an_api_origin_has_neither_path_nor_query(origin: str) -> None:
    for fine in ("https://api.example", "https://api.example/", "http://127.0.0.1:8000"):
        assert parse_origins([fine]) == {fine.rstrip("/")}
    with pytest.raises(ConfigurationError) as refused:
        parse_origins(["https://fine.example", origin])
    assert refused.value.message.startswith("api_origins: ")


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("", ()),
        ([], ()),
        ("a", ("a",)),
        ("a b  a", ("a", "b")),
        (" ", ()),
        (["b", "a", "b"], ("b", "a")),
        (("https://api.example/read",), ("https://api.example/read",)),
    ],
)
def test_a_scope_is_one_text_or_a_sequence(given: Any, tokens: tuple[str, ...]) -> None:
    assert parse_scope_argument(given) == tokens


@pytest.mark.parametrize("given", ['a"b', "a\\b", "é", ["a b"], [""], ["a\n"], ["\x7f"], "a\tb"])
def test_what_is_no_scope_token_is_the_programs_fault(given: Any) -> None:
    with pytest.raises(UsageError) as refused:
        parse_scope_argument(given)
    assert refused.value.code == "bad_scope"


def test_the_authentication_is_made_once_for_a_copy_of_the_metadata() -> None:
    made = config()
    server = ServerMetadata(issuer="https://as.example")
    known = made.authentication_at(server)
    assert made.authentication_at(server) is known

    changed = replace(server, token_endpoint_auth_methods_supported=("client_secret_post",))
    assert known.method == "client_secret_basic"
    assert made.authentication_at(changed).method == "client_secret_post"
    assert made.authentication_at(server).method == "client_secret_basic"


def test_methods_of_another_endpoint_are_asked_for_each_time() -> None:
    made = config()
    server = ServerMetadata(issuer="https://as.example")
    known = made.authentication_at(server)
    assert made.authentication_at(server, ("client_secret_post",)).method == "client_secret_post"
    assert made.authentication_at(server) is known


def test_a_changed_configuration_authenticates_as_it_says() -> None:
    made = config()
    server = ServerMetadata(issuer="https://as.example")
    before = made.authentication_at(server)
    secret = Secret("another-secret-of-the-client")
    after = replace(made, client_secret=secret).authentication_at(server)
    assert before.secret != secret
    assert after.secret == secret
