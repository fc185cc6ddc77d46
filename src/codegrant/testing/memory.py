"""What clients and resource servers know of an issuer, which is of one test. Layer: testing.

An application that is made when it is imported meets another provider in each test. What it
keeps of the last one, in production to be spared a fetch, would be of no use or worse: keys that
are no longer those, an outage that is over, a time that has not come yet. So all of it is
forgotten when a wire goes up.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple
from weakref import WeakSet

from codegrant.flow import Flow
from codegrant.jose import KeySet
from codegrant.remote.discovery import Discovery
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.metadata import VerifiedServer

__all__ = ["begin_anew", "remember_for_ever", "remember_for_one_test"]


class _Methods(NamedTuple):
    find_server: Callable[[Discovery, int], Flow[VerifiedServer]]
    find_keys: Callable[[RemoteKeySet, str | None, int], Flow[KeySet]]
    refresh_keys: Callable[[RemoteKeySet, int], Flow[KeySet]]


_REAL = _Methods(Discovery.find, RemoteKeySet.find, RemoteKeySet.refresh)
_lock = Lock()
_asked: WeakSet[Discovery | RemoteKeySet] = WeakSet()


def begin_anew() -> None:
    """Have everybody forget what they know."""
    with _lock:
        asked = tuple(_asked)
    for known in asked:
        known.forget()


def remember_for_one_test() -> None:
    """Take the place of the methods that look something up."""
    _put(_Methods(_find_server, _find_keys, _refresh_keys))


def remember_for_ever() -> None:
    """Put them back."""
    _put(_REAL)


def _note(known: Discovery | RemoteKeySet) -> None:
    """Have `known` forget in time; at once, where it was asked before any wire was up."""
    with _lock:
        is_new = known not in _asked
        _asked.add(known)
    if is_new:
        known.forget()


def _find_server(known: Discovery, now: int) -> Flow[VerifiedServer]:
    _note(known)
    return (yield from _REAL.find_server(known, now))


def _find_keys(known: RemoteKeySet, kid: str | None, now: int) -> Flow[KeySet]:
    _note(known)
    return (yield from _REAL.find_keys(known, kid, now))


def _refresh_keys(known: RemoteKeySet, now: int) -> Flow[KeySet]:
    _note(known)
    return (yield from _REAL.refresh_keys(known, now))


def _put(methods: _Methods) -> None:
    for owner, name, method in (
        (Discovery, "find", methods.find_server),
        (RemoteKeySet, "find", methods.find_keys),
        (RemoteKeySet, "refresh", methods.refresh_keys),
    ):
        setattr(owner, name, method)
