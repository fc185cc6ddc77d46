"""`codegrant resources`: resource servers, the APIs that access tokens are for."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from codegrant.cli.options import (
    as_json,
    data_options,
    new_secret,
    open_data,
    secret_stdin_option,
)
from codegrant.cli.output import print_json, print_list
from codegrant.cli.registration import (
    check_audience,
    check_id,
    parse_scope_option,
    show_resource,
)
from codegrant.errors import ConfigurationError
from codegrant.server.administration import (
    AddResource,
    ListResources,
    RemoveResource,
    ReplaceResourceSecret,
    UpdateResource,
)
from codegrant.server.effects import FindResource
from codegrant.server.records import ResourceRecord
from codegrant.stores.sqlite import SqliteStore

__all__ = ["command"]


@click.group("resources")
def command() -> None:
    """Add and change resource servers."""


@command.command()
@click.argument("audience")
@click.option("--id", "resource_id", required=True, metavar="ID", help="Its name at introspection.")
@secret_stdin_option
@click.option("--scope", metavar='"S …"', help="The scopes that it understands.")
@data_options
def add(
    *,
    audience: str,
    resource_id: str,
    secret_stdin: bool,
    scope: str | None,
    config: Path | None,
    database: str | None,
) -> None:
    """Register the resource server that AUDIENCE names, for example https://api.example."""
    check_audience(audience)
    check_id(resource_id)
    tokens = parse_scope_option("scope", scope) if scope else ()
    secret, shown = new_secret(from_stdin=secret_stdin)
    now = int(time.time())
    resource = ResourceRecord(
        audience=audience,
        resource_id=resource_id,
        secret_digest=secret.digest(),
        scope=tokens,
        created_at=now,
        updated_at=now,
    )
    with open_data(config, database) as store:
        if not store.perform(AddResource(resource)):
            raise ConfigurationError(
                f"resource: {audience!r} exists already, or the id {resource_id!r} is taken"
            )
    print_json(show_resource(resource, secret=shown))


@command.command("list")
@as_json
@data_options
def list_(*, as_json: bool, config: Path | None, database: str | None) -> None:
    """List the resource servers."""
    with open_data(config, database) as store:
        resources = store.perform(ListResources())
    rows = [show_resource(resource) for resource in resources]
    print_list(rows, ("resource", "client_id", "scope"), as_json=as_json)


@command.command()
@click.argument("audience")
@data_options
def show(*, audience: str, config: Path | None, database: str | None) -> None:
    """Show what is registered about a resource server."""
    with open_data(config, database) as store:
        resource = _find(store, audience)
    print_json(show_resource(resource))


@command.command()
@click.argument("audience")
@click.option("--scope", required=True, metavar='"S …"', help="The scopes that it understands.")
@data_options
def update(*, audience: str, scope: str, config: Path | None, database: str | None) -> None:
    """Change the scopes of a resource server; an empty text takes them all away."""
    tokens = parse_scope_option("scope", scope) if scope else ()
    with open_data(config, database) as store:
        resource = replace(_find(store, audience), scope=tokens, updated_at=int(time.time()))
        if not store.perform(UpdateResource(resource)):
            raise _unknown(audience)
    print_json(show_resource(resource))


@command.command()
@click.argument("audience")
@secret_stdin_option
@data_options
def rotate_secret(
    *, audience: str, secret_stdin: bool, config: Path | None, database: str | None
) -> None:
    """Give a resource server another secret; the old one is void at once."""
    secret, shown = new_secret(from_stdin=secret_stdin)
    now = int(time.time())
    with open_data(config, database) as store:
        resource = replace(_find(store, audience), updated_at=now)
        if not store.perform(ReplaceResourceSecret(audience, secret.digest(), now)):
            raise _unknown(audience)
    print_json(show_resource(resource, secret=shown))


@command.command()
@click.argument("audience")
@data_options
def remove(*, audience: str, config: Path | None, database: str | None) -> None:
    """Remove a resource server."""
    with open_data(config, database) as store:
        if not store.perform(RemoveResource(audience)):
            raise _unknown(audience)


def _find(store: SqliteStore, audience: str) -> ResourceRecord:
    """Return a resource server that exists."""
    resource = store.perform(FindResource(audience))
    if resource is None:
        raise _unknown(audience)
    return resource


def _unknown(audience: str) -> ConfigurationError:
    return ConfigurationError(f"resource: {audience!r} does not exist")
