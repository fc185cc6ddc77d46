"""`stores.key_file`: one key, made once, read by all."""

from __future__ import annotations

import errno
import logging
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from codegrant.errors import StoreError
from codegrant.sealing import KeyRing
from codegrant.stores.key_file import read_or_create_key_file

KEY = "k" * 32


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "codegrant.db.key"
    ring = read_or_create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().strip()) >= 43
    text = path.read_bytes()
    assert read_or_create_key_file(str(path)).key_id == ring.key_id
    assert path.read_bytes() == text
    assert list(tmp_path.iterdir()) == [path]


def test_two_files_hold_two_keys(tmp_path: Path) -> None:
    one, two = (read_or_create_key_file(tmp_path / name) for name in ("a.key", "b.key"))
    assert one.key_id != two.key_id


def test_several_keys_are_a_ring(tmp_path: Path) -> None:
    path = tmp_path / "codegrant.db.key"
    path.write_text(f"{'n' * 32},{KEY}\n")
    path.chmod(0o600)
    ring = read_or_create_key_file(path)
    assert ring.knows(KeyRing([KEY]).key_id)
    assert ring.key_id == KeyRing(["n" * 32]).key_id


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n", id="blank"),
        pytest.param(b"k" * 31, id="short"),
        pytest.param(f"{KEY},short".encode(), id="one of them short"),
        pytest.param(b"\xff" * 40, id="not UTF-8"),
    ],
)
def test_what_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "codegrant.db.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreError) as raised:
        read_or_create_key_file(path)
    assert raised.value.code == "store_key"
    assert str(path) in str(raised.value)
    assert KEY not in str(raised.value)
    assert path.read_bytes() == content


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        read_or_create_key_file(tmp_path / "no" / "codegrant.db.key")
    assert raised.value.code == "store_missing_folder"


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        read_or_create_key_file(tmp_path)
    assert raised.value.code == "store_not_a_database"


def test_a_key_that_must_not_be_read_is_told_and_not_called_unwritable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "codegrant.db.key"
    read_or_create_key_file(path)
    monkeypatch.setattr(Path, "open", deny)  # root may read whatever its mode
    with pytest.raises(StoreError, match=r"cannot be read") as raised:
        read_or_create_key_file(path)
    assert raised.value.code == "store_unreadable"
    assert str(path) in str(raised.value)


def test_a_key_that_others_can_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "codegrant.db.key"
    path.write_text(KEY)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        read_or_create_key_file(path)
    assert [record.getMessage() for record in caplog.records] == [
        f"key file {path} can be read by others than its owner"
    ]


def test_a_draft_left_behind_is_never_a_key(tmp_path: Path) -> None:
    path = tmp_path / "codegrant.db.key"
    (tmp_path / "codegrant.db.key.0123456789abcdef").write_text("half a k")
    assert read_or_create_key_file(path).key_id == read_or_create_key_file(path).key_id


def test_threads_at_the_first_start_agree(tmp_path: Path) -> None:
    path, start = tmp_path / "codegrant.db.key", Barrier(16)

    def read() -> bytes:
        start.wait()
        return read_or_create_key_file(path).key_id

    with ThreadPoolExecutor(16) as pool:
        found = {future.result() for future in [pool.submit(read) for _ in range(16)]}
    assert len(found) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_processes_at_the_first_start_agree(tmp_path: Path) -> None:
    path = tmp_path / "codegrant.db.key"
    source = (
        "import sys; from codegrant.stores.key_file import read_or_create_key_file as f;"
        "sys.stdin.read(); print(f(sys.argv[1]).key_id.hex())"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", source, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None
    assert len({child.communicate()[0] for child in children}) == 1
    assert [child.returncode for child in children] == [0] * 4
