"""What the effects on clients and resource servers mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server import administration as admin
from codegrant.server.effects import (
    FindCaller,
    FindClient,
    FindResource,
    FindResourceScopes,
    FoundCaller,
)
from codegrant.server.records import ClientRecord, ResourceRecord
from codegrant.stores.operations.failures import COUNT_COLUMNS, failure_count
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import CLIENT, RESOURCE

_CLIENTS = load_statements("clients")
_RESOURCES = load_statements("resources")

_CLIENT_COLUMNS = len(CLIENT.columns)


def find_client(effect: FindClient) -> Flow[ClientRecord | None]:
    """Return the client with this id."""
    return CLIENT.find(_CLIENTS["find_client"], client_id=effect.client_id)


def find_caller(effect: FindCaller) -> Flow[FoundCaller]:
    """Return the client or the resource server with this id, and count the failures."""
    count = effect.count
    (row,) = yield from execute(
        _CLIENTS["find_caller"],
        caller_id=effect.caller_id,
        kind=count.kind,
        account=count.account,
        source=count.source,
        since=count.since,
    )
    failures, columns = failure_count(row[:COUNT_COLUMNS]), row[COUNT_COLUMNS:]
    client, resource = columns[:_CLIENT_COLUMNS], columns[_CLIENT_COLUMNS:]
    if client[0] is not None:
        return FoundCaller(CLIENT.record(client), failures)
    return FoundCaller(None if resource[0] is None else RESOURCE.record(resource), failures)


def list_clients(_effect: admin.ListClients) -> Flow[tuple[ClientRecord, ...]]:
    """Return every client."""
    return CLIENT.find_all(_CLIENTS["list_clients"])


def add_client(effect: admin.AddClient) -> Flow[bool]:
    """Insert a client unless its id is taken."""
    return matched(_CLIENTS["add_client"], **CLIENT.parameters(effect.client))


def update_client(effect: admin.UpdateClient) -> Flow[bool]:
    """Update all of a client but its secret."""
    return matched(_CLIENTS["update_client"], **CLIENT.parameters(effect.client))


def replace_client_secret(effect: admin.ReplaceClientSecret) -> Flow[bool]:
    """Replace the digest of a confidential client's secret."""
    return matched(
        _CLIENTS["replace_client_secret"],
        client_id=effect.client_id,
        secret_digest=effect.secret_digest,
        now=effect.now,
    )


def remove_client(effect: admin.RemoveClient) -> Flow[bool]:
    """Delete a client and all that hangs on it; codes and tokens die with their grants."""
    for name in (
        "remove_grants_of_client",
        "remove_consents_of_client",
        "remove_transactions_of_client",
    ):
        yield from execute(_CLIENTS[name], client_id=effect.client_id)
    return (yield from matched(_CLIENTS["remove_client"], client_id=effect.client_id))


def find_resource(effect: FindResource) -> Flow[ResourceRecord | None]:
    """Return the resource server with this audience."""
    return RESOURCE.find(_RESOURCES["find_resource"], audience=effect.audience)


def find_resource_scopes(effect: FindResourceScopes) -> Flow[frozenset[str]]:
    """Return those of the scope tokens that some resource server lists."""
    found: set[str] = set()
    for token in set(effect.scope):
        if (yield from matched(_RESOURCES["find_scope"], scope=token)):
            found.add(token)
    return frozenset(found)


def list_resources(_effect: admin.ListResources) -> Flow[tuple[ResourceRecord, ...]]:
    """Return every resource server."""
    return RESOURCE.find_all(_RESOURCES["list_resources"])


def add_resource(effect: admin.AddResource) -> Flow[bool]:
    """Insert a resource server and its scope tokens, unless audience or id is taken."""
    resource = effect.resource
    if not (yield from matched(_RESOURCES["add_resource"], **RESOURCE.parameters(resource))):
        return False
    yield from _add_scopes(resource)
    return True


def update_resource(effect: admin.UpdateResource) -> Flow[bool]:
    """Update scope and access format of a resource server."""
    resource = effect.resource
    if not (yield from matched(_RESOURCES["update_resource"], **RESOURCE.parameters(resource))):
        return False
    yield from execute(_RESOURCES["remove_scopes"], audience=resource.audience)
    yield from _add_scopes(resource)
    return True


def replace_resource_secret(effect: admin.ReplaceResourceSecret) -> Flow[bool]:
    """Replace the digest of a resource server's secret."""
    return matched(
        _RESOURCES["replace_resource_secret"],
        audience=effect.audience,
        secret_digest=effect.secret_digest,
        now=effect.now,
    )


def remove_resource(effect: admin.RemoveResource) -> Flow[bool]:
    """Delete a resource server; its scope tokens go with it."""
    return matched(_RESOURCES["remove_resource"], audience=effect.audience)


def _add_scopes(resource: ResourceRecord) -> Flow[None]:
    """Insert one row for each scope token of a resource server."""
    for token in resource.scope:
        yield from execute(_RESOURCES["add_scope"], scope=token, audience=resource.audience)
