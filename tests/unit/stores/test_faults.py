"""`stores.faults`: what is wrong with a file has a name and a line that helps."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from codegrant.errors import StoreError
from codegrant.stores import faults


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, "store_missing_file"),
        (errno.EISDIR, "store_not_a_database"),
        (errno.EACCES, "store_readonly"),
        (errno.EPERM, "store_readonly"),
        (errno.EROFS, "store_readonly"),
        (errno.ENOSPC, "store_full"),
        (errno.EDQUOT, "store_full"),
        (errno.EIO, "store_failed"),
        (None, "store_failed"),
    ],
)
def test_every_file_error_is_named(tmp_path: Path, number: int | None, code: str) -> None:
    path = tmp_path / "codegrant.db"
    error = OSError(number, os.strerror(number)) if number else OSError("unknown")
    found = faults.file_error(path, error)
    assert found.code == code
    assert str(path) in str(found)
    assert str(found).isprintable()


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR])
def test_a_missing_folder_is_told_from_a_missing_file(tmp_path: Path, number: int) -> None:
    found = faults.file_error(tmp_path / "no" / "codegrant.db", OSError(number, "no"))
    assert found.code == "store_missing_folder"


@pytest.mark.parametrize(
    "fault",
    [
        faults.busy("a.db"),
        faults.closed(),
        faults.damaged("a.db"),
        faults.failed("a.db", "SQLITE_ERROR"),
        faults.full("a.db"),
        faults.not_a_database("a.db", "is a folder"),
        faults.readonly("a.db"),
        faults.unreadable("a.db.key"),
        faults.write_failed("a.db"),
    ],
    ids=lambda fault: str(fault.code),
)
def test_a_fault_names_its_stage_and_pickles(fault: StoreError) -> None:
    assert fault.stage == "store"
    copy = pickle.loads(pickle.dumps(fault))  # noqa: S301
    assert (copy.code, str(copy)) == (fault.code, str(fault))
