"""`cli.database`: which file is meant, and which key ring opens it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from codegrant.cli.database import (
    database_path,
    find_key_ring,
    key_file_of,
    key_ring_of,
    open_store,
)
from codegrant.cli.settings import Settings, load_settings
from codegrant.errors import ConfigurationError, StoreError
from codegrant.stores.bindings import check_key_ring

ONE, OTHER = "1" * 32, "2" * 32


def settings(database: str = "", **environment: str) -> Settings:
    flags = {"database": database} if database else {}
    return load_settings(flags=flags, environment=environment, file=None)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("", "codegrant.db", id="none"),
        pytest.param("sqlite:///relative.db", "relative.db", id="relative"),
        pytest.param("sqlite:///folder/relative.db", "folder/relative.db", id="in a folder"),
        pytest.param("sqlite:////absolute.db", "/absolute.db", id="absolute"),
        pytest.param("sqlite:///a b#ä%20.db", "a b#ä%20.db", id="taken as it stands"),
    ],
)
def test_a_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert database_path(settings(url)) == Path(path)
    assert key_file_of(settings(url)) == Path(f"{path}.key")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("postgresql://u:s3cret@h/d", "postgresql:… is not allowed yet", id="later"),
        pytest.param("postgres://u:s3cret@h/d", "postgres:… is not allowed yet", id="other name"),
        pytest.param("mysql://u:s3cret@h/d", "mysql:… is not allowed, sqlite:///", id="never"),
        pytest.param("sqlite://relative.db", "sqlite:… is not allowed", id="two slashes"),
        pytest.param("sqlite:///", "sqlite:… is not allowed", id="no name"),
        pytest.param("sqlite:///folder/", "sqlite:… is not allowed", id="a folder"),
        pytest.param("sqlite:///:memory:", "sqlite:… is not allowed", id="in memory"),
        pytest.param("sqlite:///a.db?mode=ro", "sqlite:… is not allowed", id="a query"),
        pytest.param("codegrant.db", "this value is not allowed", id="no URL"),
        pytest.param("u:s3cret@h", "u:… is not allowed", id="no scheme"),
    ],
)
def test_what_names_no_sqlite_file_is_refused_and_not_shown(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        database_path(settings(url))
    assert raised.value.message.startswith(f"database: {said}")
    assert "sqlite:///relative.db or sqlite:////absolute.db" in raised.value.message
    assert "s3cret" not in str(raised.value)


def test_the_variable_comes_before_the_file_and_that_before_the_databases_own(
    tmp_path: Path,
) -> None:
    file, database = tmp_path / "ring", tmp_path / "a.db"
    file.write_text(f"{ONE},{OTHER}\n")
    named = settings(f"sqlite:///{database}", CODEGRANT_SECRET_FILE=str(file))
    ring = find_key_ring(named, {"CODEGRANT_SECRET": OTHER})
    assert ring is not None
    sealed = ring.seal("test", b"data")
    both = find_key_ring(named, {"CODEGRANT_SECRET": ""})
    assert both is not None
    assert both.open("test", sealed) == b"data"
    assert both.key_id != ring.key_id
    assert find_key_ring(settings(), {}) is None
    with open_store(named) as store:
        assert key_ring_of(named, {}, store).key_id == both.key_id
        assert not key_file_of(named).exists()
        own = key_ring_of(settings(f"sqlite:///{database}"), {}, store)
        assert own.key_id not in {ring.key_id, both.key_id}
        assert stat.S_IMODE(key_file_of(named).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("x" * 31, "a key has 31 characters, at least 32 are needed", id="short"),
        pytest.param(f"{ONE},short", "a key has 5 characters", id="the second one short"),
        pytest.param(",", "", id="no key"),
        pytest.param("x" * 16 + "," + "x" * 16, "a key has 16 characters", id="parted by a comma"),
    ],
)
def test_a_key_ring_that_is_none_is_one_line_without_the_keys(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "ring"
    file.write_text(text)
    for source, wanted, environment in (
        ("CODEGRANT_SECRET: ", settings(), {"CODEGRANT_SECRET": text}),
        (f"secret.file: {file}: ", settings(CODEGRANT_SECRET_FILE=str(file)), {}),
    ):
        with pytest.raises(ConfigurationError) as raised:
            find_key_ring(wanted, environment)
        assert raised.value.message.startswith(source)
        assert said in raised.value.message
        assert "xxxx" not in raised.value.message
        assert ONE not in raised.value.message


def test_a_key_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff" * 40)
    for file, why in (
        (tmp_path / "nowhere", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (binary, "not UTF-8"),
    ):
        with pytest.raises(ConfigurationError) as raised:
            find_key_ring(settings(CODEGRANT_SECRET_FILE=str(file)), {})
        assert raised.value.message == f"secret.file: {file}: {why}"


def test_a_lost_key_file_is_not_replaced_by_a_key_that_opens_nothing(tmp_path: Path) -> None:
    mine = settings(f"sqlite:///{tmp_path / 'a.db'}")
    with open_store(mine) as store:
        check_key_ring(store, key_ring_of(mine, {}, store))
        file = key_file_of(mine)
        kept = file.read_bytes()
        file.unlink()
        with pytest.raises(StoreError) as raised:
            key_ring_of(mine, {}, store)
        assert raised.value.code == "store_key"
        assert str(file) in raised.value.message
        assert not file.exists()
        file.write_bytes(kept)
        check_key_ring(store, key_ring_of(mine, {}, store))
