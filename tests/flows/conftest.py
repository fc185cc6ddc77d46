"""A mock provider and an application that logs in there, in both colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from codegrant import ServerMetadata
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned, self_signed

MakeApplication: TypeAlias = Callable[..., Application]


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def make_app(colour: Colour, certificate: SelfSigned) -> Iterator[MakeApplication]:
    """Makes applications, and closes them at the end."""
    made: list[Application] = []

    def make(server: str | ServerMetadata | MockProvider, **arguments: Any) -> Application:
        # One CA is read faster than all of the system's.
        arguments = {"ca_file": str(certificate.file), **arguments}
        made.append(Application(colour, server, **arguments))
        return made[-1]

    yield make
    for application in made:
        application.close()


@pytest.fixture
def app(make_app: MakeApplication, provider: MockProvider) -> Application:
    return make_app(provider)
