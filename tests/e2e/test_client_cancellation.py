"""Calls of `AsyncClient` that are cancelled half-way: a real server behind a gate that closes."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from codegrant import AsyncClient, StateError
from codegrant.flow import run_async
from tests.support.person import Person
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving


@dataclass
class Gate:
    """Passes bytes between the issuer's address and its server; closed, it keeps what comes."""

    server_port: int
    is_closed: bool = False
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(asyncio.create_task(self._pass_on(reader, writer)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        answers = asyncio.create_task(_copy(server_reader, writer))
        while data := await reader.read(1 << 16):
            if self.is_closed:
                self.kept.set()
                await reader.read()
                self.hung_up.set()
                break
            server_writer.write(data)
        answers.cancel()
        for each in (server_writer, writer):
            each.close()
            with suppress(ConnectionError):
                await each.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)


@dataclass(frozen=True)
class Site:
    """A server whose issuer is the address of the gate in front of it."""

    door: socket.socket
    server_port: int
    party: RelyingParty
    subject: str

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Gate, AsyncClient]]:
        """Open the gate; give it and a client that has not sent anything yet."""
        gate = Gate(self.server_port)
        client = AsyncClient(
            self.party.issuer,
            client_id=self.party.client_id,
            client_secret=self.party.secret,
            redirect_uri=self.party.redirect_uri,
            scope="openid",
        )
        async with await asyncio.start_server(gate.connect, sock=self.door.dup()):
            async with client:
                yield gate, client
            await asyncio.gather(*gate.connections)

    async def authorize(self, url: str) -> str:
        return await asyncio.to_thread(Person(self.party.issuer).authorize, url)

    async def prepare(self, name: str, client: AsyncClient) -> Callable[[], Awaitable[object]]:
        """Return a method of the client, ready to be called."""
        if name == "start_login":
            return client.start_login
        login = await client.start_login()
        callback = await self.authorize(login.url)
        if name == "finish_login":
            return lambda: client.finish_login(callback, login)
        tokens = await client.finish_login(callback, login)
        if name == "userinfo":
            return lambda: client.userinfo(tokens)
        return lambda: client.api(tokens).get(f"{self.party.issuer}/userinfo")


def _bind() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with _bind() as taken:
        port: int = taken.getsockname()[1]
    with _bind() as door:
        issuer = f"http://127.0.0.1:{door.getsockname()[1]}"
        folder = tmp_path_factory.mktemp("gate")
        with Serving(folder, "--issuer", issuer, port=port).start() as server:
            subject = server.add_user()
            yield Site(door, port, register(server, "app"), subject)


@pytest.mark.parametrize("name", ["start_login", "finish_login", "userinfo", "api"])
def test_a_cancelled_call_hangs_up_and_the_client_works_afterwards(
    site: Site, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with site.open() as (gate, client):
            call = await site.prepare(name, client)
            gate.is_closed = True
            task = asyncio.ensure_future(call())
            await gate.kept.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gate.hung_up.wait()
            gate.is_closed = False

            if name == "finish_login":
                # The code may have arrived: it is not sent a second time.
                with pytest.raises(StateError) as caught:
                    await call()
                assert caught.value.code == "state_already_used"
            else:
                await call()
            login = await client.start_login()
            tokens = await client.finish_login(await site.authorize(login.url), login)
            assert (await client.userinfo(tokens)).sub == site.subject

    asyncio.run(scene())
    assert [r for r in caplog.records if r.name == "asyncio" and r.levelno > logging.DEBUG] == []


def test_a_cancelled_flow_is_closed(site: Site) -> None:
    async def scene() -> None:
        async with site.open() as (gate, client):
            login = await client.start_login()
            callback = await site.authorize(login.url)
            gate.is_closed = True
            flow = client.flows.finish_login(callback, login, int(time.time()))
            task = asyncio.create_task(run_async(flow, client.perform))
            await gate.kept.wait()
            assert inspect.getgeneratorstate(flow) == inspect.GEN_SUSPENDED
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert inspect.getgeneratorstate(flow) == inspect.GEN_CLOSED

    asyncio.run(scene())


def test_whoever_waited_for_a_cancelled_discovery_goes_on(site: Site) -> None:
    async def scene() -> None:
        async with site.open() as (gate, client):
            gate.is_closed = True
            first = asyncio.create_task(client.start_login())
            second = asyncio.create_task(client.start_login())
            await gate.kept.wait()
            gate.is_closed = False
            first.cancel()
            login = await second
            assert first.cancelled()
            tokens = await client.finish_login(await site.authorize(login.url), login)
            assert tokens.verified_identity().subject == site.subject

    asyncio.run(scene())
