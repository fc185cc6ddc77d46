"""`stores.sqlite.store`: durable, shared by threads, tasks, processes and forks, and discreet."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, active_count
from typing import Any

import pytest

from codegrant.accounts.effects import AddAccount, SaveConsent
from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.server.administration import AddClient, ListClients
from codegrant.server.effects import (
    CodeRedeemed,
    CodeRefused,
    CodeReplayed,
    FindAccessToken,
    FindClient,
    FindGrant,
    RevokeGrant,
    SaveAccessToken,
    SaveCode,
)
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import NOW, access_token, account, client, issued

linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codegrant.db"


@pytest.fixture
def file_store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(path) as opened:
        yield opened


def open_files(path: Path) -> int:
    """Count the open files of this process whose name starts with `path`."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own descriptor is gone already
            found += str(link.readlink()).startswith(str(path))
    return found


# -- sharing ---------------------------------------------------------------------------------


def test_nothing_is_opened_before_the_first_effect(path: Path) -> None:
    threads = active_count()
    store = SqliteStore(path)
    assert not path.exists()
    assert active_count() == threads
    assert repr(store) == f"SqliteStore({path})"
    store.close()
    assert not path.exists()


def test_a_read_sees_what_was_committed_before(file_store: SqliteStore, path: Path) -> None:
    with SqliteStore.open(path) as other:
        for number in range(20):
            record = client(f"client-{number}")
            assert file_store.perform(FindClient(record.client_id)) is None
            assert other.perform(AddClient(record))
            assert file_store.perform(FindClient(record.client_id)) == record


def test_tasks_share_a_store(store: SqliteStore) -> None:
    async def add(number: int) -> bool:
        record = client(f"client-{number}")
        added = await store.perform_async(AddClient(record))
        return added and await store.perform_async(FindClient(record.client_id)) == record

    async def main() -> list[bool]:
        return await asyncio.gather(*(add(number) for number in range(200)))

    assert asyncio.run(main()) == [True] * 200
    assert asyncio.run(main()) == [False] * 200  # another loop, the same store


def test_tasks_see_errors_of_their_own(store: SqliteStore) -> None:
    one = issued()

    async def main() -> list[bool | BaseException]:
        saves = (store.perform_async(one.save()) for _ in range(3))
        return await asyncio.gather(*saves, return_exceptions=True)

    first, *rest = asyncio.run(main())
    assert first is True
    assert [type(error) for error in rest] == [StoreError, StoreError]
    assert rest[0] is not rest[1]


def test_a_cancelled_task_breaks_nothing(store: SqliteStore) -> None:
    async def main() -> bool:
        tasks = [
            asyncio.create_task(store.perform_async(AddClient(client(f"client-{number}"))))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await store.perform_async(AddClient(client("last")))

    assert asyncio.run(main())
    names = {record.client_id for record in store.perform(ListClients())}
    assert {f"client-{number}" for number in range(1, 50, 2)} | {"last"} <= names


def test_a_loop_that_is_gone_breaks_nothing(store: SqliteStore) -> None:
    loop = asyncio.new_event_loop()
    waiting = store.perform_async(AddClient(client("a")))
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    assert store.perform(AddClient(client("b")))


def test_two_stores_in_memory_are_two() -> None:
    with SqliteStore(":memory:") as one, SqliteStore(":memory:") as two:
        assert one.perform(AddClient(client()))
        assert two.perform(FindClient("web")) is None


@linux
def test_a_closed_store_has_finished_what_waited(path: Path) -> None:
    store = SqliteStore.open(path)

    async def main() -> None:
        tasks = [
            asyncio.create_task(store.perform_async(AddClient(client(f"client-{number}"))))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        store.close()
        assert await asyncio.gather(*tasks) == [True] * 100

    asyncio.run(main())
    assert open_files(path) == 0
    effects: list[Effect[Any]] = [FindClient("client-1"), AddClient(client())]
    for effect in effects:
        with pytest.raises(StoreError) as raised:
            store.perform(effect)
        assert raised.value.code == "store_closed"
    store.close()
    with SqliteStore.open(path) as again:
        assert len(again.perform(ListClients())) == 100


@linux
def test_threads_leave_no_connection_behind(file_store: SqliteStore, path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: file_store.perform(FindClient("web")), range(200)))
    most = open_files(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: file_store.perform(FindClient("web")), range(200)))
    assert open_files(path) <= max(most, 3 * 9)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="forking with threads warns")
def test_a_fork_starts_afresh(file_store: SqliteStore) -> None:
    assert file_store.perform(AddClient(client("parent")))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            found = file_store.perform(FindClient("parent")) is not None
            status = 0 if found and file_store.perform(AddClient(client("child"))) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert file_store.perform(FindClient("child")) == client("child")
    assert file_store.perform(AddClient(client("parent again")))


# -- one winner ------------------------------------------------------------------------------


@pytest.mark.requirement("CO-SEC-04")
def test_one_of_fifty_threads_redeems_a_code(store: SqliteStore) -> None:
    start = Barrier(50)
    one = issued()
    store.perform(one.save())

    def redeem() -> object:
        start.wait()
        return store.perform(one.redeem())

    with ThreadPoolExecutor(50) as pool:
        answers = [future.result() for future in [pool.submit(redeem) for _ in range(50)]]
    kinds = [type(answer) for answer in answers]
    assert kinds.count(CodeRedeemed) == 1
    assert kinds.count(CodeReplayed) == 1
    assert kinds.count(CodeRefused) == 48


def test_one_of_many_tasks_redeems_a_code(store: SqliteStore) -> None:
    one = issued()

    async def main() -> list[object]:
        await store.perform_async(one.save())
        return await asyncio.gather(*(store.perform_async(one.redeem()) for _ in range(50)))

    kinds = [type(answer) for answer in asyncio.run(main())]
    assert [kinds.count(kind) for kind in (CodeRedeemed, CodeReplayed, CodeRefused)] == [1, 1, 48]


_REDEEM_ALL = """
import sys
from codegrant.server.effects import CodeRedeemed, RedeemCode
from codegrant.stores.sqlite import SqliteStore
from tests.unit.stores.examples import CHALLENGE, NOW, REDIRECT_URI
store = SqliteStore.open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    code = bytes.fromhex(line)
    answer = store.perform(RedeemCode(code, "web", REDIRECT_URI, CHALLENGE, NOW + 1))
    if isinstance(answer, CodeRedeemed):
        print(line.strip(), flush=True)
store.close()
"""


def run_child(source: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_of_several_processes_redeems_a_code(file_store: SqliteStore, path: Path) -> None:
    codes = [issued() for _ in range(40)]
    for one in codes:
        file_store.perform(one.save())
    children = [run_child(_REDEEM_ALL, path) for _ in range(4)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    lines = "".join(f"{one.code.digest.hex()}\n" for one in codes)
    for child in children:
        assert child.stdin is not None
        child.stdin.write(lines)
        child.stdin.flush()
    winners: list[str] = []
    for child in children:
        out, err = child.communicate()
        assert (child.returncode, err) == (0, "")
        winners += out.split()
    assert sorted(winners) == sorted(one.code.digest.hex() for one in codes)


def test_wrong_verifiers_are_counted_by_all_threads_together(store: SqliteStore) -> None:
    start = Barrier(20)
    one = issued()
    store.perform(one.save())
    wrong = replace(one.redeem(), presented_challenge="d" * 43)

    def guess() -> object:
        start.wait()
        return store.perform(wrong)

    with ThreadPoolExecutor(20) as pool:
        answers = [future.result() for future in [pool.submit(guess) for _ in range(20)]]
    assert answers.count(CodeRefused("wrong_verifier")) == 5
    assert answers.count(CodeRefused("too_many_verifiers")) == 15


def test_a_revoker_racing_an_issuer_leaves_no_live_token(store: SqliteStore) -> None:
    for attempt in range(30):
        start = Barrier(2)
        one = issued()
        store.perform(one.save())
        token = access_token(one.grant, f"token {attempt}")

        def issue() -> bool:
            start.wait()  # noqa: B023 - both run before the next round
            return store.perform(SaveAccessToken(token))  # noqa: B023

        def revoke() -> bool:
            start.wait()  # noqa: B023
            return store.perform(RevokeGrant(one.grant.grant_id, NOW + 1))  # noqa: B023

        with ThreadPoolExecutor(2) as pool:
            issuer, revoker = pool.submit(issue), pool.submit(revoke)
            assert revoker.result()
            issuer.result()
        assert store.perform(FindAccessToken(token.digest, NOW + 1)) is None


# -- what was acknowledged stays -------------------------------------------------------------

_WRITE_FOREVER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from codegrant.server.administration import AddClient
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore
store = SqliteStore.open(sys.argv[1])
def write(thread):
    for number in range(1_000_000):
        name = f"{thread}-{number}"
        store.perform(AddClient(ClientRecord(client_id=name)))
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(4)))
"""


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    child = run_child(_WRITE_FOREVER, path)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.communicate()[0]
    acknowledged += rest[: rest.rfind("\n") + 1].split()
    assert child.returncode == -signal.SIGKILL
    with SqliteStore.open(path) as store:
        store.check()
        found = {record.client_id for record in store.perform(ListClients())}
    assert set(acknowledged) <= found
    assert len(found) <= len(acknowledged) + 4 + 1


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_the_database_is_written_as_was_asked(path: Path, synchronous: str) -> None:
    with SqliteStore.open(path, synchronous=synchronous) as store:  # type: ignore[arg-type]
        store.perform(AddClient(client()))
        writer = store._process().writer
        assert writer._connection is not None
        (found,) = writer._connection.execute("PRAGMA synchronous").fetchone()
    assert found == {"FULL": 2, "NORMAL": 1}[synchronous]


# -- locks and read-only ---------------------------------------------------------------------


def test_a_write_waits_for_a_lock_and_then_says_so(path: Path) -> None:
    with SqliteStore.open(path, busy_timeout=0.01) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError) as raised:
                store.perform(AddClient(client()))
            assert raised.value.code == "store_busy"
            assert store.perform(FindClient("web")) is None
        assert store.perform(AddClient(client()))


def test_a_read_waits_for_an_exclusive_lock_beside_the_loop(path: Path) -> None:
    SqliteStore.open(path)
    with SqliteStore.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")

        async def main() -> object:
            waiting = asyncio.create_task(store.perform_async(FindClient("web")))
            await asyncio.sleep(0)
            assert not waiting.done()
            other.close()
            return await waiting

        assert asyncio.run(main()) is None


def test_a_read_only_store_reads_and_refuses_to_write(path: Path) -> None:
    with SqliteStore.open(path) as store, SqliteStore.open(path, readonly=True) as reader:
        store.perform(AddClient(client()))
        assert reader.perform(FindClient("web")) == client()
        with pytest.raises(StoreError) as raised:
            reader.perform(AddClient(client("other")))
        assert raised.value.code == "store_readonly"
        with pytest.raises(StoreError):
            asyncio.run(reader.perform_async(AddClient(client("other"))))
        assert asyncio.run(reader.perform_async(FindClient("other"))) is None


def test_a_lazy_read_only_store_reads_too(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.perform(AddClient(client()))
    with SqliteStore(path, readonly=True) as reader:
        assert reader.perform(FindClient("web")) == client()
        assert reader.perform(FindClient("web")) == client()


# -- discretion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param(AddAccount(replace(account(), username="top-secret\ud800")), id="no UTF-8"),
        pytest.param(
            SaveConsent("top-secret", "web", "audience", frozenset(), 2**70), id="no 64 bits"
        ),
        pytest.param(
            SaveCode(issued().grant, replace(issued().code, digest=b"top-secret")), id="no digest"
        ),
        pytest.param(
            SaveCode(replace(issued().grant, grant_id=""), issued().code), id="no grant id"
        ),
    ],
)
def test_a_failed_operation_tells_no_parameter(store: SqliteStore, effect: Effect[object]) -> None:
    with pytest.raises(StoreError) as raised:
        store.perform(effect)
    assert raised.value.code == "store_failed"
    cause = raised.value.__cause__
    assert cause is not None
    assert "top-secret" not in f"{raised.value}{raised.value!r}{cause}"
    assert store.perform(FindClient("web")) is None


def test_a_failed_operation_happens_not_at_all(store: SqliteStore) -> None:
    one, taken = issued(), issued()
    store.perform(taken.save())
    with pytest.raises(StoreError):
        store.perform(SaveCode(one.grant, replace(one.code, digest=taken.code.digest)))
    assert store.perform(FindGrant(one.grant.grant_id)) is None
    assert store.perform(one.save())
