"""Opening the database that the settings mean, and its key ring."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from codegrant.cli.settings import Settings
from codegrant.errors import ConfigurationError, StoreError
from codegrant.sealing import KeyRing
from codegrant.stores.bindings import is_sealed
from codegrant.stores.key_file import read_or_create_key_file
from codegrant.stores.sqlite import SqliteStore

__all__ = ["database_path", "find_key_ring", "key_file_of", "key_ring_of", "open_store"]

_SQLITE = "sqlite:///"


def database_path(settings: Settings) -> Path:
    """Return the path of the SQLite file.

    Raises:
        ConfigurationError: another database, or no path. The value is not shown, it may
            hold a password.
    """
    url = settings.database
    scheme, separator, _ = url.partition(":")
    if separator and scheme in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"database: {scheme}:… is not allowed yet, this release stores in SQLite only "
            "(sqlite:///relative.db or sqlite:////absolute.db)"
        )
    name = url.removeprefix(_SQLITE)
    if name == url or name in {"", ":memory:"} or name.endswith("/") or "?" in name:
        shown = f"{scheme}:…" if separator and scheme.isalnum() else "this value"
        raise ConfigurationError(
            f"database: {shown} is not allowed, sqlite:///relative.db or sqlite:////absolute.db is"
        )
    return Path(name)


@contextmanager
def open_store(settings: Settings, *, readonly: bool = False) -> Generator[SqliteStore]:
    """Open the database, made and upgraded when need be, and close it at the end."""
    synchronous = cast("Literal['FULL', 'NORMAL']", settings.sqlite.synchronous)
    store = SqliteStore.open(database_path(settings), synchronous=synchronous, readonly=readonly)
    with store:
        yield store


def key_file_of(settings: Settings) -> Path:
    """Return where the key ring is when no setting names one."""
    path = database_path(settings)
    return path.with_name(f"{path.name}.key")


def find_key_ring(settings: Settings, environment: Mapping[str, str]) -> KeyRing | None:
    """Return the key ring that was set, or None.

    `CODEGRANT_SECRET` comes before the file that `CODEGRANT_SECRET_FILE` or `[secret] file`
    names.

    Raises:
        ConfigurationError: it cannot be read or is no key ring.
    """
    secret = environment.get("CODEGRANT_SECRET")
    if secret:
        return _parse("CODEGRANT_SECRET", secret)
    file = settings.secret.file
    if file is None:
        return None
    try:
        return _parse(f"secret.file: {file}", file.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ConfigurationError(f"secret.file: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"secret.file: {file}: not UTF-8") from None


def key_ring_of(settings: Settings, environment: Mapping[str, str], store: SqliteStore) -> KeyRing:
    """Return the key ring: the one that was set, or the one beside the database.

    Raises:
        ConfigurationError: the one that was set cannot be read or is no key ring.
        StoreError: as `read_or_create_key_file`; `store_key` as well when the file is gone
            and the database was sealed with it: a new key would not open it.
    """
    ring = find_key_ring(settings, environment)
    if ring is not None:
        return ring
    file = key_file_of(settings)
    if is_sealed(store) and not file.exists():
        raise StoreError(
            f"{file}: there is no such file, and no key ring is set",
            code="store_key",
            stage="store",
            hint="put back the key that the database was made with",
        )
    return read_or_create_key_file(file)


def _parse(source: str, text: str) -> KeyRing:
    """Return the ring of a text, which no error shows."""
    try:
        return KeyRing.parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error.message}") from None
