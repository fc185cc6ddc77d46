"""Each effect goes to whoever performs it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from codegrant.accounts.effects import HashPassword, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.flow import Effect, RandomBytes
from codegrant.secret import Secret
from codegrant.server.effects import Emit, FindClient
from codegrant.server.events import Event
from codegrant.web.performer import ServerPerformer


class Store:
    def __init__(self) -> None:
        self.performed: list[Effect[Any]] = []

    def perform(self, effect: Effect[Any], /) -> str:
        self.performed.append(effect)
        return "answer"

    async def perform_async(self, effect: Effect[Any], /) -> str:
        return self.perform(effect)


class Performer:
    """A performer of either colour, waited for."""

    def __init__(self, is_async: bool, **options: Any) -> None:
        self.store = Store()
        self.performer = ServerPerformer(self.store, PasswordHasher(), **options)
        self.is_async = is_async

    def __call__(self, effect: Effect[Any]) -> Any:
        if self.is_async:
            return asyncio.run(self.performer.perform_async(effect))
        return self.performer.perform(effect)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_entropy_comes_from_the_system(is_async: bool) -> None:
    perform = Performer(is_async)
    drawn = {perform(RandomBytes(32)) for _ in range(8)}
    assert {len(value) for value in drawn} == {32}
    assert len(drawn) == 8


def test_passwords_are_hashed(is_async: bool) -> None:
    perform = Performer(is_async)
    phc = perform(HashPassword(Secret("wonderland")))
    assert perform(VerifyPassword(Secret("wonderland"), phc))
    assert not perform(VerifyPassword(Secret("Wonderland"), phc))
    assert perform.store.performed == []


def test_everything_else_goes_to_the_store(is_async: bool) -> None:
    perform = Performer(is_async)
    effect = FindClient("a")
    assert perform(effect) == "answer"
    assert perform.store.performed == [effect]


def test_an_event_is_told_to_every_sink_in_order(is_async: bool) -> None:
    told: list[str] = []
    sinks = (lambda e: told.append(f"1 {e.name}"), lambda e: told.append(f"2 {e.name}"))
    perform = Performer(is_async, events=sinks)
    perform(Emit(Event("logout", 1)))
    assert told == ["1 logout", "2 logout"]


def test_a_sink_that_fails_fails_nothing(is_async: bool, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def fail(event: Event) -> None:
        raise RuntimeError(f"no room for {event.facts}")

    perform = Performer(is_async, events=(fail, lambda e: told.append(e.name)))
    perform(Emit(Event("logout", 1, {"subject": "s3cret"})))
    assert told == ["logout"]
    (record,) = (each for each in caplog.records if each.levelno > logging.DEBUG)
    assert record.message == "event_sink_failed"
    assert "RuntimeError at" in record.__dict__["facts"]["where"]
    assert "s3cret" not in str(record.__dict__)


def test_an_event_is_logged_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "codegrant")
    perform = Performer(is_async=False)
    perform(Emit(Event("login_failed", 1, {"source": "192.0.2.1"})))
    perform(Emit(Event("logout", 1)))
    failed, logout = caplog.records
    assert (failed.name, failed.levelname) == ("codegrant.events", "WARNING")
    assert failed.__dict__["facts"] == {"source": "192.0.2.1"}
    assert logout.levelname == "INFO"
