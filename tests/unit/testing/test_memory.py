"""An application that is made once meets a provider of its own in each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from codegrant import AsyncClient, Client, CodegrantError
from codegrant.remote.discovery import Discovery
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.resource import AsyncResourceServer, ResourceServer
from codegrant.testing import MovableClock, ProviderInProcess
from tests.support.colours import Colour

APP, API = "https://app.test/callback", "https://api.test"


class Made(NamedTuple):
    """What an application makes when it is imported."""

    colour: Colour
    client: Client | AsyncClient
    google: Client | AsyncClient
    api: ResourceServer | AsyncResourceServer

    def log_in(self, provider: ProviderInProcess) -> str:
        return self._finish(self.client, provider.authorize)

    def log_in_at_google(self, provider: ProviderInProcess) -> str:
        return self._finish(self.google, provider.persona(self.google).authorize)

    def verify(self, provider: ProviderInProcess) -> str:
        token = provider.make_token("alice", audience=API)
        verified: Any = self.colour.wait(self.api.verify(token))
        return str(verified.subject)

    def _finish(self, client: Client | AsyncClient, authorize: Callable[[str], str]) -> str:
        login = self.colour.wait(client.start_login())
        tokens = self.colour.wait(client.finish_login(authorize(login.url), login))
        return str(tokens.verified_identity().subject)


@pytest.fixture(params=["sync", "async"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    colour = Colour(request.param)
    kind: Any = AsyncClient if colour.is_async else Client
    given = {"client_id": "app", "client_secret": "s" * 32, "redirect_uri": APP}
    issuer = "https://issuer.test"
    server: Any = AsyncResourceServer if colour.is_async else ResourceServer
    client, google = kind(issuer, **given), kind("google", **given)
    yield Made(colour, client, google, server(issuer, audience=API))
    for one in (client, google):
        colour.finish(one.aclose()) if colour.is_async else one.close()
    colour.close()


def all_of_it(made: Made) -> None:
    """Do in a test of its own what an application does."""
    with ProviderInProcess() as provider:
        provider.register(made.client)
        alice = provider.find_person("alice").subject
        assert [made.log_in(provider), made.verify(provider)] == [alice, alice]
        assert made.log_in_at_google(provider)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda p: p.faults.unreachable(), id="unreachable"),
        pytest.param(lambda p: p.faults.html_answer(endpoint="discovery"), id="no metadata"),
        pytest.param(lambda p: p.faults.time_out(endpoint="jwks"), id="slow keys"),
        pytest.param(lambda p: p.faults.html_answer(endpoint="jwks"), id="no keys"),
    ],
)
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_an_outage_of_one_test_is_over_in_the_next(made: Made, fault: Any, known: bool) -> None:
    if known:
        all_of_it(made)
    with ProviderInProcess() as provider:
        provider.register(made.client)
        provider.rotate_keys()
        for step in (made.log_in, made.verify):
            with fault(provider), pytest.raises(CodegrantError):
                step(provider)
    all_of_it(made)


def test_keys_that_one_test_has_fetched_do_not_serve_the_next(made: Made) -> None:
    all_of_it(made)
    with ProviderInProcess() as provider, provider.faults.unreachable():
        with pytest.raises(CodegrantError) as caught:
            made.verify(provider)
        assert caught.value.code == "temporarily_unavailable"
        with pytest.raises(CodegrantError):
            made.colour.wait(made.client.start_login())
    all_of_it(made)


def test_keys_that_one_test_has_rotated_are_not_those_of_the_next(made: Made) -> None:
    for _ in range(4):
        with ProviderInProcess() as provider:
            provider.register(made.client)
            provider.rotate_keys()
            assert made.log_in(provider) == made.verify(provider)
    all_of_it(made)


def test_each_test_has_a_google_of_its_own(made: Made) -> None:
    for _ in range(4):
        all_of_it(made)


def test_a_time_that_one_test_was_in_is_not_that_of_the_next(made: Made) -> None:
    clock = MovableClock()
    client = made.client
    client._clock = clock
    clock.advance(10 * 365 * 86_400)
    with ProviderInProcess(clock=clock) as provider:
        provider.register(client)
        assert made.log_in(provider)
        provider.rotate_keys()
        assert made.log_in(provider)
    clock.reset()
    with ProviderInProcess(clock=clock) as provider:
        provider.register(client)
        provider.rotate_keys()
        assert made.log_in(provider)


def test_within_a_test_nothing_is_fetched_twice(made: Made) -> None:
    with ProviderInProcess() as provider:
        provider.register(made.client)
        made.log_in(provider)
        cut_off = [provider.faults.unreachable(endpoint=one) for one in ("discovery", "jwks")]
        with cut_off[0], cut_off[1]:
            assert made.log_in(provider) == provider.find_person("alice").subject


def test_without_a_provider_what_is_known_stays() -> None:
    before = (Discovery.find, RemoteKeySet.find, RemoteKeySet.refresh)
    with ProviderInProcess():
        assert Discovery.find is not before[0]
    assert (Discovery.find, RemoteKeySet.find, RemoteKeySet.refresh) == before
