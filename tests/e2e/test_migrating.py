"""The programs of the migration guides, theirs and ours, at one provider on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import mock_provider
from tests.support.documents import ROOT, read_examples
from tests.support.mock_provider import CLIENT_ID, MockProvider

# Without the characters that Authlib does not encode as RFC 6749 §2.3.1 wants it.
CLIENT_SECRET = "s" * 40
GUIDES = ROOT / "docs" / "migrating"


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture(autouse=True)
def surroundings(provider: MockProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mock_provider, "CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("ISSUER", provider.issuer)
    monkeypatch.setenv("CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@contextmanager
def running(guide: str, name: str) -> Iterator[Flask]:
    """Run a program of a guide, and yield its application."""
    (program,) = (one for one in read_examples(GUIDES / guide) if one.name == name)
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    exec(compile(program.text, name, "exec"), names)  # noqa: S102 - the documentation
    yield names["app"]
    if "client" in names:
        names["client"].close()


def log_in(app: Flask, provider: MockProvider) -> tuple[FlaskClient, str]:
    """Return the browser of a person who has come back from the provider, and the callback."""
    browser = app.test_client()
    answer = browser.get("/profile")
    while not answer.location.startswith(provider.issuer):
        answer = browser.get(answer.location)
    callback = provider.authorize(answer.location)
    answer = browser.get(callback)
    assert answer.status_code in {302, 303}, answer.text
    assert answer.location.endswith("/profile")
    return browser, callback


@pytest.mark.parametrize("name", ["authlib_login.py", "codegrant_login.py"])
def test_the_login_of_authlib_and_ours_say_who_it_is(name: str, provider: MockProvider) -> None:
    with running("authlib.md", name) as app:
        browser, _ = log_in(app, provider)
        assert browser.get("/profile").json == {"sub": provider.subject}
    assert provider.count("/token") == 1


def test_a_callback_that_is_loaded_again_is_no_error_of_ours(provider: MockProvider) -> None:
    with running("authlib.md", "authlib_login.py") as app:
        browser, callback = log_in(app, provider)
        assert browser.get(callback).status_code == 500
    with running("authlib.md", "codegrant_login.py") as app:
        browser, callback = log_in(app, provider)
        again = browser.get(callback)
        assert (again.status_code, again.location) == (303, "/profile")
    assert provider.count("/token") == 2
