"""Refresh tokens, where they must be asked for in a way of the provider's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from codegrant import Tokens
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import Site

ASKED = {
    "google": ("access_type", "offline"),
    "dropbox": ("token_access_type", "offline"),
    "reddit": ("duration", "permanent"),
}
SCOPES = {
    "x": "offline.access",
    "atlassian": "offline_access",
    "auth0": "offline_access",
    "salesforce": "refresh_token",
}


def query_of(site: Site, **arguments: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(site.start(**arguments).url).query)


@pytest.mark.parametrize("name", ASKED)
def test_a_parameter_asks_for_a_refresh_token(make: MakeSite, name: str) -> None:
    parameter, value = ASKED[name]
    assert query_of(make(name))[parameter] == [value]
    assert parameter not in query_of(make(name, offline=False))
    assert make(name).log_in().refresh_token is not None
    assert make(name, offline=False).log_in().refresh_token is None


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_asks_for_a_refresh_token(make: MakeSite, name: str) -> None:
    assert SCOPES[name] in query_of(make(name))["scope"][0].split()
    assert SCOPES[name] not in query_of(make(name, offline=False))["scope"][0].split()
    assert make(name).log_in().refresh_token is not None
    assert make(name, offline=False).log_in().refresh_token is None
    # A program that names its scopes means them.
    scope = " ".join(one for one in make(name).persona.facts.scopes if one != SCOPES[name])
    assert make(name).log_in(scope=scope).refresh_token is None


def test_google_asks_again_only_for_a_refresh_token_that_is_gone(make: MakeSite) -> None:
    site = make("google")

    def log_in(stored: Tokens | None) -> Tokens:
        """What a script does: its way is in docs/providers/google.md."""
        has = stored is not None and stored.refresh_token is not None
        return site.log_in(prompt="consent") if not has else site.log_in()

    first = log_in(None)
    assert first.refresh_token is not None
    assert "prompt" not in query_of(site)
    # Google gives no second one unless the person is asked, so the first is kept.
    assert site.log_in().refresh_token is None
    assert site.refresh(first).refresh_token == first.refresh_token
    assert log_in(None).refresh_token is not None


def test_what_the_program_says_goes_before_what_the_provider_wants(make: MakeSite) -> None:
    assert query_of(make("atlassian"))["prompt"] == ["consent"]
    assert query_of(make("atlassian"), prompt="login")["prompt"] == ["login"]
    site = make("google")
    login = site.start(extra={"access_type": "online"})
    assert parse_qs(urlsplit(login.url).query)["access_type"] == ["online"]
