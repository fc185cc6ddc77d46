"""`DjangoTokenStore`: the laws of every token store, and what Django's transactions add."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, router, transaction
from django.test.utils import CaptureQueriesContext

from codegrant.client.effects import (
    ClaimCallback,
    Claimed,
    DeleteSession,
    EndSessions,
    FindSession,
    Finished,
    InProgress,
    SaveSession,
    TakeLease,
)
from codegrant.errors import StoreError
from codegrant.flow import Effect, RandomBytes
from codegrant.secret import digest_of
from codegrant.web.django.store import DjangoTokenStore, clear_expired, leaving_no_connection
from tests.support import django_project
from tests.unit.stores.examples import NOW
from tests.unit.stores.operations.test_logins import (
    ENDS,
    LEASES,
    ME,
    PERSON,
    SESSION,
    check_ends,
    claim,
    end,
    finish,
    take,
    test_a_claim_is_given_once_until_it_expires,
    test_a_failed_login_leaves_no_session,
    test_a_finished_callback_answers_for_a_while,
    test_a_logout_token_is_obeyed_once_while_it_is_remembered,
    test_a_session_is_replaced_while_it_is_there,
    test_a_session_that_another_process_has_replaced_is_left_alone,
    test_an_ended_session_does_not_come_back,
    test_it_answers_as_the_store_in_memory_does,
    test_what_nobody_claimed_is_not_finished,
)

__all__ = [
    "test_a_claim_is_given_once_until_it_expires",
    "test_a_failed_login_leaves_no_session",
    "test_a_finished_callback_answers_for_a_while",
    "test_a_logout_token_is_obeyed_once_while_it_is_remembered",
    "test_a_session_is_replaced_while_it_is_there",
    "test_a_session_that_another_process_has_replaced_is_left_alone",
    "test_an_ended_session_does_not_come_back",
    "test_it_answers_as_the_store_in_memory_does",
    "test_what_nobody_claimed_is_not_finished",
]


@pytest.fixture(scope="module")
def postgres(services: Mapping[str, str]) -> Iterator[str]:
    """The alias of a database of our own at the PostgreSQL of the machine."""
    url, name = services["postgres"], f"codegrant_django_{os.getpid()}"
    django_project.create_postgres(url, name)
    yield name
    django_project.drop_postgres(url, name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def using(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The alias of an empty database with our tables."""
    if request.param == "postgres":
        alias = str(request.getfixturevalue("postgres"))
        call_command("flush", database=alias, verbosity=0, interactive=False)
    else:
        alias = django_project.make_database(tmp_path)
    yield alias
    connections[alias].close()


@pytest.fixture
def store(using: str) -> DjangoTokenStore:
    return DjangoTokenStore(using)


def at_once(times: int, call: Callable[[], Any]) -> list[Any]:
    def apart(_: int) -> Any:
        with leaving_no_connection():
            return call()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(apart, range(times)))


def test_one_of_many_gets_the_claim(store: DjangoTokenStore) -> None:
    answers = at_once(8, lambda: store.perform(claim()))
    assert (answers.count(Claimed()), answers.count(InProgress())) == (1, 7)
    late = ClaimCallback(login_digest=claim().login_digest, now=NOW + 600, expires_at=NOW + 1200)
    answers = at_once(8, lambda: store.perform(late))
    assert (answers.count(Claimed()), answers.count(InProgress())) == (1, 7)


def test_one_of_many_ends_a_session(store: DjangoTokenStore) -> None:
    store.perform(claim())
    store.perform(finish())
    answers = at_once(8, lambda: store.perform(DeleteSession(SESSION.digest)))
    assert sorted(answers) == [False] * 7 + [True]


@pytest.mark.parametrize(("effect", "ended"), ENDS)
def test_a_logout_token_ends_what_it_names_and_nothing_else(
    store: DjangoTokenStore, effect: EndSessions, ended: set[str]
) -> None:
    check_ends(store, effect, ended)


def test_of_many_deliveries_of_a_logout_token_one_counts(store: DjangoTokenStore) -> None:
    store.perform(claim())
    store.perform(finish())
    answers = at_once(8, lambda: store.perform(end(PERSON)))
    assert (answers.count(1), answers.count(None)) == (1, 7)


@pytest.mark.parametrize("steps", LEASES)
def test_a_lease_has_one_owner_until_it_is_released_or_runs_out(
    store: DjangoTokenStore, steps: list[tuple[Effect[bool], bool]]
) -> None:
    assert store.perform(take(ME))
    for effect, succeeds in steps:
        assert store.perform(effect) is succeeds, effect


def test_one_of_many_gets_a_lease(store: DjangoTokenStore) -> None:
    key = digest_of("a lease")
    for now in (NOW, NOW + 10):  # the second time it has run out
        owners = iter(range(8))
        answers = at_once(
            8,
            lambda now=now, owners=owners: store.perform(  # type: ignore[misc]
                TakeLease(key=key, owner=bytes([next(owners)] * 16), now=now, duration=10)
            ),
        )
        assert sorted(answers) == [False] * 7 + [True]


def test_session_and_answer_are_kept_both_or_neither(store: DjangoTokenStore) -> None:
    store.perform(claim())
    broken = replace(SESSION, expires_at=1 << 70)  # no column holds it
    with pytest.raises((StoreError, OverflowError)):
        store.perform(finish(broken))
    assert store.perform(claim()) == InProgress()
    store.perform(finish())
    assert store.perform(claim()) == Finished("answer")


class Oops(Exception):
    """A view fails."""


def test_what_it_stores_outlives_the_transaction_of_a_view(
    store: DjangoTokenStore, using: str
) -> None:
    renewed = replace(SESSION, sealed="renewed")
    with suppress(Oops), transaction.atomic(using):
        assert store.perform(claim()) == Claimed()
        store.perform(finish())
        assert store.perform(SaveSession(renewed, NOW))
        assert store.perform(FindSession(SESSION.digest, NOW)) == renewed
        with pytest.raises(StoreError, match="no effect of a token store"):
            store.perform(RandomBytes(1))
        raise Oops
    assert store.perform(FindSession(SESSION.digest, NOW)) == renewed
    with suppress(Oops), transaction.atomic(using):
        assert store.perform(DeleteSession(SESSION.digest))
        raise Oops
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_in_a_test_case_it_stays_in_the_transaction_of_the_test(
    store: DjangoTokenStore, using: str
) -> None:
    of_test = transaction.atomic(using)
    of_test._from_testcase = True  # type: ignore[attr-defined]  # as `TestCase` marks it
    with suppress(Oops), of_test, transaction.atomic(using):
        assert store.perform(claim()) == Claimed()
        store.perform(finish())
        assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION
        raise Oops
    assert store.perform(FindSession(SESSION.digest, NOW)) is None
    assert store.perform(claim()) == Claimed()


def test_a_look_up_is_one_query_and_leaves_no_new_connection(
    store: DjangoTokenStore, using: str
) -> None:
    store.perform(claim())
    store.perform(finish())
    with CaptureQueriesContext(connections[using]) as queries:
        assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION
    assert len(queries) == 1
    connections[using].close()
    with leaving_no_connection():
        assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION
        assert connections[using].connection is not None
    assert connections[using].connection is None


def test_what_has_expired_goes_with_later_logins(store: DjangoTokenStore, using: str) -> None:
    from codegrant.web.django.models import Callback, Session

    store.perform(claim())
    store.perform(finish())
    later = NOW + 3600 + SESSION.expires_at - NOW
    store.perform(claim(later - 1, login=digest_of("second")))
    assert Session.objects.using(using).count() == 1
    assert Callback.objects.using(using).count() == 0
    store.perform(claim(later, login=digest_of("third")))
    assert Session.objects.using(using).count() == 0


def test_all_that_has_expired_can_be_cleared_at_once(store: DjangoTokenStore, using: str) -> None:
    from codegrant.web.django.models import Lease, Session

    Lease.objects.using(using).create(key="k", owner="o", expires_at=NOW)
    sessions = Session.objects.using(using)
    for number in range(5):
        sessions.create(digest=digest_of(str(number)).hex(), sealed="", expires_at=NOW + number)
    assert clear_expired(NOW + 3600 + 2, using, most=2) == 3
    assert Lease.objects.using(using).count() == 0
    assert clear_expired(NOW + 3600 + 2, using) == 1
    assert sessions.count() == 2


def test_without_the_tables_it_says_what_to_run(tmp_path: Path) -> None:
    alias = django_project.make_database(tmp_path)
    connections.settings[alias]["NAME"] = str(tmp_path / "empty.db")
    with pytest.raises(StoreError, match="lacks the tables") as caught:
        DjangoTokenStore(alias).perform(FindSession(SESSION.digest, NOW))
    assert caught.value.code == "store_not_migrated"
    assert "manage.py migrate" in caught.value.hint
    connections[alias].close()


def test_without_the_tables_postgresql_says_so_as_well(
    request: pytest.FixtureRequest, services: Any
) -> None:
    if "postgres" not in services:
        pytest.skip("needs PostgreSQL")
    alias = str(request.getfixturevalue("postgres"))
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE SCHEMA nothing")
        cursor.execute("SET search_path TO nothing")
    with pytest.raises(StoreError) as caught:
        DjangoTokenStore(alias).perform(FindSession(SESSION.digest, NOW))
    assert caught.value.code == "store_not_migrated"
    connections[alias].close()


def test_a_database_that_another_program_locks_is_busy(tmp_path: Path) -> None:
    alias = django_project.make_database(tmp_path)
    connections.settings[alias]["OPTIONS"] = {"timeout": 0}
    store, file = DjangoTokenStore(alias), connections.settings[alias]["NAME"]
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError) as caught:
            store.perform(claim())
        assert caught.value.code == "store_busy"
        other.execute("ROLLBACK")
    assert store.perform(claim()) == Claimed()
    connections[alias].close()


def test_in_sqlite_a_view_that_has_written_keeps_it_out_until_it_commits(tmp_path: Path) -> None:
    alias = django_project.make_database(tmp_path)
    connections.settings[alias]["OPTIONS"] = {"timeout": 0}
    store = DjangoTokenStore(alias)
    with transaction.atomic(alias):
        assert store.perform(claim()) == Claimed()
        with connections[alias].cursor() as cursor:
            cursor.execute("DELETE FROM codegrant_lease")
        with pytest.raises(StoreError) as caught:
            store.perform(finish())
        assert caught.value.code == "store_busy"
    store.perform(finish())
    connections[alias].close()


class Elsewhere:
    """A router that keeps the models of one application in a database of their own."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def db_for_write(self, model: Any, **_: object) -> str | None:
        return self._alias if model._meta.app_label == "codegrant" else None

    db_for_read = db_for_write


def test_the_routers_say_in_which_database(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    django_project.renew_default_database()
    monkeypatch.setattr(router, "routers", [Elsewhere(using)])
    DjangoTokenStore().perform(claim())
    assert DjangoTokenStore(using).perform(claim()) == InProgress()
    assert DjangoTokenStore("default").perform(claim()) == Claimed()
    connections["default"].close()


def test_what_a_database_says_about_its_parameters_stays_inside(
    store: DjangoTokenStore, using: str
) -> None:
    store.perform(claim())
    with connections[using].cursor() as cursor:
        cursor.execute("ALTER TABLE codegrant_session RENAME COLUMN sealed TO other")
    try:
        with pytest.raises(StoreError) as caught:
            store.perform(finish())
        assert caught.value.__cause__ is None
        for secret in (SESSION.sealed, SESSION.digest.hex()):
            assert secret not in f"{caught.value} {caught.value.facts} {caught.value.hint}"
    finally:
        with connections[using].cursor() as cursor:
            cursor.execute("ALTER TABLE codegrant_session RENAME COLUMN other TO sealed")
    assert store.perform(claim()) == InProgress()
