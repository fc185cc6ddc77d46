"""Argon2id: its cost, its queue, its thread, and the memory that it hands back."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from threading import get_ident

import pytest

from codegrant.accounts import hashing
from codegrant.accounts.effects import HashPassword, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.errors import StoreError
from codegrant.secret import Secret

PASSWORD = Secret("wonderland")


@pytest.fixture(scope="module")
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher()
    yield made
    made.close()


@pytest.fixture(scope="module")
def known(hasher: PasswordHasher) -> str:
    return hasher.perform(HashPassword(PASSWORD))


@pytest.mark.requirement("AS-AUTHN-08")
def test_a_hash_is_argon2id_with_its_cost_and_a_salt_of_its_own(
    hasher: PasswordHasher, known: str
) -> None:
    form = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
    again = hasher.perform(HashPassword(PASSWORD))
    assert form.fullmatch(known)
    assert form.fullmatch(again)
    assert known != again
    assert "wonderland" not in known
    # What stands in for nobody's hash costs what a real one costs.
    assert form.fullmatch(hashing._NOBODY)


def test_the_right_password_opens_its_hash(hasher: PasswordHasher, known: str) -> None:
    assert hasher.perform(VerifyPassword(PASSWORD, known)) is True


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("Wonderland", id="case"),
        pytest.param("wonderlan", id="cut"),
        pytest.param("wonderland ", id="longer"),
        pytest.param("wonderland\0", id="longer by NUL"),
    ],
)
def test_another_password_does_not(hasher: PasswordHasher, known: str, password: str) -> None:
    assert hasher.perform(VerifyPassword(Secret(password), known)) is False


@pytest.mark.requirement("AS-AUTHN-07")
def test_what_follows_byte_72_and_byte_255_matters(hasher: PasswordHasher) -> None:
    long = hasher.perform(HashPassword(Secret("a" * 300)))
    assert hasher.perform(VerifyPassword(Secret("a" * 300), long)) is True
    assert hasher.perform(VerifyPassword(Secret("a" * 299 + "b"), long)) is False
    assert hasher.perform(VerifyPassword(Secret("a" * 72), long)) is False


@pytest.mark.parametrize(
    "password_hash",
    [
        pytest.param("", id="nobody's"),
        pytest.param("wonderland", id="plain text"),
        pytest.param("$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", id="a short salt"),
        pytest.param("$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAA", id="another variant"),
        pytest.param("$2b$12$KIXQ4C9b7d8e9f0a1b2c3d", id="another algorithm"),
    ],
)
def test_no_password_opens_what_is_no_hash(hasher: PasswordHasher, password_hash: str) -> None:
    assert hasher.perform(VerifyPassword(PASSWORD, password_hash)) is False


def test_an_event_loop_runs_on_while_passwords_are_hashed(
    hasher: PasswordHasher, known: str
) -> None:
    async def verify_ten() -> tuple[list[bool], int]:
        done = asyncio.gather(
            *(hasher.perform_async(VerifyPassword(PASSWORD, known)) for _ in range(10))
        )
        turns = 0
        while not done.done():
            turns += 1
            await asyncio.sleep(0)
        return await done, turns

    answers, turns = asyncio.run(verify_ten())
    assert answers == [True] * 10
    assert turns > 10


def test_all_work_is_done_in_one_thread_of_its_own(
    hasher: PasswordHasher, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    verify = hashing._verify

    def watch(password: Secret, password_hash: str) -> bool:
        threads.append(get_ident())
        return verify(password, password_hash)

    async def verify_five() -> None:
        effect = VerifyPassword(PASSWORD, known)
        await asyncio.gather(*(hasher.perform_async(effect) for _ in range(5)))

    monkeypatch.setattr(hashing, "_verify", watch)
    asyncio.run(verify_five())
    assert len(threads) == 5
    assert len(set(threads)) == 1
    assert get_ident() not in threads


def test_a_full_queue_refuses_and_recovers(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_MOST_WAITING", 3)
    hasher = PasswordHasher()

    async def verify_four() -> list[bool | BaseException]:
        effect = VerifyPassword(PASSWORD, known)
        return await asyncio.gather(
            *(hasher.perform_async(effect) for _ in range(4)), return_exceptions=True
        )

    answers = asyncio.run(verify_four())
    assert answers[:3] == [True] * 3
    assert isinstance(answers[3], StoreError)
    assert answers[3].code == "store_busy"
    assert hasher.perform(VerifyPassword(PASSWORD, known)) is True
    hasher.close()


def test_a_cancelled_request_gives_its_place_back(
    known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_MOST_WAITING", 2)
    hasher = PasswordHasher()
    effect = VerifyPassword(PASSWORD, known)

    async def cancel_one() -> bool:
        first = asyncio.ensure_future(hasher.perform_async(effect))
        second = asyncio.ensure_future(hasher.perform_async(effect))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        assert await first
        return await hasher.perform_async(effect)

    assert asyncio.run(cancel_one())
    hasher.close()


def test_a_closed_hasher_starts_anew_when_it_is_asked(known: str) -> None:
    hasher = PasswordHasher()
    hasher.close()
    assert hasher.perform(VerifyPassword(PASSWORD, known)) is True
    hasher.close()
    hasher.close()
    assert hasher.perform(VerifyPassword(PASSWORD, known)) is True
    hasher.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_gets_a_thread_of_its_own() -> None:
    program = """
import os
from codegrant.accounts.effects import HashPassword, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.secret import Secret
hasher = PasswordHasher()
known = hasher.perform(HashPassword(Secret("wonderland")))
child = os.fork()
if child == 0:
    os._exit(0 if hasher.perform(VerifyPassword(Secret("wonderland"), known)) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, timeout=60)
    assert done.returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_memory_of_a_hash_is_handed_back() -> None:
    program = """
from pathlib import Path
from codegrant.accounts.effects import HashPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.secret import Secret

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

hasher, effect = PasswordHasher(), HashPassword(Secret("wonderland"))
before = resident()
for _ in range(20):
    hasher.perform(effect)
print(resident() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )
    # One hash takes 19 MiB; what stays is the thread and what was imported for it.
    assert int(done.stdout) < 6 * 2**20


def test_neither_effect_shows_what_it_holds(known: str) -> None:
    shown = f"{HashPassword(PASSWORD)!r} {VerifyPassword(PASSWORD, known)!r}"
    assert "wonderland" not in shown
    assert known not in shown
