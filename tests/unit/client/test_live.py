"""`LiveTokens`, driven by hand; at real providers it is in `tests/flows`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.client.flows import ClientFlows
from codegrant.client.live import LiveTokens
from codegrant.client.memory import MemoryTokens
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, StoreError, UsageError
from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.remote.effects import Call, Leased, SingleFlight
from codegrant.secret import Secret
from tests.support.scripted import Script, json_response
from tests.unit.client.samples import METADATA, NOW, TOKENS, client_config

PLAIN = replace(TOKENS, identity=None, id_token=None)
LATE = NOW + 301


def clock() -> float:
    return LATE


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
    while isinstance(flight, Call):  # loads what is saved
        flight = flow.send(flight.call())
    assert isinstance(flight, SingleFlight)
    assert flight.finishes
    started: Flow[Tokens] = flight.start()
    return started


def test_tokens_that_are_good_need_nothing(flows: ClientFlows, server: Server) -> None:
    live = LiveTokens(flows, PLAIN, clock)
    assert server.run(live.fresh(NOW)) is PLAIN
    assert server.run(live.fresh(NOW + 269)) is PLAIN
    assert server.sent == []


def test_who_asks_when_a_flight_has_just_landed_saves_nothing_again(
    flows: ClientFlows, server: Server
) -> None:
    kept: list[Tokens] = []
    live = LiveTokens(flows, PLAIN, clock, kept.append)
    late = start_of(live.fresh(LATE))
    first = server.run(live.fresh(LATE))
    assert server.run(late) is first
    assert kept == [first]
    assert len(server.sent) == 1


def test_what_became_of_refused_tokens_is_used_without_a_refresh(
    flows: ClientFlows, server: Server
) -> None:
    live = LiveTokens(flows, PLAIN, clock)
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
    assert server.run(LiveTokens(flows, saved, clock).fresh(LATE)) is new
    assert saved.load() is new
    assert len(server.sent) == 1


def test_nothing_is_used_that_could_not_be_kept(flows: ClientFlows, server: Server) -> None:
    def fail(_: Tokens) -> None:
        raise KeyError("no such row")

    live = LiveTokens(flows, PLAIN, clock, fail)
    for _ in range(2):
        with pytest.raises(KeyError):
            server.run(live.fresh(NOW + 275))
    assert len(server.sent) == 1


class Failing(MemoryTokens):
    """Fails the first few times to save; `kept` where only its answer is lost."""

    def __init__(self, *codes: str, kept: bool = False) -> None:
        super().__init__(PLAIN)
        self.codes = list(codes)
        self.kept = kept

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        kept = super().save(tokens, replacing=replacing) if self.kept or not self.codes else False
        if self.codes:
            raise StoreError("no", code=self.codes.pop(0))
        return kept


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "codes",
    [
        pytest.param(["store_unreachable"], id="once"),
        pytest.param(["store_busy", "store_write_failed"], id="twice"),
    ],
)
def test_a_store_that_fails_for_a_moment_is_tried_again(
    flows: ClientFlows, server: Server, codes: list[str], kept: bool
) -> None:
    saved = Failing(*codes, kept=kept)
    new = server.run(LiveTokens(flows, saved, clock).fresh(LATE))
    assert saved.load() is new
    assert len(server.sent) == 1
    assert server.paused == [0.1, 1.0][: len(codes)]


@pytest.mark.parametrize(
    ("codes", "tries"),
    [
        pytest.param(["store_full"], 1, id="what does not pass"),
        pytest.param(["store_busy", "store_readonly"], 2, id="what turns out not to"),
        pytest.param(["store_unreachable"] * 3, 3, id="what does not pass in time"),
    ],
)
def test_a_store_that_goes_on_failing_is_told_and_the_next_call_tries_again(
    flows: ClientFlows, server: Server, codes: list[str], tries: int
) -> None:
    saved = Failing(*codes)
    live = LiveTokens(flows, saved, clock)
    with pytest.raises(StoreError) as caught:
        server.run(live.fresh(LATE))
    assert caught.value.code == codes[-1]
    assert len(server.paused) == tries - 1
    assert saved.load() is PLAIN
    new = server.run(live.fresh(LATE))
    assert saved.load() is new
    assert len(server.sent) == 1


def test_an_empty_place_and_foreign_tokens_are_told_apart(
    flows: ClientFlows, server: Server
) -> None:
    with pytest.raises(LoginRequired) as ended:
        server.run(LiveTokens(flows, MemoryTokens(), clock).fresh(NOW))
    assert ended.value.code == "login_ended"
    foreign = replace(PLAIN, issuer="https://other.example")
    with pytest.raises(UsageError):
        server.run(LiveTokens(flows, MemoryTokens(foreign), clock).fresh(NOW))
    with pytest.raises(UsageError):
        LiveTokens(flows, foreign, clock)
    assert server.sent == []


@pytest.mark.parametrize("secret", ["s3cret-access-token", "at-1"])
def test_tokens_that_an_api_never_takes_are_not_refreshed_for_it(
    flows: ClientFlows, server: Server, secret: str
) -> None:
    live = LiveTokens(flows, PLAIN, clock)
    new = server.run(live.replace(PLAIN, NOW))
    assert new is not None
    live.give_up(new, NOW)
    other = LiveTokens(flows, replace(new, access_token=Secret(secret)), clock)
    assert other._tokens is not None
    found = server.run(other.replace(other._tokens, NOW + 60))
    assert (found is None) == (secret == "at-1")


def lease_of(flow: Flow[Tokens]) -> Leased[Tokens]:
    """Return the lease under which the one who leads refreshes."""
    renewing = start_of(flow)
    refreshing = start_of(renewing)
    next(refreshing)  # draws the owner
    lease = refreshing.send(b"o" * 16)
    assert isinstance(lease, Leased)
    return lease


def test_a_place_with_a_lease_is_refreshed_under_it_and_read_again_first(
    flows: ClientFlows, server: Server
) -> None:
    saved = MemoryTokens(PLAIN)
    lease = lease_of(LiveTokens(flows, saved, clock).fresh(LATE))
    assert lease.take()
    assert not saved.take_lease(b"x" * 16, LATE + 4, 5)
    sibling = replace(PLAIN, access_token=Secret("at-sibling"), expires_at=LATE + 300)
    saved.save(sibling)
    assert server.run(lease.start()) is sibling
    assert server.sent == []
    lease.release()
    assert saved.take_lease(b"x" * 16, LATE + 4, 5)


def test_the_lease_is_taken_at_the_time_of_each_renewal(flows: ClientFlows) -> None:
    now = [LATE]
    saved = MemoryTokens(PLAIN)
    lease = lease_of(LiveTokens(flows, saved, lambda: now[0]).fresh(LATE))
    assert lease.take()
    now[0] += 4
    assert lease.take()
    assert not saved.take_lease(b"x" * 16, LATE + 8, 5)
    assert saved.take_lease(b"x" * 16, LATE + 9, 5)
    assert not lease.take()


class Bare:
    """A place of a program of its own, without a lease."""

    def __init__(self, tokens: Tokens) -> None:
        self._kept = MemoryTokens(tokens)
        self.load, self.save, self.delete = self._kept.load, self._kept.save, self._kept.delete


def test_a_place_without_a_lease_is_refreshed_all_the_same(
    flows: ClientFlows, server: Server
) -> None:
    saved = Bare(PLAIN)
    new = server.run(LiveTokens(flows, saved, clock).fresh(LATE))
    assert saved.load() is new
    assert server.drawn == []


def test_a_session_that_did_not_lead_keeps_what_the_other_got_in_its_own_place(
    flows: ClientFlows, server: Server
) -> None:
    """Two places with the same tokens are no good idea; neither is left with dead ones."""
    mine, its, told = MemoryTokens(PLAIN), MemoryTokens(PLAIN), list[Tokens]()
    follower = start_of(LiveTokens(flows, mine, clock, told.append).fresh(LATE))
    assert isinstance(next(follower), SingleFlight)
    new = server.run(LiveTokens(flows, its, clock).fresh(LATE))

    def follow() -> Flow[Tokens]:
        effect = follower.send(new)
        while True:
            effect = follower.send((yield effect))

    with pytest.raises(RuntimeError) as caught:  # its return, inside a generator
        server.run(follow())
    assert isinstance(caught.value.__cause__, StopIteration)
    assert caught.value.__cause__.value is new
    assert (mine.load(), its.load()) == (new, new)
    assert told == [new]
    assert len(server.sent) == 1
