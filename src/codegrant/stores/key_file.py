"""The key file of a database: made once, read ever after. Layer: stores."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from pathlib import Path

from codegrant.errors import ConfigurationError, StoreError
from codegrant.sealing import KeyRing
from codegrant.stores import faults

__all__ = ["read_or_create_key_file", "sync_folder"]

_log = logging.getLogger("codegrant.stores")

# File systems of a network, say, that make names durable by themselves or not at all.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def read_or_create_key_file(path: str | os.PathLike[str]) -> KeyRing:
    """Return the key ring in a file, made with one random key when there is none.

    The file appears whole or not at all, with mode 0600. Of several processes at once one
    makes it, and all of them return its key.

    Args:
        path: by convention the database's with `.key` appended; its folder must exist.

    Raises:
        StoreError: `store_missing_folder`, `store_unreadable`, `store_readonly`,
            `store_full`, or `store_key` when the file holds no key ring.
    """
    path = Path(path)
    try:
        text = _read(path)
        if text is None:
            _create(path)
            text = _read(path)
    except OSError as error:
        raise faults.file_error(path, error) from None
    except UnicodeDecodeError:
        text = ""
    try:
        return KeyRing.parse(text or "")
    except ConfigurationError as error:
        raise StoreError(
            f"key file {path}: {error.message}",
            code="store_key",
            stage="store",
            hint="put back the key that the database was made with",
        ) from None


def _read(path: Path) -> str | None:
    """Return the file's text, or None when there is no file."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                _log.warning("key file %s can be read by others than its owner", path)
            return file.read().decode().strip()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise faults.unreadable(str(path)) from None


def _create(path: Path) -> None:
    """Make the file with a new key, unless another process is first.

    It is written under a name of its own and then linked: a link appears with all of its
    content, and never over a file that is there.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        draft.unlink()


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
