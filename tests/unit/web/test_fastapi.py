"""`web.fastapi.Login`: what only it has. What all logins share is in `test_every_login`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient

from codegrant import AsyncClient
from codegrant.client.memory import MemoryTokenStore
from codegrant.web.fastapi import SignedIn
from tests.support.login_sites import BASE, FastApiLogin, SiteBrowser, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned

CLIENT = ("https://issuer.example", "app")
SOCKETS = BASE.replace("http", "ws")


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[FastApiLogin]]:
    client = AsyncClient(CLIENT[0], client_id=CLIENT[1])
    made = [
        FastApiLogin(tmp_path, client, store=MemoryTokenStore(), public_url=public_url)
        for public_url in (None, "https://app.example", "http://localhost:8000")
    ]
    yield made
    for site in made:
        site.close()


def test_the_document_of_the_api_names_the_session_and_fetches_nothing(
    sites: list[FastApiLogin],
) -> None:
    prefixes = ("cg-app", "__Host-cg-app-", "cg-app-")
    for site, prefix in zip(sites, prefixes, strict=True):
        document = site.app.openapi()
        scheme = document["components"]["securitySchemes"]["Login"]
        assert (scheme["type"], scheme["in"]) == ("apiKey", "cookie")
        assert scheme["name"].startswith(prefix)
        assert document["paths"]["/profile"]["get"]["security"] == [{"Login": []}]
        assert "security" not in document["paths"]["/for-all"]["get"]
        assert not {"/login", "/callback", "/logout"} & set(document["paths"])


def test_the_named_cookie_is_the_one_that_counts(sites: list[FastApiLogin]) -> None:
    named = sites[1].app.openapi()["components"]["securitySchemes"]["Login"]["name"]
    browser = SiteBrowser(sites[1])
    browser.cookies[named] = "no-session"
    answer = browser.post("/logout", {"Sec-Fetch-Site": "same-origin"})
    assert answer.headers.get("set-cookie").startswith(f"{named}=;")


def test_a_websocket_depends_on_the_login_as_well(
    provider: MockProvider, certificate: SelfSigned, tmp_path: Path
) -> None:
    client = client_for("fastapi", provider, ca_file=str(certificate.file))
    site = FastApiLogin(tmp_path, client, store=MemoryTokenStore())

    @site.app.websocket("/greet")
    async def greet(websocket: WebSocket, user: Annotated[SignedIn, Depends(site.login)]) -> None:
        await websocket.accept()
        await websocket.send_text(user.identity.subject)

    visitor = TestClient(site.app)
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect(f"{SOCKETS}/greet"):
        pass
    browser = SiteBrowser(site)
    browser.log_in(provider)
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with visitor.websocket_connect(f"{SOCKETS}/greet", headers={"Cookie": cookies}) as known:
        assert known.receive_text() == "person-1"
    site.close()


def test_a_script_is_told_and_a_page_is_sent_to_log_in(sites: list[FastApiLogin]) -> None:
    browser = SiteBrowser(sites[0])
    assert browser.get("/profile", {"Sec-Fetch-Mode": "cors"}).status == 401
    assert browser.get("/profile").location == "/login?return_to=%2Fprofile"
