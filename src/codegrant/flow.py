"""Flows: one body of logic, driven in a thread or in an event loop. Layer: foundation.

A flow is a generator. It yields typed effects (`Effect[T]`) and is sent their answers
(`T`), so the logic itself knows neither sockets nor threads nor `await`:

    def exchange(config, answer) -> Flow[Tokens]:
        response = yield from ask(Send(token_request(config, answer)))
        ...

`run` drives it in a thread and `run_async` in an event loop. That is the only difference
between sync and async in all of Codegrant. An effect is for the network, a store,
entropy and waiting, and for nothing that an argument can do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar, cast

__all__ = ["Effect", "Flow", "RandomBytes", "ask", "run", "run_async"]

T = TypeVar("T")
R = TypeVar("R")


class Effect(Generic[T]):
    """A wish for something of the outside world; performing it gives a `T`."""

    __slots__ = ()


# What is sent in answers what was yielded, which a generator's type cannot say: the one
# place for `Any`. `ask` gives each answer its type back.
Flow: TypeAlias = Generator[Effect[Any], Any, R]


class RandomBytes(Effect[bytes]):
    """`size` bytes from the operating system's cryptographic source."""

    __slots__ = ("size",)

    def __init__(self, size: int = 32) -> None:
        self.size: int = size


def ask(effect: Effect[T]) -> Flow[T]:
    """Yield `effect` and return its answer, typed: `answer = yield from ask(effect)`."""
    return cast("T", (yield effect))


def run(flow: Flow[R], perform: Callable[[Effect[Any]], Any]) -> R:
    """Drive `flow` to its end in this thread and return its result.

    Args:
        flow: the generator; it is closed in every case.
        perform: carries out one effect and returns its answer. What it raises is raised
            inside the flow, at the effect.
    """
    try:
        effect = next(flow)
        while True:
            try:
                answer = perform(effect)
            except Exception as error:  # noqa: BLE001 - handed on into the flow
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        return cast("R", stop.value)
    finally:
        flow.close()


async def run_async(flow: Flow[R], perform: Callable[[Effect[Any]], Awaitable[Any]]) -> R:
    """Drive `flow` to its end in this event loop and return its result.

    As `run`; a cancellation while an effect is awaited closes the flow.
    """
    try:
        effect = next(flow)
        while True:
            try:
                answer = await perform(effect)
            except Exception as error:  # noqa: BLE001 - handed on into the flow
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        return cast("R", stop.value)
    finally:
        flow.close()
