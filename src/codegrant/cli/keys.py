"""`codegrant keys`: the signing keys of the issuer."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import cast

import click

from codegrant.accounts.hashing import PasswordHasher
from codegrant.cli.database import key_ring_of, open_store
from codegrant.cli.listening import issuer_at
from codegrant.cli.options import as_json, data_options, open_data, settings_of
from codegrant.cli.output import JsonObject, print_list
from codegrant.cli.policy import policy_of
from codegrant.flow import run
from codegrant.server.administration import ListKeys
from codegrant.server.keys import SigningKeys, rotate_key
from codegrant.server.policy import SigningAlgorithm
from codegrant.server.records import KeyRecord
from codegrant.stores.bindings import check_key_ring
from codegrant.web.performer import ServerPerformer

__all__ = ["command"]

_COLUMNS = ("kid", "alg", "status", "created_at", "activates_at", "removes_at")


@click.group("keys")
def command() -> None:
    """List and rotate the signing keys."""


@command.command("list")
@as_json
@data_options
def list_(*, as_json: bool, config: Path | None, database: str | None) -> None:
    """List the signing keys: past, present and future ones."""
    with open_data(config, database) as store:
        keys = store.perform(ListKeys())
    print_list(_shown(keys, int(time.time())), _COLUMNS, as_json=as_json)


@command.command()
@click.option("--now", "immediately", is_flag=True, help="Sign with the new keys at once.")
@as_json
@data_options
def rotate(*, immediately: bool, as_json: bool, config: Path | None, database: str | None) -> None:
    """Publish a successor for each key, to sign with once everybody can know it.

    The old keys stay published until the last token they signed has expired. Use --now only
    when a key may be in wrong hands: whoever caches our keys does not know the new ones.
    """
    settings = settings_of(config, database=database)
    policy = policy_of(settings, issuer_at(settings, settings.port or 1))
    now = int(time.time())
    with open_store(settings) as store:
        ring = key_ring_of(settings, os.environ, store)
        check_key_ring(store, ring)
        perform = ServerPerformer(store, PasswordHasher()).perform
        algorithms = dict.fromkeys(key.alg for key in store.perform(ListKeys()))
        if not algorithms:
            run(SigningKeys(policy, ring).published(now), perform)
        for name in algorithms:
            alg = cast("SigningAlgorithm", name)
            run(rotate_key(policy, ring, alg, now, immediately=immediately), perform)
        keys = store.perform(ListKeys())
    print_list(_shown(keys, now), _COLUMNS, as_json=as_json)


def _shown(keys: tuple[KeyRecord, ...], now: int) -> list[JsonObject]:
    return [
        {
            "kid": key.kid,
            "alg": key.alg,
            "status": _status(key, now),
            "created_at": key.created_at,
            "activates_at": key.activates_at,
            "retires_at": key.retires_at,
            "removes_at": key.removes_at,
        }
        for key in keys
    ]


def _status(key: KeyRecord, now: int) -> str:
    """Return what a key is there for at `now`."""
    if key.removes_at is not None and key.removes_at <= now:
        return "removed"
    if key.retires_at is not None and key.retires_at <= now:
        return "retired"
    return "active" if key.activates_at <= now else "published"
