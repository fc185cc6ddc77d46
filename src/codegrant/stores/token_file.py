"""`TokenFile`: the tokens of one login in an encrypted file. Layer: stores.

For scripts and command-line tools. The file appears whole or not at all, nobody but its owner
can read it, and several processes may use it at once: a lock file beside it puts their steps
in order, and says which of them refreshes. (The data file itself is never locked, since each
step that writes replaces it.)
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from codegrant.client.tokens import Tokens
from codegrant.errors import StoreError
from codegrant.sealing import KeyRing, SealBroken
from codegrant.stores import faults
from codegrant.stores.key_file import read_or_create_key_file, sync_folder

if sys.platform == "win32":  # pragma: no cover - no file of ours has such a mode there
    import msvcrt
else:
    import fcntl

__all__ = ["TokenFile"]

_MOST_BYTES = 1 << 20
# A link is refused, and a pipe that nobody writes to is not waited for.
_WARY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_LINK = {errno.ELOOP, errno.EMLINK}
_OTHERS = 0o077
_MOST_LOCK_BYTES = 256
_OTHERS_WRITE = 0o022
# Seconds: for the lock, as Windows has it too, and between two looks at it.
_PATIENCE = 10.0
_LOOK_AFTER = 0.005
_LOG_IN_AGAIN = "delete() it, or remove the file, and log in again"


class TokenFile:
    """Keeps the tokens of one login as `LeasedTokens` wants them kept; `Client.api` takes it.

    Safe to share between threads, and between processes that name the same file. On POSIX
    the file has mode 0600; its folder is made with mode 0700 when it is not there.

    Args:
        path: of the file, one for each login. `PATH.lock` stands beside it, and `PATH.key`
            where a key is made for it.
        key_ring: seals the tokens, or a function that returns it when it is needed; by
            default made of `CODEGRANT_SECRET`, else of the key file, which is made when it is
            not there.

    RFC 8252 §8 leaves the place to the client; that it is the user's alone is ours.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key_ring: KeyRing | Callable[[], KeyRing] | None = None,
    ) -> None:
        self._path = Path(path).expanduser()
        self._key_ring = key_ring if isinstance(key_ring, KeyRing) else None
        self._find_keys: Callable[[], KeyRing] = self._default_keys
        if key_ring is not None and not isinstance(key_ring, KeyRing):
            self._find_keys = key_ring

    def load(self) -> Tokens | None:
        """Return the tokens; `None` when there is no file: nobody is logged in.

        Raises:
            ConfigurationError: `CODEGRANT_SECRET` is too short.
            StoreError: `store_exposed`, others than its owner can read or replace the file, or
                it is a link; `store_damaged`; `store_key`, another key sealed it; or the
                file cannot be read.
        """
        with self._faults():
            return self._read()

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens` from now on, and return whether they are kept.

        A file that cannot be read is never replaced.

        Args:
            tokens: of a login, or of a refresh.
            replacing: keep them only if these are there.

        Raises:
            ConfigurationError, StoreError: as `load`; or the file cannot be written.
        """
        with self._faults():
            self._check_folder()
            # A keyring may ask its user: others do not wait for that. But only one makes a key.
            ring = self._ring() if os.path.lexists(self._path) else None
            with self._locked():
                found = self._read()
                if replacing is not None and (found is None or not found.is_same(replacing)):
                    return False
                self._write(f"{tokens.seal(ring or self._ring())}\n".encode())
                return True

    def delete(self, tokens: Tokens | None = None) -> bool:
        """Remove the file, whatever is in it, and return whether there was one.

        Args:
            tokens: remove it only if these are in it.

        Raises:
            ConfigurationError, StoreError: as `load`, if there are `tokens`; or the file
                cannot be removed.
        """
        with self._faults():
            if not os.path.lexists(self._path):
                return False
            with self._locked():
                if tokens is not None:
                    found = self._read()
                    if found is None or not found.is_same(tokens):
                        return False
                try:
                    self._path.unlink()
                except FileNotFoundError:
                    return False
                sync_folder(self._path.parent)
                return True

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease, and return whether it is the owner's; see `LeasedTokens.take_lease`.

        It is a line in the lock file. The lock itself is held no longer than for one step: a
        child that is forked meanwhile would go on holding it after its parent's death.

        Args:
            owner: 16 random bytes, drawn anew for every lease.
            now: epoch seconds.
            duration: seconds.

        Raises:
            StoreError: the lock file cannot be read or written.
        """
        with self._faults(), self._locked() as lock:
            holder, expires_at = _read_lease(lock)
            if holder != owner.hex() and now < expires_at <= now + 2 * duration:
                return False
            _write_lock(lock, f"{owner.hex()} {now + duration}\n")
            return True

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back, and return whether it was the owner's.

        Args:
            owner: as given to `take_lease`.

        Raises:
            StoreError: the lock file cannot be read or written.
        """
        with self._faults(), self._locked() as lock:
            holder, _ = _read_lease(lock)
            if holder != owner.hex():
                return False
            _write_lock(lock, "")
            return True

    def _read(self) -> Tokens | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | _WARY)
        except FileNotFoundError:
            return None
        try:
            _check_owner(self._path, os.fstat(descriptor))
            self._check_folder()
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                raw = file.read(_MOST_BYTES + 1)
        finally:
            os.close(descriptor)
        try:
            return Tokens.open(raw.decode("ascii").strip(), self._ring())
        except SealBroken as error:
            if error.code == "seal_unknown_key":
                raise StoreError(
                    f"{self._path}: another key sealed it",
                    code="store_key",
                    stage="store",
                    hint=f"put back the key that it was made with; or {_LOG_IN_AGAIN}",
                ) from None
            raise self._damaged() from None
        except UnicodeDecodeError:
            raise self._damaged() from None

    def _write(self, content: bytes) -> None:
        """Put `content` in the file's place: whole, durable, and for its owner's eyes."""
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _WARY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            draft.replace(self._path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        sync_folder(self._path.parent)

    @contextmanager
    def _locked(self) -> Generator[int, None, None]:
        """Hold the lock file, and give its descriptor: of all who ask, one at a time.

        Nobody waits for ever for one that was stopped in the middle of its step.
        """
        self._check_folder()
        path = self._path.with_name(f"{self._path.name}.lock")
        with self._faults(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _WARY, 0o600)
        try:
            _check_owner(path, os.fstat(descriptor))
            if sys.platform == "win32":  # pragma: no cover
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                yield descriptor
            else:
                give_up_at = monotonic() + _PATIENCE
                while not _try_lock(descriptor):
                    if monotonic() >= give_up_at:
                        raise faults.busy(str(path))
                    sleep(_LOOK_AFTER)
                try:
                    yield descriptor
                finally:
                    # Not by closing alone: a child forked meanwhile has the file open too.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _check_folder(self) -> None:
        """Make the folder if need be, and check that nobody else can put a file into it.

        Where everybody may write, as in /tmp, a sticky bit keeps others from our files.
        """
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if os.name == "posix" and mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
            raise _exposed(folder, "others can write into this folder", f"chmod go-w {folder}")

    def _damaged(self) -> StoreError:
        return StoreError(
            f"{self._path} is damaged",
            code="store_damaged",
            stage="store",
            hint=f"restore it from a backup; or {_LOG_IN_AGAIN}",
        )

    def _ring(self) -> KeyRing:
        if self._key_ring is None:
            self._key_ring = self._find_keys()
        return self._key_ring

    def _default_keys(self) -> KeyRing:
        text = os.environ.get("CODEGRANT_SECRET")
        if text:
            return KeyRing.parse(text)
        return read_or_create_key_file(self._path.with_name(f"{self._path.name}.key"))

    @contextmanager
    def _faults(self, path: Path | None = None) -> Generator[None, None, None]:
        path = path or self._path
        try:
            yield
        except OSError as error:
            if error.errno in _LINK:
                raise _exposed(path, "is a link", "name the file itself") from None
            raise faults.file_error(path, error) from None

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"


def _try_lock(descriptor: int) -> bool:
    """Lock a file, if nobody else has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_lease(lock: int) -> tuple[str, int]:
    """Return who has the lease and until when; what is no lease belongs to nobody."""
    os.lseek(lock, 0, os.SEEK_SET)
    holder, _, expires_at = os.read(lock, _MOST_LOCK_BYTES).partition(b" ")
    try:
        return holder.decode("ascii"), int(expires_at)
    except ValueError:
        return "", 0


def _write_lock(lock: int, text: str) -> None:
    """Put `text` into the lock file. Half of it, after a crash, is no lease."""
    os.ftruncate(lock, 0)
    os.lseek(lock, 0, os.SEEK_SET)
    os.write(lock, text.encode("ascii"))


def _check_owner(path: Path, found: os.stat_result) -> None:
    """Check that a file is a file, ours, and nobody else's to read or write."""
    if not stat.S_ISREG(found.st_mode):
        raise _exposed(path, "is no file", "name another one")
    if os.name != "posix":  # pragma: no cover
        return
    if found.st_uid != os.geteuid():
        raise _exposed(path, "belongs to another user", "name another file")
    if found.st_mode & _OTHERS:
        raise _exposed(
            path,
            "can be read or written by others than its owner",
            f"chmod 600 {path}, or log in again if others may have seen it",
        )


def _exposed(path: Path, what: str, hint: str) -> StoreError:
    return StoreError(f"{path}: {what}", code="store_exposed", stage="store", hint=hint)
