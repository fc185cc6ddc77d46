"""What the drivers do around a flow that needs a lease: wait, renew, release, leave nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codegrant.errors import StoreError, TransportError
from codegrant.flow import Flow, ask, run
from codegrant.http import Request, Send
from codegrant.remote import leases
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.effects import Call, Leased, SingleFlight
from codegrant.remote.leases import Lease
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, Listener
from tests.support.waiting import wait_until


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def perform(colour: Colour) -> Iterator[Callable[[Leased[Any]], Any]]:
    """Performs an effect to its end."""
    driver: Any = (AsyncDriver if colour.is_async else SyncDriver)(HttpSettings())
    yield lambda effect: colour.wait(driver.perform(effect))
    colour.wait(driver.aclose() if colour.is_async else driver.close())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second."""
    monkeypatch.setattr(Lease, "RENEW_AFTER", 0.005)
    monkeypatch.setattr(Lease, "LOOK_AFTER", 0.005)


class Place:
    """Notes what is done with its lease; `answers` are those to `take`, then it is there."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.steps: list[str] = []
        self.went_on = threading.Event()
        self.wanted = 0

    def take(self) -> bool:
        self.steps.append("take")
        if self.wanted and self.steps.count("take") >= self.wanted:
            self.went_on.set()
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        self.steps.append("release")

    def effect(self, flow: Callable[[], Flow[Any]]) -> Leased[Any]:
        return Leased(self.take, self.release, flow)

    def work(self) -> Flow[str]:
        self.steps.append("work")
        yield from ()
        return "done"

    def work_until(self, taken: int) -> Flow[str]:
        """Go on until the lease was taken that often."""
        self.wanted = taken
        assert (yield from ask(Call(lambda: self.went_on.wait(20), blocks=True)))
        self.steps.append("work")
        return "done"


def threads() -> set[str]:
    return {one.name for one in threading.enumerate() if "lease" in one.name}


def test_a_flow_runs_between_taking_and_releasing(perform: Callable[[Any], Any]) -> None:
    place = Place()
    assert perform(place.effect(place.work)) == "done"
    assert place.steps == ["take", "work", "release"]
    assert threads() == set()


def test_who_has_not_got_it_waits_and_does_not_run(
    perform: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "LOOK_AFTER", 0.005)
    place = Place(False, False, False)
    assert perform(place.effect(place.work)) == "done"
    assert place.steps == ["take", "take", "take", "take", "work", "release"]


@pytest.mark.usefixtures("quick")
def test_it_is_renewed_while_the_flow_runs_and_not_afterwards(
    perform: Callable[[Any], Any],
) -> None:
    place = Place()
    assert perform(place.effect(lambda: place.work_until(taken=5))) == "done"
    assert place.steps[:5] == ["take"] * 5
    assert place.steps[-1] == "release"
    assert threads() == set()


@pytest.mark.usefixtures("quick")
def test_a_renewal_that_fails_or_comes_too_late_ends_nothing(
    perform: Callable[[Any], Any],
) -> None:
    place = Place(True, StoreError("the disk is full"), False, KeyError("of a program's own"))
    assert perform(place.effect(lambda: place.work_until(taken=6))) == "done"
    assert place.steps[-1] == "release"


@pytest.mark.parametrize("error", [TransportError("no"), KeyError("no"), StoreError("no")])
def test_a_flow_that_fails_releases_it(perform: Callable[[Any], Any], error: Exception) -> None:
    place = Place()

    def fail() -> Flow[str]:
        yield from ask(Call(lambda: None))
        raise error

    with pytest.raises(type(error)) as caught:
        perform(place.effect(fail))
    assert caught.value is error
    assert place.steps == ["take", "release"]
    assert threads() == set()


def test_a_store_that_cannot_give_it_is_told_and_nothing_runs(
    perform: Callable[[Any], Any],
) -> None:
    place = Place(StoreError("the disk is full", code="store_full"))
    with pytest.raises(StoreError) as caught:
        perform(place.effect(place.work))
    assert caught.value.code == "store_full"
    assert "work" not in place.steps
    assert threads() == set()


def test_a_release_that_fails_costs_nothing_of_what_was_done(perform: Callable[[Any], Any]) -> None:
    place = Place()

    def fail() -> None:
        raise StoreError("the disk is gone")

    assert perform(Leased(place.take, fail, place.work)) == "done"


@pytest.mark.usefixtures("quick")
def test_who_waits_for_too_long_gives_up_and_takes_nothing(
    perform: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "PATIENCE", 0.0)
    place = Place(*[False] * 50)
    with pytest.raises(TransportError) as caught:
        perform(place.effect(place.work))
    assert caught.value.code == "lease_taken"
    assert place.steps == ["take", "release"]


def test_an_interrupted_thread_releases_it() -> None:
    place = Place()

    def interrupt() -> Flow[str]:
        yield from ask(Call(lambda: None))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SyncDriver(HttpSettings()).perform(place.effect(interrupt))
    assert place.steps == ["take", "release"]
    assert threads() == set()


@pytest.mark.parametrize("when", ["waiting", "working"])
def test_a_cancelled_task_releases_it(when: str) -> None:
    place = Place(*[False] * 1000 if when == "waiting" else [])
    begun, never = threading.Event(), asyncio.Event()

    def work() -> Flow[bool]:
        begun.set()
        waiting: Call[bool] = Call(never.wait)
        return (yield from ask(waiting))

    async def main() -> set[asyncio.Task[Any]]:
        task = asyncio.create_task(AsyncDriver(HttpSettings()).perform(place.effect(work)))
        await asyncio.to_thread(
            wait_until, begun.is_set if when == "working" else lambda: len(place.steps) > 1
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
    assert place.steps[-1] == "release"
    assert begun.is_set() == (when == "working")


def test_a_take_that_is_on_its_way_when_its_task_is_cancelled_is_given_back() -> None:
    """The thread that waits for the disk cannot be called off."""
    arrived, go_on = threading.Event(), threading.Event()
    steps: list[str] = []

    def take() -> bool:
        arrived.set()
        go_on.wait(20)
        steps.append("take")
        return True

    def never() -> Flow[None]:
        raise AssertionError("it was cancelled")

    async def main() -> None:
        effect: Leased[None] = Leased(take, lambda: steps.append("release"), never)
        task = asyncio.create_task(AsyncDriver(HttpSettings()).perform(effect))
        await asyncio.to_thread(arrived.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert steps == ["take", "release"]


def test_a_renewal_that_is_late_takes_nothing_that_was_released() -> None:
    place = Place()
    lease = Lease(place.effect(place.work))
    assert lease.take()
    lease.release()
    lease.renew()
    assert not lease.take()
    assert place.steps == ["take", "release"]


FORKING = """
import os, sys, threading
from codegrant.flow import ask
from codegrant.remote.effects import Call, Leased
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings
from codegrant.stores.token_file import TokenFile

file, owner = TokenFile(sys.argv[1]), b"o" * 16

def work():
    yield from ask(Call(lambda: None))
    child = os.fork()
    if child == 0:
        raise SystemExit(7)  # through everything that the parent would clean up
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    return file.take_lease(b"x" * 16, 100, 5)

effect = Leased(lambda: file.take_lease(owner, 100, 5), lambda: file.release_lease(owner), work)
print(SyncDriver(HttpSettings()).perform(effect), file.take_lease(b"x" * 16, 100, 5))
print([one.name for one in threading.enumerate()])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_child_that_is_forked_meanwhile_leaves_the_lease_to_its_parent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, str(tmp_path / "login")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "False True\n['MainThread']\n"), done.stderr


class HeldUp:
    """A flow that stands still before some of its requests, for longer than its lease holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> None:
        self.now = 1000.0
        self.times = times
        self.begun = 0
        self.listener = Listener()
        self.listener.routes["/"] = lambda _: Answer(200, b"fine")
        url = f"http://127.0.0.1:{self.listener.port}/"
        self.request = Request(method=method, url=url)
        monkeypatch.setattr(leases, "clock", lambda: self.now)

    def flow(self) -> Flow[object]:
        self.begun += 1
        if self.begun <= self.times:
            self.now += 5.0
        once = SingleFlight("key", lambda: ask(Send(self.request)), finishes=True)
        return (yield from ask(once)).body


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], HeldUp]]:
    with ExitStack() as stack:

        def make(method: str, times: int) -> HeldUp:
            one = HeldUp(monkeypatch, method, times)
            stack.callback(one.listener.close)
            return one

        yield make


@pytest.mark.parametrize(
    ("answers", "method", "times", "begun"),
    [
        pytest.param([], "POST", 0, 1, id="in time"),
        pytest.param([], "POST", 1, 2, id="once"),
        pytest.param([True, False, False], "POST", 1, 2, id="somebody else has it meanwhile"),
        pytest.param([], "POST", 3, 4, id="three times"),
        pytest.param([], "GET", 1, 1, id="before it asks for what nothing changes"),
    ],
)
def test_who_was_held_up_begins_anew_before_anything_is_posted(
    perform: Callable[[Any], Any],
    held_up: Callable[[str, int], HeldUp],
    answers: list[bool],
    method: str,
    times: int,
    begun: int,
) -> None:
    """Another process may have changed what the flow has read, and may be through already."""
    place, flow = Place(*answers), held_up(method, times)
    assert perform(place.effect(flow.flow)) == b"fine"
    assert flow.begun == begun
    assert len(flow.listener.received) == 1
    assert place.steps == ["take"] * (begun + answers.count(False)) + ["release"]
    assert threads() == set()


def test_who_is_held_up_again_and_again_gives_up(
    perform: Callable[[Any], Any], held_up: Callable[[str, int], HeldUp]
) -> None:
    place, flow = Place(), held_up("POST", 100)
    with pytest.raises(TransportError) as caught:
        perform(place.effect(flow.flow))
    assert (caught.value.code, flow.begun) == ("lease_taken", 4)
    assert flow.listener.received == []
    assert place.steps[-1] == "release"


@pytest.mark.parametrize("late", [False, True])
def test_a_renewal_after_the_end_gives_no_lease_back(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Whoever had it in between is gone, and what was read before is old all the same."""
    now = [1000.0]
    monkeypatch.setattr(leases, "clock", lambda: now[0])

    def take() -> bool:
        now[0] += waits.pop(0)  # for the disk
        return True

    waits = [0.0, 5.0 if late else 0.0, 0.0]
    lease = Lease(Leased(take, lambda: None, Place().work))
    assert lease.take()
    now[0] += 3.0 if late else 5.0
    lease.renew()
    assert not lease.holds()
    with pytest.raises(TransportError):
        lease.check()
    assert lease.has_lapsed
    lease.begin()
    assert lease.take()
    lease.check()
    assert not lease.has_lapsed


def test_threads_that_the_program_keeps_busy_do_not_cost_the_lease() -> None:
    place, go_on = Place(), threading.Event()

    async def main() -> object:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, go_on.wait, 20)
        try:
            return await AsyncDriver(HttpSettings()).perform(place.effect(place.work))
        finally:
            go_on.set()
            await busy

    assert asyncio.run(asyncio.wait_for(main(), 20)) == "done"
    assert place.steps == ["take", "work", "release"]


@pytest.mark.usefixtures("quick")
def test_a_loop_that_is_held_up_does_not_cost_the_lease() -> None:
    place = Place()
    place.wanted = 5

    def hold_up() -> Flow[str]:
        assert (yield from ask(Call(lambda: place.went_on.wait(20))))  # in the loop itself
        return "done"

    assert asyncio.run(AsyncDriver(HttpSettings()).perform(place.effect(hold_up))) == "done"


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_closed_by_hand_keeps_no_lease() -> None:
    """Nobody comes back, and other processes would wait for as long as this one lives."""
    place, tasks = Place(), list[object]()

    async def begin() -> None:
        effect = place.effect(lambda: ask(Call(asyncio.Event().wait)))
        once = SingleFlight("key", lambda: ask(effect), finishes=True)
        tasks.append(asyncio.create_task(driver.perform(once)))
        await asyncio.to_thread(wait_until, lambda: len(place.steps) > 1)

    driver, loop = AsyncDriver(HttpSettings()), asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_default_executor())
    (renewing,) = (one for one in threading.enumerate() if "lease" in one.name)
    loop.close()
    renewing.join(20)
    assert threads() == set()
    tasks.clear()
    gc.collect()


class Standing:
    """An event loop that stands still for some looks, then runs until its lease is renewed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.renewed_while_it_stood: list[int] = []

    def is_running(self) -> bool:
        if len(self.renewed_while_it_stood) == 5:
            return not self.place.went_on.is_set()
        self.renewed_while_it_stood.append(self.place.steps.count("take") - 1)
        return False

    def is_closed(self) -> bool:
        return self.place.went_on.is_set()


@pytest.mark.usefixtures("quick")
def test_a_loop_that_stands_still_renews_its_lease_when_it_goes_on() -> None:
    place = Place()
    loop: Any = Standing(place)
    lease = Lease(place.effect(place.work), loop)
    assert lease.take()
    place.wanted = 4
    lease.keep()
    lease._renewing.join(20)
    assert loop.renewed_while_it_stood == [0] * 5
    assert place.steps.count("take") == 4
    lease.release()
    assert place.steps[-1] == "release"


def test_a_release_that_is_interrupted_renews_nothing_any_more() -> None:
    """Somebody presses Ctrl-C twice, and goes on: the lease must run out."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    place = Place()
    lease = Lease(Leased(place.take, interrupted, place.work))
    assert lease.take()
    lease.keep()
    with pytest.raises(KeyboardInterrupt):
        lease.release()
    lease._renewing.join(20)
    assert threads() == set()
    assert not lease.take()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="there is one clock")
def test_a_machine_that_sleeps_does_not_stop_the_clock_of_its_leases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asleep, awake = 0.0, time.monotonic()

    def clock_gettime(clock: int) -> float:
        assert clock == time.CLOCK_BOOTTIME
        return awake + asleep

    monkeypatch.setattr(time, "clock_gettime", clock_gettime)
    monkeypatch.setattr(time, "monotonic", lambda: awake)
    place = Place()
    lease = Lease(place.effect(place.work))
    assert lease.take()
    assert lease.holds()
    asleep = 4.0
    assert not lease.holds()


def test_a_program_that_is_not_the_flow_needs_no_lease_for_what_it_sends(colour: Colour) -> None:
    """Nor what it begins: a task inherits the context that it is made in."""
    place, listener = Place(True, False), Listener()
    driver: Any = (AsyncDriver if colour.is_async else SyncDriver)(HttpSettings())
    listener.routes["/"] = lambda _: Answer(200, b"fine")
    send = Send(Request(method="POST", url=f"http://127.0.0.1:{listener.port}/"))

    def call() -> Flow[object]:
        return (yield from ask(Call(lambda: driver.perform(send))))

    assert colour.wait(driver.perform(Leased(place.take, place.release, call, seconds=0))).body
    assert place.steps == ["take", "release"]
    colour.wait(driver.aclose() if colour.is_async else driver.close())
    listener.close()


WITHOUT_THREADS = """
import asyncio, atexit, sys, threading
from codegrant.flow import ask
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.effects import Call, Leased, Pause
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings

def work():
    yield from ask(Call(begun.set))
    yield from ask(Call(over.wait, blocks=sys.argv[1] == "sync"))
    yield from ask(Pause(0))
    yield from ask(Call(lambda: print("saved"), blocks=True))

def refresh():
    leased = Leased(lambda: True, lambda: print("released"), work)
    if sys.argv[1] == "sync":
        SyncDriver(HttpSettings()).perform(leased)
    else:
        asyncio.run(AsyncDriver(HttpSettings()).perform(leased))

begun, over = threading.Event(), threading.Event()
threading._register_atexit(over.set)  # after the main thread, before all others end
if sys.argv[2] == "thread":
    threading.Thread(target=refresh).start()
    begun.wait()
else:
    atexit.register(refresh)
"""


@pytest.mark.parametrize("when", ["thread", "atexit"])
def test_a_program_on_its_way_out_saves_what_it_got(colour: Colour, when: str) -> None:
    """Its main thread has ended: there are no pools any more, and no new threads."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS, colour.name, when],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "saved\nreleased\n"), done.stderr
    assert done.stderr == ""


def test_a_lease_can_be_driven_inside_another_flow(perform: Callable[[Any], Any]) -> None:
    inner, outer = Place(), Place()
    seen: list[list[str]] = []

    def work() -> Flow[object]:
        answer = yield from ask(inner.effect(inner.work))
        seen.append(list(outer.steps))
        return answer

    assert perform(outer.effect(work)) == "done"
    assert seen == [["take"]]
    assert inner.steps == ["take", "work", "release"]
    assert run(inner.work(), lambda _: None) == "done"
