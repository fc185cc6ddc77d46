"""`stores.operations.grants`: one success for a code, and no live token on a dead grant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant.accounts.effects import (
    AddAccount,
    EndSession,
    ReplacePassword,
    SaveSession,
    UpdateAccount,
)
from codegrant.accounts.records import Account, Session
from codegrant.flow import Effect
from codegrant.secret import digest_of
from codegrant.server.effects import (
    BindTransaction,
    CodeRedeemed,
    CodeRefused,
    CodeReplayed,
    FindAccessToken,
    FindGrant,
    FindTransaction,
    RevokeGrant,
    SaveAccessToken,
    SaveCode,
    SaveTransaction,
)
from codegrant.stores.operations.grants import redeem_code
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.statements import Execute
from codegrant.stores.translation import CODE, GRANT
from tests.unit.stores.examples import (
    AUDIENCE,
    BROWSER,
    NOW,
    OTHER_BROWSER,
    access_token,
    account,
    end_of,
    issued,
    session,
    transaction,
)


def test_a_code_comes_back_with_all_that_it_was_bound_to(store: SqliteStore) -> None:
    one = issued()
    assert store.perform(one.save())
    assert store.perform(one.redeem()) == CodeRedeemed(one.code, one.grant)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda one, _: EndSession(one.digest), id="logged out"),
        pytest.param(lambda one, _: ReplacePassword(one.subject, "phc", NOW), id="new password"),
        pytest.param(
            lambda _, person: UpdateAccount(replace(person, enabled=False)), id="disabled"
        ),
    ],
)
def test_no_code_comes_from_a_session_that_has_ended(
    store: SqliteStore, end: Callable[[Session, Account], Effect[object]]
) -> None:
    person, browser, waiting = account(), session(), transaction()
    store.perform(AddAccount(person))
    store.perform(SaveSession(browser, person.password_hash))
    store.perform(SaveTransaction(waiting))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    before, after = (issued(subject=person.subject, sid=browser.sid) for _ in range(2))
    assert store.perform(before.save())
    store.perform(end(browser, person))
    ended = end_of(waiting)
    assert store.perform(SaveCode(after.grant, after.code, ended)) is False
    assert store.perform(after.redeem()) == CodeRefused("unknown")
    assert store.perform(FindGrant(after.grant.grant_id)) is None
    assert store.perform(FindTransaction(waiting.digest, NOW)) is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"digest": digest_of("no code")}, "unknown", id="unknown code"),
        pytest.param({"client_id": "other"}, "wrong_client", id="foreign client"),
        pytest.param({"redirect_uri": "https://app.example/"}, "wrong_redirect_uri", id="uri"),
        pytest.param({"redirect_uri": ""}, "wrong_redirect_uri", id="empty uri"),
        pytest.param({"presented_challenge": None}, "missing_verifier", id="no verifier"),
        pytest.param({"presented_challenge": "d" * 43}, "wrong_verifier", id="wrong verifier"),
        pytest.param({"presented_challenge": ""}, "wrong_verifier", id="empty challenge"),
        pytest.param({"now": NOW + 60}, "expired", id="expired to the second"),
        pytest.param({"resource": "https://other.example/"}, "wrong_resource", id="resource"),
    ],
)
def test_a_wrong_redemption_is_refused_and_leaves_the_code_alive(
    store: SqliteStore, change: dict[str, Any], reason: str
) -> None:
    one = issued()
    store.perform(one.save())
    assert store.perform(replace(one.redeem(), **change)) == CodeRefused(reason)  # type: ignore[arg-type]
    assert isinstance(store.perform(one.redeem()), CodeRedeemed)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"redirect_uri": None}, id="no redirect URI, with PKCE"),
        pytest.param({"resource": AUDIENCE}, id="the grant's own resource"),
        pytest.param({"now": NOW + 59}, id="the last second"),
    ],
)
def test_what_may_vary_is_accepted(store: SqliteStore, change: dict[str, Any]) -> None:
    one = issued()
    store.perform(one.save())
    assert isinstance(store.perform(replace(one.redeem(), **change)), CodeRedeemed)


def test_without_pkce_the_redirect_uri_must_be_sent_and_no_verifier(store: SqliteStore) -> None:
    one = issued(challenge="")
    store.perform(one.save())
    right = one.redeem()
    without_uri = replace(right, redirect_uri=None)
    assert store.perform(without_uri) == CodeRefused("missing_redirect_uri")
    with_verifier = replace(right, presented_challenge="c" * 43)
    assert store.perform(with_verifier) == CodeRefused("unexpected_verifier")
    assert isinstance(store.perform(right), CodeRedeemed)


def test_checks_come_in_their_order(store: SqliteStore) -> None:
    """Each step mends the first fault of a request that has them all."""
    one = issued()
    store.perform(one.save())
    request = replace(
        one.redeem(now=NOW + 60),
        client_id="other",
        redirect_uri="https://other.example/",
        presented_challenge=None,
        resource="https://other.example/",
    )
    for reason, mended in (
        ("wrong_client", {"client_id": "web"}),
        ("wrong_redirect_uri", {"redirect_uri": one.code.redirect_uri}),
        ("missing_verifier", {"presented_challenge": "d" * 43}),
        ("wrong_verifier", {"presented_challenge": one.code.code_challenge}),
        ("expired", {"now": NOW + 1}),
        ("wrong_resource", {"resource": None}),
    ):
        assert store.perform(request) == CodeRefused(reason)  # type: ignore[arg-type]
        request = replace(request, **mended)
    assert isinstance(store.perform(request), CodeRedeemed)


def test_a_code_is_dead_after_five_wrong_verifiers(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    wrong = replace(one.redeem(), presented_challenge="d" * 43)
    for _ in range(5):
        assert store.perform(wrong) == CodeRefused("wrong_verifier")
    assert store.perform(wrong) == CodeRefused("too_many_verifiers")
    assert store.perform(one.redeem()) == CodeRefused("too_many_verifiers")


def test_only_the_right_client_and_redirect_uri_can_wear_a_code_out(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    wrong = replace(one.redeem(), presented_challenge="d" * 43)
    for _ in range(10):
        store.perform(replace(wrong, client_id="other"))
        store.perform(replace(wrong, redirect_uri="https://other.example/"))
    assert isinstance(store.perform(one.redeem()), CodeRedeemed)


def test_a_valid_replay_revokes_the_grant(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    store.perform(one.redeem())
    assert store.perform(SaveAccessToken(access_token(one.grant)))
    replayed = store.perform(one.redeem(now=NOW + 7))
    assert replayed == CodeReplayed(replace(one.grant, revoked_at=NOW + 7))
    assert store.perform(FindAccessToken(digest_of("an opaque token"), NOW + 7)) is None
    assert store.perform(one.redeem(now=NOW + 8)) == CodeRefused("revoked")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client_id": "other"}, id="foreign client"),
        pytest.param({"redirect_uri": "https://other.example/"}, id="redirect URI"),
        pytest.param({"presented_challenge": None}, id="no verifier"),
        pytest.param({"presented_challenge": "d" * 43}, id="wrong verifier"),
        pytest.param({"resource": "https://other.example/"}, id="resource"),
        pytest.param({"now": NOW + 61}, id="expired"),
    ],
)
def test_an_invalid_replay_revokes_nothing(store: SqliteStore, change: dict[str, Any]) -> None:
    one = issued()
    store.perform(one.save())
    store.perform(one.redeem())
    store.perform(SaveAccessToken(access_token(one.grant)))
    assert isinstance(store.perform(replace(one.redeem(), **change)), CodeRefused)
    assert store.perform(FindAccessToken(digest_of("an opaque token"), NOW)) is not None


def test_a_code_of_a_revoked_grant_is_refused(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    assert store.perform(RevokeGrant(one.grant.grant_id, NOW))
    assert store.perform(one.redeem()) == CodeRefused("revoked")


def test_a_grant_is_revoked_once_and_stays_to_be_found(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    assert store.perform(FindGrant(one.grant.grant_id)) == one.grant
    assert store.perform(RevokeGrant(one.grant.grant_id, NOW + 3))
    assert not store.perform(RevokeGrant(one.grant.grant_id, NOW + 9))
    assert store.perform(FindGrant(one.grant.grant_id)) == replace(one.grant, revoked_at=NOW + 3)
    assert not store.perform(RevokeGrant("no grant", NOW))
    assert store.perform(FindGrant("no grant")) is None


def test_a_code_ends_the_transaction_of_its_browser(store: SqliteStore) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    store.perform(BindTransaction(waiting.digest, BROWSER, NOW))
    one, two = issued(), issued()
    foreign = replace(one.save(), end=end_of(waiting, OTHER_BROWSER))
    assert not store.perform(foreign)
    assert store.perform(replace(foreign, end=end_of(waiting, BROWSER)))
    assert store.perform(FindTransaction(waiting.digest, NOW)) is None
    again = replace(two.save(), end=end_of(waiting, BROWSER))
    assert not store.perform(again)
    assert store.perform(FindGrant(two.grant.grant_id)) is None
    assert store.perform(two.redeem()) == CodeRefused("unknown")


@pytest.mark.parametrize("browser", [b"", BROWSER], ids=["none", "one"])
def test_an_unbound_transaction_gives_no_code(store: SqliteStore, browser: bytes) -> None:
    waiting = transaction()
    store.perform(SaveTransaction(waiting))
    one = issued()
    save = replace(one.save(), end=end_of(waiting, browser))
    assert not store.perform(save)
    assert store.perform(FindTransaction(waiting.digest, NOW)) == waiting


def test_an_opaque_token_lives_as_long_as_its_time_and_its_grant(store: SqliteStore) -> None:
    one = issued()
    store.perform(one.save())
    token = access_token(one.grant)
    assert store.perform(SaveAccessToken(token))
    assert store.perform(FindAccessToken(token.digest, NOW + 299)) == token
    assert store.perform(FindAccessToken(token.digest, NOW + 300)) is None
    assert store.perform(FindAccessToken(digest_of("another"), NOW)) is None
    store.perform(RevokeGrant(one.grant.grant_id, NOW))
    assert store.perform(FindAccessToken(token.digest, NOW)) is None


def test_no_token_is_saved_on_a_dead_or_unknown_grant(store: SqliteStore) -> None:
    one = issued()
    assert not store.perform(SaveAccessToken(access_token(one.grant)))
    store.perform(one.save())
    store.perform(RevokeGrant(one.grant.grant_id, NOW))
    assert not store.perform(SaveAccessToken(access_token(one.grant)))


@pytest.mark.requirement("CO-SEC-04")
def test_what_is_one_kind_of_object_is_no_other(store: SqliteStore) -> None:
    """The digest of a code, a token or a transaction finds nothing where it does not belong."""
    one, waiting = issued(), transaction()
    token = access_token(one.grant)
    store.perform(one.save())
    store.perform(SaveAccessToken(token))
    store.perform(SaveTransaction(waiting))
    for digest in (token.digest, waiting.digest):
        foreign = replace(one.redeem(), digest=digest)
        assert store.perform(foreign) == CodeRefused("unknown")
    for digest in (one.code.digest, waiting.digest):
        assert store.perform(FindAccessToken(digest, NOW)) is None
    for digest in (one.code.digest, token.digest):
        assert store.perform(FindTransaction(digest, NOW)) is None
        assert not store.perform(BindTransaction(digest, BROWSER, NOW))
    assert isinstance(store.perform(one.redeem()), CodeRedeemed)
    assert store.perform(FindAccessToken(token.digest, NOW)) == token
    assert store.perform(BindTransaction(waiting.digest, BROWSER, NOW))


def test_who_loses_the_last_step_to_another_is_a_replay() -> None:
    """Driven by hand: between look-up and update another transaction consumes the code."""
    one = issued()
    columns = (*CODE.parameters(one.code).values(), *GRANT.parameters(one.grant).values())
    flow = redeem_code(one.redeem())
    assert name_of(next(flow)) == "find_code"
    assert name_of(flow.send([(0, None, *columns)])) == "consume_code"
    assert name_of(flow.send([])) == "revoke_grant"
    revoked = replace(one.grant, revoked_at=NOW + 1)
    with pytest.raises(StopIteration) as stopped:
        flow.send([tuple(GRANT.parameters(revoked).values())])
    assert stopped.value.value == CodeReplayed(revoked)


def name_of(effect: Effect[Any]) -> str:
    assert isinstance(effect, Execute)
    return effect.statement.name
