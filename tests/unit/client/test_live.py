"""`LiveTokens`, driven by hand; at real providers it is in `tests/flows`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.client.flows import ClientFlows
from codegrant.client.live import LiveTokens
from codegrant.client.memory import MemoryTokens
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, UsageError
from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.remote.effects import SingleFlight
from codegrant.secret import Secret
from tests.support.scripted import Script, json_response
from tests.unit.client.samples import METADATA, NOW, TOKENS, client_config

PLAIN = replace(TOKENS, identity=None, id_token=None)
LATE = NOW + 301


class Server(Script):
    """Gives new tokens as often as it is asked."""

    def __init__(self) -> None:
        super().__init__({METADATA.token_endpoint: self.answer})

    def answer(self, _: Request) -> Response:
        number = len(self.sent)
        return json_response(
            {
                "access_token": f"at-{number}",
                "refresh_token": f"rt-{number}",
                "token_type": "Bearer",
                "expires_in": 300,
            }
        )


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def flows() -> ClientFlows:
    return ClientFlows(client_config())


def start_of(flow: Flow[Tokens]) -> Flow[Tokens]:
    """Return what the one who leads runs."""
    flight = next(flow)
    assert isinstance(flight, SingleFlight)
    assert flight.finishes
    started: Flow[Tokens] = flight.start()
    return started


def test_tokens_that_are_good_need_nothing(flows: ClientFlows, server: Server) -> None:
    live = LiveTokens(flows, PLAIN)
    assert server.run(live.fresh(NOW)) is PLAIN
    assert server.run(live.fresh(NOW + 269)) is PLAIN
    assert server.sent == []


def test_who_asks_when_a_flight_has_just_landed_saves_nothing_again(
    flows: ClientFlows, server: Server
) -> None:
    kept: list[Tokens] = []
    live = LiveTokens(flows, PLAIN, kept.append)
    late = start_of(live.fresh(LATE))
    first = server.run(live.fresh(LATE))
    assert server.run(late) is first
    assert kept == [first]
    assert len(server.sent) == 1


def test_what_became_of_refused_tokens_is_used_without_a_refresh(
    flows: ClientFlows, server: Server
) -> None:
    live = LiveTokens(flows, PLAIN)
    first = server.run(live.replace(PLAIN, NOW))
    assert first is not None
    assert server.run(live.replace(PLAIN, NOW)) is first
    assert len(server.sent) == 1
    second = server.run(live.replace(first, NOW))
    assert second is not first
    assert len(server.sent) == 2


def test_tokens_from_before_are_saved_where_they_are_missing(
    flows: ClientFlows, server: Server
) -> None:
    """A refresh by hand does not know of the place; the next call that does puts it right."""
    saved = MemoryTokens(PLAIN)
    new = server.run(flows.refresh(PLAIN, LATE))
    assert saved.load() is PLAIN
    assert server.run(LiveTokens(flows, saved).fresh(LATE)) is new
    assert saved.load() is new
    assert len(server.sent) == 1


def test_nothing_is_used_that_could_not_be_kept(flows: ClientFlows, server: Server) -> None:
    def fail(_: Tokens) -> None:
        raise KeyError("no such row")

    live = LiveTokens(flows, PLAIN, fail)
    for _ in range(2):
        with pytest.raises(KeyError):
            server.run(live.fresh(NOW + 275))
    assert len(server.sent) == 1


def test_an_empty_place_and_foreign_tokens_are_told_apart(
    flows: ClientFlows, server: Server
) -> None:
    with pytest.raises(LoginRequired) as ended:
        server.run(LiveTokens(flows, MemoryTokens()).fresh(NOW))
    assert ended.value.code == "login_ended"
    foreign = replace(PLAIN, issuer="https://other.example")
    with pytest.raises(UsageError):
        server.run(LiveTokens(flows, MemoryTokens(foreign)).fresh(NOW))
    with pytest.raises(UsageError):
        LiveTokens(flows, foreign)
    assert server.sent == []


@pytest.mark.parametrize("secret", ["s3cret-access-token", "at-1"])
def test_tokens_that_an_api_never_takes_are_not_refreshed_for_it(
    flows: ClientFlows, server: Server, secret: str
) -> None:
    live = LiveTokens(flows, PLAIN)
    new = server.run(live.replace(PLAIN, NOW))
    assert new is not None
    live.give_up(new)
    other = LiveTokens(flows, replace(new, access_token=Secret(secret)))
    assert other._tokens is not None
    found = server.run(other.replace(other._tokens, NOW))
    assert (found is None) == (secret == "at-1")
