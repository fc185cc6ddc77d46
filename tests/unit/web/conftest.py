"""A mock provider and a site that logs in there, without a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask import Flask

from codegrant import Client
from codegrant.web.flask import Login
from tests.support.application import Clock
from tests.support.login_sites import SITES, SYNC, SiteBrowser, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned, self_signed
from tests.support.website import Visitor, Website, make_client

MakeClient: TypeAlias = Callable[..., Client]
MakeFlask: TypeAlias = Callable[..., Flask]
MakeSite: TypeAlias = Callable[..., SiteBrowser]

SECRET = "s" * 40


@pytest.fixture(autouse=True)
def _no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture
def other_provider() -> Iterator[MockProvider]:
    provider = MockProvider(path="/other")
    yield provider
    provider.close()


@pytest.fixture
def client_of(certificate: SelfSigned) -> Iterator[MakeClient]:
    """Makes clients of providers, and closes them at the end."""
    made: list[Client] = []

    def make(provider: MockProvider, **arguments: Any) -> Client:
        # One CA is read faster than all of the system's.
        made.append(make_client(provider, **{"ca_file": str(certificate.file), **arguments}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def site(provider: MockProvider, client_of: MakeClient) -> Website:
    return Website({"default": client_of(provider)})


@pytest.fixture
def visitor(site: Website) -> Visitor:
    return Visitor(site)


@pytest.fixture
def make_flask(tmp_path: Path) -> Iterator[MakeFlask]:
    """Makes applications in one instance folder, and closes their stores at the end."""
    made: list[Flask] = []

    def make(client: Any, *, instance: str = "instance", **arguments: Any) -> Flask:
        app = Flask("app", instance_path=str(tmp_path / instance))
        app.secret_key = arguments.pop("secret_key", SECRET)
        app.config.update(arguments.pop("config", {}))
        login = Login(app, client, **arguments)

        @app.get("/")
        def home() -> dict[str, object]:
            who = login.current
            return {"subject": who.identity.subject if who else None}

        @app.get("/profile")
        @login.required
        def profile() -> dict[str, object]:
            return {"subject": login.identity.subject, "provider": login.tokens.issuer}

        @app.route("/tokens", methods=["GET", "POST"])
        def tokens() -> dict[str, object]:
            return {"scope": sorted(login.tokens.scope), "api": repr(login.api)}

        app.extensions["test.login"] = login
        made.append(app)
        return app

    yield make
    for app in made:
        store = app.extensions.get("codegrant.login", {}).get("store")
        if store is not None:
            store.close()


@pytest.fixture(params=sorted(SITES))
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock(provider: MockProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def make_site(
    framework: str, provider: MockProvider, clock: Clock, certificate: SelfSigned, tmp_path: Path
) -> Iterator[MakeSite]:
    """Makes workers of one application, each with a client of its own and a browser."""
    sites: list[Any] = []
    clients: list[Any] = []

    def make(
        *others: MockProvider,
        folder: str = "instance",
        client: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> SiteBrowser:
        settings = {"ca_file": str(certificate.file), "clock": clock, **(client or {})}
        made = [client_for(framework, one, **settings) for one in (provider, *others)]
        clients.extend(made)
        given = dict(zip(("one", "two"), made, strict=True)) if others else made[0]
        sites.append(SITES[framework](tmp_path / folder, given, clock=clock, **arguments))
        return SiteBrowser(sites[-1])

    yield make
    for site in sites:
        site.close()
    for client in clients:
        if framework in SYNC:
            client.close()


@pytest.fixture
def browser(make_site: MakeSite) -> SiteBrowser:
    return make_site()
