"""`stores.operations.failures`: counts per pair and per source, each kind apart."""

from __future__ import annotations

from codegrant.secret import digest_of
from codegrant.server.effects import CountFailures, FailureCount, FailureKind, SaveFailure
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import NOW

ALICE, BOB = digest_of("alice"), digest_of("bob")


def fail(
    store: SqliteStore,
    account: bytes,
    source: str = "192.0.2.1",
    *,
    at: int = NOW,
    kind: FailureKind = "login",
    forget_before: int = 0,
) -> None:
    store.perform(SaveFailure(kind, account, source, at, forget_before))


def count(
    store: SqliteStore, account: bytes, since: int = NOW - 1, kind: FailureKind = "login"
) -> FailureCount:
    return store.perform(CountFailures(kind, account, "192.0.2.1", since))


def test_nothing_is_counted_as_nothing(store: SqliteStore) -> None:
    assert count(store, ALICE) == FailureCount(0, 0, 0, 0)


def test_pair_and_source_are_counted_apart(store: SqliteStore) -> None:
    fail(store, ALICE, at=NOW + 2)
    fail(store, ALICE, at=NOW + 3)
    fail(store, BOB, at=NOW + 1)
    fail(store, ALICE, "192.0.2.2")
    fail(store, ALICE, kind="client_authentication")
    assert count(store, ALICE) == FailureCount(2, 3, NOW + 2, NOW + 1)
    assert count(store, BOB) == FailureCount(1, 3, NOW + 1, NOW + 1)
    assert count(store, digest_of("carol")) == FailureCount(0, 3, 0, NOW + 1)
    assert count(store, ALICE, kind="introspection") == FailureCount(0, 0, 0, 0)


def test_the_window_is_open_at_its_start(store: SqliteStore) -> None:
    fail(store, ALICE, at=NOW)
    assert count(store, ALICE, since=NOW - 1).of_pair == 1
    assert count(store, ALICE, since=NOW).of_pair == 0


def test_old_failures_are_forgotten_on_the_way(store: SqliteStore) -> None:
    for second in range(30):
        fail(store, ALICE, at=NOW + second)
    for _ in range(3):
        fail(store, BOB, at=NOW + 100, forget_before=NOW + 25)
    assert count(store, ALICE, since=0).of_pair == 5
