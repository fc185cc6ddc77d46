"""What the login of a web application is made from: clients, keys, a store and its place.

The same for every framework; an adapter says where its application keeps its data and which
secret it has. Layer: web.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from codegrant.client.aio import AsyncClient
from codegrant.client.configuration import ClientConfig
from codegrant.client.facade import Client
from codegrant.errors import ConfigurationError, LoginRequired, UsageError
from codegrant.flow import Effect
from codegrant.sealing import MINIMUM_KEY_LENGTH, KeyRing
from codegrant.stores import faults
from codegrant.stores.key_file import read_or_create_key_file
from codegrant.stores.sqlite import SqliteStore
from codegrant.web.login_sessions import SignedIn

__all__ = [
    "AsyncTokenStore",
    "TokenStore",
    "check_signed_in",
    "check_usable",
    "clients_by_colour",
    "clients_by_name",
    "find_configured_keys",
    "find_key_file",
    "make_folder",
    "open_store",
    "state_folder",
]

AnyClient = TypeVar("AnyClient", Client, AsyncClient)

_DATABASE = "codegrant.db"


class TokenStore(Protocol):
    """Performs the effects of `codegrant.client.effects`."""

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect and return its answer."""


class AsyncTokenStore(TokenStore, Protocol):
    """A token store that can wait in an event loop as well."""

    async def perform_async(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `run_async`
        """As `perform`."""


def clients_by_name(
    client: AnyClient | Mapping[str, AnyClient] | None, kind: type[AnyClient]
) -> dict[str, AnyClient]:
    """Return the clients by their names; an only one is called `default`.

    Args:
        client: as an application gives it.
        kind: what the framework can wait for.

    Raises:
        UsageError: one of them is no `kind`.
    """
    found = client if isinstance(client, Mapping) else {"default": client}
    for name, one in found.items():
        if not isinstance(one, kind):
            article = "an" if kind.__name__.startswith("A") else "a"
            raise UsageError(
                f"client: {article} {kind.__name__}, or a mapping of names to clients, is needed, "
                f"not {name}: {type(one).__name__}"
            )
    return {name: one for name, one in found.items() if isinstance(one, kind)}


def clients_by_colour(
    client: AnyClient | Mapping[str, AnyClient],
) -> tuple[dict[str, Client], dict[str, AsyncClient]]:
    """Return the clients by their names, those of one kind and those of the other: one is empty.

    Args:
        client: as an application gives it, for a framework that can wait for both.

    Raises:
        UsageError: there are some of both kinds.
    """
    given = list(client.values()) if isinstance(client, Mapping) else [client]
    if any(isinstance(one, AsyncClient) for one in given):
        return {}, clients_by_name(cast("Any", client), AsyncClient)
    return clients_by_name(cast("Any", client), Client), {}


def find_configured_keys(secrets: Sequence[str | bytes] = ()) -> KeyRing | None:
    """Return the keys of `CODEGRANT_SECRET`, else of the application's own secret, if any.

    Args:
        secrets: the application's, the one that seals first.

    Raises:
        ConfigurationError: a key has under 32 characters.
    """
    text = os.environ.get("CODEGRANT_SECRET")
    if text:
        return KeyRing.parse(text)
    if not secrets:
        return None
    texts = [key.decode("latin-1") if isinstance(key, bytes) else key for key in secrets]
    shortest = min(map(len, texts))
    if shortest < MINIMUM_KEY_LENGTH:
        raise ConfigurationError(
            f"SECRET_KEY: a key has {shortest} characters, at least {MINIMUM_KEY_LENGTH} are "
            "needed",
            hint='make one with python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    return KeyRing(texts)


def find_key_file(folder: Path) -> KeyRing:
    """Return the keys of the file beside the store in `folder`; made when there is none.

    Raises:
        StoreError: the folder or the file cannot be made or read.
    """
    return read_or_create_key_file(make_folder(folder) / f"{_DATABASE}.key")


def open_store(folder: Path) -> SqliteStore:
    """Return the store in `folder`, which is made when there is none.

    Raises:
        StoreError: the folder cannot be made.
    """
    return SqliteStore(make_folder(folder) / _DATABASE)


def make_folder(folder: Path) -> Path:
    """Return `folder`, made for its owner alone when there is none.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise faults.file_error(folder, error) from None
    return folder


def state_folder(configs: Mapping[str, ClientConfig]) -> Path:
    """Return where an application without a data folder of its own keeps its sessions.

    Below the platform's folder for state, by the clients' issuers and ids: workers of one
    application meet there, and two applications do not.

    Raises:
        ConfigurationError: this system has no home folder for the user.
    """
    told = repr([(name, one.issuer, one.client_id) for name, one in sorted(configs.items())])
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return _platform_folder() / "codegrant" / f"login-{name}"


def _platform_folder() -> Path:
    """Return the platform's folder for the state of programs. XDG Base Directory 0.8."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME"
    configured = os.environ.get(variable, "")
    if Path(configured).is_absolute():
        return Path(configured)
    try:
        home = Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "folder: the user has no home folder to keep sessions in",
            hint="name a folder: Login(app, client, folder=...)",
        ) from None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    return home / ".local" / "state"


def check_signed_in(found: SignedIn | None) -> SignedIn:
    """Return who is signed in.

    Raises:
        LoginRequired: nobody is.
    """
    if found is None:
        raise LoginRequired("login_required", description="nobody is signed in", stage="api")
    return found


def check_usable(signed_in: SignedIn, now: int) -> None:
    """Check that the tokens of a session can call an API, now or after a refresh.

    Raises:
        LoginRequired: the access token has expired and nothing can refresh it.
    """
    if signed_in.tokens.refresh_token is None and signed_in.tokens.is_expired(now):
        raise LoginRequired(
            "invalid_token", description="the access token has expired", stage="api"
        )
