"""Finding providers by id, and what a program may fill in."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from codegrant import AsyncClient, Client, ConfigurationError, Provider, ServerMetadata, provider
from codegrant.providers import IDS, Quirk, find_entry
from codegrant.rules.metadata import trust_server_metadata
from tests.support.personas import PUBLIC, VARIABLES


def whole(name: str) -> Provider:
    return provider(name, **VARIABLES.get(name, {}))


def test_there_are_thirty_providers() -> None:
    assert len(IDS) == len(set(IDS)) == 30
    assert {find_entry(name).provider.id for name in IDS} == set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_every_provider_is_whole(name: str) -> None:
    known = whole(name)
    assert "{" not in f"{known.issuer}{known.user_agent}"
    assert known.issuer.startswith("https://")
    if isinstance(known.server, ServerMetadata):
        assert trust_server_metadata(known.server).metadata == known.server
        assert "{" not in f"{known.server.authorization_endpoint}{known.server.token_endpoint}"
        assert known.server.userinfo_endpoint.startswith("https://")
        assert known.user.source == "userinfo"
    else:
        assert known.server == known.issuer
    assert repr(known) == f"Provider({name!r}, issuer={known.issuer!r})"
    with pytest.raises(FrozenInstanceError):
        known.pkce = "never"  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("name", IDS)
def test_every_provider_makes_a_client(kind: Any, name: str) -> None:
    secret = {} if name in {"apple", *PUBLIC} else {"client_secret": "s" * 20}
    named: Any = whole(name) if name in VARIABLES else name
    client = kind(named, client_id="app", **secret)
    config = client.flows.config
    assert config.provider is not None
    assert config.provider.id == name
    assert config.token_endpoint_auth_method in {whole(name).auth_method, None}
    assert config.guarded is whole(name).has(Quirk.HOST_CHOSEN)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("gogle", "'google'"), ("Google", "'google'"), ("twitter", "'x'"), ("entra", "'microsoft'"),
        ("gitlb", "'gitlab'"), ("github.com", "'github'"), ("aws-cognito", "'cognito'"),
        (" slack ", "'slack'"), ("Apple", "'apple'"), ("linkdin", "'linkedin'"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_those_that_are_like_it(text: str, near: str) -> None:
    for call in (provider, lambda name: Client(name, client_id="app")):
        with pytest.raises(ConfigurationError) as caught:
            call(text)
        assert caught.value.code == "unknown_provider"
        assert f"did you mean {near}" in str(caught.value)
        assert "https://" in caught.value.hint


@pytest.mark.parametrize("text", ["", "example", "accounts.example", "x" * 500, "\n"])
def test_a_name_like_nobody_s_is_told_without_a_guess(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        provider(text)
    assert "did you mean" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_address_is_an_issuer_and_never_a_name() -> None:
    client = Client("https://github.com", client_id="app")
    assert client.flows.config.provider is None
    assert client.flows.config.issuer == "https://github.com"


@pytest.mark.parametrize("name", [name for name in IDS if find_entry(name).needs])
def test_what_is_missing_is_named_with_the_call_that_gives_it(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client(name, client_id="app")
    assert caught.value.code == "provider_incomplete"
    assert f"provider({name!r}, " in caught.value.hint
    assert all(f"{variable}=..." in caught.value.hint for variable in find_entry(name).needs)


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("okta", "domain", "evil.example/path"),
        ("okta", "domain", "https://evil.example"),
        ("okta", "domain", "evil.example#"),
        ("okta", "domain", "user@evil.example"),
        ("okta", "domain", "localhost"),
        ("okta", "domain", "127.0.0.1"),
        ("okta", "domain", "a..example"),
        ("okta", "domain", f"{'a' * 64}.example"),
        ("okta", "authorization_server", "default/../x"),
        ("auth0", "domain", "évil.example"),
        ("mastodon", "instance", "social.example:443"),
        ("mastodon", "instance", "[::1]"),
        ("mastodon", "instance", "social.example\n"),
        ("gitlab", "base_url", "http://gitlab.example"),
        ("gitlab", "base_url", "https://gitlab.example/"),
        ("gitlab", "base_url", "https://gitlab.example?x"),
        ("gitlab", "base_url", "https://a@gitlab.example"),
        ("gitlab", "base_url", "https://gitlab.example/a/../b"),
        ("keycloak", "realm", "a/b"),
        ("keycloak", "realm", "a?b"),
        ("cognito", "region", "eu west"),
        ("cognito", "region", "evil.example/"),
        ("cognito", "user_pool", "../x"),
        ("facebook", "version", "v24.0/evil"),
        ("facebook", "version", "24"),
        ("reddit", "user_agent", "a\r\nx: y"),
        ("reddit", "user_agent", "x"),
        ("apple", "team_id", "a b"),
        ("apple", "key_id", "../k"),
    ],
)
def test_a_value_that_could_change_an_address_is_refused(
    name: str, variable: str, value: str
) -> None:
    given = {**VARIABLES.get(name, {}), variable: value}
    with pytest.raises(ConfigurationError, match=f"^{variable}: ") as caught:
        provider(name, **given)
    assert "\n" not in str(caught.value)


def test_a_value_of_no_use_to_a_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="realm: Google has none"):
        provider("google", realm="staff")
    with pytest.raises(ConfigurationError, match="allowed_tenants: Google has none"):
        provider("google", allowed_tenants=["x"])
    with pytest.raises(ConfigurationError, match="private_key: Google has none"):
        provider("google", private_key="x")


def test_values_stand_where_they_belong() -> None:
    okta = provider("okta", domain="dev.okta.example", authorization_server="default")
    assert okta.server == okta.issuer == "https://dev.okta.example/oauth2/default"
    assert provider("auth0", domain="a.auth0.example").server == "https://a.auth0.example/"
    assert provider("gitlab").server == "https://gitlab.com"
    facebook = provider("facebook", version="v25.0").server
    assert isinstance(facebook, ServerMetadata)
    assert facebook.token_endpoint == "https://graph.facebook.com/v25.0/oauth/access_token"
    mastodon = provider("mastodon", instance="social.example")
    assert mastodon.issuer == "https://social.example"


def test_the_program_may_say_how_it_authenticates() -> None:
    named = Client(
        "github",
        client_id="app",
        client_secret="s",
        token_endpoint_auth_method="client_secret_basic",
    )
    assert named.flows.config.token_endpoint_auth_method == "client_secret_basic"
    assert Client("github", client_id="app").flows.config.token_endpoint_auth_method is None


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_where_tokens_must_be_bound_no_program_has_to_say_it(kind: Any) -> None:
    assert [name for name in IDS if find_entry(name).provider.dpop] == ["bluesky"]
    assert kind("bluesky", client_id="https://app.example/client.json").flows.config.dpop
    assert not kind("github", client_id="app").flows.config.dpop
    assert kind("github", client_id="app", dpop=True).flows.config.dpop
