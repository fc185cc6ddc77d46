"""`stores.operations.pruning`: what is over goes, a little at a time; what may be needed stays."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codegrant.accounts.effects import AddAccount, SaveSession
from codegrant.client.effects import ClaimCallback, FinishCallback, StoredSession, TakeLease
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
from codegrant.server.records import GrantRecord
from codegrant.server.refresh_effects import (
    RefreshRefused,
    Retried,
    Reused,
    Rotated,
    RotateRefreshToken,
    Rotation,
)
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import (
    BROWSER,
    NOW,
    access_token,
    account,
    issued,
    key,
    new_refresh_token,
    session,
    transaction,
)

EXPIRING = (
    "access_tokens",
    "callbacks",
    "codes",
    "denied_tokens",
    "grants",
    "leases",
    "logins",
    "refresh_tokens",
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
    one = issued(offline=True)
    store.perform(one.save())
    store.perform(one.redeem(refresh_token=new_refresh_token("first", "family")))
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
    store.perform(TakeLease(key=login, owner=b"o" * 16, now=NOW, duration=5))
    assert [rows(path, table) for table in EXPIRING] == [1] * len(EXPIRING)
    pass_time(store, NOW + 48 * 3600)
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


def refresh(
    store: SqliteStore, name: str, generation: int, now: int, *, idle: int = 1000
) -> Rotation:
    """Present the token of a generation of the family `name`."""
    successor = new_refresh_token(f"{name}/{generation + 1}", name, now, idle=idle)
    return store.perform(
        RotateRefreshToken(
            digest_of(f"{name}/{generation}"),
            digest_of(name),
            "web",
            (),
            None,
            successor,
            sealed_successor="sealed",
            grace=60,
            now=now,
        )
    )


def begin_family(
    store: SqliteStore, name: str, *, idle: int = 1000, absolute: int = 10**7
) -> GrantRecord:
    """Return a grant whose family of refresh tokens begins with `<name>/0` at `NOW + 1`."""
    one = issued(offline=True)
    store.perform(one.save())
    first = new_refresh_token(f"{name}/0", name, idle=idle, absolute=absolute)
    store.perform(one.redeem(NOW + 1, first))
    return one.grant


def test_a_week_of_refreshing_leaves_a_handful_of_rows(store: SqliteStore, path: Path) -> None:
    """Nothing but refreshes happens; what goes is still known as reuse when it comes back."""
    begin_family(store, "busy")
    at, most = NOW, 0
    for generation in range(7 * 24 * 12):
        at += 300
        assert isinstance(refresh(store, "busy", generation, at), Rotated)
        if generation % 100 == 0:
            most = max(most, rows(path, "refresh_tokens"))
    assert most <= 3
    assert (rows(path, "grants"), rows(path, "codes")) == (1, 0)
    assert isinstance(refresh(store, "busy", 17, at), Reused)


def test_a_rotated_token_stays_for_its_grace(store: SqliteStore) -> None:
    begin_family(store, "family")
    assert isinstance(refresh(store, "family", 0, NOW + 500), Rotated)
    pass_time(store, NOW + 559)
    assert isinstance(refresh(store, "family", 0, NOW + 559), Retried)


def test_a_token_rotated_in_its_last_second_stays_for_its_grace(store: SqliteStore) -> None:
    begin_family(store, "family")
    assert isinstance(refresh(store, "family", 0, NOW + 1000), Rotated)
    pass_time(store, NOW + 1059)
    assert isinstance(refresh(store, "family", 0, NOW + 1059), Retried)


def test_a_grant_outlives_every_token_of_its_family(store: SqliteStore, path: Path) -> None:
    """A refresh in the last second may give a JWT access token of an hour, which has no row."""
    grant = begin_family(store, "family", absolute=1500)
    at = NOW
    for generation, step in enumerate((900, 600)):
        at += step
        assert isinstance(refresh(store, "family", generation, at), Rotated)
    assert refresh(store, "family", 2, NOW + 1501) == RefreshRefused("expired")
    for later in (1, 1800, 3599):
        pass_time(store, at + later)
        assert store.perform(FindGrant(grant.grant_id)) == grant
    pass_time(store, at + 3600 + 61)
    assert (rows(path, "grants"), rows(path, "refresh_tokens")) == (0, 0)


def test_families_that_nobody_uses_any_more_go_during_refresh_traffic(
    store: SqliteStore, path: Path
) -> None:
    for serial in range(120):
        begin_family(store, f"left {serial}", idle=100)
    begin_family(store, "alive", idle=10**6)
    left = []
    for round_ in range(3):
        refresh(store, "alive", round_, NOW + 10**5 + round_, idle=10**6)
        left.append((rows(path, "refresh_tokens"), rows(path, "grants"), rows(path, "codes")))
    # The living one and what it was rotated from in these rounds stay.
    assert left == [(72, 71, 71), (23, 21, 21), (4, 1, 0)]


def test_a_clock_that_was_ahead_gives_no_revoked_token_its_life_back(
    store: SqliteStore, path: Path
) -> None:
    """What was pruned too early is otherwise dead; a row of the deny list is what kills."""
    store.perform(DenyToken("jti", NOW + 300))
    pass_time(store, NOW + 300 + 24 * 3600 + 59)
    assert rows(path, "denied_tokens") == 1
    pass_time(store, NOW + 300 + 24 * 3600 + 60 + 10)
    assert rows(path, "denied_tokens") == 0


def test_a_busy_store_prunes_as_much_as_it_writes(store: SqliteStore, path: Path) -> None:
    """Two hundred operations in one transaction take more than the usual fifty away."""
    for serial in range(300):
        store.perform(DenyToken(f"jti {serial}", NOW))
    asyncio.run(many_at_once(store, NOW + 10**6))
    assert rows(path, "denied_tokens") == 0


async def many_at_once(store: SqliteStore, now: int) -> None:
    """Bring two hundred operations to the writer's queue before it can turn to it twice."""
    effects = [BindTransaction(digest_of(f"unknown {n}"), BROWSER, now) for n in range(200)]
    await asyncio.gather(*(store.perform_async(effect) for effect in effects))


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
