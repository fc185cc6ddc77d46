"""A party as a server in a thread: it answers before the `with` begins, and is gone after it.

Layer: demo.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from socket import socket
from threading import Event, Thread
from typing import TYPE_CHECKING

import uvicorn
from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from codegrant.errors import TransportError
from codegrant.web.asgi import AsgiApplication
from codegrant.web.failures import trail_of
from codegrant.web.running import uvicorn_config

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication

    _ExcInfo = tuple[type, BaseException, TracebackType] | tuple[None, None, None]

__all__ = ["QuietFlask", "run_asgi", "run_wsgi"]


class QuietFlask(Flask):
    """Flask, whose failures are one line of the log."""

    def log_exception(self, exc_info: _ExcInfo) -> None:
        """Say where it failed; the values in a traceback may be secrets."""
        error = exc_info[1]
        self.logger.error("a page failed: %s", "" if error is None else trail_of(error))


@contextmanager
def run_asgi(app: AsgiApplication, listener: socket) -> Generator[None, None, None]:
    """Run an ASGI application as `codegrant serve` does, in a thread.

    Args:
        app: the application.
        listener: listens already.

    Raises:
        TransportError: it did not start.
    """
    server = _Server(uvicorn_config(app))
    thread = Thread(target=server.run_until_told, args=(listener,), name="codegrant-demo-server")
    thread.start()
    try:
        server.has_begun.wait()
        if not server.started:
            raise TransportError("the authorization server did not start", code="demo_failed")
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_begun = Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start to answer, and say so."""
        await super().startup(sockets=sockets)
        self.has_begun.set()

    def run_until_told(self, listener: socket) -> None:
        """Serve until `should_exit`."""
        try:
            self.run(sockets=[listener])
        finally:
            self.has_begun.set()


@contextmanager
def run_wsgi(app: WSGIApplication, listener: socket) -> Generator[None, None, None]:
    """Run a WSGI application in threads.

    Args:
        app: the application.
        listener: listens already.
    """
    host, port = listener.getsockname()[:2]
    server = _WsgiServer(host, port, app, _SilentHandler, fd=listener.fileno())
    thread = Thread(target=server.serve_forever, args=(0.05,), name="codegrant-demo-application")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _WsgiServer(ThreadedWSGIServer):
    """Werkzeug's server, whose connections do not keep the demo from ending."""

    daemon_threads = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Log errors only."""
        logging.getLogger("codegrant.demo").log(_LEVELS.get(type, logging.DEBUG), message, *args)


_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


class _SilentHandler(WSGIRequestHandler):
    """Werkzeug's handler without a line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Log nothing: addresses hold codes."""
