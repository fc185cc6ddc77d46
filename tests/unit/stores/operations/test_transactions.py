"""`stores.operations.transactions`: one browser per transaction, a bounded number per source."""

from __future__ import annotations

from dataclasses import replace

from codegrant.secret import digest_of
from codegrant.server.effects import (
    BindTransaction,
    FindAnswer,
    FindTransaction,
    FinishTransaction,
    RecordLogin,
    SaveTransaction,
)
from codegrant.server.records import Transaction
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import BROWSER, NOW, OTHER_BROWSER, end_of, transaction

LATE = NOW + 600


def find(store: SqliteStore, text: str) -> Transaction | None:
    return store.perform(FindTransaction(digest_of(text), NOW))


def test_a_transaction_comes_back_until_it_expires(store: SqliteStore) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    assert store.perform(FindTransaction(waiting.digest, LATE - 1)) == waiting
    assert store.perform(FindTransaction(waiting.digest, LATE)) is None
    assert find(store, "another") is None


def test_only_the_first_browser_binds_a_transaction(store: SqliteStore) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    assert not store.perform(BindTransaction(waiting.digest, BROWSER, LATE))
    assert store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert not store.perform(BindTransaction(waiting.digest, OTHER_BROWSER, NOW))
    assert not store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert find(store, "transaction") == replace(waiting, browser_digest=BROWSER)
    assert not store.perform(BindTransaction(digest_of("another"), BROWSER, NOW))


def test_a_login_is_recorded_by_the_bound_browser_alone(store: SqliteStore) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    assert not store.perform(RecordLogin(waiting.digest, BROWSER, "sid-1", NOW))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert not store.perform(RecordLogin(waiting.digest, OTHER_BROWSER, "sid-2", NOW))
    assert not store.perform(RecordLogin(waiting.digest, BROWSER, "sid-3", LATE))
    assert store.perform(RecordLogin(waiting.digest, BROWSER, "sid-4", NOW))
    bound = replace(waiting, browser_digest=BROWSER, login_sid="sid-4")
    assert find(store, "transaction") == bound


def test_a_transaction_is_finished_once_by_the_bound_browser(store: SqliteStore) -> None:
    waiting = transaction()
    end = end_of(waiting)
    store.perform(SaveTransaction(waiting))
    assert not store.perform(FinishTransaction(end, NOW))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert not store.perform(FinishTransaction(replace(end, browser_digest=OTHER_BROWSER), NOW))
    assert not store.perform(FinishTransaction(end, LATE))
    assert store.perform(FinishTransaction(end, NOW))
    assert not store.perform(FinishTransaction(end, NOW))
    assert find(store, "transaction") is None


def test_nothing_ends_without_an_answer(store: SqliteStore) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert not store.perform(FinishTransaction(replace(end_of(waiting), sealed_answer=""), NOW))
    assert find(store, "transaction") is not None
    assert store.perform(FinishTransaction(end_of(waiting), NOW))


def test_the_answer_of_a_finished_one_is_kept_for_its_browser_and_for_a_moment(
    store: SqliteStore,
) -> None:
    waiting = transaction()
    ask = FindAnswer(waiting.digest, BROWSER, NOW)
    store.perform(SaveTransaction(waiting))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    assert store.perform(ask) is None
    end = end_of(waiting)
    assert store.perform(FinishTransaction(end, NOW))
    assert store.perform(replace(ask, now=NOW + 14)) == "sealed"
    assert store.perform(replace(ask, now=NOW + 15)) is None
    assert store.perform(replace(ask, browser_digest=OTHER_BROWSER)) is None
    assert store.perform(replace(ask, digest=digest_of("another"))) is None
    assert not store.perform(FinishTransaction(end, NOW))
    assert not store.perform(RecordLogin(waiting.digest, BROWSER, "sid", NOW))
    assert find(store, "transaction") is None


def test_the_oldest_unbound_ones_of_a_source_make_room(store: SqliteStore) -> None:
    store.perform(SaveTransaction(transaction("bound")))
    store.perform(BindTransaction(digest_of("bound"), BROWSER, NOW))
    store.perform(SaveTransaction(transaction("elsewhere", source="192.0.2.2")))
    for number in range(5):  # all in one second: the order of arrival counts
        store.perform(SaveTransaction(transaction(f"flood {number}"), limit=3))
    left = [number for number in range(5) if find(store, f"flood {number}") is not None]
    assert left == [2, 3, 4]
    assert find(store, "bound") is not None
    assert find(store, "elsewhere") is not None


def test_a_lower_limit_clears_what_a_higher_one_let_in(store: SqliteStore) -> None:
    for number in range(20):
        store.perform(SaveTransaction(transaction(f"flood {number}")))
    store.perform(SaveTransaction(transaction("last"), limit=1))
    assert [number for number in range(20) if find(store, f"flood {number}") is not None] == []
    assert find(store, "last") is not None


def test_the_oldest_bound_ones_of_a_source_make_room(store: SqliteStore) -> None:
    store.perform(SaveTransaction(transaction("elsewhere", source="192.0.2.2")))
    store.perform(BindTransaction(digest_of("elsewhere"), BROWSER, NOW))
    for number in range(6):
        store.perform(SaveTransaction(transaction(f"flood {number}")))
    # The order of arrival counts; the one that is bound last stays, however old it is.
    for number in (1, 2, 3, 4, 0):
        bind = BindTransaction(digest_of(f"flood {number}"), BROWSER, NOW, limit=3)
        assert store.perform(bind)
    left = [number for number in range(6) if find(store, f"flood {number}") is not None]
    assert left == [0, 3, 4, 5]
    assert find(store, "elsewhere") is not None
    refused = BindTransaction(digest_of("flood 4"), OTHER_BROWSER, NOW, limit=1)
    assert not store.perform(refused)
    assert find(store, "flood 3") is not None


def test_an_ended_one_counts_as_well_until_it_is_gone(store: SqliteStore) -> None:
    for name in ("first", "second", "third"):
        waiting = transaction(name)
        store.perform(SaveTransaction(waiting))
        store.perform(BindTransaction(waiting.digest, BROWSER, NOW, limit=2))
        if name == "first":
            assert store.perform(FinishTransaction(end_of(waiting), NOW))
    assert store.perform(FindAnswer(digest_of("first"), BROWSER, NOW)) is None
    assert find(store, "second") is not None
    assert find(store, "third") is not None
