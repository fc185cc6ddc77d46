"""`stores.operations.logins`: one exchange per callback, and sessions that stay ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
from codegrant.secret import digest_of
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import NOW

LOGIN = digest_of("a login id")
SESSION = StoredSession(digest=digest_of("a session id"), sealed="sealed", expires_at=NOW + 3600)


def claim(now: int = NOW, *, login: bytes = LOGIN) -> ClaimCallback:
    return ClaimCallback(login_digest=login, now=now, expires_at=NOW + 600)


def finish(session: StoredSession | None = SESSION) -> FinishCallback:
    return FinishCallback(
        login_digest=LOGIN, sealed_answer="answer", answer_until=NOW + 60, session=session
    )


def test_a_claim_is_given_once_until_it_expires(store: SqliteStore) -> None:
    assert store.perform(claim()) == Claimed()
    assert store.perform(claim()) == InProgress()
    assert store.perform(claim(login=digest_of("another"))) == Claimed()
    assert store.perform(claim(NOW + 599)) == InProgress()
    late = ClaimCallback(login_digest=LOGIN, now=NOW + 600, expires_at=NOW + 1200)
    assert store.perform(late) == Claimed()
    assert store.perform(late) == InProgress()


def test_a_finished_callback_answers_for_a_while(store: SqliteStore) -> None:
    store.perform(claim())
    store.perform(finish())
    assert store.perform(claim(NOW + 59)) == Finished("answer")
    assert store.perform(claim(NOW + 60)) == Finished("")
    assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION


def test_a_failed_login_leaves_no_session(store: SqliteStore) -> None:
    store.perform(claim())
    store.perform(finish(session=None))
    assert store.perform(claim()) == Finished("answer")
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_what_nobody_claimed_is_not_finished(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="nobody had claimed"):
        store.perform(finish())
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_a_session_is_replaced_while_it_is_there(store: SqliteStore) -> None:
    renewed = replace(SESSION, sealed="renewed", expires_at=NOW + 7200)
    assert not store.perform(SaveSession(renewed, NOW))
    store.perform(claim())
    store.perform(finish())
    assert store.perform(SaveSession(renewed, NOW + 3599))
    assert store.perform(FindSession(SESSION.digest, NOW + 7199)) == renewed
    assert store.perform(FindSession(SESSION.digest, NOW + 7200)) is None
    assert not store.perform(SaveSession(renewed, NOW + 7200))


def test_an_ended_session_does_not_come_back(store: SqliteStore) -> None:
    store.perform(claim())
    store.perform(finish())
    assert store.perform(DeleteSession(SESSION.digest))
    assert not store.perform(DeleteSession(SESSION.digest))
    assert not store.perform(SaveSession(SESSION, NOW))
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_it_answers_as_the_store_in_memory_does(store: SqliteStore) -> None:
    other = MemoryTokenStore()
    renewed = SaveSession(replace(SESSION, sealed="renewed"), NOW + 1)
    effects: list[Effect[Any]] = [
        FindSession(SESSION.digest, NOW),
        claim(),
        claim(),
        finish(),
        claim(),
        claim(NOW + 60),
        FindSession(SESSION.digest, NOW),
        renewed,
        FindSession(SESSION.digest, NOW + 3599),
        FindSession(SESSION.digest, NOW + 3600),
        DeleteSession(SESSION.digest),
        DeleteSession(SESSION.digest),
        renewed,
        claim(NOW + 600),
    ]
    for effect in effects:
        assert store.perform(effect) == other.perform(effect), effect
