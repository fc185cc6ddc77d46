"""Processes that share the tokens of one login: one of them refreshes, and nobody is logged out.

The places are those that ship: the session of a web application, in SQLite and in a database of
Django's, and a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from _pytest.mark import ParameterSet

from codegrant import Tokens
from codegrant.client import LeasedTokens
from tests.support import django_project
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    MockProvider,
    Received,
)
from tests.support.person import Person
from tests.support.refreshing import PLACES, Files, Sessions, Task
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving, clean_environment
from tests.support.token_stores import TokenPlace
from tests.support.waiting import wait_until

PROCESSES = 4
TASKS = 50
LATE = 275  # for the client; the access token lives for 300
ROOT = Path(__file__).parents[2]
YOU = b"y" * 16


class Caller:
    """A process that calls an API when it is told to."""

    def __init__(self, task: Task) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.refreshing", task.to_json()],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def call(self, times: int = 1) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()

    def calls(self, times: int = 1) -> list[str]:
        """Return what that many calls at once came to."""
        self.call(times)
        return self.read().split()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


Start: TypeAlias = Callable[[Task], Caller]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process; it is ready, and ends with the test."""
    with ExitStack() as stack:

        def start_one(task: Task) -> Caller:
            caller = Caller(task)
            stack.callback(caller.close)
            return caller

        yield start_one


def in_place(name: str) -> ParameterSet:
    needed = "postgres" if "Postgre" in name else "redis" if name == "Valkey" else ""
    return pytest.param(name, marks=pytest.mark.needs(needed) if needed else ())


@pytest.fixture(params=map(in_place, PLACES))
def kind(
    request: pytest.FixtureRequest, services: Mapping[str, str], tmp_path: Path
) -> Iterator[str]:
    kind = str(request.param)
    if kind in {"PostgreSQL", "Valkey"}:
        place = TokenPlace(kind, tmp_path, services)
        (tmp_path / "store.txt").write_text(place.where, encoding="utf-8")
        yield kind
        place.close()
        return
    if kind != "Django on PostgreSQL":
        yield kind
        return
    name = f"codegrant_leases_{os.getpid()}"
    settings = django_project.create_postgres(services["postgres"], name)
    (tmp_path / "django.json").write_text(json.dumps(settings))
    yield kind
    django_project.drop_postgres(services["postgres"], name)


class World:
    """A login whose tokens lie in a place, at a provider that takes each refresh token once."""

    def __init__(
        self, kind: str, colour: Colour, folder: Path, app: Application, tokens: Tokens, url: str
    ) -> None:
        config = app.client.flows.config
        secret = config.client_secret
        self.task = Task(
            place=kind,
            colour=colour.name,
            folder=str(folder),
            issuer=config.issuer,
            client_id=config.client_id,
            client_secret=None if secret is None else secret.reveal(),
            url=url,
            ahead=LATE,
        )
        self.tokens = tokens
        self._places: Files | Sessions = PLACES[kind](folder, config, self.task.clock)
        self._places.begin(tokens)

    @property
    def place(self) -> LeasedTokens:
        return self._places.open()

    def kept(self) -> Tokens:
        found = self.place.load()
        assert found is not None
        return found

    def is_free(self) -> bool:
        """Return whether somebody else could take the lease now."""
        place = self.place
        return place.take_lease(YOU, int(self.task.clock()), 5) and place.release_lease(YOU)


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture
def world(kind: str, colour: Colour, provider: MockProvider, tmp_path: Path) -> Iterator[World]:
    app = Application(
        colour, provider, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope="openid profile"
    )
    url = f"{provider.issuer}/userinfo"
    yield World(kind, colour, tmp_path, app, app.log_in(provider), url)
    app.close()


class Gate:
    """Keeps token requests waiting until it opens; the first few are turned away then."""

    def __init__(self, provider: MockProvider, *, turned_away: int = 0) -> None:
        self._truth = provider.routes["/token"]
        self._turned_away = [True] * turned_away
        self.arrived, self.opened = threading.Event(), threading.Event()
        provider.routes["/token"] = self.answer

    def answer(self, request: Received) -> Answer:
        turned_away = bool(self._turned_away) and self._turned_away.pop()
        self.arrived.set()
        assert self.opened.wait(30)
        return Answer(503, b"") if turned_away else self._truth(request)


@pytest.mark.requirement("CL-TOK-07")
def test_fifty_calls_in_each_of_four_processes_make_one_refresh(
    world: World, provider: MockProvider, start: Start
) -> None:
    gate = Gate(provider)
    callers = [start(world.task) for _ in range(PROCESSES)]
    assert [caller.read() for caller in callers] == ["ready"] * PROCESSES
    heard: list[list[str]] = [[] for _ in callers]
    waiting = threading.Semaphore(0)

    def listen(number: int) -> None:
        while not heard[number] or heard[number][-1] == "waits":
            heard[number].append(callers[number].read())
            waiting.release()

    listeners = [threading.Thread(target=listen, args=(n,)) for n in range(PROCESSES)]
    for listener in listeners:
        listener.start()
    for caller in callers:
        caller.call(TASKS)
    # The request of the one is on its way while all of the others wait for the lease.
    assert gate.arrived.wait(30)
    assert all(waiting.acquire(timeout=30) for _ in range(PROCESSES - 1))
    gate.opened.set()
    for listener in listeners:
        listener.join(60)
    # The one may wait for a moment as well, when it looks for what it has just saved itself.
    waited = sorted(lines[:-1] for lines in heard)
    assert waited in ([first, *[["waits"]] * (PROCESSES - 1)] for first in ([], ["waits"]))
    assert [lines[-1].split() for lines in heard] == [["200"] * TASKS] * PROCESSES
    (sent,) = provider.sent("refresh_token")
    assert world.tokens.refresh_token is not None
    assert sent["refresh_token"] == world.tokens.refresh_token.reveal()
    refresh_token = world.kept().refresh_token
    assert refresh_token is not None
    assert list(provider.refresh_tokens) == [refresh_token.reveal()]
    assert world.is_free()


def test_an_interrupted_leader_hands_over_at_once(
    world: World, provider: MockProvider, start: Start
) -> None:
    gate = Gate(provider, turned_away=1)
    # Under asyncio what was sent is waited for, for as long as the client waits for answers.
    caller = start(replace(world.task, timeout=5.0))
    assert caller.read() == "ready"
    caller.call()
    assert gate.arrived.wait(30)
    assert not world.is_free()
    caller.process.send_signal(signal.SIGINT)
    assert caller.read() == "interrupted"
    assert world.is_free()
    assert world.kept() == world.tokens
    gate.opened.set()
    other = start(world.task)
    assert other.read() == "ready"
    assert other.calls() == ["200"]
    assert caller.calls() == ["200"]
    assert world.kept() != world.tokens


@pytest.mark.parametrize("kind", [pytest.param("file", id="file")])
def test_a_leader_that_was_stopped_sends_nothing_that_another_has_spent(
    world: World, provider: MockProvider, start: Start
) -> None:
    """When it goes on, the other one is through and the lease is free: it reads once more."""
    stopped, other = start(replace(world.task, stops=True)), start(world.task)
    assert (stopped.read(), other.read()) == ("ready", "ready")
    stopped.call()
    assert stopped.read() == "stops"
    wait_until(world.is_free)
    assert other.calls() == ["200"]
    new = world.kept()
    stopped.process.send_signal(signal.SIGCONT)
    assert stopped.read() == "200"
    assert len(provider.sent("refresh_token")) == 1
    assert world.kept() == new
    assert world.is_free()


def test_a_leader_that_waits_in_vain_hands_over_and_loses_no_token(
    world: World, provider: MockProvider, start: Start
) -> None:
    truth = provider.routes["/token"]
    provider.routes["/token"] = provider.hang
    impatient = start(replace(world.task, ahead=301, timeout=0.5))
    assert impatient.read() == "ready"
    assert impatient.calls(10) == ["TransportError"] * 10
    assert len(provider.sent("refresh_token")) == 1
    assert world.is_free()
    assert world.kept() == world.tokens
    provider.routes["/token"] = lambda _: Answer(500, b"")
    assert impatient.calls() == ["ResponseRejected"]
    assert world.is_free()
    assert world.kept() == world.tokens
    provider.routes["/token"] = truth
    assert impatient.calls(10) == ["200"] * 10
    assert len(provider.sent("refresh_token")) == 3


# --- killed, at our own server, which takes an old refresh token for 30 s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server")).start() as server:
        server.add_user()
        yield server


@pytest.fixture(scope="module")
def party(server: Serving) -> RelyingParty:
    return register(server, "shared")


def test_a_leader_that_is_killed_before_it_has_saved_logs_nobody_out(
    kind: str,
    colour: Colour,
    server: Serving,
    party: RelyingParty,
    start: Start,
    tmp_path: Path,
    ca_file: str,
) -> None:
    app = Application(
        colour,
        server.issuer,
        client_id=party.client_id,
        client_secret=party.secret or None,
        redirect_uri=party.redirect_uri,
        scope="openid offline_access",
        ca_file=ca_file,
    )
    tokens = app.log_in(Person(server.issuer))
    world = World(kind, colour, tmp_path, app, tokens, f"{server.issuer}/userinfo")
    doomed = start(replace(world.task, dies=True))
    assert doomed.read() == "ready"
    doomed.call(5)
    assert doomed.process.wait(30) == -signal.SIGKILL
    assert world.kept() == tokens
    assert not world.is_free()

    # Before the old refresh token is a sign of theft, and when the lease has run out.
    nexts = [start(replace(world.task, ahead=LATE + 8)) for _ in range(2)]
    assert [one.read() for one in nexts] == ["ready"] * 2
    for one in nexts:
        one.call(5)
    for one in nexts:
        line = one.read()
        assert (one.read() if line == "waits" else line).split() == ["200"] * 5
    new = world.kept()
    assert new.refresh_token != tokens.refresh_token
    assert world.is_free()
    # The family lives: what was kept is good for the next refresh too.
    assert app.refresh(new).refresh_token != new.refresh_token
    app.close()
