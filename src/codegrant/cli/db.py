"""`codegrant db`: the database as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import click

from codegrant.cli.database import database_path, find_key_ring, key_ring_of, open_store
from codegrant.cli.options import data_options, settings_of
from codegrant.server.administration import ListKeys
from codegrant.server.keys import open_key
from codegrant.stores.bindings import check_issuer_binding, check_seal, is_sealed
from codegrant.stores.sqlite import SqliteStore

__all__ = ["command"]


@click.group("db")
def command() -> None:
    """Upgrade and check the database."""


@command.command()
@data_options
def upgrade(*, config: Path | None, database: str | None) -> None:
    """Bring the database to the schema of this program; made when there is none."""
    settings = settings_of(config, database=database)
    with open_store(settings):
        print(f"codegrant: {database_path(settings)} is up to date")


@command.command()
@data_options
def check(*, config: Path | None, database: str | None) -> None:
    """Check that the database can be served, without changing it."""
    settings = settings_of(config, database=database)
    path = database_path(settings)
    SqliteStore(path).check()
    with open_store(settings, readonly=True) as store:
        if settings.issuer is not None:
            check_issuer_binding(store, settings.issuer)
        if not is_sealed(store):
            find_key_ring(settings, os.environ)
        else:
            ring = key_ring_of(settings, os.environ, store)
            check_seal(store, ring)
            for key in store.perform(ListKeys()):
                open_key(ring, key)
    print(f"codegrant: {path} is good")
