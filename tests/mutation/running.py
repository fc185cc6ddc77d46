"""Runs the tests once as they are, then for each refusal those that reach it, without it.

Every mutant is a fork of one process in which all tests are collected and none has run: no
mutant pays for imports, and none sees what another left behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutation import switch
from tests.mutation.points import Point

__all__ = ["Outcome", "Runner"]

_KILLED = 9
_SLACK = 20.0


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What the unchanged run showed: seconds of each passed test, who reaches which point."""

    seconds: dict[str, float]
    reached: dict[str, list[str]]
    failed: list[str]


@dataclass(slots=True)
class Outcome:
    """What became of every point; `failed` are tests that fail as things are, and tell nothing."""

    killed: list[Point] = field(default_factory=list[Point])
    survived: list[Point] = field(default_factory=list[Point])
    unreached: list[Point] = field(default_factory=list[Point])
    failed: list[str] = field(default_factory=list[str])


class Runner:
    """A pytest plugin that runs mutants instead of the tests.

    Args:
        points: to try.
        workers: how many at a time.
        say: is told how it goes.
    """

    def __init__(self, points: Sequence[Point], workers: int, say: Callable[[str], None]) -> None:
        self.points = points
        self.workers = workers
        self.say = say
        self.outcome = Outcome()
        self._failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("the tests could not be collected")
        baseline = self._run_unchanged(session.items)
        self.outcome.failed = baseline.failed
        usable = [item for item in session.items if item.nodeid not in baseline.failed]
        self._run_mutants(usable, baseline)
        return True

    def _run_unchanged(self, items: Sequence[pytest.Item]) -> _Baseline:
        """Run every test once, in as many processes as there are workers."""
        self.say(f"{len(items)} tests, once as they are")
        with TemporaryDirectory() as folder:
            files = [Path(folder, str(number)) for number in range(self.workers)]
            size = -(-len(items) // self.workers)
            children = [
                _fork(partial(self._measure, items[n * size : (n + 1) * size], file))
                for n, file in enumerate(files)
            ]
            for child in children:
                os.waitpid(child, 0)
            parts = [_Baseline(**json.loads(file.read_bytes())) for file in files]
        whole = _Baseline({}, {}, [])
        for part in parts:
            whole.seconds.update(part.seconds)
            whole.failed.extend(part.failed)
            for number, tests in part.reached.items():
                whole.reached.setdefault(number, []).extend(tests)
        return whole

    def _run_mutants(self, items: Sequence[pytest.Item], baseline: _Baseline) -> None:
        waiting: list[tuple[Point, list[pytest.Item], float]] = []
        for point in self.points:
            tests = set(baseline.reached.get(str(point.number), ()))
            chosen = sorted(
                (item for item in items if item.nodeid in tests),
                key=lambda item: (not _mirrors(item, point), baseline.seconds[item.nodeid]),
            )
            if not chosen:
                self.outcome.unreached.append(point)
                continue
            took = sum(baseline.seconds[item.nodeid] for item in chosen)
            waiting.append((point, chosen, _SLACK + 3 * took))
        self.say(f"{len(waiting)} refusals are reached, {len(self.outcome.unreached)} are not")
        running: dict[int, tuple[Point, float]] = {}
        done = 0
        while waiting or running:
            while waiting and len(running) < self.workers:
                point, chosen, limit = waiting.pop(0)
                child = _fork(partial(self._try, point, chosen))
                running[child] = (point, time.monotonic() + limit)
            for child, status in _finished(running):
                point, _ = running.pop(child)
                done += 1
                killed = status != 0
                (self.outcome.killed if killed else self.outcome.survived).append(point)
                if not killed:
                    self.say(f"survived: {point.path}:{point.line} {point.function}: {point.text}")
                if done % 50 == 0:
                    self.say(f"{done} tried, {len(waiting) + len(running)} to go")

    def _measure(self, items: Sequence[pytest.Item], file: Path) -> int:
        """Run tests as they are and leave in `file` what that showed."""
        seconds: dict[str, float] = {}
        failed: list[str] = []
        for item, following in _pairs(items):
            switch.run_as(item.nodeid)
            start = time.monotonic()
            if not self._passes(item, following):
                failed.append(item.nodeid)
            seconds[item.nodeid] = time.monotonic() - start
        reached = {str(number): sorted(tests) for number, tests in switch.reached.items()}
        file.write_text(json.dumps(asdict(_Baseline(seconds, reached, failed))))
        return 0

    def _try(self, point: Point, items: Sequence[pytest.Item]) -> int:
        """Run tests without one refusal until one of them fails."""
        switch.switch_off(point.number)
        passed = all(self._passes(item, following) for item, following in _pairs(items))
        return 0 if passed else _KILLED

    def _passes(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        """Run one test and return whether nothing of it failed."""
        self._failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        return not self._failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed


def _mirrors(item: pytest.Item, point: Point) -> bool:
    """Return whether a test stands in the file that mirrors the point's."""
    return item.path.stem == f"test_{Path(point.path).stem}"


def _finished(running: Mapping[int, tuple[Point, float]]) -> Iterator[tuple[int, int]]:
    """Wait until a child has ended; one past its time is ended, which counts as killed."""
    while True:
        ended = [(child, status) for child in running for child, status in _ended(child)]
        if ended:
            yield from ended
            return
        for child, (_, deadline) in running.items():
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def _ended(child: int) -> list[tuple[int, int]]:
    done, status = os.waitpid(child, os.WNOHANG)
    return [(child, status)] if done else []


def _fork(work: Callable[[], int]) -> int:
    """Return the id of a child that does `work` quietly and exits with its answer."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = _KILLED
    try:
        with _quiet():
            status = work()
    finally:
        os._exit(status)


@contextmanager
def _quiet() -> Iterator[None]:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    yield


def _pairs(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    following: list[pytest.Item | None] = [*items[1:], None]
    return zip(items, following, strict=True)
