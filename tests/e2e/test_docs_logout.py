"""The programs of `docs/logout.md` and `docs/form-post.md`, at a provider that can do both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.support.documents import ROOT, example
from tests.support.login_sites import BASE, FORM, FlaskLogin, SiteBrowser
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, Lie, MockProvider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockProvider]:
    provider = MockProvider()
    provider.metadata = Lie({"end_session_endpoint": f"{provider.issuer}/end-session"})
    monkeypatch.setenv("ISSUER", provider.issuer)
    monkeypatch.setenv("CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)
    yield provider
    provider.close()


def run_program(name: str, page: str) -> dict[str, Any]:
    program = example(name, ROOT / "docs" / page)
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    exec(compile(program.text, name, "exec"), names)  # noqa: S102 - the documentation
    return names


def test_signing_out_leads_to_the_provider_and_back_and_a_logout_token_ends_a_session(
    provider: MockProvider, tmp_path: Path
) -> None:
    names = run_program("logout_at_provider.py", "logout.md")
    names["app"].instance_path = str(tmp_path)
    site = FlaskLogin.__new__(FlaskLogin)
    site.app, site.login = names["app"], names["login"]
    browser = SiteBrowser(site)
    browser.log_in(provider)
    assert browser.get("/").text == "person-1"
    left = browser.post("/logout").location
    assert left.startswith(f"{provider.issuer}/end-session?")
    state = dict(parse_qsl(urlsplit(left).query))["state"]
    assert browser.get(f"/logout/done?{urlencode({'state': state})}").location == "/"
    browser.log_in(provider)
    body = urlencode({"logout_token": provider.logout_token()}).encode()
    assert SiteBrowser(site).post("/logout/backchannel", FORM, body).status == 200
    assert browser.get("/").text == "nobody"
    site.close()
    names["login"]._clients["default"].close()


def test_the_client_asks_for_a_form(provider: MockProvider) -> None:
    client = run_program("form_post.py", "form-post.md")["client"]
    url = client.start_login(redirect_uri=f"{BASE}/callback").url
    assert dict(parse_qsl(urlsplit(url).query))["response_mode"] == "form_post"
    client.close()
