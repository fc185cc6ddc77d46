"""The examples of docs/tokens.md about stores, run against a provider and real servers."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from codegrant.stores.postgres import PostgresTokens
from codegrant.stores.valkey import ValkeyTokens
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.documents import ROOT, example
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, MockProvider
from tests.support.token_stores import TokenPlace

PAGE = ROOT / "docs" / "tokens.md"
# The address that Starlette's test client logs holds the code of the callback.
pytestmark = pytest.mark.not_watched("the test client logs the callback")

SECRET = "a secret of at least 32 characters"


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODEGRANT_SECRET", SECRET)
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("HOME", str(tmp_path))


def run(name: str, provider: MockProvider, folder: Path) -> dict[str, Any]:
    """Return the names of an example, at another provider and with its client."""
    file = example(name, PAGE).write(folder)
    text = file.read_text(encoding="utf-8").replace("http://127.0.0.1:8080", provider.issuer)
    known = f'client_id="{CLIENT_ID}", client_secret="{CLIENT_SECRET}"'
    file.write_text(text.replace('client_id="app"', known), encoding="utf-8")
    return runpy.run_path(str(file))


@pytest.fixture
def tokens(provider: MockProvider) -> Iterator[Any]:
    colour = Colour("sync")
    app = Application(
        colour, provider, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope="openid profile"
    )
    yield app.log_in(provider)
    app.close()


@pytest.mark.needs("postgres")
def test_a_login_of_flask_in_postgresql(
    provider: MockProvider,
    services: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    monkeypatch.setenv("DATABASE_URL", services["postgres"])
    monkeypatch.setattr(PostgresTokens.__init__, "__kwdefaults__", _elsewhere("schema", place))
    names = run("shared_store.py", provider, tmp_path)
    browser = names["app"].test_client()
    started = browser.get("/login?return_to=/there", base_url="http://127.0.0.1:5000")
    back = browser.get(provider.authorize(started.location), base_url="http://127.0.0.1:5000")
    assert (back.status_code, back.location) == (303, "/there")
    assert place.count("logins") == 1
    names["login"]._store.close()
    names["client"].close()
    place.close()


@pytest.mark.needs("redis")
def test_a_login_of_starlette_in_valkey_connects_with_the_first_request(
    provider: MockProvider,
    services: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from starlette.testclient import TestClient

    place = TokenPlace("Valkey", tmp_path, services)
    monkeypatch.setenv("VALKEY_URL", services["redis"])
    monkeypatch.setattr(ValkeyTokens.__init__, "__kwdefaults__", _elsewhere("prefix", place))
    names = run("shared_cache.py", provider, tmp_path)
    with TestClient(names["app"], "http://127.0.0.1:5000", follow_redirects=False) as browser:
        started = browser.get("/login?return_to=/there")
        back = browser.get(provider.authorize(started.headers["location"]))
        assert (back.status_code, back.headers["location"]) == (303, "/there")
        assert place.count("logins") == 1
        assert browser.portal is not None
        browser.portal.call(names["login"]._store.aclose)
        browser.portal.call(names["client"].aclose)
    place.close()


@pytest.mark.needs("postgres")
def test_a_job_finds_its_login_by_name(
    provider: MockProvider,
    services: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tokens: Any,
) -> None:
    place = TokenPlace("PostgreSQL", tmp_path, services)
    monkeypatch.setenv("DATABASE_URL", services["postgres"])
    monkeypatch.setattr(PostgresTokens.__init__, "__kwdefaults__", _elsewhere("schema", place))
    names = run("nightly_report.py", provider, tmp_path)
    names["after_the_login"](tokens)
    assert "person-1" in names["report"]()
    assert place.count("logins") == 1
    names["store"].close()
    names["client"].close()
    place.close()


class Drawer(KeyringBackend):
    """A keyring of this process."""

    priority: Any = 1.0

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[username] = password


def test_a_script_with_its_key_in_the_keyring(
    provider: MockProvider, tmp_path: Path, tokens: Any
) -> None:
    before, drawer = keyring.get_keyring(), Drawer()
    keyring.set_keyring(drawer)
    try:
        names = run("in_the_keyring.py", provider, tmp_path)
        names["saved"].save(tokens)
        assert "person-1" in names["who_am_i"]()
        assert (tmp_path / ".local/state/example-tool/login").exists()
        assert len(drawer.kept) == 1
        names["client"].close()
    finally:
        keyring.set_keyring(before)


def _elsewhere(name: str, place: TokenPlace) -> dict[str, Any]:
    """Return the defaults of a store's arguments, with a place for this test alone."""
    kind: Any = PostgresTokens if name == "schema" else ValkeyTokens
    return {**kind.__init__.__kwdefaults__, name: place.name}
