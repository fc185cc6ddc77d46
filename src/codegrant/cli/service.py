"""The authorization server as one process or several: prepared once, then served."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn
from urllib.parse import urlsplit

import uvicorn

from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.site import Site
from codegrant.cli.database import key_ring_of, open_store
from codegrant.cli.listening import check_listening, issuer_at
from codegrant.cli.logs import EventLines, log_to_stderr
from codegrant.cli.output import warn
from codegrant.cli.policy import policy_of
from codegrant.cli.settings import Settings
from codegrant.cli.supervisor import Supervisor
from codegrant.errors import ConfigurationError
from codegrant.flow import run
from codegrant.stores.bindings import bind_issuer, check_key_ring
from codegrant.stores.sqlite import SqliteStore
from codegrant.web.asgi import ServerApp
from codegrant.web.listening import bind, listen
from codegrant.web.performer import ServerPerformer
from codegrant.web.proxy import TrustedProxies
from codegrant.web.running import uvicorn_config

__all__ = ["serve"]

# A request makes a few hundred objects that die with it: by default every other one would
# have a collection look through the others' that are under way.
_YOUNG_OBJECTS = 10_000


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit status.

    Raises:
        ConfigurationError: a setting that is not allowed, or an address that is taken.
        StoreError: a database that cannot be served.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    log_to_stderr(logging.getLevelNamesMapping()[settings.log_level.upper()])
    check_listening(settings)
    policy_of(settings, issuer_at(settings, settings.port or 1))
    if settings.workers > 1 and os.name != "posix":
        raise ConfigurationError("workers: more than 1 is allowed on POSIX systems only")
    with bind(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        issuer = issuer_at(settings, port)
        if issuer.startswith("http://") and (urlsplit(issuer).port or 80) != port:
            warn(f"issuer: {issuer} is where browsers will look, while port {port} is listened on")
        announce = partial(print, f"codegrant: ready at {issuer}", flush=True)
        with open_store(settings) as store:
            site = _prepare(settings, store, issuer)
            listen(listener)
            # What exists by now stays: no collection needs to look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(_YOUNG_OBJECTS)
            if settings.workers == 1:
                return _serve(settings, site, store, listener, ready=announce)
        # The store is closed here and opens afresh in every process that is forked.
        work = partial(_work, settings, site, store, listener)
        return Supervisor(settings.workers, work, announce, listener.close).run()


def _prepare(settings: Settings, store: SqliteStore, issuer: str) -> Site:
    """Return the site, once the database is known to be this issuer's and opens."""
    ring = key_ring_of(settings, os.environ, store)
    check_key_ring(store, ring)
    if settings.issuer is not None:
        bind_issuer(store, issuer)
    site = Site.build(policy_of(settings, issuer), ring)
    performer = ServerPerformer(store, PasswordHasher())
    run(site.server.prepare(int(time.time())), performer.perform)
    return site


def _work(
    settings: Settings,
    site: Site,
    store: SqliteStore,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    lifeline: int,
) -> int:
    """Serve as one of several workers."""
    with store:
        return _serve(settings, site, store, listener, ready=ready, lifeline=lifeline)


def _serve(
    settings: Settings,
    site: Site,
    store: SqliteStore,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    lifeline: int | None = None,
) -> int:
    """Answer requests in this process until it is told to stop."""
    passwords = PasswordHasher()
    events = EventLines()
    performer = ServerPerformer(store, passwords, (events,))
    app = ServerApp(
        site.respond, performer.perform_async, proxies=TrustedProxies(settings.proxy.trusted)
    )
    config = uvicorn_config(app, tls_cert=settings.tls_cert, tls_key=settings.tls_key)
    server = _Server(config, ready, lifeline)
    # uvicorn raises a signal anew once it has drained: it must find somebody then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    try:
        server.run(sockets=[listener])
    finally:
        passwords.close()
        events.write()
    return 0


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers and stops when its supervisor is gone."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], lifeline: int | None
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._lifeline = lifeline

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and say so."""
        await super().startup(sockets=sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._stop)
        self._ready()

    def _stop(self) -> None:
        if self._lifeline is not None:
            asyncio.get_running_loop().remove_reader(self._lifeline)
        self.should_exit = True


def _leave(*_: object) -> NoReturn:
    """End a process that has not begun to serve."""
    sys.exit(0)
