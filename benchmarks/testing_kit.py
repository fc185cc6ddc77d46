"""What a login costs in a test: with the testing kit, and at a server on a socket.

    .venv/bin/python -m benchmarks.testing_kit

Medians of 100, after 5 that do not count, alternating. A Flask and a Starlette application
with its sessions in memory, each through its test client, log a person in from start to
callback. At the kit's provider nobody types a password. At `codegrant serve`, which has its
database in a file, they do once (`password`), or have a session from before (`session`), which
leaves the way over the socket and the pages. `provider` is a new provider, up and down again.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import flask
from starlette.applications import Starlette
from starlette.testclient import TestClient

from codegrant import AsyncClient, Client, KeyRing
from codegrant.stores.sqlite import SqliteStore
from codegrant.testing import ProviderInProcess
from codegrant.web import flask as for_flask
from codegrant.web import starlette as for_starlette
from tests.support.browser import Browser
from tests.support.person import Person
from tests.support.serving import Serving

RUNS, WARM_UP = 100, 5
RING = KeyRing(["a key ring for benchmarks only, of 32 characters"])
HOME = "http://localhost"
REDIRECT_URI = f"{HOME}/callback"


def flask_browser(client: Client, store: SqliteStore) -> Callable[[], Any]:
    app = flask.Flask("app")
    for_flask.Login(app, client, store=store, key_ring=RING)
    return app.test_client


def starlette_browser(client: AsyncClient, store: SqliteStore) -> Callable[[], Any]:
    app = Starlette()
    for_starlette.Login(app, client, store=store, key_ring=RING)
    return lambda: TestClient(app, base_url=HOME)


def log_in_at(browser: Any, authorize: Callable[[str], str]) -> None:  # noqa: ANN401
    location = browser.get("/login").headers["location"]
    answer = browser.get(authorize(location))
    assert answer.status_code == 303, answer.status_code  # noqa: S101


def with_a_session(issuer: str) -> Callable[[str], str]:
    """Return how somebody who has logged in before passes the server's pages."""
    parts = urlsplit(issuer)
    browser = Browser(f"{parts.scheme}://{parts.netloc}")

    def authorize(url: str) -> str:
        page = browser.get(url)
        if page.has("login-submit"):
            page = browser.log_in(page, "alice", "wonderland")
        if page.has("consent-allow"):
            page = browser.submit(page, button="consent-allow")
        return page.location

    return authorize


def measure(works: dict[str, Callable[[], None]]) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(RUNS + WARM_UP):
        for name, work in works.items():
            begin = perf_counter()
            work()
            seconds[name].append(perf_counter() - begin)
    for name, taken in seconds.items():
        print(f"{name:32} {median(taken[WARM_UP:]) * 1000:7.2f} ms")


def open_and_close() -> None:
    with ProviderInProcess("https://another.test"):
        pass


def main() -> None:
    logging.disable(logging.CRITICAL)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(SqliteStore(":memory:"))
        # Its wire is up while it is its turn: else the server on the socket would be behind it.
        provider = ProviderInProcess()
        stack.callback(provider.close)
        kit: dict[str, Any] = {"client_id": "app", "client_secret": "a secret of benchmarks only"}
        sync_client, async_client = (
            Client(provider.issuer, **kit),
            AsyncClient(provider.issuer, **kit),
        )
        provider.register(sync_client, redirect_uri=REDIRECT_URI)

        server = stack.enter_context(Serving(folder).start())
        server.add_user()
        secret = server.add_client("app", redirect_uri=REDIRECT_URI)["client_secret"]
        real = Client(server.issuer, client_id="app", client_secret=secret)

        on_flask = flask_browser(sync_client, store)
        on_starlette = starlette_browser(async_client, store)
        at_server = flask_browser(real, store)
        known = with_a_session(server.issuer)

        def with_kit(make_browser: Callable[[], Any]) -> None:
            with provider.wire:
                provider.login_as(make_browser(), "alice")

        measure(
            {
                "kit, Flask": lambda: with_kit(on_flask),
                "kit, Starlette": lambda: with_kit(on_starlette),
                "kit, provider": open_and_close,
                "socket, Flask, session": lambda: log_in_at(at_server(), known),
                "socket, Flask, password": lambda: log_in_at(
                    at_server(), Person(server.issuer).authorize
                ),
            }
        )


if __name__ == "__main__":
    main()
