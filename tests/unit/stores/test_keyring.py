"""`stores.keyring`: the key in the user's keyring, the tokens in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring import errors
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from codegrant import Secret, StoreError
from codegrant.client import LeasedTokens
from codegrant.jose import PrivateKey
from codegrant.stores.keyring import KeyringTokens
from codegrant.stores.token_file import TokenFile
from tests.unit.client.samples import TOKENS

NEXT = replace(TOKENS, access_token=Secret("at-2"))
ME, YOU, NOW = b"m" * 16, b"y" * 16, 1_800_000_000


class Drawer(KeyringBackend):
    """A keyring of this process, with room for a password as Windows has it."""

    priority: Any = 1.0
    error: Exception | None = None

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.error is not None:
            raise self.error
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        assert len(password) < 1280
        self.kept[service, username] = password


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    drawer = Drawer()
    keyring.set_keyring(drawer)
    yield drawer
    keyring.set_keyring(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "login"


@pytest.mark.requirement("CL-TOK-11")
def test_the_key_is_in_the_keyring_and_the_tokens_are_not(drawer: Drawer, path: Path) -> None:
    saved = KeyringTokens(path)
    assert isinstance(saved, LeasedTokens)
    assert saved.load() is None
    assert drawer.kept == {}
    assert saved.save(TOKENS)
    assert KeyringTokens(path).load() == TOKENS
    ((place, key),) = drawer.kept.items()
    assert place == ("codegrant", str(path))
    assert TOKENS.access_token.reveal() not in key
    assert sorted(one.name for one in path.parent.iterdir()) == ["login", "login.lock"]
    assert path.stat().st_mode & 0o777 == 0o600
    bound = replace(TOKENS, token_type="DPoP", dpop_key=PrivateKey.generate("ES256"))
    assert saved.save(bound)
    assert KeyringTokens(path).load() == bound
    # Who has the file alone has nothing.
    with pytest.raises(StoreError) as caught:
        TokenFile(path).load()
    assert caught.value.code == "store_key"


def test_it_is_a_file_in_all_else(drawer: Drawer, path: Path) -> None:
    saved = KeyringTokens(path)
    saved.save(TOKENS)
    assert not saved.save(NEXT, replacing=NEXT)
    assert saved.save(NEXT, replacing=TOKENS)
    assert not saved.delete(TOKENS)
    assert saved.take_lease(ME, NOW, 5)
    assert not KeyringTokens(path).take_lease(YOU, NOW, 5)
    assert saved.release_lease(ME)
    assert saved.delete(NEXT)
    assert saved.load() is None
    assert saved.save(TOKENS)
    assert len(drawer.kept) == 1


def test_of_many_first_logins_all_use_one_key(
    drawer: Drawer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Drawer.get_password

    def ask_slowly(drawer: Drawer, service: str, username: str) -> str | None:
        found = ask(drawer, service, username)
        time.sleep(0.01)  # others come in the meantime, as they do where it is another program
        return found

    monkeypatch.setattr(Drawer, "get_password", ask_slowly)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: KeyringTokens(path).save(TOKENS), range(8)))
    assert KeyringTokens(path).load() == TOKENS
    assert len(drawer.kept) == 1


def test_each_file_has_a_key_of_its_own(drawer: Drawer, path: Path) -> None:
    KeyringTokens(path).save(TOKENS)
    KeyringTokens(path.with_name("other")).save(TOKENS)
    KeyringTokens(path.with_name("third"), service="tool").save(TOKENS)
    assert len(set(drawer.kept.values())) == 3
    assert ("tool", str(path.with_name("third"))) in drawer.kept


def test_a_key_that_is_gone_is_told_and_the_file_stays(drawer: Drawer, path: Path) -> None:
    KeyringTokens(path).save(TOKENS)
    before = path.read_bytes()
    drawer.kept.clear()
    with pytest.raises(StoreError) as caught:
        KeyringTokens(path).load()
    assert caught.value.code == "store_key"
    assert path.read_bytes() == before
    drawer.kept["codegrant", str(path)] = "short"
    with pytest.raises(StoreError) as caught:
        KeyringTokens(path).load()
    assert caught.value.code == "store_key"
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.KeyringLocked("no"), "store_locked"),
        (errors.NoKeyringError("no"), "store_no_keyring"),
        (errors.InitError("the secret is s3cret"), "store_failed"),
        (OSError("the bus is gone: s3cret"), "store_failed"),
    ],
    ids=["locked", "none", "init", "bus"],
)
def test_a_keyring_that_fails_says_why(
    drawer: Drawer, path: Path, error: Exception, code: str
) -> None:
    drawer.error = error
    with pytest.raises(StoreError) as caught:
        KeyringTokens(path).save(TOKENS)
    assert caught.value.code == code
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__!r}"
    assert not path.exists()


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring], ids=["none", "keeps nothing"])
@pytest.mark.usefixtures("drawer")
def test_without_a_keyring_nothing_is_kept(backend: type[KeyringBackend], path: Path) -> None:
    keyring.set_keyring(backend())
    with pytest.raises(StoreError) as caught:
        KeyringTokens(path).save(TOKENS)
    assert caught.value.code == "store_no_keyring"
    assert not path.exists()
