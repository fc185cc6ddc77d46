"""What the effects on signing keys mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server.administration import ListKeys
from codegrant.server.effects import AddKey, LoadKeys
from codegrant.server.records import KeyRecord
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import KEY

_SQL = load_statements("keys")


def load_keys(effect: LoadKeys) -> Flow[tuple[KeyRecord, ...]]:
    """Return the keys that are not removed."""
    return _keys_at(effect.now)


def list_keys(_effect: ListKeys) -> Flow[tuple[KeyRecord, ...]]:
    """Return every key."""
    return KEY.find_all(_SQL["list_keys"])


def add_key(effect: AddKey) -> Flow[tuple[KeyRecord, ...]]:
    """Insert a key, retire the older ones of its algorithm, and return what is there then."""
    key = effect.key
    there = yield from matched(_SQL["find_key_of_alg"], alg=key.alg, now=key.created_at)
    if there and effect.only_if_first:
        return (yield from _keys_at(key.created_at))
    yield from execute(_SQL["add_key"], **KEY.parameters(key))
    if effect.retire_others_at is not None:
        yield from execute(
            _SQL["retire_other_keys"],
            alg=key.alg,
            kid=key.kid,
            retires_at=effect.retire_others_at,
            removes_at=effect.remove_others_at,
        )
    return (yield from _keys_at(key.created_at))


def _keys_at(now: int) -> Flow[tuple[KeyRecord, ...]]:
    """Return the keys that are not removed at `now`, oldest first."""
    return KEY.find_all(_SQL["load_keys"], now=now)
