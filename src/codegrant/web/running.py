"""How uvicorn runs the authorization server, wherever it runs. Layer: web."""

from __future__ import annotations

from pathlib import Path

import uvicorn

from codegrant.web.asgi import AsgiApplication
from codegrant.web.http_protocol import BoundedProtocol

__all__ = ["uvicorn_config"]

_KEEP_ALIVE_SECONDS = 15
_DRAIN_SECONDS = 10
_MOST_CONNECTIONS = 1000


def uvicorn_config(
    app: AsgiApplication, *, tls_cert: Path | None = None, tls_key: Path | None = None
) -> uvicorn.Config:
    """Return what a `uvicorn.Server` of one process is made of.

    Args:
        app: a `ServerApp`, or an application around one.
        tls_cert: a certificate chain as PEM; without it plain HTTP.
        tls_key: its key.
    """
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=1,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )
