"""What an operator's tools ask of the store: clients, resource servers, signing keys.

Every effect is one atomic step and durable before its answer comes back; a running server
sees it with its next request. `stores/` performs them. All of them may raise StoreError
inside the flow. Layer: server, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegrant.flow import Effect
from codegrant.server.records import ClientRecord, KeyRecord, ResourceRecord

__all__ = [
    "AddClient",
    "AddResource",
    "ListClients",
    "ListKeys",
    "ListResources",
    "RemoveClient",
    "RemoveResource",
    "ReplaceClientSecret",
    "ReplaceResourceSecret",
    "UpdateClient",
    "UpdateResource",
]


@dataclass(frozen=True, slots=True)
class AddClient(Effect[bool]):
    """Register a client. False, and nothing stored, when its id is taken.

    A client's id and a resource server's id never equal each other: at the introspection
    endpoint both would authenticate with it.
    """

    client: ClientRecord


@dataclass(frozen=True, slots=True)
class ListClients(Effect[tuple[ClientRecord, ...]]):
    """Every client, by id."""


@dataclass(frozen=True, slots=True)
class UpdateClient(Effect[bool]):
    """Store all of a client but its secret and `created_at`; False when there is none.

    A client that becomes public loses its secret in the same step.
    """

    client: ClientRecord


@dataclass(frozen=True, slots=True)
class ReplaceClientSecret(Effect[bool]):
    """Store a new secret of a confidential client; the old one is void at once.

    False when there is no such client or it is public.
    """

    client_id: str
    secret_digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class RemoveClient(Effect[bool]):
    """Delete a client and all that hangs on it: grants, codes, tokens, consents, transactions.

    A client that is added later under the same id inherits nothing. True when there was one.
    """

    client_id: str


@dataclass(frozen=True, slots=True)
class AddResource(Effect[bool]):
    """Register a resource server. False, and nothing stored, when audience or id is taken."""

    resource: ResourceRecord


@dataclass(frozen=True, slots=True)
class ListResources(Effect[tuple[ResourceRecord, ...]]):
    """Every resource server, by audience."""


@dataclass(frozen=True, slots=True)
class UpdateResource(Effect[bool]):
    """Store scope and access format of a resource server; False when there is none.

    Found by its audience; id and secret stay.
    """

    resource: ResourceRecord


@dataclass(frozen=True, slots=True)
class ReplaceResourceSecret(Effect[bool]):
    """Store a new secret of a resource server; the old one is void at once."""

    audience: str
    secret_digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class RemoveResource(Effect[bool]):
    """Delete a resource server. True when there was one."""

    audience: str


@dataclass(frozen=True, slots=True)
class ListKeys(Effect[tuple[KeyRecord, ...]]):
    """Every signing key that is stored, oldest first, past and future ones included."""
