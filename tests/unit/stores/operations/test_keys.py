"""`stores.operations.keys`: exactly one first key, and the older ones retire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.errors import StoreError
from codegrant.server.administration import ListKeys
from codegrant.server.effects import AddKey, LoadKeys
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import NOW, key


def test_only_the_first_of_an_algorithm_is_added(store: SqliteStore) -> None:
    assert store.perform(AddKey(key("a"))) == (key("a"),)
    assert store.perform(AddKey(key("b", created_at=NOW + 1))) == (key("a"),)
    both = (key("a"), key("r", "RS256", created_at=NOW + 2))
    assert store.perform(AddKey(both[1])) == both
    assert store.perform(LoadKeys(NOW)) == both


def test_a_rotation_retires_the_older_keys_of_its_algorithm(store: SqliteStore) -> None:
    store.perform(AddKey(key("old")))
    store.perform(AddKey(key("rsa", "RS256")))
    new = replace(key("new", created_at=NOW + 10), activates_at=NOW + 100)
    rotation = AddKey(
        new, only_if_first=False, retire_others_at=NOW + 100, remove_others_at=NOW + 400
    )
    retired = replace(key("old"), retires_at=NOW + 100, removes_at=NOW + 400)
    assert store.perform(rotation) == (retired, key("rsa", "RS256"), new)
    assert store.perform(LoadKeys(NOW + 399)) == (retired, key("rsa", "RS256"), new)
    assert store.perform(LoadKeys(NOW + 400)) == (key("rsa", "RS256"), new)
    assert store.perform(ListKeys()) == (retired, key("rsa", "RS256"), new)


def test_a_key_that_retires_already_keeps_its_times(store: SqliteStore) -> None:
    store.perform(AddKey(key("a")))
    for number, kid in enumerate(("b", "c"), 1):
        store.perform(
            AddKey(
                key(kid, created_at=NOW + number),
                only_if_first=False,
                retire_others_at=NOW + 100 * number,
                remove_others_at=NOW + 1000 * number,
            )
        )
    times = {found.kid: (found.retires_at, found.removes_at) for found in store.perform(ListKeys())}
    assert times == {
        "a": (NOW + 100, NOW + 1000),
        "b": (NOW + 200, NOW + 2000),
        "c": (None, None),
    }


def test_a_sooner_rotation_wins_over_a_planned_one(store: SqliteStore) -> None:
    store.perform(AddKey(key("a")))
    for number, at in ((1, NOW + 3600), (2, NOW + 2)):
        rotation = AddKey(
            key(f"b{number}", created_at=NOW + number),
            only_if_first=False,
            retire_others_at=at,
            remove_others_at=at + 300,
        )
        store.perform(rotation)
    oldest = store.perform(ListKeys())[0]
    assert (oldest.retires_at, oldest.removes_at) == (NOW + 2, NOW + 302)


def test_a_removed_key_does_not_count_as_the_first(store: SqliteStore) -> None:
    store.perform(AddKey(replace(key("gone"), retires_at=NOW + 1, removes_at=NOW + 2)))
    fresh = key("fresh", created_at=NOW + 2)
    assert store.perform(AddKey(fresh)) == (fresh,)


def test_no_kid_is_given_twice(store: SqliteStore) -> None:
    store.perform(AddKey(key("a")))
    with pytest.raises(StoreError) as raised:
        store.perform(AddKey(key("a"), only_if_first=False))
    assert raised.value.code == "store_failed"
    assert store.perform(ListKeys()) == (key("a"),)
