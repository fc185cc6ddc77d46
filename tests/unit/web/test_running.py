"""How uvicorn runs the server: bounded, silent about addresses, believing no header."""

from __future__ import annotations

from codegrant.web.asgi import AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.http_protocol import BoundedProtocol
from codegrant.web.running import uvicorn_config


async def app(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
    raise AssertionError("nobody asks")


def test_the_server_is_bounded_and_tells_nothing_of_itself_or_of_addresses() -> None:
    config = uvicorn_config(app)
    assert config.http is BoundedProtocol
    assert config.limit_concurrency == 1000
    assert not config.access_log  # addresses hold codes
    assert not config.proxy_headers  # `web.proxy` judges them
    assert not config.server_header
    assert not config.is_ssl
