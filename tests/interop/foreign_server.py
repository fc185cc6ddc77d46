"""What the tests ask of a foreign library in the role of the server."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.application import REDIRECT_URI, Authorizes
from tests.support.browser import Browser

METHODS = ("client_secret_basic", "client_secret_post", "none")
# RFC 6749 §2.3.1 has it form-encoded in Basic, which a generated one would not show.
AWKWARD_SECRET = "a:b%2B+/?&=~" + "s" * 32
# Who may introspect, and what is asked for there.
API_ID, API_SECRET = "api", "i" * 32
AUDIENCE = "https://api.example/opaque"
NAME, EMAIL = "Alice L", "alice@example.test"


class ForeignServer(Protocol):
    """A running server with a client named for each of `METHODS`, and alice.

    `visitor` returns somebody at its pages: alice, if they agree. After `rotate_keys` it signs
    with keys that nobody knew before.

    Attributes:
        secret: of the clients that have one.
        resource: the API to ask for; empty for a server that knows no RFC 8707.
        audience: what introspection says that the access tokens are for.
        spent: the error code for a refresh token that was rotated.
        tells_kinds: whether introspection tells an access token from a refresh token.
    """

    issuer: str
    secret: str
    resource: str
    audience: str
    spent: str
    tells_kinds: bool

    def visitor(self, *, denies: bool = False) -> Authorizes: ...

    def rotate_keys(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Visitor:
    """Somebody at a server's own pages, each time in a fresh browser.

    Args:
        button: what they press on a page that asks; empty for the one that is there.
    """

    issuer: str
    button: str = ""

    def authorize(self, url: str) -> str:
        browser = Browser(self.issuer, ours=False)
        page = browser.get(url)
        while page.status == 200:
            page = browser.submit(page, button=self.button)
        assert page.location.startswith(REDIRECT_URI), (page.status, page.text)
        return page.location


class Served:
    """A Flask application on a free loopback port."""

    def __init__(self, app: flask.Flask) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
