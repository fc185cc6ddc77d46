"""Passwords through Argon2id, one at a time per process, in a thread of their own.

The performer of `HashPassword` and `VerifyPassword`. A hash takes 19 MiB and tens of
milliseconds, so that one thread bounds what a flood of logins can cost in memory and leaves
the other processors to everybody else. The thread is made on first use, per process.
Layer: accounts; the only module here with a thread.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import NamedTuple, overload

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from codegrant.accounts.effects import HashPassword, VerifyPassword
from codegrant.errors import StoreError
from codegrant.secret import Secret

__all__ = ["PasswordHasher"]

# OWASP's first choice for Argon2id, in KiB, passes and lanes. RFC 9106 §4.
_MEMORY, _PASSES, _LANES = 19_456, 2, 1
_SALT, _LENGTH = 16, 32
# What stands in for the hash of an unknown person: it costs the same and never opens.
_NOBODY = f"$argon2id$v=19$m={_MEMORY},t={_PASSES},p={_LANES}${'A' * 22}${'A' * 43}"
_MOST_WAITING = 100


class _Worker(NamedTuple):
    """The thread of one process, and the places in its queue."""

    executor: ThreadPoolExecutor
    places: BoundedSemaphore


class PasswordHasher:
    """Performs `HashPassword` and `VerifyPassword`, for threads and event loops alike.

    One value serves a whole process; a fork starts afresh with a thread of its own.
    """

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}

    @overload
    def perform(self, effect: HashPassword) -> str: ...
    @overload
    def perform(self, effect: VerifyPassword) -> bool: ...
    def perform(self, effect: HashPassword | VerifyPassword) -> str | bool:
        """Return the answer to `effect`, waiting for it in this thread.

        Raises:
            StoreError: `store_busy`, a hundred others wait already.
        """
        return self._submit(effect).result()

    @overload
    async def perform_async(self, effect: HashPassword) -> str: ...
    @overload
    async def perform_async(self, effect: VerifyPassword) -> bool: ...
    async def perform_async(self, effect: HashPassword | VerifyPassword) -> str | bool:
        """Return the answer to `effect`, as `perform`, without blocking the event loop."""
        return await asyncio.wrap_future(self._submit(effect))

    def close(self) -> None:
        """End this process's thread, once what waits is done."""
        worker = self._workers.pop(os.getpid(), None)
        if worker is not None:
            worker.executor.shutdown()

    def _submit(self, effect: HashPassword | VerifyPassword) -> Future[str | bool]:
        """Queue the work, or refuse when the queue is full."""
        executor, places = self._worker()
        if not places.acquire(blocking=False):
            raise StoreError("too many passwords wait to be hashed", code="store_busy")
        future: Future[str | bool] = executor.submit(_perform, effect)
        future.add_done_callback(lambda _: places.release())
        return future

    def _worker(self) -> _Worker:
        """Return this process's worker; `setdefault` lets one of several threads make it."""
        pid = os.getpid()
        worker = self._workers.get(pid)
        if worker is None:
            executor = ThreadPoolExecutor(1, "codegrant-password", _hand_memory_back)
            worker = self._workers.setdefault(
                pid, _Worker(executor, BoundedSemaphore(_MOST_WAITING))
            )
        return worker


def _perform(effect: HashPassword | VerifyPassword) -> str | bool:
    """Do the work of one effect."""
    if isinstance(effect, HashPassword):
        return _hash(effect.password)
    return _verify(effect.password, effect.password_hash)


def _hash(password: Secret) -> str:
    """Return the PHC text of a password under a fresh salt."""
    argon2 = Argon2id(
        salt=os.urandom(_SALT),
        length=_LENGTH,
        iterations=_PASSES,
        lanes=_LANES,
        memory_cost=_MEMORY,
    )
    return argon2.derive_phc_encoded(_bytes(password))


def _verify(password: Secret, password_hash: str) -> bool:
    """Return whether the password opens the hash; an empty hash costs the same and never does."""
    try:
        Argon2id.verify_phc_encoded(_bytes(password), password_hash or _NOBODY)
    except (InvalidKey, ValueError):
        return False
    return bool(password_hash)


def _bytes(password: Secret) -> bytes:
    return password.reveal().encode()


def _hand_memory_back() -> None:
    """Let glibc take large blocks from the system and give each back once it is free.

    It would otherwise keep the 19 MiB of the last hash for good: freeing one such block
    raises its threshold. Setting the threshold stops that. Elsewhere nothing is needed.
    """
    # -3 is M_MMAP_THRESHOLD of <malloc.h>.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(-3, 1 << 20)
