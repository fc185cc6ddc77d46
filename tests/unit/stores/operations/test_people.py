"""`stores.operations.people`: accounts, sessions and consents, and what ends with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant.accounts.effects import (
    AddAccount,
    AgreedSession,
    ChangePassword,
    EndOtherSessions,
    EndSession,
    EndSessionOf,
    EndSessionsOf,
    FindAccount,
    FindAccountBySubject,
    FindAgreedSession,
    FindConsent,
    FindSession,
    ListAccess,
    ListAccounts,
    ListSessions,
    ReplacePassword,
    SaveConsent,
    SaveSession,
    TouchSession,
    UpdateAccount,
    WithdrawAccess,
)
from codegrant.accounts.records import Session
from codegrant.flow import Effect
from codegrant.server.administration import AddClient, RemoveClient
from codegrant.server.effects import (
    CodeRedeemed,
    CodeRefused,
    FindAccessToken,
    FindGrant,
    RevokeGrant,
    SaveAccessToken,
)
from codegrant.server.records import GrantRecord
from codegrant.stores.operations.grants import LONGEST_ACCESS_TOKEN
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import (
    AUDIENCE,
    NOW,
    Issued,
    access_token,
    account,
    client,
    issued,
    session,
)

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


def test_a_session_comes_back_with_what_its_person_agreed_to(store: SqliteStore) -> None:
    alive = session()
    agree(store, alive.subject, "web", "openid", "email")
    store.perform(AddAccount(account()))
    store.perform(SaveSession(alive, HASH))

    def find_agreed(
        client_id: str = "web", audience: str = AUDIENCE, now: int = NOW, idle_since: int = NOW - 1
    ) -> AgreedSession | None:
        digest = alive.digest
        return store.perform(FindAgreedSession(digest, now, idle_since, client_id, audience))

    assert find_agreed() == AgreedSession(alive, frozenset({"openid", "email"}))
    assert find_agreed("other") == AgreedSession(alive, None)
    assert find_agreed(audience="https://other.example/") == AgreedSession(alive, None)
    assert find_agreed(now=NOW + 1000) is None
    assert find_agreed(idle_since=NOW) is None
    store.perform(UpdateAccount(replace(account(), enabled=False)))
    assert find_agreed() is None


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


def grant_to(store: SqliteStore, client_id: str, subject: str = "alice", **changes: Any) -> Issued:
    """Store a grant of somebody whose account is elsewhere."""
    made = issued(client_id=client_id, subject=subject)
    made = Issued(replace(made.grant, **changes), made.code)
    store.perform(made.save())
    return made


def agree(
    store: SqliteStore,
    subject: str,
    client_id: str,
    *scope: str,
    audience: str = AUDIENCE,
    now: int = NOW,
) -> None:
    """Remember a consent whose grant has ended since."""
    made = grant_to(store, client_id, subject, audience=audience)
    store.perform(SaveConsent(subject, client_id, audience, frozenset(scope), now))
    store.perform(RevokeGrant(made.grant.grant_id, now))


def test_consents_add_up(store: SqliteStore) -> None:
    assert store.perform(FindConsent("alice", "web", AUDIENCE)) is None
    agree(store, "alice", "web", "openid", "email")
    agree(store, "alice", "web", "openid", "phone", now=NOW + 1)
    assert store.perform(FindConsent("alice", "web", AUDIENCE)) == frozenset(
        {"openid", "email", "phone"}
    )
    assert store.perform(FindConsent("alice", "other", AUDIENCE)) is None
    assert store.perform(FindConsent("bob", "web", AUDIENCE)) is None
    agree(store, "bob", "web")
    assert store.perform(FindConsent("bob", "web", AUDIENCE)) == frozenset()


def test_a_consent_is_for_one_audience(store: SqliteStore) -> None:
    agree(store, "alice", "web", "openid", "read")
    assert store.perform(FindConsent("alice", "web", "https://other.example/")) is None
    agree(store, "alice", "web", "openid", audience="https://other.example/")
    found = store.perform(FindConsent("alice", "web", "https://other.example/"))
    assert found == frozenset({"openid"})
    assert store.perform(FindConsent("alice", "web", AUDIENCE)) == frozenset({"openid", "read"})


def revoke(store: SqliteStore, grant: GrantRecord) -> None:
    assert store.perform(RevokeGrant(grant.grant_id, NOW))


def withdraw(store: SqliteStore, grant: GrantRecord) -> None:
    assert store.perform(WithdrawAccess(grant.subject, grant.client_id, NOW))


def remove(store: SqliteStore, grant: GrantRecord) -> None:
    assert store.perform(RemoveClient(grant.client_id))


def leave_alone(store: SqliteStore, grant: GrantRecord) -> None:
    assert store.perform(FindGrant(grant.grant_id)) == grant


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("end", [revoke, withdraw, remove])
def test_a_consent_comes_to_nothing_when_its_grant_has_ended(
    store: SqliteStore, end: Callable[[SqliteStore, GrantRecord], None]
) -> None:
    """Somebody agrees, and what it led to is ended before it can be remembered."""
    for happen, found in ((leave_alone, frozenset({"openid"})), (end, None)):
        subject = happen.__name__
        hers = grant_to(store, "web", subject)
        happen(store, hers.grant)
        # Grants of others, or for something else, do not count.
        grant_to(store, "other", subject)
        grant_to(store, "web", "bob")
        grant_to(store, "web", subject, audience="https://other.example/")
        store.perform(SaveConsent(subject, "web", AUDIENCE, frozenset({"openid"}), NOW))
        assert store.perform(FindConsent(subject, "web", AUDIENCE)) == found


def log_in(store: SqliteStore, name: str, text: str = "", **changes: Any) -> Session:
    """Add a person, unless they are there, and store a session of theirs."""
    store.perform(AddAccount(account(name)))
    made = replace(session(text or name, subject=f"sub-{name}"), **changes)
    assert store.perform(SaveSession(made, HASH))
    return made


NEW_HASH = "$argon2id$new"


def change(before: Session, **changes: Any) -> ChangePassword:
    """Return a change in the browser of `before`."""
    fields: dict[str, Any] = {
        "session": session("after", subject=before.subject),
        "verified_hash": HASH,
        "password_hash": NEW_HASH,
        "replaces": before.digest,
        "now": NOW + 2,
    }
    return ChangePassword(**(fields | changes))


def test_a_person_who_changes_the_password_keeps_one_new_session_alone(store: SqliteStore) -> None:
    here, elsewhere = log_in(store, "alice", "here"), log_in(store, "alice", "elsewhere")
    bobs = log_in(store, "bob")
    hers, his = issued(subject="sub-alice", sid=here.sid), issued(subject="sub-bob", sid=bobs.sid)
    store.perform(hers.save())
    store.perform(his.save())
    changed = change(here)
    assert store.perform(changed)
    assert find(store, here) is None
    assert find(store, elsewhere) is None
    assert find(store, changed.session) == changed.session
    assert store.perform(hers.redeem()) == CodeRefused("revoked")
    found = store.perform(FindAccount("alice"))
    assert found == replace(account(), password_hash=NEW_HASH, updated_at=NOW + 2)
    assert find(store, bobs) == bobs
    assert isinstance(store.perform(his.redeem()), CodeRedeemed)


@pytest.mark.parametrize(
    ("happen", "changes"),
    [
        pytest.param(ReplacePassword("sub-alice", "$argon2id$other", NOW + 1), {}, id="replaced"),
        pytest.param(EndSession(session("here").digest), {}, id="logged out"),
        pytest.param(UpdateAccount(replace(account(), enabled=False)), {}, id="disabled"),
        pytest.param(None, {"verified_hash": HASH + "x"}, id="another password"),
        pytest.param(None, {"verified_hash": ""}, id="no password"),
        pytest.param(None, {"replaces": session("bob").digest}, id="somebody else's session"),
        pytest.param(None, {"replaces": session("none").digest}, id="no session"),
        pytest.param(None, {"session": session("after", subject="sub-carol")}, id="nobody"),
    ],
)
def test_a_change_that_no_longer_holds_changes_nothing(
    store: SqliteStore, happen: Effect[object] | None, changes: dict[str, Any]
) -> None:
    here, bobs = log_in(store, "alice", "here"), log_in(store, "bob")
    hers = issued(subject="sub-alice", sid=here.sid)
    store.perform(hers.save())
    if happen is not None:
        store.perform(happen)
    before = store.perform(FindAccount("alice")), find(store, here), find(store, bobs)
    grant = store.perform(FindGrant(hers.grant.grant_id))
    refused = change(here, **changes)
    assert not store.perform(refused)
    assert (store.perform(FindAccount("alice")), find(store, here), find(store, bobs)) == before
    assert store.perform(FindGrant(hers.grant.grant_id)) == grant
    assert find(store, refused.session) is None


def test_of_two_changes_at_once_one_wins(store: SqliteStore) -> None:
    one, other = log_in(store, "alice", "one"), log_in(store, "alice", "other")
    assert store.perform(change(one, session=session("new one")))
    late = change(other, session=session("new other"), password_hash="$argon2id$late")
    assert not store.perform(late)
    assert find(store, session("new one")) is not None
    assert find(store, session("new other")) is None
    assert getattr(store.perform(FindAccount("alice")), "password_hash", None) == NEW_HASH


def test_the_sessions_of_one_person_are_listed_last_used_first(store: SqliteStore) -> None:
    for number in range(4):
        log_in(store, "alice", f"alice {number}", seen_at=NOW + number, browser="Firefox")
    log_in(store, "alice", "idle", seen_at=NOW - 100)
    log_in(store, "alice", "over", expires_at=NOW + 9)
    log_in(store, "bob", seen_at=NOW + 5)
    listed = store.perform(ListSessions("sub-alice", NOW + 9, NOW - 100, 3))
    assert [one.sid for one in listed] == [f"sid of alice {number}" for number in (3, 2, 1)]
    assert {one.browser for one in listed} == {"Firefox"}
    assert len(store.perform(ListSessions("sub-alice", NOW + 9, NOW - 100, 10))) == 4
    store.perform(UpdateAccount(replace(account("bob"), enabled=False)))
    assert store.perform(ListSessions("sub-bob", NOW, NOW - 100, 10)) == ()


def test_a_session_is_ended_by_name_only_for_its_own_person(store: SqliteStore) -> None:
    hers, his = log_in(store, "alice"), log_in(store, "bob")
    assert not store.perform(EndSessionOf("sub-alice", his.sid))
    assert not store.perform(EndSessionOf("sub-alice", ""))
    assert find(store, his) == his
    assert find(store, hers) == hers
    assert store.perform(EndSessionOf("sub-bob", his.sid))
    assert not store.perform(EndSessionOf("sub-bob", his.sid))
    assert find(store, his) is None


def test_every_other_session_ends_and_one_stays(store: SqliteStore) -> None:
    here, bobs = log_in(store, "alice", "here"), log_in(store, "bob")
    others = [log_in(store, "alice", f"other {number}") for number in range(2)]
    ended = store.perform(EndOtherSessions("sub-alice", here.digest))
    assert sorted(ended) == sorted(one.sid for one in others)
    assert store.perform(EndOtherSessions("sub-alice", here.digest)) == ()
    assert find(store, here) == here
    assert find(store, bobs) == bobs
    assert [find(store, one) for one in others] == [None, None]


@pytest.fixture
def clients(store: SqliteStore) -> None:
    for name in ("web", "other", "third"):
        store.perform(AddClient(replace(client(name), client_name=name.title())))


@pytest.mark.usefixtures("clients")
def test_access_is_what_live_grants_and_consents_give_together(store: SqliteStore) -> None:
    assert store.perform(ListAccess("alice", NOW, 10)) == ()
    grant_to(store, "web", scope=("openid", "email"), created_at=NOW - 9)
    grant_to(store, "web", scope=("email", "read"), created_at=NOW + 3)
    grant_to(store, "web", subject="bob", scope=("write",))
    agree(store, "alice", "web", "openid", "phone", now=NOW - 20)
    agree(store, "alice", "other", "openid", now=NOW + 5)
    first, second = store.perform(ListAccess("alice", NOW + 6, 10))
    assert (first.client_id, first.client_name, first.scope) == ("other", "Other", ("openid",))
    assert (second.client_id, second.client_name) == ("web", "Web")
    assert set(second.scope) == {"openid", "email", "read", "phone"}
    assert len(second.scope) == 4
    assert (second.created_at, second.granted_at) == (NOW - 20, NOW + 3)
    assert second.redirect_uris == client().redirect_uris


@pytest.mark.usefixtures("clients")
def test_what_is_dead_is_no_access(store: SqliteStore) -> None:
    dead = grant_to(store, "web")
    store.perform(RevokeGrant(dead.grant.grant_id, NOW))
    assert store.perform(ListAccess("alice", NOW, 10)) == ()
    expired = grant_to(store, "other")
    end = expired.code.expires_at + LONGEST_ACCESS_TOKEN
    assert len(store.perform(ListAccess("alice", end - 1, 10))) == 1
    assert store.perform(ListAccess("alice", end, 10)) == ()
    grant_to(store, "unknown to the registry")
    assert [one.client_id for one in store.perform(ListAccess("alice", NOW, 10))] == ["other"]


@pytest.mark.usefixtures("clients")
def test_a_bounded_list_counts_clients_and_not_grants(store: SqliteStore) -> None:
    for number in range(20):
        grant_to(store, "web", created_at=NOW + number, scope=(f"scope-{number % 3}",))
        grant_to(store, "other", created_at=NOW - number)
    agree(store, "alice", "third", "openid", now=NOW - 99)
    listed = store.perform(ListAccess("alice", NOW, 2))
    assert [one.client_id for one in listed] == ["web", "other"]
    assert len(store.perform(ListAccess("alice", NOW, 3))) == 3


@pytest.mark.usefixtures("clients")
def test_withdrawing_ends_every_grant_and_consent_of_one_client(store: SqliteStore) -> None:
    hers = [grant_to(store, "web") for _ in range(3)]
    elsewhere, his = grant_to(store, "other"), grant_to(store, "web", subject="bob")
    token = access_token(hers[0].grant)
    store.perform(SaveAccessToken(token))
    agree(store, "alice", "web", "openid")
    agree(store, "alice", "web", audience="https://other.example/")
    agree(store, "alice", "other", "openid")
    agree(store, "bob", "web", "openid")

    assert store.perform(WithdrawAccess("alice", "web", NOW + 2))
    assert not store.perform(WithdrawAccess("alice", "web", NOW + 3))
    assert not store.perform(WithdrawAccess("alice", "nothing", NOW + 3))

    for one in hers:
        found = store.perform(FindGrant(one.grant.grant_id))
        assert found == replace(one.grant, revoked_at=NOW + 2)
        assert store.perform(one.redeem()) == CodeRefused("revoked")
    assert store.perform(FindAccessToken(token.digest, NOW + 2)) is None
    assert not store.perform(SaveAccessToken(access_token(hers[1].grant, "another")))
    for audience in (AUDIENCE, "https://other.example/"):
        assert store.perform(FindConsent("alice", "web", audience)) is None
    assert store.perform(FindConsent("alice", "other", AUDIENCE)) == frozenset({"openid"})
    assert store.perform(FindConsent("bob", "web", AUDIENCE)) == frozenset({"openid"})
    for one in (elsewhere, his):
        assert isinstance(store.perform(one.redeem()), CodeRedeemed)


@pytest.mark.usefixtures("clients")
def test_a_consent_alone_can_be_withdrawn(store: SqliteStore) -> None:
    agree(store, "alice", "web", "openid")
    assert store.perform(WithdrawAccess("alice", "web", NOW))
    assert store.perform(ListAccess("alice", NOW, 10)) == ()


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("end", ["new password", "disabled"])
def test_what_was_agreed_to_ends_with_the_password_and_the_account(
    store: SqliteStore, end: str
) -> None:
    """Somebody who had the password may have agreed to an application of theirs."""
    for name in ("alice", "bob"):
        grant_to(store, "web", f"sub-{name}")
        store.perform(AddAccount(account(name)))
        store.perform(SaveConsent(f"sub-{name}", "web", AUDIENCE, frozenset({"openid"}), NOW))
    if end == "new password":
        assert store.perform(ReplacePassword("sub-alice", HASH, NOW))
    else:
        assert store.perform(UpdateAccount(replace(account("alice"), enabled=False)))
    assert store.perform(FindConsent("sub-alice", "web", AUDIENCE)) is None
    assert store.perform(FindConsent("sub-bob", "web", AUDIENCE)) == frozenset({"openid"})
