"""Where applications keep their sessions while a test runs. Layer: testing.

Not where they do otherwise: a clock that is moved clears what has expired by then, which would
be the sessions of whoever runs the tests, or those that another process of the run is about to
finish. Each process has a folder of its own, and every folder of an application another one
inside it; it goes when the process ends. What lies below the system's folder for temporary
files stays where it is: a test has put it there.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from codegrant.web import login_setup

__all__ = ["use_other_folders", "use_own_folders"]

_REAL = login_setup.make_folder


def use_other_folders() -> None:
    """Have logins that open their store from now on keep it in the folder of this process."""
    login_setup.make_folder = _make_folder


def use_own_folders() -> None:
    """Have logins keep what they keep in their own folders again."""
    login_setup.make_folder = _REAL


def _make_folder(folder: Path) -> Path:
    """Take the place of `login_setup.make_folder`."""
    asked = folder.resolve()
    if asked.is_relative_to(Path(tempfile.gettempdir()).resolve()):
        return _REAL(folder)
    return _REAL(_place() / sha256(bytes(asked)).hexdigest()[:16])


@cache
def _place() -> Path:
    """Return the folder of this process."""
    place = Path(tempfile.mkdtemp(prefix="codegrant-tests-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
