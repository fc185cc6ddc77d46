"""A real API over HTTP: Flask, `Protect` and a resource server in front of two views."""

from __future__ import annotations

import threading

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

from codegrant.resource import ResourceServer
from codegrant.web.flask import Protect


class ProtectedApi:
    """Answers `/profile` to tokens with the scope `read`, `/admin` to those with `admin`.

    Args:
        issuer: whose tokens it takes.
        audience: its own identifier.
    """

    def __init__(self, issuer: str, audience: str) -> None:
        self._resource_server = ResourceServer(issuer, audience)
        protect = Protect(self._resource_server)
        app = flask.Flask("api")

        def profile() -> dict[str, object]:
            token = protect.token
            return {
                "subject": token.subject,
                "client_id": token.client_id,
                "audience": list(token.audience),
                "scope": sorted(token.scope),
            }

        app.add_url_rule("/profile", "profile", protect.require("read")(profile))
        app.add_url_rule("/admin", "admin", protect.require("admin")(profile))
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._resource_server.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
