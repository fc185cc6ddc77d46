"""A provider in the test's process, new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.testing import ProviderInProcess


@pytest.fixture
def provider() -> Iterator[ProviderInProcess]:
    with ProviderInProcess() as provider:
        yield provider
