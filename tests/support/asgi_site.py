"""A Starlette or FastAPI application with a login, served for real on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastapi
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse

from codegrant import AsyncClient, Tokens
from codegrant.web import fastapi as for_fastapi
from codegrant.web import starlette as for_starlette
from tests.support.serving import Serving


class AsgiSite:
    """Shows a profile to who is signed in, as `FlaskSite` does; a context manager.

    Args:
        folder: where it keeps what it must remember.
        port: 0 for a free one.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder
        self.app = self.make_app()
        self.told: Callable[[Tokens], object] = lambda _: None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen()  # who comes before the server runs waits for it
        self.port: int = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(self.app, log_config=None, lifespan="off", access_log=False)
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._client: AsyncClient | None = None
        self.login: Any = None

    def make_app(self) -> Any:
        return Starlette()

    def make_login(self, client: AsyncClient, **arguments: Any) -> Any:
        return for_starlette.Login(self.app, client, folder=self.folder, **arguments)

    def register(self, server: Serving, client_id: str, **more: Any) -> AsyncClient:
        """Register this application at a server and return its client."""
        registered = server.add_client(client_id, redirect_uri=f"{self.origin}/callback")
        return AsyncClient(
            server.issuer, client_id=client_id, client_secret=registered["client_secret"], **more
        )

    def start(self, client: AsyncClient, **arguments: Any) -> Self:
        """Add the login and two views, and serve them."""
        login = self.login = self.make_login(client, **arguments)
        self._client = client

        async def home(request: Request) -> HTMLResponse:
            return HTMLResponse('<!doctype html><html lang="en"><title>Home</title><h1>Home</h1>')

        async def profile(request: Request) -> HTMLResponse:
            """Show who it is, as the server of the login itself says it."""
            identity = login.identity(request)
            said = (await login.api(request).get(f"{identity.issuer}/userinfo")).json()
            assert said["sub"] == identity.subject
            self.told(login.tokens(request))
            return HTMLResponse(
                f'<!doctype html><html lang="en"><p id="subject">{identity.subject}</p>'
                f'<p id="issuer">{identity.issuer}</p>'
                f'<p id="tab">{int(request.query_params.get("tab", "0"))}</p></html>'
            )

        self.app.router.add_route("/", home)
        self.app.router.add_route("/profile", login.required(profile))
        self._thread.start()
        return self

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        store = self.login._store
        if store is not None:
            store.close()

    def _serve(self) -> None:
        async def serve() -> None:
            await self._server.serve(sockets=[self._socket])
            if self._client is not None:
                await self._client.aclose()

        asyncio.run(serve())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self.close()
        else:
            self._socket.close()


class FastApiSite(AsgiSite):
    """The same in FastAPI."""

    def make_app(self) -> Any:
        return fastapi.FastAPI()

    def make_login(self, client: AsyncClient, **arguments: Any) -> Any:
        return for_fastapi.Login(self.app, client, folder=self.folder, **arguments)
