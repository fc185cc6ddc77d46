"""Several processes on one listening socket: started, watched, restarted, drained. POSIX.

The supervisor has no thread and no database of its own. Each worker holds one end of two
pipes: it writes to the first when it answers, and its death closes it; the second closes
when the supervisor dies, however it dies, and then the worker drains and ends as well.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, Protocol

from codegrant.web.failures import trail_of

__all__ = ["Supervisor", "Work"]

_log = logging.getLogger("codegrant.serve")

# A little longer than a worker takes for requests that do not end.
_DRAIN_SECONDS = 15.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PAUSE_SECONDS = 1.0


class Work(Protocol):
    """What a worker does."""

    def __call__(self, *, ready: Callable[[], None], lifeline: int) -> int:
        """Serve until told to stop, and return the exit status.

        Args:
            ready: to be called once requests are answered.
            lifeline: a file descriptor that becomes readable when the supervisor is gone.
        """
        ...


@dataclass(kw_only=True)
class _Worker:
    pid: int
    signs_of_life: int
    is_ready: bool = False


class Supervisor:
    """Keeps `count` workers running until SIGTERM or SIGINT.

    Args:
        work: run in each worker.
        announce: called once, when all workers answer for the first time.
        close: called once, when no new work is to be taken: with the workers' copies of the
            listening socket ours goes too, so that nobody waits in its queue for nothing.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        announce: Callable[[], None],
        close: Callable[[], None],
    ) -> None:
        self._count = count
        self._work = work
        self._announce = announce
        self._close = close
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._stop_by: float | None = None
        self._was_announced = False
        self._status = 0

    def run(self) -> int:
        """Return the exit status: 0 after a signal, 1 when a worker never came to answer."""
        wake_up, self._alarm = os.pipe()
        self._lifeline, self._hand = os.pipe()
        os.set_blocking(self._alarm, False)
        self._selector.register(wake_up, selectors.EVENT_READ)
        for number in _SIGNALS:
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(self._alarm, warn_on_full_buffer=False)
        for _ in range(self._count):
            self._start()
        while self._workers:
            self._step(wake_up)
        return self._status

    def _step(self, wake_up: int) -> None:
        """Wait for something to happen, and act on it."""
        patience = None if self._stop_by is None else max(0.0, self._stop_by - time.monotonic())
        events = self._selector.select(patience)
        for key, _ in events:
            if key.fd == wake_up:
                os.read(wake_up, 64)
            elif os.read(key.fd, 1):
                self._workers[key.fd].is_ready = True
            else:
                self._bury(self._workers.pop(key.fd))
        if not self._was_announced and self._status == 0 and self._all_answer():
            self._was_announced = True
            self._announce()
        if self._stop_by is not None and time.monotonic() >= self._stop_by:
            self._signal_all(signal.SIGKILL)

    def _all_answer(self) -> bool:
        workers = self._workers.values()
        return len(workers) == self._count and all(worker.is_ready for worker in workers)

    def _bury(self, worker: _Worker) -> None:
        """Take note of a worker's death, and put another in its place."""
        self._selector.unregister(worker.signs_of_life)
        os.close(worker.signs_of_life)
        os.waitpid(worker.pid, 0)
        if self._stop_by is not None:
            return
        facts = {"worker": worker.pid}
        if not self._was_announced:
            _log.error("worker_failed_to_start", extra={"facts": facts})
            self._status = 1
            self._stop()
            return
        _log.error("worker_died", extra={"facts": facts})
        if not worker.is_ready:
            time.sleep(_PAUSE_SECONDS)
        if self._stop_by is None:
            self._start()

    def _stop(self, *_: object) -> None:
        """Tell every worker to drain; a second time, to hurry."""
        hurry = self._stop_by is not None
        if not hurry:
            self._stop_by = time.monotonic() + _DRAIN_SECONDS
            self._close()
        self._signal_all(signal.SIGINT if hurry else signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        # None of them was waited for yet, so no pid can belong to somebody else.
        for worker in self._workers.values():
            os.kill(worker.pid, number)

    def _start(self) -> None:
        """Fork a worker."""
        signs_of_life, ready = os.pipe()
        # Our own way to take a signal must not run in the new process.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(signs_of_life)
            self._become_worker(ready)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(ready)
        self._workers[signs_of_life] = _Worker(pid=pid, signs_of_life=signs_of_life)
        self._selector.register(signs_of_life, selectors.EVENT_READ)
        if self._stop_by is not None:
            os.kill(pid, signal.SIGTERM)

    def _become_worker(self, ready: int) -> NoReturn:
        """Do the work in this new process, and end it."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._selector.close()
            for descriptor in (*self._workers, self._alarm, self._hand):
                os.close(descriptor)
            status = self._work(ready=lambda: _write_byte(ready), lifeline=self._lifeline)
        except BaseException as error:  # noqa: BLE001 - nothing above this frame is ours
            _log.critical("worker_failed", extra={"facts": {"where": trail_of(error)}})
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):  # none, gone, closed
                    stream.flush()
            os._exit(status)


def _write_byte(descriptor: int) -> None:
    os.write(descriptor, b".")
