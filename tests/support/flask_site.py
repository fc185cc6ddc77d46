"""A Flask application with a login, served for real on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

from codegrant import Client
from codegrant.web.flask import Login
from tests.support.relying_party import free_port
from tests.support.serving import Serving


class AsyncFlask(flask.Flask):
    """Runs asynchronous views without another package."""

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))


class FlaskSite:
    """Shows a profile to who is signed in; a context manager.

    Args:
        folder: where it keeps what it must remember.
        port: 0 for a free one.
        host: under which browsers reach it.
    """

    def __init__(self, folder: Path, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.app = flask.Flask("site", instance_path=str(folder))
        self._server = make_server(
            "127.0.0.1", port, self.app, threaded=True, request_handler=_Quiet
        )
        self.port = self._server.server_port
        self.origin = f"http://{host}:{self.port}"
        self.clients: dict[str, Client] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def register(self, server: Serving, client_id: str, *, name: str = "", **more: Any) -> Client:
        """Register this application at a server and return its client."""
        registered = server.add_client(
            client_id, redirect_uri=f"{self.origin}/callback{f'/{name}' if name else ''}"
        )
        return Client(
            server.issuer,
            client_id=client_id,
            client_secret=registered["client_secret"],
            **more,
        )

    def start(self, clients: Client | Mapping[str, Client], **arguments: Any) -> Self:
        """Add the login and two views, and serve them."""
        login = self.login = Login(self.app, clients, **arguments)
        self.clients = dict(clients) if isinstance(clients, Mapping) else {"default": clients}

        @self.app.get("/")
        def home() -> str:
            return (
                '<!doctype html><html lang="en"><title>Home</title><main><h1>Home</h1>'
                '<a id="sign-in" href="/profile">Profile</a> '
                '<a id="sign-out" href="/logout">Sign out</a></main>'
            )

        @self.app.get("/profile")
        @login.required
        def profile() -> str:
            """Show who it is, as the server of the login itself says it."""
            client = self.clients[login.current.provider] if login.current else None
            assert client is not None
            said = login.api.get(f"{login.identity.issuer}/userinfo").json()
            assert said["sub"] == login.identity.subject
            return (
                '<!doctype html><html lang="en"><title>Profile</title><main><h1>Profile</h1>'
                f'<p id="subject">{login.identity.subject}</p>'
                f'<p id="issuer">{login.identity.issuer}</p>'
                f'<p id="tab">{int(flask.request.args.get("tab", "0"))}</p></main>'
            )

        self._thread.start()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        store = self.app.extensions.get("codegrant.login", {}).get("store")
        if store is not None:
            store.close()
        for client in self.clients.values():
            client.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

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
            self._server.server_close()


class Side(NamedTuple):
    """One application and the server where its people log in."""

    server: Serving
    site: FlaskSite
    subject: str


@contextmanager
def side_by_side(folder: Path, ca_file: str) -> Iterator[list[Side]]:
    """Run two applications and two servers on one host; issuers and client ids look alike."""
    with ExitStack() as stack:
        sides: list[Side] = []
        for path in ("one", "two"):
            own, port = folder / path, free_port()
            own.mkdir()
            server = Serving(own, "--issuer", f"http://127.0.0.1:{port}/{path}", port=port)
            stack.enter_context(server.start())
            site = stack.enter_context(FlaskSite(own / "site"))
            site.start(site.register(server, "app", ca_file=ca_file))
            sides.append(Side(server, site, server.add_user()))
        yield sides


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
