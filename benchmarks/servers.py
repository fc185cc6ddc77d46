"""The servers that are measured: started on one core, stopped at the end whatever happens.

Each is a program of its own whose first line on stdout says that it answers. The floor and
the peers say in that line, as JSON, how to use them; `codegrant serve` is set up through its
command line, as an operator would.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from benchmarks.driver import OFFLINE, Pkce, Target
from tests.support.browser import Browser

__all__ = [
    "PASSWORD",
    "SERVERS",
    "Running",
    "authorization_url",
    "cores",
    "pinned",
    "start_codegrant",
    "started",
]

HERE = Path(__file__).parent
ROOT = HERE.parent
PASSWORD = "wonderland"
_PATIENCE = 10


class Running(NamedTuple):
    """A server that answers, and its process."""

    target: Target
    pid: int


def cores() -> tuple[int, int]:
    """Return the cores of the servers and of the driver; the same one where there is but one."""
    if not hasattr(os, "sched_getaffinity"):
        return 0, 0
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on one core, and let every process that is started meanwhile inherit it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(*command: str, folder: Path, at: Path = ROOT) -> Iterator[tuple[str, int]]:
    """Run a server on the servers' core; its first line and its process id.

    Args:
        command: the program.
        folder: where its errors and logs go.
        at: where it runs.
    """
    log_file = folder / "stderr.log"
    with pinned(cores()[0]), log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=at,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C reaches the driver alone, which stops the servers in order.
            start_new_session=True,
        )
    assert process.stdin is not None  # noqa: S101 - pipes were asked for
    assert process.stdout is not None  # noqa: S101
    try:
        line = process.stdout.readline()
        if not line:
            process.wait(_PATIENCE)
            raise SystemExit(f"{' '.join(command)} did not start:\n{log_file.read_text()}")
        yield line, process.pid
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


@contextmanager
def start_codegrant(folder: Path) -> Iterator[Running]:
    """Start `codegrant serve` with its defaults, a person and a client that they agreed to."""
    python = (sys.executable, "-m", "codegrant")

    def run(*arguments: str, stdin: str = "") -> Any:  # noqa: ANN401 - JSON
        done = subprocess.run(
            [*python, *arguments],
            cwd=folder,
            input=stdin,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        return json.loads(done.stdout)

    redirect_uri = "https://app.example/callback"
    email = ("--email", "alice@example.test", "--name", "Alice L")
    run("users", "add", "alice", *email, "--password-stdin", stdin=f"{PASSWORD}\n")
    client = run(
        *("clients", "add", "bench", "--redirect-uri", redirect_uri, "--id-token-alg", "ES256"),
        *("--grant", "authorization_code", "--grant", "refresh_token", "--scope", OFFLINE),
    )
    command = (*python, "serve", "--port", "0")
    with started(*command, folder=folder, at=folder) as (line, pid):
        issuer = line.removeprefix("codegrant: ready at ").strip()
        described = {**client, "issuer": issuer, "redirect_uri": redirect_uri, "cookie": ""}
        yield Running(_log_in_ours(_target("codegrant", described)), pid)


@contextmanager
def start_floor(folder: Path) -> Iterator[Running]:
    """Start the floor."""
    command = (sys.executable, "-m", "benchmarks.floor", str(folder))
    with started(*command, folder=folder) as (line, pid):
        yield Running(_target("floor", json.loads(line)), pid)


@contextmanager
def start_oidc_provider(folder: Path) -> Iterator[Running]:
    """Start oidc-provider of the interop tests' packages, which keeps all in memory."""
    node = shutil.which("node")
    if node is None or not (ROOT / "tests/interop/node_modules/oidc-provider").is_dir():
        raise SystemExit("oidc-provider: Node.js and its packages are missing, see scripts/bench")
    with started(node, str(HERE / "peers/oidc_provider.mjs"), folder=folder) as (line, pid):
        described = {**json.loads(line), "cookie": ""}
        yield Running(_log_in_there(_target("oidc-provider", described)), pid)


@contextmanager
def start_authlib(folder: Path) -> Iterator[Running]:
    """Start Authlib with Flask, gunicorn and SQLite."""
    command = (sys.executable, "-m", "benchmarks.peers.authlib_server", str(folder))
    with started(*command, folder=folder) as (line, pid):
        yield Running(_target("Authlib", json.loads(line)), pid)


SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "codegrant": start_codegrant,
    "floor": start_floor,
    "oidc-provider": start_oidc_provider,
    "Authlib": start_authlib,
}
"""Each takes an empty folder and is a context manager of a `Running`."""


def _environment() -> dict[str, str]:
    """Return this process's environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if "CODEGRANT" not in name}


def _target(name: str, described: Mapping[str, str]) -> Target:
    return Target(
        name=name,
        issuer=described["issuer"],
        client_id=described["client_id"],
        client_secret=described["client_secret"],
        redirect_uri=described["redirect_uri"],
        cookie=described["cookie"],
        offline_scope=described.get("offline_scope", OFFLINE),
    )


def _log_in_ours(target: Target) -> Target:
    """Log alice in and let her agree; return the target with the cookies of her browser."""
    browser = Browser(target.issuer)
    url = _url_of(target, "/authorize")
    page = browser.allow(browser.log_in(browser.get(url), password=PASSWORD))
    return _with_cookies(target, browser, page.location)


def _log_in_there(target: Target) -> Target:
    """Log in through the pages that oidc-provider has for development."""
    browser = Browser(target.issuer)
    page = browser.get(_url_of(target, "/auth"))
    while page.status == 200:
        asked = {name for name, _ in page.form.fields}
        typed = {"login": "alice", "password": "any"} if "login" in asked else {}
        page = browser.submit(page, typed)
    return _with_cookies(target, browser, page.location)


def _url_of(target: Target, path: str) -> str:
    return authorization_url(
        issuer=target.issuer,
        client_id=target.client_id,
        redirect_uri=target.redirect_uri,
        path=path,
        scope=target.offline_scope,
    )


def _with_cookies(target: Target, browser: Browser, location: str) -> Target:
    """Return the target with what a browser holds whose login came to its end."""
    if not location.startswith(target.redirect_uri):
        raise SystemExit(f"{target.name}: the login ended at {location!r}")
    cookies = browser.cookies[urlsplit(target.issuer).hostname or ""]
    return replace(target, cookie="; ".join(f"{name}={value}" for name, value in cookies.items()))


def authorization_url(
    *,
    issuer: str,
    client_id: str,
    redirect_uri: str,
    path: str = "/authorize",
    scope: str = OFFLINE,
) -> str:
    """Return an address to send a person's browser to."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": "s",
        "nonce": "n",
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
    }
    return f"{issuer}{path}?{urlencode(query)}"
