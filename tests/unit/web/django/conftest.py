"""A Django site with a login at a mock provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from django.test import override_settings

from tests.support.application import Clock
from tests.support.login_sites import DjangoLogin, SiteBrowser
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient

MakeBrowser: TypeAlias = Callable[..., SiteBrowser]


@pytest.fixture
def clock(provider: MockProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def make_browser(
    provider: MockProvider, client_of: MakeClient, clock: Clock, tmp_path: Path
) -> Iterator[MakeBrowser]:
    """Makes a site under other settings, which hold until the end, and a browser."""
    overridden: list[override_settings] = []

    def make(login: dict[str, Any] | None = None, **settings: Any) -> SiteBrowser:
        from django.core.handlers.wsgi import WSGIHandler

        overridden.append(override_settings(**settings))
        overridden[-1].enable()
        client = client_of(provider, clock=clock)
        site = DjangoLogin(tmp_path, client, clock=clock, **(login or {}))
        site.app = WSGIHandler()
        return SiteBrowser(site)

    yield make
    for one in reversed(overridden):
        one.disable()


@pytest.fixture
def browser(make_browser: MakeBrowser) -> SiteBrowser:
    return make_browser()
