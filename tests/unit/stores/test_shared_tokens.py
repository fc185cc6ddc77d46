"""`stores.postgres`, `stores.valkey`: servers that stall or say no, pools, forks, rows."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from codegrant import ConfigurationError, StoreError, UsageError
from codegrant.client.effects import (
    ClaimCallback,
    Claimed,
    FindSession,
    FinishCallback,
    Finished,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.secret import digest_of
from codegrant.server.effects import FindClient
from codegrant.stores.postgres import PostgresTokens
from codegrant.stores.postgres.connection import Connection, drive, locate, prepare
from codegrant.stores.valkey import ValkeyTokens
from tests.support.colours import Colour
from tests.support.token_stores import SHARED, Performer, TokenPlace
from tests.support.waiting import wait_until
from tests.unit.stores.examples import NOW

SERVERS = SHARED[1:]
PASSWORD = "s3cr3t-p4ssw0rd"
LOGIN = digest_of("a login")


def claim(now: int = NOW, login: bytes = LOGIN) -> ClaimCallback:
    return ClaimCallback(login_digest=login, now=now, expires_at=now + 600)


def make(kind: str, address: str, **arguments: Any) -> Any:
    return (PostgresTokens if kind == "PostgreSQL" else ValkeyTokens)(address, **arguments)


def through(address: str, port: int) -> str:
    """Return the same address behind another port of this machine."""
    parts = urlsplit(address)
    user = f"{parts.username or ''}:{PASSWORD}@" if parts.scheme == "postgresql" else ""
    return f"{parts.scheme}://{user}127.0.0.1:{port}{parts.path}"


class Wire:
    """A port in front of a server; what passes it can be cut off, or be held up."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = through(address, self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows, self._ended = threading.Event(), False
        self._flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._ended:
            with suppress(OSError):
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._pairs.append((near, far))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        self._flows.clear()

    def cut(self) -> None:
        """End every connection that there is; new ones are taken."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._flows.set()

    def close(self) -> None:
        self._ended = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture(params=SERVERS)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, services: Mapping[str, str]
) -> Iterator[TokenPlace]:
    place = TokenPlace(request.param, tmp_path, services)
    yield place
    place.close()


@pytest.fixture
def wire(place: TokenPlace) -> Iterator[Wire]:
    wire = Wire(place.address)
    yield wire
    wire.close()


@pytest.fixture
def store(place: TokenPlace, wire: Wire, colour: Colour) -> Iterator[Performer]:
    """A store behind the wire."""
    name = "schema" if place.kind == "PostgreSQL" else "prefix"
    given = make(place.kind, wire.address, **{name: place.name, "timeout": 1.0})
    store = Performer(given, colour)
    yield store
    store.close()
    given.close()


def refused(call: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call()
    text = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert PASSWORD not in text
    assert "\n" not in str(caught.value)
    assert caught.value.stage == "store"
    return caught.value


def test_connections_that_were_cut_between_two_steps_are_replaced(
    store: Performer, wire: Wire
) -> None:
    assert store.perform(claim()) == Claimed()
    wire.cut()
    store.perform(FinishCallback(login_digest=LOGIN, sealed_answer="a", answer_until=NOW + 60))
    assert store.perform(claim()) == Finished("a")


def test_a_server_that_stalls_is_an_error_in_time_and_costs_nothing_that_was_kept(
    store: Performer, wire: Wire, place: TokenPlace
) -> None:
    store.perform(claim())
    wire.hold()
    error = refused(lambda: store.perform(claim()))
    assert error.code == "store_unreachable"
    wire.cut()
    store.perform(FinishCallback(login_digest=LOGIN, sealed_answer="a", answer_until=NOW + 60))
    assert place.open().perform(claim()) == Finished("a")


def test_a_server_that_has_gone_is_an_error_in_time(store: Performer, wire: Wire) -> None:
    store.perform(claim())
    wire.close()
    assert refused(lambda: store.perform(claim())).code == "store_unreachable"


@pytest.mark.parametrize("kind", ["PostgreSQL", "Valkey"])
def test_a_server_that_is_not_there_is_an_error_at_once(kind: str, colour: Colour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    scheme = "postgresql" if kind == "PostgreSQL" else "redis"
    given = make(kind, f"{scheme}://someone:{PASSWORD}@127.0.0.1:{port}/1")
    error = refused(lambda: Performer(given, colour).perform(claim()))
    assert error.code == "store_unreachable"
    assert f"127.0.0.1:{port}/1" in str(error)
    assert PASSWORD not in repr(given)


@pytest.mark.needs("postgres")
def test_a_user_that_is_not_let_in_is_named_without_the_password(
    services: Mapping[str, str], colour: Colour
) -> None:
    parts = urlsplit(services["postgres"])
    address = f"postgresql://codegrant_nobody:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"
    error = refused(lambda: Performer(PostgresTokens(address), colour).perform(claim()))
    assert error.code == "store_unreachable"
    assert "codegrant_nobody" in str(error)


@pytest.mark.needs("redis")
def test_a_wrong_password_of_valkey_is_not_shown(
    services: Mapping[str, str], colour: Colour
) -> None:
    parts = urlsplit(services["redis"])
    address = f"redis://codegrant_nobody:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"
    error = refused(lambda: Performer(ValkeyTokens(address), colour).perform(claim()))
    assert error.code == "store_unreachable"


@pytest.mark.needs("postgres")
def test_a_user_who_may_not_write_is_told_so(
    tmp_path: Path, services: Mapping[str, str], colour: Colour
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    place.open().perform(claim())
    readonly = f"{place.address}?options=-c%20default_transaction_read_only%3Don"
    store = Performer(PostgresTokens(readonly, schema=place.name), colour)
    assert refused(lambda: store.perform(claim())).code == "store_forbidden"
    store.close()
    store.store.close()  # type: ignore[attr-defined]
    place.close()


@pytest.mark.parametrize(
    ("kind", "address", "arguments"),
    [
        ("PostgreSQL", f"postgresql//someone:{PASSWORD}@host", {}),
        ("PostgreSQL", f"host=x password={PASSWORD} nonsense", {}),
        ("PostgreSQL", "postgresql://host", {"schema": 'a"; DROP SCHEMA public'}),
        ("PostgreSQL", "postgresql://host", {"schema": ""}),
        ("Valkey", f"http://someone:{PASSWORD}@host", {}),
        ("Valkey", f"redis://someone:{PASSWORD}", {}),
        ("Valkey", f"redis://someone@host:{PASSWORD}/0", {}),
        ("Valkey", "redis://", {}),
        ("Valkey", "redis://host", {"prefix": "a b"}),
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(
    kind: str, address: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(kind, address, **arguments)
    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("address", ["valkey://127.0.0.1", "redis://:pass@127.0.0.1:6379/0"])
def test_nothing_is_connected_before_the_first_effect(address: str) -> None:
    before = threading.active_count()
    make("Valkey", address)
    make("PostgreSQL", "postgresql://127.0.0.1:1/nowhere")
    assert threading.active_count() == before


def test_effects_of_others_are_refused(place: TokenPlace, colour: Colour) -> None:
    with pytest.raises(UsageError, match="no effect of a token store"):
        Performer(place.open(), colour).perform(FindClient("app"))


def test_several_event_loops_and_threads_share_a_store(place: TokenPlace) -> None:
    store = place.open()

    async def main() -> list[object]:
        effects = [store.perform_async(claim()) for _ in range(30)]
        answers = list(await asyncio.gather(*effects))
        await store.aclose()
        return answers

    heard: list[object] = []
    workers = [threading.Thread(target=lambda: heard.extend(asyncio.run(main()))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (len(heard), heard.count(Claimed())) == (90, 1)


def test_threads_that_come_at_once_to_a_store_that_is_not_open_all_get_an_answer(
    place: TokenPlace,
) -> None:
    place.open().perform(claim())
    for number in range(10):
        store, together = place.open(), threading.Barrier(8)

        def ask(
            name: int, store: Any = store, together: Any = together, nth: int = number
        ) -> object:
            together.wait()
            return store.perform(claim(login=digest_of(f"{nth} {name}")))

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [Claimed()] * 8


def test_a_task_that_is_cancelled_does_not_stop_its_write(place: TokenPlace) -> None:
    store = place.open()

    async def main() -> None:
        await store.perform_async(claim())
        finish = FinishCallback(login_digest=LOGIN, sealed_answer="a", answer_until=NOW + 60)
        task = asyncio.create_task(store.perform_async(finish))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer: object = None
        while answer != Finished("a"):
            answer = await store.perform_async(claim())
        await store.aclose()

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(place: TokenPlace) -> None:
    store = place.open()
    assert store.perform(claim()) == Claimed()
    child = os.fork()
    if child == 0:  # pragma: no cover - counted in the parent
        try:
            found = store.perform(claim(login=digest_of("of the child")))
            os._exit(0 if found == Claimed() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.perform(claim()) != Claimed()


LEAVING = """
import atexit, sys
atexit.register(lambda: print([pool.closed for pool in pools]))  # the last of all

import os
from codegrant.client.effects import FindSession
from tests.support.token_stores import open_store

store = open_store(sys.argv[1])
store.perform(FindSession(b"d" * 32, 5))
pools = list(store._process().made)
if sys.argv[2] == "fork" and (child := os.fork()):
    assert os.waitpid(child, 0)[1] == 0
    store.perform(FindSession(b"d" * 32, 5))
"""


@pytest.mark.needs("postgres")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param("end", ["[True]"], id="it ends"),
        pytest.param("fork", ["[False]", "[True]"], id="a child of it ends first"),
    ],
)
def test_a_program_that_does_not_close_its_store_ends_at_once(
    tmp_path: Path, services: Mapping[str, str], how: str, said: list[str]
) -> None:
    """From Python 3.13 on a pool that is left open is waited for, 20 seconds long."""
    place = TokenPlace("PostgreSQL", tmp_path, services)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LEAVING, place.where, how],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    place.close()
    assert (done.returncode, done.stdout.split("\n")[:-1], done.stderr) == (0, said, "")


@pytest.mark.needs("postgres")
def test_a_pool_that_gets_no_thread_holds_nobody_up_for_ever(
    tmp_path: Path, services: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    store, find = place.open(), FindSession(b"d" * 32, NOW)

    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.perform(find)
            assert caught.value.code == "store_busy"
    assert store.perform(find) is None
    place.close()


@pytest.mark.needs("postgres")
def test_expired_rows_go_away_in_postgresql(
    tmp_path: Path, services: Mapping[str, str], colour: Colour
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    store = Performer(place.open(), colour)
    session = StoredSession(digest=LOGIN, sealed="s", expires_at=NOW + 600)
    store.perform(claim())
    store.perform(
        FinishCallback(login_digest=LOGIN, sealed_answer="", answer_until=NOW, session=session)
    )
    store.perform(TakeLease(key=LOGIN, owner=b"o" * 16, now=NOW, duration=5))
    tables = ("callbacks", "logins", "leases")
    assert [place.count(table) for table in tables] == [1, 1, 1]
    store.perform(SaveSession(session, NOW + 659))
    assert [place.count(table) for table in tables] == [1, 1, 0]
    store.perform(SaveSession(session, NOW + 669))
    assert [place.count(table) for table in tables] == [0, 0, 0]
    store.close()
    place.close()


@pytest.mark.needs("postgres")
def test_rows_that_cannot_be_pruned_fail_nobody(
    tmp_path: Path, services: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    store = place.open()
    store.perform(claim())
    with psycopg.connect(place.address, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {place.name}.leases".encode())
    with caplog.at_level(logging.WARNING, "codegrant.stores"):
        assert store.perform(claim(NOW + 600)) == Claimed()
    assert "expired rows could not be deleted" in caplog.text
    place.close()


@pytest.mark.needs("redis")
def test_every_key_of_valkey_ends_by_itself(tmp_path: Path, services: Mapping[str, str]) -> None:
    place = TokenPlace("Valkey", tmp_path, services)
    store = place.open()
    person = digest_of("a person")
    session = StoredSession(digest=LOGIN, sealed="s", expires_at=NOW + 900, person=person)
    store.perform(claim())
    store.perform(
        FinishCallback(login_digest=LOGIN, sealed_answer="", answer_until=NOW, session=session)
    )
    store.perform(TakeLease(key=LOGIN, owner=b"o" * 16, now=NOW, duration=5))
    client = redis.Redis.from_url(place.address)
    keys = list(client.scan_iter(f"{{{place.name}}}:*"))
    ends = sorted(int(str(client.expiretime(key))) for key in keys)
    assert ends == [NOW + 3605, NOW + 4200, NOW + 4500, NOW + 4500]
    client.close()
    place.close()


@pytest.mark.needs("postgres")
def test_a_user_without_the_right_to_make_tables_uses_those_that_are_there(
    tmp_path: Path, services: Mapping[str, str], colour: Colour
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    place.open().perform(claim())
    role = f"{place.name}_app"
    with psycopg.connect(place.address, autocommit=True) as admin:
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT USAGE ON SCHEMA {place.name} TO {role}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {place.name} TO {role}",
        ):
            admin.execute(statement.encode())
        parts = urlsplit(place.address)
        address = f"postgresql://{role}:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"
        store = Performer(PostgresTokens(address, schema=place.name), colour)
        elsewhere = Performer(PostgresTokens(address, schema=f"{place.name}_2"), colour)
        try:
            assert store.perform(claim()) != Claimed()
            assert refused(lambda: elsewhere.perform(claim())).code == "store_forbidden"
        finally:
            for one in (store, elsewhere):
                one.close()
                one.store.close()  # type: ignore[attr-defined]
            wait_until(lambda: not _sessions_of(admin, role))
            admin.execute(f"DROP OWNED BY {role}".encode())
            admin.execute(f"DROP ROLE {role}".encode())
    place.close()


@pytest.mark.needs("postgres")
def test_who_comes_second_to_an_empty_database_leaves_the_tables_of_the_first_alone(
    tmp_path: Path, services: Mapping[str, str], colour: Colour
) -> None:
    """To make an index anew would wait for a login of the first, and it for that: a deadlock."""
    place = TokenPlace("PostgreSQL", tmp_path, services)
    location = locate(place.address, place.name, 5.0)
    second = Performer(PostgresTokens(place.address, schema=place.name), colour)
    lock = 1130852462
    with (
        Connection.connect(place.address, autocommit=True) as first,
        ThreadPoolExecutor(1) as threads,
    ):
        first.execute("SELECT pg_advisory_lock(%s)", [lock])
        waiting = threads.submit(second.perform, claim())
        with psycopg.connect(place.address, autocommit=True) as admin:
            wait_until(lambda: bool(_waits_for(admin, lock)))
        with first.transaction():
            drive(first, location, prepare(location))
        with first.transaction():  # as a login that is being finished does
            first.execute(f"LOCK TABLE {place.name}.callbacks IN ROW EXCLUSIVE MODE".encode())
            first.execute("SELECT pg_advisory_unlock(%s)", [lock])
            assert waiting.result(20) == Claimed()
    second.close()
    second.store.close()  # type: ignore[attr-defined]
    place.close()


def _waits_for(admin: psycopg.Connection[Any], lock: int) -> int:
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    )
    found = admin.execute(query, [lock]).fetchone()
    assert found is not None
    return int(found[0])


def _sessions_of(admin: psycopg.Connection[Any], role: str) -> int:
    found = admin.execute("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = %s", (role,))
    row = found.fetchone()
    assert row is not None
    return int(row[0])
