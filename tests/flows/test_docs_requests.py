"""The programs of `docs/client-authentication.md` and `docs/authorization-requests.md`, run."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegrant import Client, Secret
from codegrant.jose import PrivateKey
from tests.support.documents import ROOT, example
from tests.support.mock_provider import CLIENT_SECRET, Lie
from tests.support.other_grants import GrantsProvider
from tests.support.request_provider import PAR, RequestProvider

AUTHENTICATION = ROOT / "docs/client-authentication.md"
REQUESTS = ROOT / "docs/authorization-requests.md"


@pytest.fixture
def provider() -> Iterator[GrantsProvider]:
    provider = GrantsProvider()
    yield provider
    provider.close()


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Close the clients that a program makes; let it write to a folder of its own."""
    made: list[Client] = []
    truth = Client.__init__

    def note(self: Client, *given: Any, **more: Any) -> None:
        truth(self, *given, **more)
        made.append(self)

    monkeypatch.setattr(Client, "__init__", note)
    monkeypatch.chdir(tmp_path)
    yield
    for client in made:
        client.close()


def run(name: str, document: Path, issuer: str = "") -> dict[str, Any]:
    """Return what a program of a document has made, at a server on a port of its own."""
    text = example(name, document).text.replace("http://127.0.0.1:8080", issuer)
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    exec(text.replace("the secret of the client", CLIENT_SECRET), names)  # noqa: S102
    return names


def test_a_key_is_made_registered_and_used(
    provider: GrantsProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    run("make_key.py", AUTHENTICATION)
    (registered,) = json.loads(capsys.readouterr().out)["keys"]
    assert "d" not in registered
    assert stat.S_IMODE(Path("client.pem").stat().st_mode) == 0o600
    provider.client_jwk = registered
    provider.metadata = Lie({"token_endpoint_auth_methods_supported": ["private_key_jwt"]})
    tokens = run("with_key.py", AUTHENTICATION, provider.issuer)["tokens"]
    assert tokens.scope == {"reports.read"}
    ((header, claims),) = provider.assertions
    assert (header["alg"], claims["aud"]) == ("ES256", provider.issuer)


def test_the_tokens_are_for_the_api(provider: GrantsProvider) -> None:
    run("for_an_api.py", REQUESTS, provider.issuer)
    (sent,) = provider.sent("client_credentials")
    assert sent["resource"] == "https://api.example"


def test_a_request_is_signed() -> None:
    provider, key = RequestProvider(), PrivateKey.generate("ES256")
    provider.request_jwk = key.public.to_jwk()
    start = run("signed.py", REQUESTS, provider.issuer)["start"]
    for published, names in (
        ({}, ["client_id", "request_uri"]),
        ({PAR: None}, ["client_id", "response_type", "scope", "request"]),
    ):
        provider.describe(**published)
        login = start(Secret(key.to_pem().decode()), Secret(CLIENT_SECRET))
        assert [name for name, _ in parse_qsl(urlsplit(login.url).query)] == names
        provider.authorize(login.url)
    assert len(provider.objects) == 2
    provider.close()


def test_a_page_asks_for_a_stronger_login(provider: GrantsProvider) -> None:
    app = run("step_up.py", REQUESTS, provider.issuer)["app"]
    browser = app.test_client()
    base = "http://127.0.0.1:5000"

    def follow(location: str) -> dict[str, str]:
        started = browser.get(location, base_url=base)
        asked = dict(parse_qsl(urlsplit(started.location).query))
        callback = provider.authorize(started.location)
        assert browser.get(callback, base_url=base).location == "/transfer"
        return asked

    asked = follow(browser.get("/transfer", base_url=base).location)
    assert asked["ui_locales"] == "de en"
    assert "acr_values" not in asked
    link = browser.get("/transfer", base_url=base).location
    assert link == "/login?return_to=%2Ftransfer&ask=strong"
    provider.claims = Lie({"acr": "phr"})
    asked = follow(link)
    assert (asked["acr_values"], asked["max_age"]) == ("phr", "300")
    assert browser.get("/transfer", base_url=base).text == "How much?"
    app.extensions["codegrant.login"]["store"].close()
