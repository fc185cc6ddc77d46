"""What can be wrong with a store's files, each as its StoreError. Layer: stores.

One line, with the file and the way out; no parameter of a statement is ever in it.
"""

from __future__ import annotations

import errno
from pathlib import Path

from codegrant.errors import StoreError

__all__ = [
    "busy",
    "closed",
    "damaged",
    "failed",
    "file_error",
    "forbidden",
    "full",
    "not_a_database",
    "readonly",
    "unreachable",
    "unreadable",
    "without_thread",
    "write_failed",
]


def file_error(path: Path, error: OSError) -> StoreError:
    """Return the StoreError for what the operating system said about a file."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR if not path.parent.is_dir():
            return StoreError(
                f"{path}: there is no such folder",
                code="store_missing_folder",
                stage="store",
                hint="make the folder; the file is made in it",
            )
        case errno.ENOENT:
            return StoreError(
                f"{path}: there is no such file", code="store_missing_file", stage="store"
            )
        case errno.EISDIR:
            return not_a_database(str(path), "is a folder")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return readonly(str(path))
        case errno.ENOSPC | errno.EDQUOT:
            return full(str(path))
        case number:
            return failed(str(path), errno.errorcode.get(number or 0, "OSError"))


def busy(place: str) -> StoreError:
    """Return the error for a database that another program locks."""
    return StoreError(
        f"{place} is locked by another program",
        code="store_busy",
        stage="store",
        hint="try again; if it stays so, end the program that holds it",
    )


def closed() -> StoreError:
    """Return the error for an effect that comes after `close()`."""
    return StoreError("the store is closed", code="store_closed", stage="store")


def damaged(place: str) -> StoreError:
    """Return the error for a database whose structures are broken."""
    return StoreError(
        f"{place} is damaged",
        code="store_damaged",
        stage="store",
        hint="restore it from a backup",
    )


def failed(place: str, what: str) -> StoreError:
    """Return the error for everything that has no name of its own."""
    return StoreError(f"{place}: the operation failed ({what})", stage="store")


def forbidden(place: str) -> StoreError:
    """Return the error for a server that does not let this user write."""
    return StoreError(
        f"{place}: this user may not do that",
        code="store_forbidden",
        stage="store",
        hint="grant the user the rights that the documentation names, on a server that writes",
    )


def full(place: str) -> StoreError:
    """Return the error for a full file system."""
    return StoreError(
        f"{place}: no space is left",
        code="store_full",
        stage="store",
        hint="make room on the file system",
    )


def not_a_database(place: str, why: str) -> StoreError:
    """Return the error for a file that is no database of ours."""
    return StoreError(
        f"{place} {why}",
        code="store_not_a_database",
        stage="store",
        hint="name another file; a new one is made where there is none",
    )


def readonly(place: str) -> StoreError:
    """Return the error for a file that must not be written."""
    return StoreError(
        f"{place} cannot be written",
        code="store_readonly",
        stage="store",
        hint="give this user the right to write the file and its folder",
    )


def unreachable(place: str, why: str) -> StoreError:
    """Return the error for a server that does not answer, or not to us.

    Args:
        why: on one line, without a password.
    """
    return StoreError(
        f"{place} cannot be reached: {why}",
        code="store_unreachable",
        stage="store",
        hint="see that it runs, and that address, user and password are right",
    )


def unreadable(place: str) -> StoreError:
    """Return the error for a file that must not be read."""
    return StoreError(
        f"{place} cannot be read",
        code="store_unreadable",
        stage="store",
        hint="give this user the right to read the file",
    )


def without_thread(place: str) -> StoreError:
    """Return the error for a store that works in a thread and is given none."""
    return StoreError(
        f"{place} cannot be opened: the system starts no thread",
        code="store_busy",
        stage="store",
        hint="use it before the program ends; or look for a limit on threads",
    )


def write_failed(place: str) -> StoreError:
    """Return the error for a write that the operating system refused, full or not."""
    return StoreError(
        f"{place} could not be written just now",
        code="store_write_failed",
        stage="store",
        hint="look for a quota or a limit on file sizes, then at the disk",
    )
