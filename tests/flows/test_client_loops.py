"""One `AsyncClient` in one event loop after another, and nobody who closes anything."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegrant import AsyncClient, Tokens
from codegrant.stores.token_file import TokenFile
from tests.support.application import REDIRECT_URI, Clock
from tests.support.mock_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    Listener,
    MockProvider,
    Received,
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


def test_a_refresh_that_a_program_does_not_wait_for_is_saved_all_the_same(
    provider: MockProvider, tmp_path: Path
) -> None:
    """`asyncio.run` cancels what is left; the old refresh token is spent by then."""
    clock = provider.clock = Clock()
    client = AsyncClient(
        provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        clock=clock,
    )
    saved, truth = TokenFile(tmp_path / "login"), provider.routes["/token"]
    arrived, go_on = threading.Event(), threading.Event()

    def late(request: Received) -> Answer:
        answer = truth(request)
        arrived.set()
        go_on.wait(20)
        return answer

    async def log_in() -> Tokens:
        login = await client.start_login()
        return await client.finish_login(provider.authorize(login.url), login)

    async def leave_meanwhile() -> None:
        # `api` itself is never reached: its task ends before.
        calling = asyncio.create_task(client.api(saved).get("http://127.0.0.1:9/"))
        await asyncio.to_thread(arrived.wait, 20)
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        calling.cancel()

    old = asyncio.run(log_in())
    saved.save(old)
    provider.routes["/token"] = late
    clock.ahead = 301
    asyncio.run(leave_meanwhile())
    new = saved.load()
    assert new is not None
    assert new.refresh_token is not None
    assert [*provider.refresh_tokens] == [new.refresh_token.reveal()]
    assert not new.is_same(old)
    gc.collect()
