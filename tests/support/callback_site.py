"""A website on `localhost` that sends people to log in and takes the callback."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class CallbackSite:
    """Serves `/start` with a link and a form to an authorization endpoint, and `/callback`.

    It is on another site than a server on 127.0.0.1, since browsers compare host names.

    Attributes:
        callbacks: the address of each callback, in order.
    """

    def __init__(self) -> None:
        self.callbacks: list[str] = []
        self.link = ""
        self.form: tuple[str, Sequence[tuple[str, str]]] = ("", ())
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A browser that goes elsewhere meanwhile hangs up.
                with suppress(ConnectionError):
                    site.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self._server.server_port}"
        self.redirect_uri = f"{self.origin}/callback"

    @property
    def start(self) -> str:
        return f"{self.origin}/start"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if path == "/callback":
            self.callbacks.append(f"{self.origin}{handler.path}")
            text = '<p id="done">Back at the application</p>'
        elif path == "/start":
            action, fields = self.form
            inputs = "".join(
                f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
                for name, value in fields
            )
            text = (
                f'<a id="by-get" href="{escape(self.link)}">Log in</a>'
                f'<form method="post" action="{escape(action)}">{inputs}'
                '<button id="by-post">Log in</button></form>'
            )
        else:
            handler.send_error(404)
            return
        icon = '<link rel="icon" href="data:,">'
        body = f"<!DOCTYPE html><title>Application</title>{icon}{text}".encode()
        handler.send_response(200)
        handler.send_header("content-type", "text/html; charset=utf-8")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
