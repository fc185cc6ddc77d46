"""Waiting for a thing that has to come by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

_PATIENCE = 20
# Between two looks the machine is left to those who work.
_PAUSE = 0.05


def wait_until(happened: Callable[[], object]) -> None:
    """Look until `happened` says so; that it never does is a failure."""
    give_up_at = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < give_up_at, "it has not happened"
        time.sleep(_PAUSE)
