"""One way to write a test for threads and for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Colour:
    """Waits for what a call gives: at once in a thread, in a loop of its own for asyncio."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._runner = asyncio.Runner() if name == "async" else None

    @property
    def is_async(self) -> bool:
        return self._runner is not None

    def wait(self, result: T | Coroutine[Any, Any, T]) -> T:
        if self._runner is not None and inspect.iscoroutine(result):
            return cast("T", self._runner.run(result))
        return cast("T", result)

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._runner is not None:
            self._runner.run(coroutine)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
