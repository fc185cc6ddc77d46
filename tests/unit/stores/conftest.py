"""The stores that every operation is tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codegrant.stores.sqlite import SqliteStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    path = tmp_path / "codegrant.db" if request.param == "file" else ":memory:"
    with SqliteStore.open(path, synchronous="NORMAL") as opened:
        yield opened
