"""`stores.operations.people`: accounts, sessions and consents, and what ends with what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.accounts.effects import (
    AddAccount,
    EndSession,
    EndSessionsOf,
    FindAccount,
    FindAccountBySubject,
    FindConsent,
    FindSession,
    ListAccounts,
    ReplacePassword,
    SaveConsent,
    SaveSession,
    TouchSession,
    UpdateAccount,
)
from codegrant.accounts.records import Session
from codegrant.server.effects import CodeRedeemed, CodeRefused, FindGrant
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import NOW, account, issued, session

HASH = account().password_hash


def find(store: SqliteStore, wanted: Session, now: int = NOW) -> Session | None:
    return store.perform(FindSession(wanted.digest, now, NOW - 100))


def test_an_account_comes_back_whole(store: SqliteStore) -> None:
    alice = account()
    assert store.perform(AddAccount(alice))
    assert store.perform(FindAccount("alice")) == alice
    assert store.perform(FindAccountBySubject("sub-alice")) == alice
    assert store.perform(FindAccount("Alice")) is None
    assert store.perform(FindAccountBySubject("alice")) is None


def test_names_and_subjects_are_given_once(store: SqliteStore) -> None:
    alice = account()
    store.perform(AddAccount(alice))
    assert not store.perform(AddAccount(replace(alice, subject="another")))
    assert not store.perform(AddAccount(replace(alice, username_key="another")))
    assert store.perform(AddAccount(account("aaron")))
    assert store.perform(ListAccounts()) == (account("aaron"), alice)


def test_an_update_keeps_the_password_and_the_birthday(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    changed = replace(account(), username_key="alicia", name="", claims={}, updated_at=NOW + 9)
    update = replace(changed, password_hash="", created_at=0)
    assert store.perform(UpdateAccount(update))
    assert store.perform(FindAccount("alicia")) == changed
    assert store.perform(FindAccount("alice")) is None


def test_an_update_takes_nobody_elses_name(store: SqliteStore) -> None:
    store.perform(AddAccount(account("alice")))
    store.perform(AddAccount(account("bob")))
    assert not store.perform(UpdateAccount(replace(account("alice"), username_key="bob")))
    assert not store.perform(UpdateAccount(account("carol")))
    assert store.perform(ListAccounts()) == (account("alice"), account("bob"))


def test_a_session_comes_back_while_all_of_it_holds(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    alive = session()
    assert store.perform(SaveSession(alive, HASH))
    assert find(store, alive) == alive
    assert store.perform(FindSession(alive.digest, NOW + 999, NOW - 1)) == alive
    assert store.perform(FindSession(alive.digest, NOW + 1000, NOW - 1)) is None
    assert store.perform(FindSession(alive.digest, NOW, NOW)) is None
    assert find(store, session("another")) is None


@pytest.mark.parametrize(
    ("there", "verified_hash"),
    [
        pytest.param(None, HASH, id="no account"),
        pytest.param({"enabled": False}, HASH, id="disabled account"),
        pytest.param({}, HASH + "x", id="password changed meanwhile"),
        pytest.param({"password_hash": ""}, HASH, id="password taken away"),
    ],
)
def test_a_login_that_no_longer_holds_saves_nothing(
    store: SqliteStore, there: dict[str, Any] | None, verified_hash: str
) -> None:
    store.perform(AddAccount(account("bob")))
    before = session("before", subject="sub-bob")
    store.perform(SaveSession(before, HASH))
    if there is not None:
        store.perform(AddAccount(replace(account(), **there)))
    login = SaveSession(session(), verified_hash, replaces=before.digest)
    assert not store.perform(login)
    assert find(store, session()) is None
    assert find(store, before) == before


def test_a_login_ends_the_session_it_replaces(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    before, after = session("before"), session("after")
    store.perform(SaveSession(before, HASH))
    assert store.perform(SaveSession(after, HASH, replaces=before.digest))
    assert find(store, before) is None
    assert find(store, after) == after


def test_a_session_is_touched_forwards_only(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    store.perform(SaveSession(session(), HASH))
    store.perform(TouchSession(session().digest, NOW + 60))
    store.perform(TouchSession(session().digest, NOW + 30))
    assert find(store, session()) == replace(session(), seen_at=NOW + 60)
    store.perform(TouchSession(session("another").digest, NOW))


def test_a_session_ends_once(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    store.perform(SaveSession(session(), HASH))
    assert store.perform(EndSession(session().digest))
    assert not store.perform(EndSession(session().digest))
    assert find(store, session()) is None


def test_all_sessions_of_one_person_end_together(store: SqliteStore) -> None:
    for name in ("alice", "bob"):
        store.perform(AddAccount(account(name)))
        for number in range(2):
            one = session(f"{name} {number}", subject=f"sub-{name}")
            store.perform(SaveSession(one, HASH))
    assert store.perform(EndSessionsOf("sub-alice")) == 2
    assert store.perform(EndSessionsOf("sub-alice")) == 0
    assert find(store, session("bob 0")) is not None


def test_a_disabled_person_has_no_session(store: SqliteStore) -> None:
    store.perform(AddAccount(account()))
    store.perform(SaveSession(session(), HASH))
    store.perform(UpdateAccount(replace(account(), enabled=False)))
    assert find(store, session()) is None
    store.perform(UpdateAccount(account()))
    assert find(store, session()) is None


def test_a_disabled_persons_grants_stay_dead_when_they_are_enabled_again(
    store: SqliteStore,
) -> None:
    for name in ("alice", "bob"):
        store.perform(AddAccount(account(name)))
        store.perform(SaveSession(session(name, subject=f"sub-{name}"), HASH))
    hers, his = (issued(subject=f"sub-{name}", sid=session(name).sid) for name in ("alice", "bob"))
    store.perform(hers.save())
    store.perform(his.save())
    her_account = replace(account("alice"), updated_at=NOW + 2)
    store.perform(UpdateAccount(replace(her_account, email="a@b.test")))
    assert store.perform(FindGrant(hers.grant.grant_id)) == hers.grant
    store.perform(UpdateAccount(replace(her_account, enabled=False)))
    store.perform(UpdateAccount(her_account))
    assert store.perform(FindGrant(hers.grant.grant_id)) == replace(hers.grant, revoked_at=NOW + 2)
    assert store.perform(FindGrant(his.grant.grant_id)) == his.grant


def test_a_new_password_ends_sessions_and_grants(store: SqliteStore) -> None:
    for name in ("alice", "bob"):
        store.perform(AddAccount(account(name)))
        store.perform(SaveSession(session(name, subject=f"sub-{name}"), HASH))
    hers, his = (issued(subject=f"sub-{name}", sid=session(name).sid) for name in ("alice", "bob"))
    store.perform(hers.save())
    store.perform(his.save())

    assert store.perform(ReplacePassword("sub-alice", "$argon2id$new", NOW + 2))
    assert not store.perform(ReplacePassword("sub-carol", "$argon2id$new", NOW + 2))

    found = store.perform(FindAccount("alice"))
    assert found == replace(account(), password_hash="$argon2id$new", updated_at=NOW + 2)
    assert find(store, session("alice")) is None
    revoked = replace(hers.grant, revoked_at=NOW + 2)
    assert store.perform(FindGrant(hers.grant.grant_id)) == revoked
    assert store.perform(hers.redeem()) == CodeRefused("revoked")
    assert find(store, session("bob")) is not None
    assert isinstance(store.perform(his.redeem()), CodeRedeemed)


def test_consents_add_up(store: SqliteStore) -> None:
    assert store.perform(FindConsent("alice", "web")) is None
    store.perform(SaveConsent("alice", "web", frozenset({"openid", "email"}), NOW))
    store.perform(SaveConsent("alice", "web", frozenset({"openid", "phone"}), NOW + 1))
    assert store.perform(FindConsent("alice", "web")) == frozenset({"openid", "email", "phone"})
    assert store.perform(FindConsent("alice", "other")) is None
    assert store.perform(FindConsent("bob", "web")) is None
    store.perform(SaveConsent("bob", "web", frozenset(), NOW))
    assert store.perform(FindConsent("bob", "web")) == frozenset()
