from __future__ import annotations

import pytest

from codegrant.errors import OAuthError
from codegrant.flow import run
from codegrant.server.effects import FailureCount
from codegrant.server.policy import Limits
from codegrant.server.rate_limits import (
    check_limits,
    count_miss,
    retry_after,
    save_failure,
    source_of,
)
from tests.flows.authorization_server import NOW, MemoryStore

LIMITS = Limits(account_failures=3, source_failures=5, window=60)


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("not:an:address", "not:an:address"),
        ("unix socket", "unix socket"),
    ],
)
def test_a_source_is_an_address_or_a_network(peer: str, source: str) -> None:
    assert source_of(peer) == source


@pytest.mark.parametrize(
    ("count", "seconds"),
    [
        (FailureCount(0, 0, 0, 0), 0),
        (FailureCount(2, 4, NOW - 10, NOW - 50), 0),
        (FailureCount(3, 3, NOW - 10, NOW - 10), 50),
        (FailureCount(0, 5, 0, NOW - 59), 1),
        (FailureCount(3, 5, NOW - 10, NOW - 50), 50),
        (FailureCount(9, 9, NOW - 60, NOW - 60), 1),
    ],
)
def test_the_wait_is_until_the_oldest_failure_is_forgotten(
    count: FailureCount, seconds: int
) -> None:
    assert retry_after(LIMITS, count, NOW) == seconds


def fail(store: MemoryStore, account: str, peer: str = "192.0.2.1", times: int = 1) -> None:
    for _ in range(times):
        run(check_limits(LIMITS, "login", account, peer, NOW), store.perform)
        run(save_failure(LIMITS, "login", account, peer, NOW), store.perform)


def wait(store: MemoryStore, account: str, peer: str = "192.0.2.1", now: int = NOW) -> int:
    """Return the seconds until another attempt is taken; 0 when it is taken now."""
    try:
        run(check_limits(LIMITS, "login", account, peer, now), store.perform)
    except OAuthError as error:
        return int(error.facts["retry_after"])
    return 0


def test_past_the_limit_the_answer_is_429_and_never_redirected() -> None:
    store = MemoryStore()
    fail(store, "alice", times=3)
    with pytest.raises(OAuthError) as caught:
        fail(store, "alice")
    assert caught.value.status == 429
    assert not caught.value.redirectable


def test_a_pair_is_limited_and_neither_the_account_nor_the_source() -> None:
    store = MemoryStore()
    fail(store, "alice", times=3)
    assert wait(store, "alice") == 60
    assert wait(store, "alice", "192.0.2.2") == 0
    assert wait(store, "bob") == 0
    assert wait(store, "alice", now=NOW + 60) == 0
    assert wait(store, "alice", now=NOW + 59) == 1


def test_a_source_is_limited_over_all_accounts() -> None:
    store = MemoryStore()
    for number in range(5):
        fail(store, f"person {number}")
    assert wait(store, "somebody new") == 60
    assert wait(store, "somebody new", "192.0.2.2") == 0


def test_each_kind_is_counted_apart() -> None:
    store = MemoryStore()
    fail(store, "alice", times=3)
    flow = check_limits(LIMITS, "client_authentication", "alice", "192.0.2.1", NOW)
    run(flow, store.perform)
    assert wait(store, "alice") == 60


def test_limits_that_are_off_ask_nothing() -> None:
    store = MemoryStore()
    off = Limits(enabled=False)
    run(check_limits(off, "login", "alice", "192.0.2.1", NOW), store.perform)
    run(save_failure(off, "login", "alice", "192.0.2.1", NOW), store.perform)
    assert not run(count_miss(off, "api", NOW, one_in=1), store.perform)
    assert store.asked == []


def miss(store: MemoryStore, caller: str, *, one_in: int = 1, now: int = NOW) -> bool:
    last: bool = run(count_miss(LIMITS, caller, now, one_in=one_in), store.perform)
    return last


def test_a_hundred_misses_of_one_caller_are_the_limit() -> None:
    store = MemoryStore()
    assert [miss(store, "a") for _ in range(100)] == [False] * 99 + [True]
    with pytest.raises(OAuthError) as caught:
        miss(store, "a", now=NOW + 20)
    assert caught.value.status == 429
    assert caught.value.facts == {"retry_after": 40}
    assert not miss(store, "b")
    assert not miss(store, "a", now=NOW + 60)
    # What is too much is not written down: it fills nothing and prolongs nothing.
    assert len(store.failures) == 102


def test_misses_of_many_are_written_down_by_chance() -> None:
    store = MemoryStore()
    for _ in range(2000):
        miss(store, "api", one_in=100)
    assert 5 < len(store.failures) < 50
    assert store.asked.count("RandomBytes") == 2000


def test_misses_are_of_a_kind_of_their_own() -> None:
    store = MemoryStore()
    for _ in range(100):
        miss(store, "192.0.2.1")
    flows = [
        check_limits(LIMITS, "login", "192.0.2.1", "192.0.2.1", NOW),
        check_limits(LIMITS, "client_authentication", "192.0.2.1", "192.0.2.1", NOW),
    ]
    for flow in flows:
        run(flow, store.perform)
