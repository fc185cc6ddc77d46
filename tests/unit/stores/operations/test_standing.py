"""`stores.operations.standing`: all that an access token hangs on, in one answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, RemoveClient, UpdateClient
from codegrant.server.effects import (
    BindTransaction,
    DenyToken,
    FindStanding,
    RevokeGrant,
    Standing,
)
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import BROWSER, NOW, Issued, client, issued

WEB = replace(client("web"), enabled=True)


@pytest.fixture
def one(store: SqliteStore) -> Issued:
    """A grant of an enabled client."""
    store.perform(AddClient(WEB))
    one = issued(client_id="web")
    store.perform(one.save())
    return one


def standing(store: SqliteStore, grant_id: str, jti: str = "jti-1", at: int = NOW) -> Standing:
    return store.perform(FindStanding(jti, "web", grant_id, at))


def test_a_token_on_a_grant_hangs_on_all_of_it(store: SqliteStore, one: Issued) -> None:
    found = standing(store, one.grant.grant_id)
    assert found == Standing(denied=False, client_enabled=True, grant=one.grant)


def test_a_revoked_grant_is_told_as_revoked(store: SqliteStore, one: Issued) -> None:
    store.perform(RevokeGrant(one.grant.grant_id, NOW + 3))
    revoked = replace(one.grant, revoked_at=NOW + 3)
    assert standing(store, one.grant.grant_id).grant == revoked


def test_an_unknown_grant_is_none(store: SqliteStore, one: Issued) -> None:
    assert standing(store, "another").grant is None
    assert standing(store, one.grant.grant_id.upper()).grant is None
    assert standing(store, one.grant.grant_id).grant is not None


def test_a_denied_token_stays_denied_and_its_neighbour_is_not(
    store: SqliteStore, one: Issued
) -> None:
    grant_id = one.grant.grant_id
    store.perform(DenyToken("jti-1", NOW + 300))
    store.perform(DenyToken("jti-1", NOW + 100))
    assert standing(store, grant_id).denied
    assert not standing(store, grant_id, "jti-2").denied
    # An opaque token has no jti, and is not denied with a JWT that has lost its own.
    assert not standing(store, grant_id, "").denied
    # Rows go a while after their end: until then the longer one counts.
    store.perform(BindTransaction(digest_of("unknown"), BROWSER, NOW + 300))
    assert standing(store, grant_id).denied


def test_a_disabled_client_may_not_act(store: SqliteStore, one: Issued) -> None:
    store.perform(UpdateClient(replace(WEB, enabled=False)))
    assert not standing(store, one.grant.grant_id).client_enabled
    store.perform(UpdateClient(WEB))
    assert standing(store, one.grant.grant_id).client_enabled


def test_a_client_that_is_gone_leaves_nothing(store: SqliteStore, one: Issued) -> None:
    store.perform(RemoveClient("web"))
    gone = Standing(denied=False, client_enabled=False, grant=None)
    assert standing(store, one.grant.grant_id) == gone
    assert standing(store, "") == gone


def test_a_client_added_later_inherits_no_token_of_its_own(store: SqliteStore, one: Issued) -> None:
    """There is no grant that could have gone with the client before."""
    store.perform(RemoveClient("web"))
    store.perform(AddClient(replace(WEB, created_at=NOW + 10)))
    assert not standing(store, "", at=NOW + 9).client_enabled
    assert standing(store, "", at=NOW + 10).client_enabled
    # A token on a grant is dead with its grant, whatever the clocks of two machines say.
    assert standing(store, one.grant.grant_id, at=NOW + 9).client_enabled
    assert standing(store, one.grant.grant_id, at=NOW + 9).grant is None
