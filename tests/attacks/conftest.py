"""Who is attacked: an issuer with its people, an application at a provider, an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from codegrant import Client
from tests.attacks.steps import SecondHouse, sign_in
from tests.flows.house import Browser, House
from tests.support.access_tokens import PaperApi
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import MockProvider
from tests.support.serving import Serving
from tests.support.tls import SelfSigned, self_signed
from tests.support.website import Visitor, Website, make_client

MakeApp: TypeAlias = Callable[..., Application]
MakeClient: TypeAlias = Callable[..., Client]


@pytest.fixture
def house() -> Iterator[House]:
    made = SecondHouse()
    yield made
    made.close()


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


@pytest.fixture
def alice(house: House) -> Browser:
    """A browser in which alice is logged in."""
    return sign_in(Browser(house, peer="192.0.2.2"))


@pytest.fixture(scope="module")
def front() -> Iterator[Browser]:
    """As `alice`, one for a whole module, for requests that leave nothing behind."""
    house = SecondHouse()
    yield sign_in(Browser(house))
    house.close()


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def make_app(certificate: SelfSigned) -> Iterator[MakeApp]:
    """Makes applications, and closes them at the end."""
    colour, made = Colour("sync"), list[Application]()

    def make(server: Any, **arguments: Any) -> Application:
        # One CA is read faster than all of the system's.
        arguments = {"ca_file": str(certificate.file), **arguments}
        made.append(Application(colour, server, **arguments))
        return made[-1]

    yield make
    for application in made:
        application.close()


@pytest.fixture
def app(make_app: MakeApp, provider: MockProvider) -> Application:
    return make_app(provider)


@pytest.fixture
def client_of(certificate: SelfSigned) -> Iterator[MakeClient]:
    """Makes clients of providers, and closes them at the end."""
    made: list[Client] = []

    def make(provider: MockProvider, **arguments: Any) -> Client:
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
def api() -> PaperApi:
    return PaperApi()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A running server of the module's own that knows alice and nobody else."""
    with Serving(tmp_path_factory.mktemp("server")).start() as running:
        running.add_user()
        yield running
