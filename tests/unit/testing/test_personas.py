"""Known providers behind a test client: each site logs in at personas that stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from codegrant import AsyncClient, Client, CodegrantError, KeyRing, UsageError
from codegrant.providers import IDS
from codegrant.stores.sqlite import SqliteStore
from codegrant.testing import ProviderInProcess, login_at
from codegrant.testing.personas import Person
from codegrant.web import fastapi as for_fastapi
from codegrant.web import flask as for_flask
from tests.support.personas import PUBLIC, known, make_client

pytestmark = pytest.mark.not_watched("the test clients log every address, the callback's as well")

RING = KeyRing(["a key ring for tests only, 32 characters and more"])
HOME = "https://app.example"
NAMES = ("github", "google", "microsoft", "gitlab", "apple", "bluesky")
GRACE = Person(number=77, email="grace@example.com", name="Grace Hopper")


def clients_of(kind: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in NAMES:
        secret = {} if name in {"apple", *PUBLIC} else {"client_secret": f"the secret at {name}"}
        made[name] = kind(known(name), client_id=f"app-{name}", **secret)
    return made


@pytest.fixture(params=["flask", "fastapi"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Return a browser, and the clients of the site's providers."""
    with SqliteStore(":memory:") as store:
        setting: dict[str, Any] = {"store": store, "key_ring": RING, "public_url": HOME}
        if request.param == "flask":
            clients = clients_of(Client)
            app = flask.Flask("app")
            flask_login = for_flask.Login(app, clients, **setting)

            @app.get("/who")
            @flask_login.required
            def who() -> dict[str, str | None]:
                found = flask_login.identity
                return {"email": found.email, "name": found.name}

            yield app.test_client(), clients
        else:
            clients = clients_of(AsyncClient)
            api = FastAPI()
            login = for_fastapi.Login(api, clients, **setting)

            @api.get("/who")
            @login.required
            async def who_async(request: Request) -> dict[str, str | None]:
                found = login.identity(request)
                return {"email": found.email, "name": found.name}

            yield TestClient(api, base_url=HOME), clients


@pytest.mark.parametrize("name", NAMES)
def test_a_person_signs_in_at_a_known_provider(
    provider: ProviderInProcess, site: tuple[Any, dict[str, Any]], name: str
) -> None:
    browser, clients = site
    persona = provider.persona(clients[name], redirect_uri=f"{HOME}/callback/{name}", person=GRACE)
    answer = login_at(browser, persona, path=f"{HOME}/login/{name}?return_to=/who")
    assert (answer.status_code, answer.headers["location"]) == (303, "/who")
    page = browser.get(f"{HOME}/who")
    told: Any = page.json if isinstance(page, flask.Response) else page.json()
    assert told["email"] == (None if name == "bluesky" else "grace@example.com")
    assert provider.wire.not_served == []


def test_somebody_who_says_no_is_not_signed_in(
    provider: ProviderInProcess, site: tuple[Any, dict[str, Any]]
) -> None:
    browser, clients = site
    persona = provider.persona(clients["github"], redirect_uri=f"{HOME}/callback/github")
    persona.denies = True
    with pytest.raises(AssertionError, match="error code access_denied"):
        login_at(browser, persona, path=f"{HOME}/login/github")


def test_the_persona_of_a_client_with_a_signed_secret_has_its_key(
    provider: ProviderInProcess,
) -> None:
    client = Client(known("apple"), client_id="app", redirect_uri=f"{HOME}/callback")
    persona = provider.persona(client)
    login = client.start_login()
    tokens = client.finish_login(persona.authorize(login.url), login)
    assert client.identity(tokens).email == Person().email


def test_a_public_client_has_a_persona_where_none_has_a_secret(
    provider: ProviderInProcess,
) -> None:
    app = f"{HOME}/client.json"
    client = Client("bluesky", client_id=app, redirect_uri=f"{HOME}/callback")
    persona = provider.persona(client)
    login = client.start_login()
    tokens = client.finish_login(persona.authorize(login.url), login)
    assert client.identity(tokens).subject == f"did:plc:{Person().number}"
    public = Client("github", client_id="app", redirect_uri=f"{HOME}/callback")
    with pytest.raises(UsageError, match="needs a secret"):
        provider.persona(public)


@pytest.mark.parametrize("name", IDS)
def test_a_persona_is_where_the_client_expects_its_provider(
    provider: ProviderInProcess, name: str
) -> None:
    client: Any = make_client(known(name))
    persona = provider.persona(client)
    login = client.start_login()
    assert client.finish_login(persona.authorize(login.url), login).access_token
    assert not [origin for origin in persona.origins if "{" in origin]


def test_a_persona_may_be_at_another_tenant_than_the_client_expects(
    provider: ProviderInProcess,
) -> None:
    client: Any = make_client(known("microsoft"))
    tenant = "11111111-2222-4333-8444-555555555555"
    persona = provider.persona(client, variables={"tenant": tenant})
    assert tenant in persona.issuer
    with pytest.raises(CodegrantError):
        client.start_login()


def test_a_persona_takes_nobody_who_has_no_account_there(provider: ProviderInProcess) -> None:
    client: Any = make_client("github")
    for nobody in ("grace", provider.add_person("grace")):
        with pytest.raises(UsageError, match="a persona knows no"):
            provider.persona(client, person=nobody)  # type: ignore[arg-type]
    assert provider.persona(client, person=GRACE).person is GRACE


def test_only_a_known_provider_has_a_persona(provider: ProviderInProcess) -> None:
    for client, told in (
        (Client("https://issuer.test", client_id="a", client_secret="b"), "no persona"),
        (Client("github", client_id="a", client_secret="b"), "redirect_uri"),
    ):
        with pytest.raises(UsageError, match=told):
            provider.persona(client)
