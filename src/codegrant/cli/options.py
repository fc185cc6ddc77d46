"""Options that several commands share, and reading a secret from stdin."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from codegrant.cli.output import warn
from codegrant.cli.settings import Settings, load_settings
from codegrant.errors import ConfigurationError
from codegrant.secret import Secret
from codegrant.stores.sqlite import SqliteStore

__all__ = [
    "as_json",
    "config",
    "data_options",
    "new_secret",
    "open_data",
    "read_password",
    "secret_stdin_option",
    "settings_of",
]

Command = TypeVar("Command", bound=Callable[..., object])

_MOST_BYTES = 65_536
_LEAST_SECRET = 32


def config(command: Command) -> Command:
    """Give a command `--config`."""
    path = click.Path(path_type=Path)
    return click.option("--config", type=path, metavar="FILE", help="A TOML file of settings.")(
        command
    )


def data_options(command: Command) -> Command:
    """Give a command `--config` and `--database`."""
    syntax = "sqlite:///relative.db or sqlite:////absolute.db"
    return config(click.option("--database", metavar="URL", help=syntax)(command))


def secret_stdin_option(command: Command) -> Command:
    """Give a command `--secret-stdin`."""
    text = "Read the secret from the first line of stdin."
    return click.option("--secret-stdin", is_flag=True, help=text)(command)


def as_json(command: Command) -> Command:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")(command)


def settings_of(config: Path | None, **flags: str | None) -> Settings:
    """Return the settings of this run.

    Args:
        flags: the command's own values, by key.
    """
    return load_settings(flags=flags, environment=os.environ, file=config)


@contextmanager
def open_data(config: Path | None, database: str | None) -> Generator[SqliteStore]:
    """Open the database that the two options and the environment mean."""
    from codegrant.cli.database import open_store

    with open_store(settings_of(config, database=database)) as store:
        yield store


def new_secret(*, from_stdin: bool) -> tuple[Secret, str | None]:
    """Return a secret of a client or resource server.

    Returns:
        It, and its text to be shown once when it was made here. One that was brought is
        the operator's responsibility; a short one is taken with a warning.
    """
    if not from_stdin:
        text = secrets.token_urlsafe(32)
        return Secret(text), text
    text = _read_line("secret")
    if len(text) < _LEAST_SECRET:
        warn(f"secret: it has {len(text)} characters, at least {_LEAST_SECRET} are advised")
    return Secret(text), None


def read_password(*, from_stdin: bool) -> Secret:
    """Return a password from stdin, which must be a terminal or asked for.

    On a terminal, where nobody sees what is typed, it is asked for twice.

    Raises:
        UsageError: neither.
        ConfigurationError: it is empty, or the second is not the first.
    """
    on_terminal = sys.stdin.isatty()
    if not from_stdin and not on_terminal:
        raise click.UsageError("Missing option '--password-stdin'.", click.get_current_context())
    text = _read_line("password")
    if on_terminal and _read_line("password, once more") != text:
        raise ConfigurationError("password: the two are not the same")
    return Secret(text)


def _read_line(name: str) -> str:
    """Return the first line of stdin without its end; a terminal is prompted, unseen."""
    if sys.stdin.isatty():
        from getpass import getpass

        line = getpass(f"{name}: ")
    else:
        raw = sys.stdin.buffer.readline(_MOST_BYTES)
        if len(raw) == _MOST_BYTES:
            raise ConfigurationError(f"{name}: the first line of stdin is too long")
        try:
            line = raw.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{name}: the first line of stdin is not UTF-8") from None
    if not line:
        raise ConfigurationError(f"{name}: the first line of stdin is empty")
    return line
