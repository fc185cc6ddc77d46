"""`codegrant users`: people."""

from __future__ import annotations

import time
from pathlib import Path

import click

from codegrant.accounts.credentials import MIN_PASSWORD_LENGTH
from codegrant.accounts.effects import ListAccounts
from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.people import add_account, find_account, replace_password, set_enabled
from codegrant.accounts.records import Account
from codegrant.cli.options import as_json, data_options, open_data, read_password
from codegrant.cli.output import JsonObject, print_json, print_list, warn
from codegrant.flow import run
from codegrant.secret import Secret
from codegrant.web.performer import ServerPerformer

__all__ = ["command"]

_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


@click.group("users")
def command() -> None:
    """Add and change people."""


@command.command()
@click.argument("name")
@click.option("--email", default="", help="An e-mail address; nobody has verified it.")
@click.option("--name", "full_name", default="", help="The name to be shown.")
@_password_stdin
@data_options
def add(
    *,
    name: str,
    email: str,
    full_name: str,
    password_stdin: bool,
    config: Path | None,
    database: str | None,
) -> None:
    """Add a person who can log in as NAME."""
    password = read_password(from_stdin=password_stdin)
    with open_data(config, database) as store:
        perform = ServerPerformer(store, PasswordHasher()).perform
        now = int(time.time())
        account = run(add_account(name, password, now, email=email, name=full_name), perform)
    _warn_of_short(password)
    print_json(_shown(account))


@command.command("list")
@as_json
@data_options
def list_(*, as_json: bool, config: Path | None, database: str | None) -> None:
    """List everybody."""
    with open_data(config, database) as store:
        accounts = store.perform(ListAccounts())
    columns = ("preferred_username", "name", "email", "enabled", "sub")
    print_list([_shown(account) for account in accounts], columns, as_json=as_json)


@command.command()
@click.argument("name")
@data_options
def show(*, name: str, config: Path | None, database: str | None) -> None:
    """Show what is known about NAME."""
    with open_data(config, database) as store:
        account = run(find_account(name), store.perform)
    print_json(_shown(account))


@command.command()
@click.argument("name")
@_password_stdin
@data_options
def passwd(
    *,
    name: str,
    password_stdin: bool,
    config: Path | None,
    database: str | None,
) -> None:
    """Give NAME another password; every session and token of theirs ends."""
    password = read_password(from_stdin=password_stdin)
    with open_data(config, database) as store:
        perform = ServerPerformer(store, PasswordHasher()).perform
        run(replace_password(name, password, int(time.time())), perform)
    _warn_of_short(password)


@command.command()
@click.argument("name")
@data_options
def disable(*, name: str, config: Path | None, database: str | None) -> None:
    """Keep NAME out, at once."""
    with open_data(config, database) as store:
        run(set_enabled(name, enabled=False, now=int(time.time())), store.perform)


@command.command()
@click.argument("name")
@data_options
def enable(*, name: str, config: Path | None, database: str | None) -> None:
    """Let NAME in again."""
    with open_data(config, database) as store:
        run(set_enabled(name, enabled=True, now=int(time.time())), store.perform)


def _warn_of_short(password: Secret) -> None:
    """Say that a password which was taken is shorter than its person could choose."""
    length = len(password.reveal())
    if length < MIN_PASSWORD_LENGTH:
        warn(f"password: it has {length} characters, at least {MIN_PASSWORD_LENGTH} are advised")


def _shown(account: Account) -> JsonObject:
    """Return an account by the names of OIDC Core §5.1, and ours where it has none."""
    return {
        "sub": account.subject,
        "preferred_username": account.username,
        "name": account.name,
        "email": account.email,
        "email_verified": account.email_verified,
        "enabled": account.enabled,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
        **account.claims,
    }
