"""`codegrant.flow`: one body of logic under two drivers, closed in every case."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from codegrant.flow import Effect, Flow, RandomBytes, ask, run, run_async


class Double(Effect[int]):
    def __init__(self, value: int) -> None:
        self.value = value


class Log:
    """What a flow went through."""

    def __init__(self) -> None:
        self.events: list[str] = []


def quadruple(value: int, log: Log) -> Flow[int]:
    try:
        twice = yield from ask(Double(value))
        return (yield from ask(Double(twice)))
    finally:
        log.events.append("closed")


def perform(effect: Effect[Any]) -> Any:
    assert isinstance(effect, Double)
    if effect.value > 100:
        raise OverflowError(effect.value)
    return 2 * effect.value


def drive_sync(flow: Flow[Any], performer: Callable[[Effect[Any]], Any] = perform) -> object:
    return run(flow, performer)


def drive_async(flow: Flow[Any], performer: Callable[[Effect[Any]], Any] = perform) -> object:
    async def perform_later(effect: Effect[Any]) -> object:
        await asyncio.sleep(0)
        return performer(effect)

    return asyncio.run(run_async(flow, perform_later))


@pytest.fixture(params=[drive_sync, drive_async], ids=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Callable[..., object]:
    driver: Callable[..., object] = request.param
    return driver


def test_each_effect_gets_its_answer(drive: Callable[..., object]) -> None:
    log = Log()
    assert drive(quadruple(3, log)) == 12
    assert log.events == ["closed"]


def test_a_flow_without_effects_only_returns(drive: Callable[..., object]) -> None:
    def nothing() -> Flow[str]:
        yield from ()
        return "done"

    assert drive(nothing()) == "done"


def test_what_the_performer_raises_is_raised_at_the_effect(drive: Callable[..., object]) -> None:
    log = Log()
    with pytest.raises(OverflowError, match="102"):
        drive(quadruple(51, log))
    assert log.events == ["closed"]


def test_a_flow_may_catch_and_go_on(drive: Callable[..., object]) -> None:
    def careful() -> Flow[int]:
        try:
            return (yield from ask(Double(1000)))
        except OverflowError:
            return (yield from ask(Double(1)))

    assert drive(careful()) == 2


def test_what_the_flow_raises_comes_out(drive: Callable[..., object]) -> None:
    def failing() -> Flow[int]:
        answer = yield from ask(Double(1))
        raise LookupError(answer)

    with pytest.raises(LookupError, match="2"):
        drive(failing())


def test_a_stop_iteration_of_the_performer_does_not_look_like_the_end(
    drive: Callable[..., object],
) -> None:
    def stop(_: Effect[Any]) -> int:
        raise StopIteration(42)

    with pytest.raises(RuntimeError):
        drive(quadruple(1, Log()), stop)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_closes_the_flow_and_is_not_offered_to_it(kind: type[BaseException]) -> None:
    log = Log()

    def interrupted() -> Flow[int]:
        try:
            return (yield from ask(Double(1)))
        except Exception:  # noqa: BLE001 - that it catches nothing is the point
            return 0
        finally:
            log.events.append("closed")

    def interrupt(_: Effect[Any]) -> int:
        raise kind

    with pytest.raises(kind):
        run(interrupted(), interrupt)
    assert log.events == ["closed"]


def test_a_cancellation_closes_the_flow() -> None:
    log = Log()
    flow = quadruple(1, log)

    async def main() -> None:
        waiting = asyncio.Event()

        async def wait_for_ever(_: Effect[Any]) -> int:
            waiting.set()
            await asyncio.Event().wait()
            return 0

        task = asyncio.create_task(run_async(flow, wait_for_ever))
        await waiting.wait()
        assert not log.events
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log.events == ["closed"]
    assert inspect.getgeneratorstate(flow) == inspect.GEN_CLOSED


def test_a_timeout_closes_the_flow() -> None:
    log = Log()

    async def wait_for_ever(_: Effect[Any]) -> int:
        await asyncio.Event().wait()
        return 0

    async def main() -> None:
        async with asyncio.timeout(0):
            await run_async(quadruple(1, log), wait_for_ever)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert log.events == ["closed"]


def test_flows_nest_by_yield_from(drive: Callable[..., object]) -> None:
    def outer(log: Log) -> Flow[int]:
        inner = yield from quadruple(1, log)
        log.events.append("between")
        return (yield from quadruple(inner, log))

    log = Log()
    assert drive(outer(log)) == 16
    assert log.events == ["closed", "between", "closed"]


def test_a_flow_is_driven_by_hand_without_any_driver() -> None:
    flow = quadruple(3, Log())
    first = next(flow)
    assert isinstance(first, Double)
    assert first.value == 3
    second = flow.send(6)
    assert isinstance(second, Double)
    assert second.value == 6
    with pytest.raises(StopIteration) as end:
        flow.send(12)
    assert end.value.value == 12


@pytest.mark.parametrize(("effect", "size"), [(RandomBytes(), 32), (RandomBytes(16), 16)])
def test_entropy_is_an_effect_with_a_size(effect: RandomBytes, size: int) -> None:
    assert effect.size == size


def test_many_flows_run_side_by_side_in_one_loop() -> None:
    async def perform_later(effect: Effect[Any]) -> object:
        await asyncio.sleep(0)
        return perform(effect)

    async def main() -> list[int]:
        flows = [run_async(quadruple(n, Log()), perform_later) for n in range(20)]
        return await asyncio.gather(*flows)

    assert asyncio.run(main()) == [4 * n for n in range(20)]
