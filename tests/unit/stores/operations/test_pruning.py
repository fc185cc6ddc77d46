"""`stores.operations.pruning`: what is over goes, a little at a time; what may be needed stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codegrant.accounts.effects import AddAccount, SaveSession
from codegrant.client.effects import ClaimCallback, FinishCallback, StoredSession
from codegrant.secret import digest_of
from codegrant.server.effects import (
    AddKey,
    BindTransaction,
    CodeRefused,
    CodeReplayed,
    DenyToken,
    FindGrant,
    SaveAccessToken,
    SaveTransaction,
)
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import (
    BROWSER,
    NOW,
    access_token,
    account,
    issued,
    key,
    session,
    transaction,
)

EXPIRING = (
    "access_tokens",
    "callbacks",
    "codes",
    "denied_tokens",
    "grants",
    "logins",
    "sessions",
    "signing_keys",
    "transactions",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codegrant.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(path, synchronous="NORMAL") as opened:
        yield opened


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        (found,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
    finally:
        connection.close()
    return int(found)


def pass_time(store: SqliteStore, now: int, times: int = 1) -> None:
    """Let traffic that changes nothing go on at `now`."""
    for _ in range(times):
        store.perform(BindTransaction(digest_of("unknown"), BROWSER, now))


def test_every_table_of_expiring_rows_is_pruned(store: SqliteStore, path: Path) -> None:
    one = issued()
    store.perform(one.save())
    store.perform(SaveAccessToken(access_token(one.grant)))
    store.perform(SaveTransaction(transaction()))
    store.perform(DenyToken("jti", NOW + 300))
    store.perform(AddAccount(account()))
    store.perform(SaveSession(session(), account().password_hash))
    store.perform(AddKey(replace(key("old"), retires_at=NOW, removes_at=NOW + 300)))
    login = digest_of("a login")
    store.perform(ClaimCallback(login_digest=login, now=NOW, expires_at=NOW + 600))
    stored = StoredSession(digest=login, sealed="sealed", expires_at=NOW + 600)
    store.perform(
        FinishCallback(login_digest=login, sealed_answer="", answer_until=NOW, session=stored)
    )
    assert [rows(path, table) for table in EXPIRING] == [1] * len(EXPIRING)
    pass_time(store, NOW + 24 * 3600)
    assert [rows(path, table) for table in EXPIRING] == [0] * len(EXPIRING)


def test_a_redeemed_code_stays_until_it_expires(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    store.perform(one.redeem())
    pass_time(store, NOW + 59)
    assert isinstance(store.perform(one.redeem(NOW + 59)), CodeReplayed)


def test_a_code_that_just_expired_is_told_from_an_unknown_one(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    pass_time(store, NOW + 119)
    assert store.perform(one.redeem(NOW + 119)) == CodeRefused("expired")
    pass_time(store, NOW + 180)
    assert store.perform(one.redeem(NOW + 180)) == CodeRefused("unknown")


def test_a_grant_outlives_every_token_without_a_row(store: SqliteStore) -> None:
    """A code that is redeemed in its last second may give a JWT access token of an hour."""
    one = issued()
    store.perform(one.save())
    store.perform(one.redeem(NOW + 59))
    pass_time(store, NOW + 59 + 3600)
    assert store.perform(FindGrant(one.grant.grant_id)) == one.grant


def test_a_grant_outlives_its_opaque_tokens(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    token = replace(access_token(one.grant), expires_at=NOW + 50_000)
    store.perform(SaveAccessToken(token))
    pass_time(store, NOW + 49_999)
    assert store.perform(FindGrant(one.grant.grant_id)) == one.grant


def test_a_key_without_an_end_stays(store: SqliteStore, path: Path) -> None:
    store.perform(AddKey(key("newest")))
    pass_time(store, NOW + 10**8)
    assert rows(path, "signing_keys") == 1


def test_a_great_number_goes_over_several_batches(store: SqliteStore, path: Path) -> None:
    for _ in range(120):
        store.perform(issued().save())
    now = NOW + 10**6
    left = []
    for _ in range(3):
        pass_time(store, now)
        left.append((rows(path, "codes"), rows(path, "grants")))
    assert left == [(70, 70), (20, 20), (0, 0)]


def test_after_a_round_that_found_the_end_pruning_rests(store: SqliteStore, path: Path) -> None:
    now = NOW + 10**6
    pass_time(store, now)
    store.perform(DenyToken("jti", NOW))
    pass_time(store, now + 9)
    assert rows(path, "denied_tokens") == 1
    pass_time(store, now + 10)
    assert rows(path, "denied_tokens") == 0


def test_effects_without_a_time_prune_nothing(store: SqliteStore, path: Path) -> None:
    store.perform(DenyToken("long ago", 1))
    store.perform(DenyToken("another", 1))
    assert rows(path, "denied_tokens") == 2
