"""One `AsyncClient` in one event loop after another, and nobody who closes anything."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator

import pytest

from codegrant import AsyncClient, Tokens
from tests.support.application import REDIRECT_URI
from tests.support.mock_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Listener,
    MockProvider,
    as_json,
    running,
)


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


def test_two_runs_without_a_close_leave_nothing_open(provider: MockProvider) -> None:
    client = AsyncClient(
        provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=REDIRECT_URI
    )

    async def log_in() -> Tokens:
        login = await client.start_login()
        return await client.finish_login(provider.authorize(login.url), login)

    async def call(tokens: Tokens, url: str) -> int:
        return (await client.api(tokens).get(url)).status_code

    with running(Listener()) as api, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        api.routes["/"] = lambda _: as_json({})
        tokens = asyncio.run(log_in())
        assert asyncio.run(call(tokens, f"{api.origin}/")) == 200
        assert asyncio.run(log_in()).verified_identity().subject == "person-1"
        # Connections that nobody closed would say so now.
        del tokens
        gc.collect()
    assert [str(each.message) for each in warned] == []
    assert provider.count("/.well-known/openid-configuration") == 1


def test_a_loop_that_is_closed_by_hand_does_not_spoil_the_next(provider: MockProvider) -> None:
    client = AsyncClient(
        provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=REDIRECT_URI
    )
    for _ in range(2):
        with asyncio.Runner() as runner:
            login = runner.run(client.start_login())
            callback = provider.authorize(login.url)
            runner.run(client.finish_login(callback, login))
            runner.run(client.aclose())
            runner.run(client.aclose())
            # After a close everything opens anew.
            assert runner.run(client.start_login()).url
    gc.collect()
