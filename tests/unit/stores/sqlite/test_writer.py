"""`stores.sqlite.writer`: whoever waits shares one commit, and all of them its fate."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codegrant.errors import StoreError
from codegrant.server.administration import AddClient
from codegrant.server.effects import DenyToken, FindClient
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.sqlite import writer as module
from tests.unit.stores.examples import NOW, client, issued


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codegrant.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(path, busy_timeout=0.05) as opened:
        yield opened


def add_many(store: SqliteStore, number: int) -> list[bool | BaseException]:
    """Add clients in one tick of a loop."""

    async def main() -> list[bool | BaseException]:
        adds = (store.perform_async(AddClient(client(f"client-{i}"))) for i in range(number))
        return await asyncio.gather(*adds, return_exceptions=True)

    return asyncio.run(main())


def statements_of(store: SqliteStore) -> list[str]:
    """Record what the writer executes from now on."""
    store.perform(DenyToken("to open the connection", NOW))
    connection = store._process().writer._connection
    assert connection is not None
    executed: list[str] = []
    connection.set_trace_callback(executed.append)
    return executed


def test_those_who_wait_share_one_commit(store: SqliteStore) -> None:
    executed = statements_of(store)
    assert add_many(store, 100) == [True] * 100
    assert executed.count("COMMIT") < 50
    assert sum(statement.startswith("INSERT INTO clients") for statement in executed) == 100
    # What cannot happen to one of them needs no savepoint, see the next test.
    assert "SAVEPOINT operation" not in executed


def test_a_failure_takes_nobody_along(store: SqliteStore) -> None:
    executed = statements_of(store)
    one = issued()

    async def main() -> list[Any]:
        effects: list[Any] = [one.save(), one.save(), AddClient(client()), DenyToken("jti", 2**70)]
        waiting = [store.perform_async(effect) for effect in effects]
        return await asyncio.gather(*waiting, return_exceptions=True)

    first, second, third, fourth = asyncio.run(main())
    assert first is True
    assert isinstance(second, StoreError)
    assert third is True
    assert isinstance(fourth, StoreError)
    assert executed.count("SAVEPOINT operation") >= 4
    assert executed.count("ROLLBACK TO operation") == 2
    assert store.perform(FindClient("web")) == client()


def test_a_failed_commit_fails_all_of_its_replies(store: SqliteStore) -> None:
    store.perform(DenyToken("to open the connection", NOW))
    writer = store._process().writer
    assert writer._connection is not None

    def forbid_commit(action: int, name: str | None, *_: object) -> int:
        commit = action == sqlite3.SQLITE_TRANSACTION and name == "COMMIT"
        return sqlite3.SQLITE_DENY if commit else sqlite3.SQLITE_OK

    writer._connection.set_authorizer(forbid_commit)
    answers = add_many(store, 5)
    assert [type(answer) for answer in answers] == [StoreError] * 5
    assert len({id(answer) for answer in answers}) == 5
    assert store.perform(FindClient("client-0")) is None
    # The connection was given up with the commit; the next one is a new one.
    assert add_many(store, 5) == [True] * 5


def test_everybody_hears_of_a_lock(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = add_many(store, 20)
    codes = [answer.code for answer in answers if isinstance(answer, StoreError)]
    assert codes == ["store_busy"] * 20
    assert add_many(store, 20) == [True] * 20


def test_a_full_database_says_so_and_recovers(store: SqliteStore) -> None:
    store.perform(DenyToken("to open the connection", NOW))
    connection = store._process().writer._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    codes = {answer.code for answer in add_many(store, 50) if isinstance(answer, StoreError)}
    assert codes == {"store_full"}
    connection = store._process().writer._connection
    if connection is not None:
        connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    assert any(add_many(store, 60))


def test_too_many_who_wait_are_sent_away(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(StoreError, match="too many") as raised:
        store.perform(AddClient(client()))
    assert raised.value.code == "store_busy"
    monkeypatch.undo()
    assert store.perform(AddClient(client()))


def test_a_great_number_goes_in_several_batches(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IN_BATCH", 10)
    executed = statements_of(store)
    assert add_many(store, 100) == [True] * 100
    assert executed.count("COMMIT") >= 10


def test_nobody_waits_for_a_thread_that_was_never_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its end an interpreter starts none any more, and a hang there would be the worst."""

    def fail(_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with SqliteStore(path) as store:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            for _ in range(2):
                with pytest.raises(StoreError, match="no thread") as caught:
                    store.perform(DenyToken("jti", NOW))
                assert caught.value.code == "store_busy"
            with pytest.raises(StoreError, match="no thread"):
                asyncio.run(store.perform_async(DenyToken("jti", NOW)))
        store.perform(DenyToken("jti", NOW))


def test_a_database_that_comes_back_is_used_again(path: Path) -> None:
    path.mkdir()
    with SqliteStore(path) as store:
        for _ in range(2):
            with pytest.raises(StoreError) as raised:
                store.perform(FindClient("web"))
            assert raised.value.code == "store_not_a_database"
        path.rmdir()
        assert store.perform(FindClient("web")) is None


def test_failed_pruning_stops_no_traffic(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.perform(DenyToken("jti", NOW))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER keep BEFORE DELETE ON denied_tokens BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
    one = issued()
    store.perform(one.save())
    with caplog.at_level(logging.WARNING, "codegrant.stores"):
        store.perform(one.redeem(NOW + 200_000))
    (record,) = caplog.records
    assert "expired rows could not be deleted" in record.getMessage()
    assert store.perform(AddClient(client()))
