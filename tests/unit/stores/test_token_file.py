"""`TokenFile`: one login in one file, which nobody else reads and no crash halves."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from codegrant import ConfigurationError, KeyRing, Secret, StoreError
from codegrant.client import LeasedTokens, MemoryTokens
from codegrant.stores import token_file
from codegrant.stores.token_file import TokenFile
from tests.unit.client.samples import TOKENS

RING = KeyRing(["r" * 32])
OTHER = replace(TOKENS, access_token=Secret("s3cret-other"))
NEXT = replace(TOKENS, access_token=Secret("s3cret-next"), refresh_token=Secret("s3cret-rt2"))


@pytest.fixture(autouse=True)
def no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "login"


@pytest.fixture
def file(path: Path) -> TokenFile:
    return TokenFile(path, key_ring=RING)


@pytest.fixture(params=["file", "memory"])
def saved(request: pytest.FixtureRequest, path: Path) -> LeasedTokens:
    return MemoryTokens() if request.param == "memory" else TokenFile(path, key_ring=RING)


def refused(call: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call()
    assert "s3cret" not in f"{caught.value} {caught.value.facts}"
    return caught.value


# --- what every place keeps ---


def test_nobody_is_logged_in_at_first(saved: LeasedTokens) -> None:
    assert saved.load() is None
    assert not saved.delete()
    assert not saved.delete(TOKENS)
    assert not saved.save(NEXT, replacing=TOKENS)
    assert saved.load() is None


def test_what_was_saved_is_loaded_until_it_is_deleted(saved: LeasedTokens) -> None:
    assert saved.save(TOKENS)
    assert saved.load() == TOKENS
    assert saved.save(OTHER)
    assert saved.load() == OTHER
    assert saved.delete()
    assert saved.load() is None
    assert not saved.delete()


def test_only_the_tokens_that_are_there_are_replaced_or_deleted(saved: LeasedTokens) -> None:
    saved.save(TOKENS)
    for stranger in (
        OTHER,
        NEXT,
        replace(TOKENS, refresh_token=Secret("x")),
        replace(TOKENS, refresh_token=None),
    ):
        assert not saved.save(NEXT, replacing=stranger)
        assert not saved.delete(stranger)
        assert saved.load() == TOKENS
    assert saved.save(NEXT, replacing=TOKENS)
    assert saved.load() == NEXT
    assert not saved.save(OTHER, replacing=TOKENS)
    assert saved.delete(NEXT)
    assert saved.load() is None


def test_of_many_that_replace_the_same_tokens_one_wins(saved: LeasedTokens) -> None:
    saved.save(TOKENS)
    rivals = [replace(NEXT, access_token=Secret(f"s3cret-{n}")) for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda tokens: saved.save(tokens, replacing=TOKENS), rivals))
    assert won.count(True) == 1
    assert saved.load() == rivals[won.index(True)]


ME, YOU, NOW = b"m" * 16, b"y" * 16, 1_800_000_000


def test_a_lease_has_one_owner_until_it_is_released_or_runs_out(saved: LeasedTokens) -> None:
    assert saved.take_lease(ME, NOW, 5)
    assert not saved.take_lease(YOU, NOW + 4, 5)
    assert saved.take_lease(ME, NOW + 4, 5)
    assert not saved.take_lease(YOU, NOW + 8, 5)
    assert saved.take_lease(YOU, NOW + 9, 5)
    assert not saved.take_lease(ME, NOW + 9, 5)
    assert not saved.release_lease(ME)
    assert saved.release_lease(YOU)
    assert not saved.release_lease(YOU)
    assert saved.take_lease(ME, NOW, 5)


def test_a_lease_of_a_clock_that_was_set_back_is_free(saved: LeasedTokens) -> None:
    saved.take_lease(ME, NOW, 5)
    assert not saved.take_lease(YOU, NOW - 5, 5)
    assert saved.take_lease(YOU, NOW - 6, 5)


def test_who_has_the_lease_saves_and_everybody_reads(saved: LeasedTokens) -> None:
    saved.save(TOKENS)
    assert saved.take_lease(ME, NOW, 5)
    assert saved.load() == TOKENS
    assert saved.save(NEXT, replacing=TOKENS)
    assert not saved.take_lease(YOU, NOW, 5)
    assert saved.delete(NEXT)
    assert not saved.take_lease(YOU, NOW, 5)
    assert saved.release_lease(ME)


def test_of_many_who_ask_for_a_lease_one_gets_it(saved: LeasedTokens) -> None:
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda n: saved.take_lease(n.to_bytes(16), NOW, 5), range(16)))
    assert won.count(True) == 1


# --- the file ---


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ME.hex().encode(), id="half a lease"),
        pytest.param(ME.hex().encode() + b" ", id="a lease without an end"),
        pytest.param(ME.hex().encode() + b" soon\n", id="no time"),
        pytest.param(b"\xff \xff\n", id="no text"),
        pytest.param(b"1" * 5000, id="too much"),
        pytest.param(ME.hex().encode() + b" 999999999999999999\n", id="no end in sight"),
    ],
)
def test_what_is_no_lease_holds_nobody_up(file: TokenFile, path: Path, content: bytes) -> None:
    file.save(TOKENS)
    path.with_name("login.lock").write_bytes(content)
    assert file.take_lease(YOU, NOW, 5)
    assert not TokenFile(path, key_ring=RING).take_lease(ME, NOW, 5)
    assert file.release_lease(YOU)
    assert file.save(NEXT, replacing=TOKENS)


def test_a_lease_is_nowhere_but_in_the_lock_file(file: TokenFile, path: Path) -> None:
    file.save(TOKENS)
    before = path.read_bytes()
    file.take_lease(ME, NOW, 5)
    assert sorted(one.name for one in path.parent.iterdir()) == ["login", "login.lock"]
    assert stat.S_IMODE(path.with_name("login.lock").stat().st_mode) == 0o600
    file.release_lease(ME)
    assert path.with_name("login.lock").read_bytes() == b""
    assert path.read_bytes() == before


@pytest.mark.parametrize("wrong", ["link", "mode"])
def test_no_lease_is_taken_in_a_lock_file_that_is_refused(
    file: TokenFile, path: Path, wrong: str
) -> None:
    file.save(TOKENS)
    lock, kept = path.with_name("login.lock"), path.read_bytes()
    if wrong == "link":
        lock.unlink()
        lock.symlink_to(path)
    else:
        lock.chmod(0o666)
    assert refused(lambda: file.take_lease(ME, NOW, 5)).code == "store_exposed"
    assert refused(lambda: file.release_lease(ME)).code == "store_exposed"
    assert path.read_bytes() == kept


@pytest.mark.requirement("CL-TOK-11")
def test_files_are_the_owners_alone_and_hold_no_token_in_the_clear(path: Path) -> None:
    before = os.umask(0)
    try:
        TokenFile(path).save(TOKENS)
    finally:
        os.umask(before)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {"login": 0o600, "login.lock": 0o600, "login.key": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"s3cret" not in b"".join(one.read_bytes() for one in path.parent.iterdir())
    assert b"person-1" not in path.read_bytes()
    assert TokenFile(path).load() == TOKENS


@pytest.mark.requirement("CL-TOK-11")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644, 0o610])
def test_a_file_that_others_can_reach_is_refused(file: TokenFile, path: Path, mode: int) -> None:
    file.save(TOKENS)
    path.chmod(mode)
    calls: list[Callable[[], object]] = [
        file.load,
        lambda: file.save(NEXT),
        lambda: file.save(NEXT, replacing=TOKENS),
        lambda: file.delete(TOKENS),
    ]
    for call in calls:
        error = refused(call)
        assert (error.code, "chmod 600" in error.hint) == ("store_exposed", True)
    path.chmod(0o600)
    assert file.load() == TOKENS


@pytest.mark.requirement("CL-TOK-11")
def test_a_link_is_not_followed(file: TokenFile, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    TokenFile(target, key_ring=RING).save(TOKENS)
    path.parent.mkdir(mode=0o700)
    path.symlink_to(target)
    for call in (file.load, lambda: file.save(NEXT)):
        assert refused(call).code == "store_exposed"
    assert TokenFile(target, key_ring=RING).load() == TOKENS
    assert file.delete()  # the link, not what it leads to
    assert target.exists()
    (path.parent / "login.lock").unlink()
    (path.parent / "login.lock").symlink_to(target)
    assert refused(lambda: file.save(NEXT)).code == "store_exposed"


def test_what_belongs_to_somebody_else_is_refused(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.save(TOKENS)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    for call in (file.load, lambda: file.save(NEXT)):
        error = refused(call)
        assert (error.code, "another user" in error.message) == ("store_exposed", True)


def test_a_pipe_or_a_folder_in_its_place_is_refused_at_once(file: TokenFile, path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    assert refused(file.load).code == "store_exposed"
    path.unlink()
    path.mkdir(mode=0o700)
    assert refused(file.load).code == "store_exposed"


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o700, True), (0o755, True), (0o1777, True), (0o777, False), (0o770, False)]
)
def test_a_folder_where_others_may_replace_the_file_is_refused(
    file: TokenFile, path: Path, mode: int, fine: bool
) -> None:
    path.parent.mkdir()
    path.parent.chmod(mode)
    if fine:
        assert file.save(TOKENS)
    else:
        assert refused(lambda: file.save(TOKENS)).code == "store_exposed"
        assert not path.exists()


def test_what_lies_in_such_a_folder_is_not_used(file: TokenFile, path: Path) -> None:
    """Somebody may have put their own tokens there."""
    assert file.save(TOKENS)
    path.parent.chmod(0o777)
    assert refused(file.load).code == "store_exposed"
    path.parent.chmod(0o700)
    assert file.load() is not None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a line"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"A" * (2 << 20), id="too much"),
        pytest.param(None, id="half of it"),
    ],
)
def test_a_damaged_file_is_told_and_never_replaced(
    file: TokenFile, path: Path, content: bytes | None
) -> None:
    file.save(TOKENS)
    whole = path.read_bytes()
    broken = whole[: len(whole) // 2] if content is None else content
    path.write_bytes(broken)
    calls: list[Callable[[], object]] = [
        file.load,
        lambda: file.save(NEXT),
        lambda: file.save(NEXT, replacing=TOKENS),
        lambda: file.delete(TOKENS),
    ]
    for call in calls:
        error = refused(call)
        assert (error.code, str(path) in error.message) == ("store_damaged", True)
        assert path.read_bytes() == broken
    assert file.delete()  # what the hint says
    assert file.save(NEXT)


def test_another_key_is_told_and_nothing_is_lost(file: TokenFile, path: Path) -> None:
    file.save(TOKENS)
    stranger = TokenFile(path, key_ring=KeyRing(["o" * 32]))
    for call in (stranger.load, lambda: stranger.save(NEXT)):
        assert refused(call).code == "store_key"
    assert file.load() == TOKENS
    rotated = TokenFile(path, key_ring=KeyRing(["o" * 32, "r" * 32]))
    assert rotated.load() == TOKENS
    rotated.save(NEXT)
    assert stranger.load() == NEXT


def test_the_key_comes_from_the_environment_or_from_a_file_beside(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TokenFile(path).save(TOKENS)
    assert (path.parent / "login.key").exists()
    monkeypatch.setenv("CODEGRANT_SECRET", "e" * 32)
    assert refused(TokenFile(path).load).code == "store_key"
    TokenFile(path).delete()
    (path.parent / "login.key").unlink()
    TokenFile(path).save(TOKENS)
    assert not (path.parent / "login.key").exists()
    assert TokenFile(path, key_ring=KeyRing(["e" * 32])).load() == TOKENS
    monkeypatch.setenv("CODEGRANT_SECRET", "short")
    with pytest.raises(ConfigurationError):
        TokenFile(path).load()


@pytest.mark.requirement("CL-TOK-11")
@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_as_it_was(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    file.save(TOKENS)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr({"fsync": "os.fsync", "replace": "pathlib.Path.replace"}[fails], full)
        assert refused(lambda: file.save(NEXT)).code == "store_full"
    assert file.load() == TOKENS
    assert sorted(one.name for one in path.parent.iterdir()) == ["login", "login.lock"]
    assert file.save(NEXT)


def test_the_file_is_durable_before_it_is_there(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, move = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def move_it(self: Path, target: Path) -> Path:
        steps.append("name")
        return move(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", move_it)
    file.save(TOKENS)
    assert steps == ["file", "name", "folder"]


WRITER = """
import sys
from dataclasses import replace
from codegrant import KeyRing, Secret
from codegrant.stores.token_file import TokenFile

file = TokenFile(sys.argv[1], key_ring=KeyRing(["r" * 32]))
print("ready", flush=True)
sys.stdin.readline()
won = 0
for _ in range(30):
    found = file.load()
    number = int(found.access_token.reveal().rpartition("-")[2])
    won += file.save(replace(found, access_token=Secret(f"s3cret-{number + 1}")), replacing=found)
print(won)
"""


@pytest.mark.requirement("CL-TOK-11")
def test_two_processes_lose_no_write_of_each_other(file: TokenFile, path: Path) -> None:
    file.save(replace(TOKENS, access_token=Secret("s3cret-0")))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    won = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    found = file.load()
    assert found is not None
    assert found.access_token.reveal() == f"s3cret-{sum(won)}"
    assert sum(won) >= 30


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="forking with threads warns")
def test_a_child_that_is_forked_during_a_save_holds_nothing_up(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[int] = []
    reader, writer = os.pipe()
    move = Path.replace

    def fork_and_move(self: Path, target: Path) -> Path:
        if not children:
            children.append(os.fork())
            if children == [0]:
                try:
                    os.close(writer)
                    os.read(reader, 1)  # until the parent has saved once more
                finally:
                    os._exit(0)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", fork_and_move)
    file.save(TOKENS)
    again = threading.Thread(target=file.save, args=(NEXT,), daemon=True)
    again.start()
    again.join(10)
    held_up = again.is_alive()
    os.close(writer)
    os.waitpid(children[0], 0)
    os.close(reader)
    again.join()
    assert not held_up
    assert file.load() == NEXT


STOPPED = """
import os, signal, sys
from pathlib import Path
from codegrant.stores.token_file import TokenFile

move = Path.replace

def stop_and_move(self, target):
    print("holds the lock", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    return move(self, target)

file = TokenFile(sys.argv[1])
found = file.load()
Path.replace = stop_and_move
print(file.save(found))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nobody can stop a process")
def test_nobody_waits_for_ever_for_a_process_that_was_stopped_in_the_middle(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_file, "_PATIENCE", 0.05)
    file = TokenFile(path)
    file.save(TOKENS)
    stopped = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert stopped.stdout is not None
        assert stopped.stdout.readline() == "holds the lock\n"
        for step in (
            lambda: file.save(NEXT),
            file.delete,
            lambda: file.take_lease(b"o" * 16, 100, 5),
            lambda: file.release_lease(b"o" * 16),
        ):
            error = refused(step)
            assert error.code == "store_busy"
            assert "login.lock" in error.message
        assert file.load() == TOKENS
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        stopped.send_signal(signal.SIGCONT)
        assert stopped.communicate(timeout=30)[0] == "True\n"
    finally:
        stopped.kill()
        stopped.communicate()
    assert file.save(NEXT)
    assert file.load() == NEXT


def test_nobody_waits_while_a_keyring_asks_its_user(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_file, "_PATIENCE", 0.0)
    asked: list[bool] = []

    def ask() -> KeyRing:
        asked.append(TokenFile(path, key_ring=RING).take_lease(b"o" * 16, 100, 5))
        return RING

    TokenFile(path, key_ring=RING).save(TOKENS)
    assert TokenFile(path, key_ring=ask).save(TOKENS)
    assert asked == [True]
    # A first login has nobody to keep waiting but another one, and of these one makes the key.
    path.unlink()
    with pytest.raises(StoreError) as caught:
        TokenFile(path, key_ring=ask).save(TOKENS)
    assert caught.value.code == "store_busy"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(errno.EINVAL, None, id="a file system that cannot"),
        pytest.param(errno.ENOTSUP, None, id="another that cannot"),
        pytest.param(errno.EIO, "store_failed", id="a disk that fails"),
    ],
)
def test_a_folder_that_cannot_be_synced_is_no_failure_unless_its_disk_is_one(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch, number: int, code: str | None
) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if code is None:
        assert file.save(TOKENS)
    else:
        assert refused(lambda: file.save(TOKENS)).code == code
    assert file.load() == TOKENS


@pytest.mark.parametrize("wrong", ["link", "mode"])
def test_a_lock_file_that_is_refused_is_named(file: TokenFile, path: Path, wrong: str) -> None:
    file.save(TOKENS)
    lock = path.with_name("login.lock")
    if wrong == "link":
        lock.unlink()
        lock.symlink_to(path)
    else:
        lock.chmod(0o644)
    error = refused(lambda: file.save(NEXT))
    assert (error.code, error.message.startswith(f"{lock}: ")) == ("store_exposed", True), error
    assert file.load() == TOKENS


def test_a_file_shows_its_path_and_no_more(file: TokenFile, path: Path) -> None:
    file.save(TOKENS)
    assert repr(file) == f"TokenFile({str(path)!r})"


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    TokenFile("~/state/app/login", key_ring=RING).save(TOKENS)
    assert (tmp_path / "state" / "app" / "login").exists()
