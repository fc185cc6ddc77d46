"""What a driver runs once for many, in whatever loop, and what it calls for a flow."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from codegrant.errors import TransportError
from codegrant.flow import Effect, Flow, ask
from codegrant.remote import aio
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.effects import Call, Pause, SingleFlight
from codegrant.remote.leases import Lease
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings
from tests.support.waiting import wait_until


class Work:
    """A flow that counts its runs and goes on when it is told to."""

    def __init__(self, *, finishes: bool = False, fail: bool = False) -> None:
        self.begun = 0
        self.ended = 0
        self.begins, self.go_on = threading.Event(), threading.Event()
        self.fail = fail
        self.effect: Effect[object] = SingleFlight("key", self.flow, finishes)

    def flow(self) -> Flow[object]:
        self.begun += 1
        self.begins.set()
        yield from ask(Call(lambda: self.go_on.wait(20), blocks=True))
        self.ended += 1
        if self.fail:
            raise TransportError("no", code="timeout")
        return self


def in_loops(driver: AsyncDriver, effect: Effect[object], count: int) -> list[Callable[[], Any]]:
    """Ask for `effect` in that many event loops at once; return what waits for each."""
    asked: list[object] = []

    async def main() -> object:
        try:
            task = asyncio.create_task(driver.perform(effect))
            await asyncio.sleep(0)  # it has asked, and waits
            asked.append(task)
            return await task
        finally:
            await driver.aclose()

    pool = ThreadPoolExecutor(count)
    futures = [pool.submit(asyncio.run, main()) for _ in range(count)]
    pool.shutdown(wait=False)
    wait_until(lambda: len(asked) == count)
    return [future.result for future in futures]


@pytest.mark.parametrize("finishes", [False, True])
def test_several_event_loops_share_one_flight(finishes: bool) -> None:
    driver, work = AsyncDriver(HttpSettings()), Work(finishes=finishes)
    waiting = in_loops(driver, work.effect, 4)
    (process,) = driver._processes.values()
    work.go_on.set()
    assert [result() for result in waiting] == [work] * 4
    assert work.begun == 1
    assert process.flights == {}


def test_a_failure_reaches_every_event_loop() -> None:
    driver, work = AsyncDriver(HttpSettings()), Work(finishes=True, fail=True)
    waiting = in_loops(driver, work.effect, 3)
    work.go_on.set()
    for result in waiting:
        with pytest.raises(TransportError, match="no"):
            result()


@pytest.mark.parametrize("finishes", [False, True])
def test_a_loop_that_stands_still_leads_nobody(finishes: bool) -> None:
    """Its flight never lands, so another loop begins anew."""
    driver, stuck, work = AsyncDriver(HttpSettings()), Work(finishes=finishes), Work()
    still = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[object]:
        task = asyncio.create_task(driver.perform(stuck.effect))
        await asyncio.to_thread(stuck.begins.wait)
        return task

    task = still.run_until_complete(begin())
    work.go_on.set()
    (result,) = in_loops(driver, work.effect, 1)
    assert result() is work
    stuck.go_on.set()
    assert still.run_until_complete(task) is stuck  # it comes to its own end, unheard
    still.run_until_complete(driver.aclose())
    still.run_until_complete(still.shutdown_default_executor())
    still.close()


def test_what_must_be_finished_goes_on_without_who_began_it() -> None:
    driver, work = AsyncDriver(HttpSettings()), Work(finishes=True)

    async def main() -> None:
        task = asyncio.create_task(driver.perform(work.effect))
        await asyncio.to_thread(work.begins.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.ended == 0
        work.go_on.set()
        await driver.aclose()  # waits for it
        assert work.ended == 1

    asyncio.run(main())
    assert work.begun == 1


def test_a_loop_that_ends_waits_for_what_must_be_finished() -> None:
    """`asyncio.run` cancels all that is left; a refresh that was sent is saved all the same."""
    driver, work, said = AsyncDriver(HttpSettings()), Work(finishes=True), threading.Event()

    def flow() -> Flow[object]:
        yield from work.flow()
        yield from ask(Pause(0.01))  # goes on in the loop that is about to end
        said.set()
        return work

    async def main() -> None:
        task = asyncio.create_task(driver.perform(SingleFlight("key", flow, finishes=True)))
        await asyncio.to_thread(work.begins.wait)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, work.go_on.set)

    asyncio.run(main())
    assert work.ended == 1
    assert said.is_set()


def test_a_loop_that_ends_does_not_wait_for_ever_for_what_a_program_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task that would have gone on with it was cancelled before."""
    monkeypatch.setattr(Lease, "PATIENCE", 0.0)
    monkeypatch.setattr(aio, "_REQUESTS", 0)
    driver, ended = AsyncDriver(HttpSettings()), list[str]()

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("called off")

    def flow() -> Flow[None]:
        waiting: Call[None] = Call(call)
        yield from ask(waiting)

    async def main() -> None:
        effect = SingleFlight("key", flow, finishes=True)
        task = asyncio.create_task(driver.perform(effect))
        for _ in range(10):  # as long as its loop goes on it may take its time
            await asyncio.sleep(0)
        assert not task.done()
        assert ended == []

    asyncio.run(asyncio.wait_for(main(), 20))
    assert ended == ["called off"]
    assert [process.flights for process in driver._processes.values()] == [{}]


def test_a_close_from_within_waits_for_all_others() -> None:
    driver, work, others = AsyncDriver(HttpSettings()), Work(finishes=True), list[int]()

    def flow() -> Flow[None]:
        closing: Call[None] = Call(driver.aclose)
        yield from ask(SingleFlight("inner", lambda: ask(closing), finishes=True))
        others.append(work.ended)

    async def main() -> None:
        other = asyncio.create_task(driver.perform(work.effect))
        await asyncio.to_thread(work.begins.wait)
        effect: Effect[None] = SingleFlight("outer", flow, finishes=True)
        closing = asyncio.create_task(driver.perform(effect))
        asyncio.get_running_loop().call_later(0.01, work.go_on.set)
        await closing
        await other
        await driver.aclose()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert others == [1]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
def test_what_must_be_finished_may_be_so_at_once() -> None:
    driver = AsyncDriver(HttpSettings())
    effect: Effect[int] = SingleFlight("key", lambda: ask(Call(lambda: 7)), finishes=True)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(vars(asyncio)["eager_task_factory"])
        answer: int = await driver.perform(effect)
        await driver.aclose()
        return answer

    assert asyncio.run(main()) == 7


@pytest.mark.parametrize("finishes", [False, True])
def test_what_says_that_it_was_cancelled_ends_who_began_it_and_is_not_begun_for_ever(
    finishes: bool,
) -> None:
    """A callback that awaits a task which somebody cancelled, say."""
    driver, begun = AsyncDriver(HttpSettings()), list[int]()

    async def cancelled() -> None:
        begun.append(1)
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def ask_for(effect: Effect[None]) -> None:
        async with asyncio.timeout(20):
            with pytest.raises(asyncio.CancelledError):
                await driver.perform(effect)

    async def main() -> None:
        call: Call[None] = Call(cancelled)
        effect = SingleFlight("key", lambda: ask(call), finishes)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(ask_for(effect))
        await driver.aclose()

    asyncio.run(main())
    assert len(begun) == 3


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_who_waits_gets_an_error_of_its_own(kind: str) -> None:
    """One that all raise would grow by a few lines with each of them, and be changed by all."""
    work = Work(finishes=True, fail=True)
    if kind == "async":
        waiting = in_loops(AsyncDriver(HttpSettings()), work.effect, 4)
    else:
        driver = SyncDriver(HttpSettings())
        pool = ThreadPoolExecutor(4)
        waiting = [pool.submit(driver.perform, work.effect).result for _ in range(4)]
        pool.shutdown(wait=False)
        work.begins.wait(20)
        (process,) = driver._processes.values()
        flights: list[Any] = [*process.flights.values()]
        wait_until(lambda: len(flights[0]._condition._waiters) == 3)
    work.go_on.set()
    errors: list[TransportError] = []
    for result in waiting:
        with pytest.raises(TransportError, match="no") as caught:
            result()
        errors.append(caught.value)
    assert {(error.code, "flow" in _lines(error)) for error in errors} == {("timeout", True)}
    assert len({id(error) for error in errors}) == len({id(error.facts) for error in errors}) == 4
    assert max(len(_lines(error)) for error in errors) < 20


def _lines(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_an_error_that_is_none_of_ours_comes_as_it_is() -> None:
    class Odd(Exception):
        def __init__(self, one: int, *, two: int) -> None:
            super().__init__(f"{one} {two}")

    def fail() -> Flow[None]:
        yield from ask(Call(lambda: None))
        raise odd

    odd = Odd(1, two=2)
    with pytest.raises(Odd) as caught:
        asyncio.run(AsyncDriver(HttpSettings()).perform(SingleFlight("key", fail)))
    assert caught.value is odd


def test_a_close_waits_for_what_another_thread_must_finish() -> None:
    driver, work = SyncDriver(HttpSettings()), Work(finishes=True)
    pool = driver.pool()
    with ThreadPoolExecutor() as threads:
        working = threads.submit(driver.perform, work.effect)
        work.begins.wait(20)
        closing = threads.submit(driver.close)
        assert not pool.is_closed
        assert not closing.done()
        work.go_on.set()
        closing.result(20)
        assert (working.result(20), work.ended) == (work, 1)
    assert pool.is_closed


def test_a_close_waits_neither_for_itself_nor_for_what_may_be_broken_off() -> None:
    driver, work = SyncDriver(HttpSettings()), Work()
    with ThreadPoolExecutor() as threads:
        working = threads.submit(driver.perform, work.effect)
        work.begins.wait(20)
        closing: SingleFlight[None] = SingleFlight(
            "another key", lambda: ask(Call(driver.close)), finishes=True
        )
        assert threads.submit(driver.perform, closing).result(20) is None
        work.go_on.set()
        assert working.result(20) is work


def test_a_close_leaves_nothing_open_of_what_it_waited_for() -> None:
    driver, work = AsyncDriver(HttpSettings()), Work()

    def flow() -> Flow[object]:
        yield from work.flow()
        return (yield from ask(Call(driver.pool)))

    async def main() -> None:
        task = asyncio.create_task(driver.perform(SingleFlight("key", flow, finishes=True)))
        await asyncio.to_thread(work.begins.wait)
        pool, closing = driver.pool(), [asyncio.create_task(driver.aclose()) for _ in range(2)]
        await asyncio.sleep(0)  # both wait by now
        work.go_on.set()
        await asyncio.gather(*closing)
        assert driver._loops == {}
        assert await task is pool
        assert pool.is_closed

    asyncio.run(main())


def test_what_need_not_be_finished_ends_with_who_began_it() -> None:
    driver, work = AsyncDriver(HttpSettings()), Work()

    async def main() -> None:
        task = asyncio.create_task(driver.perform(work.effect))
        await asyncio.to_thread(work.begins.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        work.go_on.set()
        await driver.aclose()

    asyncio.run(main())
    assert (work.begun, work.ended) == (1, 0)


def test_a_call_runs_where_it_does_no_harm() -> None:
    here = threading.current_thread()
    assert SyncDriver(HttpSettings()).perform(Call(threading.current_thread, True)) is here
    driver = AsyncDriver(HttpSettings())

    async def main() -> tuple[threading.Thread, threading.Thread, int]:
        async def later() -> int:
            await asyncio.sleep(0)
            return 7

        return (
            await driver.perform(Call(threading.current_thread, blocks=True)),
            await driver.perform(Call(threading.current_thread)),
            await driver.perform(Call(later)),
        )

    blocking, quick, answer = asyncio.run(main())
    assert blocking is not here
    assert (quick, answer) == (here, 7)
