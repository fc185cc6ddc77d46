"""`web.starlette.Login`: what only it has. What all logins share is in `test_every_login`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from codegrant import AsyncClient, Client, ConfigurationError, StoreError, UsageError
from codegrant.client.memory import MemoryTokenStore
from codegrant.web.login_setup import state_folder
from codegrant.web.starlette import Login
from tests.support.login_sites import BASE, Reply, SiteBrowser, StarletteLogin, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned

ISSUER = "https://issuer.example"
SOCKETS = BASE.replace("http", "ws")


@pytest.fixture
def client(provider: MockProvider, certificate: SelfSigned) -> AsyncClient:
    client = client_for("starlette", provider, ca_file=str(certificate.file))
    assert isinstance(client, AsyncClient)
    return client


@pytest.fixture
def site(client: AsyncClient, tmp_path: Path) -> Iterator[StarletteLogin]:
    site = StarletteLogin(tmp_path / "data", client, store=MemoryTokenStore())
    yield site
    site.close()


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="an empty mapping"),
        pytest.param(ISSUER, id="a text"),
        pytest.param(Client(ISSUER, client_id="app"), id="one for threads"),
        pytest.param({"a": Client(ISSUER, client_id="app")}, id="one for threads in a mapping"),
    ],
)
def test_what_is_no_asynchronous_client_is_refused(client: Any) -> None:
    with pytest.raises(UsageError, match=r"^client: .* needed"):
        Login(Starlette(), client)


def test_a_secret_that_is_too_short_is_told_when_the_application_starts(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEGRANT_SECRET", "short")
    with pytest.raises(ConfigurationError, match="5 characters"):
        Login(Starlette(), client)


def test_the_addresses_have_names(site: StarletteLogin) -> None:
    for name in ("login", "callback", "logout"):
        assert site.app.url_path_for(f"codegrant.{name}") == f"/{name}"


def test_an_application_has_one_login(site: StarletteLogin, client: AsyncClient) -> None:
    with pytest.raises(ConfigurationError, match="a Login already") as told:
        Login(site.app, client, login_path="/a", callback_path="/b", logout_path="/c")
    assert told.value.hint
    assert "several providers" in told.value.hint
    site.app.router.routes.append(Mount("/sub", sub := Starlette()))
    Login(sub, client)


def test_a_websocket_of_nobodys_is_refused(site: StarletteLogin, provider: MockProvider) -> None:
    @site.login.required
    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(site.login.identity(websocket).subject)

    async def call(websocket: WebSocket) -> None:
        if "trouble" in websocket.query_params:
            raise StoreError("the disk is full")
        await site.login.current(websocket)
        site.login.api(websocket)

    site.app.router.routes.extend([WebSocketRoute("/greet", greet), WebSocketRoute("/call", call)])
    visitor = TestClient(site.app)
    for path, code in (("/greet", 1008), ("/call", 1008), ("/call?trouble", 1011)):
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            visitor.websocket_connect(f"{SOCKETS}{path}"),
        ):
            pass
        assert refused.value.code == code
    browser = SiteBrowser(site)
    browser.log_in(provider)
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with visitor.websocket_connect(f"{SOCKETS}/greet", headers={"Cookie": cookies}) as known:
        assert known.receive_text() == "person-1"


def test_a_route_for_every_path_does_not_hide_the_login(
    client: AsyncClient, site: StarletteLogin
) -> None:
    async def anything(_: Request) -> Response:
        return PlainTextResponse("anything")

    app = Starlette(routes=[Route("/{path:path}", anything)])
    site.login = Login(client=client, store=MemoryTokenStore())
    site.login.init_app(app)
    site.app = app
    browser = SiteBrowser(site)
    assert browser.get("/login").status == 303
    assert browser.get("/other").text == "anything"


def test_endpoints_of_a_class_and_below_a_mount_are_guarded(
    client: AsyncClient, site: StarletteLogin, provider: MockProvider
) -> None:
    login = site.login

    class Inside(HTTPEndpoint):
        @login.required
        async def get(self, request: Request) -> Response:
            return PlainTextResponse(login.identity(request).subject)

    site.app.router.routes.append(Mount("/sub", routes=[Route("/inside", Inside)]))
    browser = SiteBrowser(site)
    asked = browser.get("/sub/inside")
    assert asked.location == "/login?return_to=%2Fsub%2Finside"
    assert browser.log_in(provider, asked.location).location == "/sub/inside"
    assert browser.get("/sub/inside").text == "person-1"


def test_who_is_signed_in_is_not_handed_to_an_application_inside(
    client: AsyncClient, site: StarletteLogin, provider: MockProvider, tmp_path: Path
) -> None:
    inner = StarletteLogin(tmp_path / "inner", client, store=MemoryTokenStore())
    site.app.router.routes.append(Mount("/inside", app=inner.app))
    browser = SiteBrowser(site)
    browser.log_in(provider)
    assert browser.who() == "person-1"
    assert browser.get("/inside/").json == {"subject": None}
    assert browser.get("/inside/profile").location == (
        "/inside/login?return_to=%2Finside%2Fprofile"
    )
    inner.close()


def test_what_was_not_looked_up_is_a_fault_of_the_program(site: StarletteLogin) -> None:
    said: list[str] = []

    @site.login.required
    async def without_request() -> Response:
        raise AssertionError

    async def careless(request: Request) -> Response:
        for ask in (site.login.tokens, site.login.identity, site.login.api):
            with pytest.raises(UsageError, match="not known yet"):
                ask(request)
        with pytest.raises(UsageError, match="does not take the request"):
            await without_request()
        elsewhere = Login(Starlette(), AsyncClient(ISSUER, client_id="app"))
        with pytest.raises(UsageError, match="did not come through"):
            await elsewhere.current(request)
        said.append(site.login.url(request, "/a?b=c"))
        said.append(site.login.url(request, "//evil.example"))
        return Response()

    site.app.router.routes.append(Route("/careless", careless))
    assert SiteBrowser(site).get("/careless").status == 200
    assert said == ["/login?return_to=%2Fa%3Fb%3Dc", "/login"]


def test_one_login_serves_one_event_loop_after_another(
    site: StarletteLogin, provider: MockProvider
) -> None:
    browser = SiteBrowser(site)

    async def ask(url: str) -> Reply:
        sent = {"Cookie": "; ".join(f"{n}={v}" for n, v in browser.cookies.items())}
        reply = await site.answer("GET", url, sent if browser.cookies else {}, b"", "")
        await site._clients[0].aclose()
        return reply

    callback = browser.start(provider, "/login?return_to=/profile")
    answer = asyncio.run(ask(callback))  # another loop than the one where the login began
    assert (answer.status, answer.location) == (303, "/profile")
    again = browser.get(callback)
    assert again.location == "/profile"
    assert browser.get("/profile").json["subject"] == "person-1"
    assert asyncio.run(ask(f"{BASE}/profile")).json["subject"] == "person-1"
    assert provider.count("/token") == 1


def test_without_a_folder_the_sessions_are_in_the_platforms_own(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = Login(Starlette(), client)._data_folder()
    assert found.parent == tmp_path / "codegrant"
    assert found == Login(Starlette(), client)._data_folder()
    other = AsyncClient(ISSUER, client_id="another")
    assert Login(Starlette(), other)._data_folder() != found
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert state_folder({}).parent == tmp_path / "home/.local/state/codegrant"
    monkeypatch.setattr("sys.platform", "darwin")
    assert state_folder({}).parent == tmp_path / "home/Library/Application Support/codegrant"
    assert list(tmp_path.iterdir()) == []
