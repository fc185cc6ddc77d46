"""Applications at the personas of known providers, in both colours."""

from __future__ import annotations

from typing import Any, NamedTuple

from codegrant import (
    AsyncClient,
    Client,
    Identity,
    PendingLogin,
    Provider,
    Secret,
    Tokens,
    provider,
)
from codegrant.jose import PrivateKey
from codegrant.testing.personas import Facts, Person, Persona
from codegrant.testing.personas.table import find_facts
from codegrant.testing.wire import Wire
from tests.support.colours import Colour

REDIRECT_URI = "https://app.example/callback"
CLIENT_ID = "client-1"
SECRET = "sk_live_a:b%+ " + "s" * 20
TENANT = Person().tenant
APPLE_KEY = PrivateKey.generate("ES256").to_pem().decode()

# What a program gives `provider` besides the name.
VARIABLES: dict[str, dict[str, Any]] = {
    "microsoft": {"tenant": TENANT},
    "apple": {"team_id": "TEAM123456", "key_id": "KEY7890123", "private_key": APPLE_KEY},
    "okta": {"domain": "dev-1.okta.example"},
    "auth0": {"domain": "example.eu.auth0.example"},
    "keycloak": {"base_url": "https://name.example", "realm": "staff"},
    "cognito": {"region": "eu-west-1", "user_pool": "eu-west-1_AbCdEf"},
    "reddit": {"user_agent": "web:my-app:1.0 (by /u/me)"},
    "mastodon": {"instance": "social.example"},
}

# Where the application has no secret.
PUBLIC = frozenset({"bluesky"})


class Site(NamedTuple):
    """An application, and the provider that it logs people in at."""

    colour: Colour
    client: Client | AsyncClient
    persona: Persona

    def start(self, **arguments: Any) -> PendingLogin:
        return self.colour.wait(self.client.start_login(**arguments))

    def finish(self, callback_url: str, login: PendingLogin) -> Tokens:
        return self.colour.wait(self.client.finish_login(callback_url, login))

    def log_in(self, **arguments: Any) -> Tokens:
        login = self.start(**arguments)
        return self.finish(self.persona.authorize(login.url), login)

    def refresh(self, tokens: Tokens) -> Tokens:
        return self.colour.wait(self.client.refresh(tokens))

    def identity(self, tokens: Tokens) -> Identity:
        return self.colour.wait(self.client.identity(tokens))

    def call(self, tokens: Tokens, method: str, url: str) -> Any:
        return self.colour.wait(self.client.api(tokens).request(method, url))

    def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            self.colour.finish(self.client.aclose())
        else:
            self.client.close()


def known(name: str, **changes: Any) -> str | Provider:
    """Return what a program names a provider with."""
    variables = VARIABLES.get(name, {}) | changes
    return provider(name, **variables) if variables else name


def make_persona(facts: str | Facts, **arguments: Any) -> Persona:
    """Return a provider where the application of `make_client` is registered."""
    name = facts if isinstance(facts, str) else facts.id
    given = {
        "client_id": CLIENT_ID,
        "client_secret": APPLE_KEY if name == "apple" else "" if name in PUBLIC else SECRET,
        "redirect_uri": REDIRECT_URI,
        "variables": {n: str(v) for n, v in VARIABLES.get(name, {}).items() if n != "private_key"},
        **arguments,
    }
    return Persona(facts, **given)


def make_client(
    server: str | Provider, *, is_async: bool = False, **arguments: Any
) -> Client | AsyncClient:
    """Return the client of a program at a known provider."""
    name = server if isinstance(server, str) else server.id
    secret = {} if name in {"apple", *PUBLIC} else {"client_secret": Secret(SECRET)}
    given: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "offline": True,
        **secret,
        **arguments,
    }
    return AsyncClient(server, **given) if is_async else Client(server, **given)


def make_site(
    wire: Wire,
    colour: Colour,
    facts: str | Facts,
    server: str | Provider | None = None,
    *,
    persona: Persona | None = None,
    **arguments: Any,
) -> Site:
    """Return an application at a persona that `wire` serves."""
    there = persona or make_persona(facts)
    there.serve(wire)
    named = server or known(there.facts.id)
    return Site(colour, make_client(named, is_async=colour.is_async, **arguments), there)


__all__ = [
    "CLIENT_ID", "PUBLIC", "REDIRECT_URI", "SECRET", "TENANT", "VARIABLES", "Site", "find_facts",
    "known", "make_client", "make_persona", "make_site",
]  # fmt: skip
