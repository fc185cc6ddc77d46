"""A Flask application behind gunicorn: loaded once, forked into three workers.

Whatever was opened before the fork (a connection, the store, keys) must not be shared by the
workers: the application uses its login once while it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving

WORKERS = 3
PEOPLE = 12

SOURCE = """
import os
from urllib.parse import parse_qsl, urlsplit

from flask import Flask

from codegrant import Client
from codegrant.web.flask import Login

app = Flask("shop", instance_path=os.environ["INSTANCE"])
client = Client(
    os.environ["ISSUER"],
    client_id="shop",
    client_secret=os.environ["SHOP_SECRET"],
    ca_file=os.environ["CA_FILE"],
)
login = Login(app, client)


@app.get("/profile")
@login.required
def profile():
    said = login.api.get(os.environ["ISSUER"] + "/userinfo").json()
    return {"sub": said["sub"], "same": said["sub"] == login.identity.subject, "pid": os.getpid()}


@app.get("/pid")
def pid():
    return {"pid": os.getpid()}


# The provider's metadata, a connection to it and the store, all before the fork.
with app.test_client() as browser:
    started = browser.get("/login")
    sent = dict(parse_qsl(urlsplit(started.location).query))
    denied = {"error": "access_denied", "state": sent["state"], "iss": os.environ["ISSUER"]}
    assert browser.get("/callback", query_string=denied).status_code == 403
assert os.path.exists(os.path.join(app.instance_path, "codegrant.db"))
"""


@pytest.fixture
def shop(
    server: Serving, tmp_path_factory: pytest.TempPathFactory, ca_file: str
) -> Iterator[WebProgram]:
    folder, port = tmp_path_factory.mktemp("shop"), free_port()
    redirect_uri = f"http://127.0.0.1:{port}/callback"
    registered = server.add_client("shop", redirect_uri=redirect_uri)
    Path(folder, "shop.py").write_text(SOURCE)
    environment = {
        "ISSUER": server.issuer,
        "SHOP_SECRET": registered["client_secret"],
        "CA_FILE": ca_file,
        "INSTANCE": str(folder / "instance"),
    }
    arguments = ("--preload", "--workers", str(WORKERS), "--threads", "2")
    with WebProgram.gunicorn("shop:app", folder, port, environment, *arguments) as shop:
        yield shop


def log_in(server: Serving, shop: WebProgram) -> tuple[Browser, str]:
    """Log in with a browser of its own and return it with what the profile says."""
    browser = Browser(server.issuer, shop.origin)
    page = browser.get(f"{shop.origin}/profile")
    if page.has("login-submit"):
        page = browser.log_in(page)
    if page.has("consent-allow"):
        page = browser.allow(page)
    assert page.status == 200, page.text
    return browser, page.text


def test_three_workers_of_one_preloaded_application_log_people_in(
    server: Serving, shop: WebProgram
) -> None:
    # Every request opens a connection of its own: whichever worker is free takes it.
    with ThreadPoolExecutor(PEOPLE) as pool:
        done = list(pool.map(lambda _: log_in(server, shop), range(PEOPLE)))
        assert all('"same":true' in said.replace(" ", "") for _, said in done)

        def pids(browser: Browser) -> set[str]:
            pages = [browser.get(f"{shop.origin}/profile") for _ in range(5)]
            assert {page.status for page in pages} == {200}
            return {page.text.partition('"pid":')[2].partition(",")[0] for page in pages}

        # Each of them is signed in at every worker.
        seen = set().union(*pool.map(pids, [browser for browser, _ in done]))
    assert len(seen) == WORKERS, shop.log
    assert "Traceback" not in shop.log
    assert "Warning" not in shop.log
