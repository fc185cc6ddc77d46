"""`stores.operations.clients`: an operator's changes, and who may have which id."""

from __future__ import annotations

from dataclasses import replace

from codegrant.accounts.effects import FindConsent, SaveConsent
from codegrant.secret import digest_of
from codegrant.server.administration import (
    AddClient,
    AddResource,
    ListClients,
    ListResources,
    RemoveClient,
    RemoveResource,
    ReplaceClientSecret,
    ReplaceResourceSecret,
    UpdateClient,
    UpdateResource,
)
from codegrant.server.effects import (
    CodeRefused,
    CountFailures,
    FailureCount,
    FailureKind,
    FindAccessToken,
    FindCaller,
    FindClient,
    FindGrant,
    FindResource,
    FindResourceScopes,
    FindTransaction,
    FoundCaller,
    SaveAccessToken,
    SaveFailure,
    SaveTransaction,
)
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import (
    AUDIENCE,
    NOW,
    access_token,
    client,
    issued,
    public_client,
    resource,
    transaction,
)

NEW_SECRET = digest_of("a new secret")


def test_a_client_comes_back_whole(store: SqliteStore) -> None:
    for record in (client("b"), public_client("a"), ClientRecord(client_id="c")):
        assert store.perform(AddClient(record))
        assert store.perform(FindClient(record.client_id)) == record
    assert store.perform(FindClient("d")) is None
    assert [record.client_id for record in store.perform(ListClients())] == ["a", "b", "c"]


def test_an_id_is_given_once(store: SqliteStore) -> None:
    assert store.perform(AddClient(client("web")))
    assert not store.perform(AddClient(replace(client("web"), client_name="Another")))
    assert store.perform(FindClient("web")) == client("web")


def test_clients_and_resource_servers_share_no_id(store: SqliteStore) -> None:
    assert store.perform(AddClient(client("one")))
    assert not store.perform(AddResource(resource(resource_id="one")))
    assert store.perform(AddResource(resource(resource_id="two")))
    assert not store.perform(AddClient(client("two")))


def test_an_update_keeps_secret_and_birthday(store: SqliteStore) -> None:
    store.perform(AddClient(client()))
    changed = replace(
        client(),
        client_name="New",
        scope=("openid",),
        metadata={},
        enabled=True,
        updated_at=NOW + 9,
    )
    update = replace(changed, secret_digest=None, created_at=0)
    assert store.perform(UpdateClient(update))
    assert store.perform(FindClient("web")) == changed
    assert not store.perform(UpdateClient(client("unknown")))
    assert store.perform(FindClient("unknown")) is None


def test_a_client_that_becomes_public_loses_its_secret(store: SqliteStore) -> None:
    store.perform(AddClient(client()))
    store.perform(UpdateClient(replace(client(), token_endpoint_auth_method="none")))
    store.perform(UpdateClient(client()))
    found = store.perform(FindClient("web"))
    assert found is not None
    assert found.secret_digest is None


def test_a_secret_is_replaced_where_there_is_one(store: SqliteStore) -> None:
    store.perform(AddClient(client()))
    store.perform(AddClient(public_client()))
    assert store.perform(ReplaceClientSecret("web", NEW_SECRET, NOW + 5))
    found = store.perform(FindClient("web"))
    assert found == replace(client(), secret_digest=NEW_SECRET, updated_at=NOW + 5)
    assert not store.perform(ReplaceClientSecret("spa", NEW_SECRET, NOW))
    assert not store.perform(ReplaceClientSecret("unknown", NEW_SECRET, NOW))


def test_a_removed_client_leaves_nothing_to_its_successor(store: SqliteStore) -> None:
    gone, stays = issued(client_id="web"), issued(client_id="other")
    token = access_token(gone.grant)
    waiting = transaction()
    for name in ("web", "other"):
        store.perform(AddClient(client(name)))
    store.perform(gone.save())
    store.perform(stays.save())
    for name in ("web", "other"):
        store.perform(SaveConsent("alice", name, AUDIENCE, frozenset({"openid"}), NOW))
    store.perform(SaveAccessToken(token))
    store.perform(SaveTransaction(waiting))

    assert store.perform(RemoveClient("web"))
    assert not store.perform(RemoveClient("web"))
    assert store.perform(AddClient(client("web")))

    assert store.perform(FindGrant(gone.grant.grant_id)) is None
    assert store.perform(gone.redeem()) == CodeRefused("unknown")
    assert store.perform(FindAccessToken(token.digest, NOW)) is None
    assert store.perform(FindTransaction(waiting.digest, NOW)) is None
    assert store.perform(FindConsent("alice", "web", AUDIENCE)) is None
    assert store.perform(FindGrant(stays.grant.grant_id)) == stays.grant
    assert store.perform(FindConsent("alice", "other", AUDIENCE)) == frozenset({"openid"})


def test_a_resource_server_comes_back_whole(store: SqliteStore) -> None:
    assert store.perform(AddResource(resource()))
    assert store.perform(FindResource(AUDIENCE)) == resource()
    assert find_caller(store, "api").known == resource()
    assert store.perform(FindResource(AUDIENCE.rstrip("/"))) is None
    assert find_caller(store, "API").known is None
    assert not store.perform(AddResource(resource(resource_id="another")))
    assert not store.perform(AddResource(resource("https://other.example/")))
    assert store.perform(AddResource(resource("https://a.example/", "another")))
    listed = [record.audience for record in store.perform(ListResources())]
    assert listed == ["https://a.example/", AUDIENCE]


def find_caller(store: SqliteStore, caller_id: str, account: bytes = bytes(32)) -> FoundCaller:
    count = CountFailures("client_authentication", account, "192.0.2.1", NOW - 300)
    return store.perform(FindCaller(caller_id, count))


def test_a_caller_is_a_client_or_a_resource_server_or_nobody(store: SqliteStore) -> None:
    nothing = FailureCount(0, 0, 0, 0)
    assert find_caller(store, "web") == FoundCaller(None, nothing)
    store.perform(AddClient(client()))
    off = replace(client("off"), enabled=False)
    store.perform(AddClient(off))
    store.perform(AddResource(resource()))
    assert find_caller(store, "web") == FoundCaller(client(), nothing)
    assert find_caller(store, "off") == FoundCaller(off, nothing)
    assert find_caller(store, "api") == FoundCaller(resource(), nothing)
    for unknown in ("WEB", "web ", "", AUDIENCE):
        assert find_caller(store, unknown) == FoundCaller(None, nothing)


def test_a_caller_comes_with_its_failures(store: SqliteStore) -> None:
    store.perform(AddClient(client()))
    account, other = b"a" * 32, b"b" * 32
    saved: tuple[tuple[bytes, FailureKind, str, int], ...] = (
        (account, "client_authentication", "192.0.2.1", NOW - 20),
        (account, "client_authentication", "192.0.2.1", NOW - 10),
        (other, "client_authentication", "192.0.2.1", NOW - 30),
        (account, "client_authentication", "192.0.2.1", NOW - 300),
        (account, "client_authentication", "192.0.2.2", NOW),
        (account, "login", "192.0.2.1", NOW),
    )
    for whose, kind, source, at in saved:
        store.perform(SaveFailure(kind, whose, source, at, 0))
    count = FailureCount(2, 3, NOW - 20, NOW - 30)
    assert find_caller(store, "web", account) == FoundCaller(client(), count)
    assert find_caller(store, "nobody", account) == FoundCaller(None, count)
    assert find_caller(store, "web", b"c" * 32).failures == FailureCount(0, 3, 0, NOW - 30)


def test_scopes_are_found_while_a_resource_lists_them(store: SqliteStore) -> None:
    wanted = FindResourceScopes(("read", "write", "delete", "openid", "read"))
    assert store.perform(wanted) == frozenset()
    store.perform(AddResource(resource(scope=("read", "write"))))
    store.perform(AddResource(resource("https://b.example/", "b", scope=("read", "delete"))))
    assert store.perform(wanted) == {"read", "write", "delete"}
    store.perform(UpdateResource(resource(scope=("other",))))
    assert store.perform(wanted) == {"read", "delete"}
    assert store.perform(RemoveResource("https://b.example/"))
    assert not store.perform(RemoveResource("https://b.example/"))
    assert store.perform(wanted) == frozenset()
    assert store.perform(FindResourceScopes(())) == frozenset()


def test_a_refused_resource_leaves_no_scope(store: SqliteStore) -> None:
    store.perform(AddResource(resource()))
    assert not store.perform(AddResource(resource("https://b.example/", scope=("admin",))))
    assert not store.perform(UpdateResource(resource("https://c.example/", scope=("admin",))))
    assert store.perform(FindResourceScopes(("admin",))) == frozenset()


def test_a_resource_update_keeps_id_and_secret(store: SqliteStore) -> None:
    store.perform(AddResource(resource()))
    update = replace(
        resource(), resource_id="other", secret_digest=None, access_format="jwt", updated_at=NOW + 9
    )
    assert store.perform(UpdateResource(update))
    changed = replace(resource(), access_format="jwt", updated_at=NOW + 9)
    assert store.perform(FindResource(AUDIENCE)) == changed
    assert store.perform(ReplaceResourceSecret(AUDIENCE, NEW_SECRET, NOW + 11))
    found = store.perform(FindResource(AUDIENCE))
    assert found == replace(changed, secret_digest=NEW_SECRET, updated_at=NOW + 11)
    assert not store.perform(ReplaceResourceSecret("https://b.example/", NEW_SECRET, NOW))
