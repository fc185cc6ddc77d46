from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from codegrant.client.effects import (
    ClaimCallback,
    Claimed,
    DeleteSession,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    SaveSession,
    StoredSession,
)
from codegrant.client.memory import MemoryTokenStore
from codegrant.errors import StoreError
from codegrant.flow import Effect

NOW = 1_800_000_000
LOGIN, ID = b"l" * 32, b"s" * 32
CLAIM = ClaimCallback(login_digest=LOGIN, now=NOW, expires_at=NOW + 660)
SESSION = StoredSession(digest=ID, sealed="sealed", expires_at=NOW + 3600)
FINISH = FinishCallback(
    login_digest=LOGIN, sealed_answer="answer", answer_until=NOW + 60, session=SESSION
)


@pytest.fixture
def store() -> MemoryTokenStore:
    return MemoryTokenStore()


def test_one_of_many_gets_the_claim(store: MemoryTokenStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda _: store.perform(CLAIM), range(64)))
    assert claims.count(Claimed()) == 1
    assert claims.count(InProgress()) == 63


def test_a_repeat_gets_the_answer_for_a_minute_and_then_none(store: MemoryTokenStore) -> None:
    store.perform(CLAIM)
    store.perform(FINISH)
    later = ClaimCallback(login_digest=LOGIN, now=NOW + 59, expires_at=NOW + 700)
    too_late = ClaimCallback(login_digest=LOGIN, now=NOW + 60, expires_at=NOW + 700)
    assert store.perform(later) == Finished("answer")
    assert store.perform(too_late) == Finished("")


def test_a_claim_whose_holder_died_is_not_given_again(store: MemoryTokenStore) -> None:
    store.perform(CLAIM)
    later = ClaimCallback(login_digest=LOGIN, now=NOW + 600, expires_at=NOW + 1200)
    assert store.perform(later) == InProgress()


def test_nobody_finishes_what_nobody_claimed(store: MemoryTokenStore) -> None:
    with pytest.raises(StoreError, match="nobody had claimed"):
        store.perform(FINISH)
    assert store.perform(FindSession(ID, NOW)) is None


def test_a_session_is_found_until_it_expires(store: MemoryTokenStore) -> None:
    store.perform(CLAIM)
    store.perform(FINISH)
    assert store.perform(FindSession(ID, NOW + 3599)) == SESSION
    assert store.perform(FindSession(ID, NOW + 3600)) is None
    assert store.perform(FindSession(b"x" * 32, NOW)) is None


def test_an_ended_session_does_not_come_back(store: MemoryTokenStore) -> None:
    store.perform(CLAIM)
    store.perform(FINISH)
    newer = StoredSession(digest=ID, sealed="refreshed", expires_at=NOW + 7200)
    assert store.perform(SaveSession(newer, NOW)) is True
    assert store.perform(FindSession(ID, NOW)) == newer
    assert store.perform(DeleteSession(ID)) is True
    assert store.perform(DeleteSession(ID)) is False
    assert store.perform(SaveSession(newer, NOW)) is False
    assert store.perform(FindSession(ID, NOW)) is None


def test_expired_claims_and_sessions_are_forgotten(store: MemoryTokenStore) -> None:
    store.perform(CLAIM)
    store.perform(FINISH)
    other = ClaimCallback(login_digest=b"o" * 32, now=NOW + 10_000, expires_at=NOW + 10_660)
    assert store.perform(other) == Claimed()
    assert (len(store._claims), len(store._sessions)) == (1, 0)


def test_tasks_see_the_same_store(store: MemoryTokenStore) -> None:
    assert asyncio.run(store.perform_async(CLAIM)) == Claimed()
    assert store.perform(CLAIM) == InProgress()


def test_an_effect_of_somebody_else_is_refused(store: MemoryTokenStore) -> None:
    with pytest.raises(StoreError, match="Effect"):
        store.perform(Effect())
