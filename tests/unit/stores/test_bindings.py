"""`stores.bindings`: one issuer and one key ring per database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.errors import StoreError
from codegrant.sealing import KeyRing
from codegrant.server.administration import ListKeys
from codegrant.server.effects import AddKey
from codegrant.stores.bindings import (
    bind_issuer,
    check_issuer_binding,
    check_key_ring,
    check_seal,
    is_sealed,
)
from codegrant.stores.operations.settings import FindSetting, KeepSetting, ResealKeys
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import key

OLD, NEW, FOREIGN = "o" * 32, "n" * 32, "f" * 32
ISSUER = "https://issuer.example"


def test_a_database_belongs_to_its_first_issuer(store: SqliteStore) -> None:
    bind_issuer(store, ISSUER)
    bind_issuer(store, ISSUER)
    for other in (ISSUER + "/", "https://other.example"):
        with pytest.raises(StoreError) as raised:
            bind_issuer(store, other)
        assert raised.value.code == "store_issuer"
        assert ISSUER in str(raised.value)
    bind_issuer(store, ISSUER)


def test_a_database_belongs_to_its_first_key_ring(store: SqliteStore) -> None:
    check_key_ring(store, KeyRing([OLD]))
    check_key_ring(store, KeyRing([OLD, NEW]))
    for wrong in (KeyRing([NEW]), KeyRing([FOREIGN, NEW])):
        with pytest.raises(StoreError) as raised:
            check_key_ring(store, wrong)
        assert raised.value.code == "store_key"
        assert raised.value.__cause__ is None
        assert OLD not in str(raised.value)
    check_key_ring(store, KeyRing([OLD]))


def test_a_new_first_key_takes_over_and_the_old_one_may_go(store: SqliteStore) -> None:
    old, both, new = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    check_key_ring(store, old)
    store.perform(AddKey(replace(key("a"), sealed_private_key=old.seal("signing key", b"PEM"))))
    check_key_ring(store, both)
    check_key_ring(store, new)
    (kept,) = store.perform(ListKeys())
    assert new.open("signing key", kept.sealed_private_key) == b"PEM"
    with pytest.raises(StoreError):
        check_key_ring(store, old)


def test_a_signing_key_that_does_not_open_changes_nothing(store: SqliteStore) -> None:
    foreign = KeyRing([FOREIGN]).seal("signing key", b"PEM")
    check_key_ring(store, KeyRing([OLD]))
    store.perform(AddKey(replace(key("a"), sealed_private_key=foreign)))
    with pytest.raises(StoreError) as raised:
        check_key_ring(store, KeyRing([NEW, OLD]))
    assert raised.value.code == "store_key"
    check_key_ring(store, KeyRing([OLD]))


def test_the_first_value_of_a_setting_stays(store: SqliteStore) -> None:
    assert store.perform(KeepSetting("name", "first")) == "first"
    assert store.perform(KeepSetting("name", "second")) == "first"
    assert not store.perform(ResealKeys("name", "second", "third", {}))
    assert store.perform(ResealKeys("name", "first", "third", {}))
    assert store.perform(KeepSetting("name", "x")) == "third"


def test_looking_at_a_binding_records_nothing(store: SqliteStore) -> None:
    for issuer in (ISSUER, "https://other.example"):
        check_issuer_binding(store, issuer)
    check_seal(store, KeyRing([OLD]))
    assert not is_sealed(store)
    assert store.perform(FindSetting("issuer")) is None
    assert store.perform(FindSetting("key_check")) is None


def test_looking_at_a_binding_refuses_what_binding_would(store: SqliteStore) -> None:
    bind_issuer(store, ISSUER)
    check_key_ring(store, KeyRing([OLD]))
    assert is_sealed(store)
    check_issuer_binding(store, ISSUER)
    check_seal(store, KeyRing([NEW, OLD]))
    assert store.perform(FindSetting("issuer")) == ISSUER
    with pytest.raises(StoreError) as raised:
        check_issuer_binding(store, "https://other.example")
    assert raised.value.code == "store_issuer"
    with pytest.raises(StoreError) as raised:
        check_seal(store, KeyRing([NEW]))
    assert raised.value.code == "store_key"


def test_a_signing_key_alone_is_something_sealed(store: SqliteStore) -> None:
    store.perform(AddKey(key("a")))
    assert is_sealed(store)
