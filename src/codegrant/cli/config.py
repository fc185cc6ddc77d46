"""`codegrant config`: the configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from codegrant.cli.database import database_path, find_key_ring
from codegrant.cli.listening import check_listening, issuer_at
from codegrant.cli.options import settings_of
from codegrant.cli.policy import policy_of

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Check a configuration file."""


@command.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="A TOML file of settings.",
)
def check(*, config: Path) -> None:
    """Check that `serve` would take these settings; nothing is opened or changed."""
    settings = settings_of(config)
    check_listening(settings)
    policy_of(settings, issuer_at(settings, settings.port or 1))
    database_path(settings)
    find_key_ring(settings, os.environ)
    print(f"codegrant: {config} is good")
