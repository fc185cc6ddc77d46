"""`codegrant clients`: applications that log people in here."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click

from codegrant.cli.options import (
    as_json,
    data_options,
    new_secret,
    open_data,
    secret_stdin_option,
)
from codegrant.cli.output import print_json, print_list, warn
from codegrant.cli.registration import (
    DEFAULT_GRANT_TYPES,
    ClientChanges,
    change_client,
    check_id,
    default_scope_for,
    show_client,
)
from codegrant.errors import ConfigurationError
from codegrant.server.administration import (
    AddClient,
    ListClients,
    RemoveClient,
    ReplaceClientSecret,
    UpdateClient,
)
from codegrant.server.effects import FindClient, FindResource
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore

__all__ = ["command"]

Command = TypeVar("Command", bound=Callable[..., object])

# What `parse_object` takes.
MOST_BYTES = 65_536


def _describing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a client, gathered as `changes`."""

    @wraps(command)
    def gather(
        *,
        redirect_uris: tuple[str, ...],
        native: bool | None,
        scope: str | None,
        default_scope: str | None,
        grant_types: tuple[str, ...],
        auth_method: str | None,
        id_token_alg: str | None,
        require_pkce: bool | None,
        skip_consent: bool | None,
        audiences: tuple[str, ...],
        jwks: Path | None,
        name: str | None,
        metadata: str | None,
        **others: object,
    ) -> None:
        if metadata == "-" and others.get("secret_stdin"):
            raise click.UsageError("Only one of --metadata and --secret-stdin can read stdin.")
        changes = ClientChanges(
            redirect_uris=redirect_uris or None,
            native=native,
            scope=scope,
            default_scope=default_scope,
            grant_types=grant_types or None,
            auth_method=auth_method,
            id_token_alg=id_token_alg,
            require_pkce=require_pkce,
            skip_consent=skip_consent,
            # An empty one stands for none, so that the last one can be taken away.
            audiences=tuple(filter(None, audiences)) if audiences else None,
            jwks=None if jwks is None else _read("jwks", str(jwks)),
            name=name,
            metadata=None if metadata is None else _read("metadata", metadata),
        )
        command(changes=changes, **others)

    return _OPTIONS(gather)


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return the decorators as one; the first comes first in the help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_OPTIONS = _options(
    click.option(
        "--redirect-uri",
        "redirect_uris",
        multiple=True,
        metavar="URI",
        help="Where people come back to; may be repeated.",
    ),
    click.option("--native/--web", default=None, help="An installed application."),
    click.option("--scope", metavar='"S …"', help="All that it may ask for."),
    click.option("--default-scope", metavar='"S …"', help="For when it asks for nothing."),
    click.option(
        "--grant",
        "grant_types",
        multiple=True,
        metavar="G",
        help="authorization_code, refresh_token or client_credentials; may be repeated.",
    ),
    click.option("--auth-method", metavar="M", help="How it proves itself for tokens."),
    click.option("--id-token-alg", metavar="A", help="RS256, ES256, PS256 or EdDSA."),
    click.option(
        "--require-pkce/--no-require-pkce",
        default=None,
        help="Whether it must use PKCE; a public client always must.",
    ),
    click.option("--skip-consent/--ask-consent", default=None, help="Nobody is asked."),
    click.option("--audience", "audiences", multiple=True, metavar="A", help="APIs it may name."),
    click.option(
        "--jwks", type=click.Path(path_type=Path), metavar="FILE", help="Its public keys, as JSON."
    ),
    click.option("--name", help="The name that people see."),
    click.option("--metadata", metavar="FILE|-", help="RFC 7591 JSON for all that has no flag."),
)


@click.group("clients")
def command() -> None:
    """Add and change clients."""


@command.command()
@click.argument("client_id", metavar="ID")
@click.option("--public", is_flag=True, help="Without a secret: PKCE alone protects it.")
@secret_stdin_option
@_describing
@data_options
def add(
    *,
    client_id: str,
    public: bool,
    secret_stdin: bool,
    changes: ClientChanges,
    config: Path | None,
    database: str | None,
) -> None:
    """Register a client. A secret that is made here is shown this once."""
    if public and changes.auth_method not in {None, "none"}:
        raise click.UsageError("--public and this --auth-method exclude each other.")
    public = public or changes.auth_method == "none"
    if public and secret_stdin:
        raise click.UsageError("A public client has no secret, --secret-stdin is not for it.")
    check_id(client_id)
    now = int(time.time())
    changes = replace(
        changes,
        auth_method="none" if public else changes.auth_method,
        scope=changes.scope or default_scope_for(changes.grant_types or DEFAULT_GRANT_TYPES),
    )
    client = change_client(ClientRecord(client_id=client_id, created_at=now), changes, now)
    made = shown = None
    if not public:
        made, shown = new_secret(from_stdin=secret_stdin)
        client = replace(client, secret_digest=made.digest())
    with open_data(config, database) as store:
        _warn_of_unknown_audiences(store, client)
        if not store.perform(AddClient(client)):
            raise ConfigurationError(f"client: {client_id!r} exists already, or its id is taken")
    print_json(show_client(client, secret=shown))


@command.command("list")
@as_json
@data_options
def list_(*, as_json: bool, config: Path | None, database: str | None) -> None:
    """List the clients."""
    with open_data(config, database) as store:
        clients = store.perform(ListClients())
    columns = ("client_id", "client_name", "token_endpoint_auth_method", "enabled", "redirect_uris")
    print_list([show_client(client) for client in clients], columns, as_json=as_json)


@command.command()
@click.argument("client_id", metavar="ID")
@data_options
def show(*, client_id: str, config: Path | None, database: str | None) -> None:
    """Show what is registered about a client."""
    with open_data(config, database) as store:
        client = _find(store, client_id)
    print_json(show_client(client))


@command.command()
@click.argument("client_id", metavar="ID")
@click.option("--enabled/--disabled", default=None, help="Whether it may do anything at all.")
@_describing
@data_options
def update(
    *,
    client_id: str,
    enabled: bool | None,
    changes: ClientChanges,
    config: Path | None,
    database: str | None,
) -> None:
    """Change what is given, and leave the rest; a running server sees it at once."""
    with open_data(config, database) as store:
        before = _find(store, client_id)
        client = change_client(before, replace(changes, enabled=enabled), int(time.time()))
        _warn_of_unknown_audiences(store, client)
        if not store.perform(UpdateClient(client)):
            raise _unknown(client_id)
    if before.is_public and not client.is_public:
        warn(f"client {client_id!r} has no secret yet: codegrant clients rotate-secret")
    print_json(show_client(client))


@command.command()
@click.argument("client_id", metavar="ID")
@secret_stdin_option
@data_options
def rotate_secret(
    *, client_id: str, secret_stdin: bool, config: Path | None, database: str | None
) -> None:
    """Give a client another secret; the old one is void at once."""
    made, shown = new_secret(from_stdin=secret_stdin)
    now = int(time.time())
    with open_data(config, database) as store:
        client = _find(store, client_id)
        if client.is_public:
            raise ConfigurationError(f"client: {client_id!r} is public, it has no secret")
        if not store.perform(ReplaceClientSecret(client_id, made.digest(), now)):
            raise _unknown(client_id)
    print_json(show_client(replace(client, updated_at=now), secret=shown))


@command.command()
@click.argument("client_id", metavar="ID")
@data_options
def remove(*, client_id: str, config: Path | None, database: str | None) -> None:
    """Remove a client, and with it every grant and token it has."""
    with open_data(config, database) as store:
        if not store.perform(RemoveClient(client_id)):
            raise _unknown(client_id)


def _find(store: SqliteStore, client_id: str) -> ClientRecord:
    """Return a client that exists."""
    client = store.perform(FindClient(client_id))
    if client is None:
        raise _unknown(client_id)
    return client


def _unknown(client_id: str) -> ConfigurationError:
    return ConfigurationError(f"client: {client_id!r} does not exist")


def _warn_of_unknown_audiences(store: SqliteStore, client: ClientRecord) -> None:
    for audience in client.audiences:
        if store.perform(FindResource(audience)) is None:
            warn(f"audience: {audience!r} is not registered yet: codegrant resources add")


def _read(name: str, source: str) -> bytes:
    """Return the content of a file, or of stdin for `-`."""
    try:
        if source == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(source).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{name}: {source}: {error.strerror}") from None
