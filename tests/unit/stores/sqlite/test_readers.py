"""`stores.sqlite.readers`: reads never wait, and leave nothing open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Flow
from codegrant.server.effects import FindClient
from codegrant.stores.operations import Operation, find_operation
from codegrant.stores.sqlite.connection import Location
from codegrant.stores.sqlite.migration import prepare
from codegrant.stores.sqlite.readers import Locked, Readers
from codegrant.stores.statements import Statement, execute

EFFECT = FindClient("web")
FIND = find_operation(EFFECT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codegrant.db"


@pytest.fixture
def readers(path: Path) -> Iterator[Readers]:
    location = Location(path=path)
    prepare(location)
    readers = Readers(location)
    yield readers
    readers.close()


def reading(run: Callable[[FindClient], Flow[object]]) -> Operation:
    return Operation(run, writes=False)


def sql(text: str) -> Operation:
    return reading(lambda _: execute(Statement("any", text, frozenset())))


def test_one_connection_serves_one_thread(readers: Readers) -> None:
    for _ in range(10):
        assert readers.perform(FIND, EFFECT) is None
    assert len(readers._idle) == 1


@pytest.mark.parametrize(
    "text", ["SELECT a FROM nothing", "DELETE FROM clients"], ids=["no table", "a write"]
)
def test_a_failed_read_gives_up_its_connection(readers: Readers, text: str) -> None:
    readers.perform(FIND, EFFECT)
    with pytest.raises(StoreError):
        readers.perform(sql(text), EFFECT)
    assert not readers._idle
    assert readers.perform(FIND, EFFECT) is None


def test_an_interrupted_read_gives_up_its_connection(readers: Readers) -> None:
    def interrupted(_: FindClient) -> Flow[object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        readers.perform(reading(interrupted), EFFECT)
    assert not readers._idle


@pytest.mark.parametrize("connected", [True, False], ids=["open", "not open"])
def test_a_read_does_not_wait_for_a_lock(path: Path, readers: Readers, *, connected: bool) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
        for _ in range(1 + connected):
            with pytest.raises(Locked):
                readers.perform(FIND, EFFECT)
    assert readers.perform(FIND, EFFECT) is None


def test_a_database_that_is_no_more_is_told(path: Path, readers: Readers) -> None:
    path.unlink()
    with pytest.raises(StoreError) as raised:
        readers.perform(FIND, EFFECT)
    assert raised.value.code == "store_missing_file"


def test_what_is_in_use_at_the_end_is_closed_when_it_comes_back(readers: Readers) -> None:
    def closing_meanwhile(_: FindClient) -> Flow[object]:
        readers.close()
        return (yield from execute(Statement("one", "SELECT 1", frozenset())))

    assert readers.perform(reading(closing_meanwhile), EFFECT) == [(1,)]
    assert not readers._idle
    with pytest.raises(StoreError) as raised:
        readers.perform(FIND, EFFECT)
    assert raised.value.code == "store_closed"
