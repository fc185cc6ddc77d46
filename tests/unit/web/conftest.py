"""A mock provider and a site that logs in there, without a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from codegrant import Client
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned, self_signed
from tests.support.website import Visitor, Website, make_client

MakeClient: TypeAlias = Callable[..., Client]


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
