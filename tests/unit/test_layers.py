"""Imports run one way, I/O stays above its line, modules stay small: read from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import codegrant

SRC = Path(__file__).parents[2] / "src" / "codegrant"
MOST_LINES = 450

# Each name may import those before it; names of one bar-separated entry never one another.
ORDER = (
    "errors", "secret", "sealing", "flow", "http",
    "messages", "jose", "providers",
    "rules",
    "remote",
    "client|server|resource",
    "accounts",
    "stores",
    "web",
    "testing", "demo", "cli",
    "__main__",
)  # fmt: skip
RANK = {name: rank for rank, entry in enumerate(ORDER) for name in entry.split("|")}

THREADS = frozenset({"asyncio", "concurrent", "multiprocessing", "queue", "threading", "_thread"})
OUTSIDE = THREADS | {
    # the network and other processes
    "aiohttp", "ftplib", "httpx", "httpx2", "imaplib", "requests", "select", "selectors",
    "signal", "smtplib", "socket", "socketserver", "ssl", "subprocess", "urllib3",
    "http.client", "http.server", "urllib.request",
    # the clock and entropy
    "datetime", "os", "random", "sched", "secrets", "time", "uuid",
    # storage and servers
    "aiosqlite", "dbm", "keyring", "psycopg", "redis", "shelve", "sqlalchemy", "sqlite3",
    "tempfile", "uvicorn",
}  # fmt: skip

# Who may reach outside, and to what. A name stands for itself and all below it.
MAY_REACH: dict[str, frozenset[str]] = {
    "sealing": frozenset({"os"}),  # draws its nonces
    "remote.sync": OUTSIDE,
    "remote.aio": OUTSIDE,
    "remote.transport": OUTSIDE,  # what the two drivers share
    # And this: a lease that a thread renews, that runs out, and that a fork leaves.
    "remote.leases": THREADS | {"os", "time"},
    "client.facade": OUTSIDE,
    "client.aio": OUTSIDE,
    "client.api": frozenset({"httpx2"}),  # the session it hands out
    "client.api_auth": frozenset({"httpx2"}),
    "resource.facade": OUTSIDE,
    "client.memory": THREADS,  # a store that threads share
    "accounts.hashing": THREADS | {"os"},  # salts and hashes passwords, beside the event loop
    "stores": OUTSIDE,
    "web": OUTSIDE,
    "testing": OUTSIDE,
    "demo": OUTSIDE,
    "cli": OUTSIDE,
}


def imported_names(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield what `source` imports anywhere, absolute: `codegrant.flow.ask`, `os.path`."""
    inside = ["codegrant", *module.split(".")] if module else ["codegrant"]
    package = inside if is_package else inside[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> str:
    """Return the layer of an absolute name of ours; a public name belongs to its home."""
    first = name.split(".")[1] if "." in name else ""
    if first in RANK:
        return first
    home = codegrant._HOMES.get(first, "codegrant.errors" if first else "codegrant.client")
    return home.split(".")[1]


def find_wrong_imports(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return a line for each import of `module`, `rules.pkce` say, that runs the wrong way."""
    own = module.partition(".")[0]
    faults: list[str] = []
    for name in imported_names(source, module, is_package=is_package):
        if name.split(".")[0] == "codegrant" and name != "codegrant.__version__":
            other = layer_of(name)
            if other != own and RANK[other] >= RANK[own]:
                faults.append(f"{module} imports {name}: {own} stands before {other}, or beside it")
    return faults


def find_reaches_outside(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return a line for each import of `module` that reaches outside without leave."""
    leave = frozenset[str]().union(
        *(allowed for name, allowed in MAY_REACH.items() if f"{module}.".startswith(f"{name}."))
    )
    return [
        f"{module} imports {name}"
        for name in imported_names(source, module, is_package=is_package)
        if any(f"{name}.".startswith(f"{outside}.") for outside in OUTSIDE - leave)
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = sorted(path for path in SRC.rglob("*.py") if path != SRC / "__init__.py")


@pytest.fixture(params=MODULES, ids=module_name)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_module_has_a_layer(path: Path) -> None:
    assert module_name(path).partition(".")[0] in RANK


def test_imports_run_one_way(path: Path) -> None:
    source, is_package = path.read_text(encoding="utf-8"), path.name == "__init__.py"
    faults = find_wrong_imports(source, module_name(path), is_package=is_package)
    assert not faults, "\n".join(faults)


def test_only_drivers_reach_outside(path: Path) -> None:
    source, is_package = path.read_text(encoding="utf-8"), path.name == "__init__.py"
    faults = find_reaches_outside(source, module_name(path), is_package=is_package)
    assert not faults, "\n".join(faults)


def test_modules_stay_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{module_name(path)} has two subjects, it seems"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("messages.token", "from codegrant.rules.pkce import a", id="upwards"),
        pytest.param("messages.token", "import codegrant.rules", id="plain import"),
        pytest.param("messages.token", "import codegrant.rules as r", id="renamed"),
        pytest.param("messages.token", "from codegrant import rules", id="from the root"),
        pytest.param("messages.token", "from ..rules import pkce", id="relative"),
        pytest.param("messages.token", "from .. import rules", id="relative, whole layer"),
        pytest.param("messages", "from .jose import a\nfrom ..jose import b", id="package"),
        pytest.param(
            "messages.token", "def f():\n from codegrant.jose import a", id="in a function"
        ),
        pytest.param("messages.token", "if TYPE_CHECKING:\n import codegrant.web", id="for types"),
        pytest.param("errors", "from codegrant.secret import Secret", id="comma, to the right"),
        pytest.param("messages.token", "from codegrant.jose import a", id="comma, packages"),
        pytest.param("client.login", "from codegrant.server import a", id="bar, to the right"),
        pytest.param("server.token", "from codegrant.client import a", id="bar, to the left"),
        pytest.param("server.token", "from codegrant.resource import a", id="bar, last"),
        pytest.param("rules.pkce", "from codegrant import Client", id="a public name's home"),
        pytest.param("remote.sync", "import codegrant", id="the root itself"),
        pytest.param("demo.app", "from codegrant.cli import main", id="the top"),
    ],
)
def test_an_import_against_the_order_is_caught(module: str, source: str) -> None:
    assert find_wrong_imports(source, module, is_package="." not in module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param(
            "http", "from codegrant.errors import A\nfrom codegrant.flow import B", id="c"
        ),
        pytest.param("jose.jwt", "from codegrant.messages.json import a", id="comma, to the left"),
        pytest.param("jose.jwt", "from codegrant.jose.keys import a", id="the own layer"),
        pytest.param("jose.jwt", "from .keys import a", id="the own layer, relative"),
        pytest.param("rules.pkce", "from codegrant import OAuthError, Secret", id="public names"),
        pytest.param("remote.sync", "from codegrant import __version__", id="the version"),
        pytest.param("accounts.site", "from codegrant.client import a", id="past a bar"),
        pytest.param("cli.demo", "from codegrant.demo import a", id="the top"),
        pytest.param("errors", "import codegrantish\nfrom enum import Enum", id="others"),
    ],
)
def test_an_import_along_the_order_is_fine(module: str, source: str) -> None:
    assert not find_wrong_imports(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("rules.pkce", "import time", id="clock"),
        pytest.param("rules.pkce", "from time import time as now", id="clock, renamed"),
        pytest.param("rules.pkce", "from os import urandom", id="entropy"),
        pytest.param("rules.pkce", "def f():\n import secrets", id="in a function"),
        pytest.param("rules.pkce", "if TYPE_CHECKING:\n import httpx2", id="for types"),
        pytest.param("server.token", "import urllib.request", id="dotted"),
        pytest.param("server.token", "from urllib import request", id="dotted, parted"),
        pytest.param("server.token", "from http.client import HTTPConnection", id="http.client"),
        pytest.param("server.token", "import asyncio.locks", id="below"),
        pytest.param("remote.synced", "import httpx2", id="a driver's name prolonged"),
        pytest.param("sealing", "import socket", id="an exception is narrow"),
        pytest.param("accounts.login", "import time", id="accounts have no clock"),
        pytest.param("accounts.login", "import sqlite3", id="accounts have no database"),
    ],
)
def test_reaching_outside_is_caught(module: str, source: str) -> None:
    assert find_reaches_outside(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("remote.sync", "import httpx2, ssl, threading", id="a driver"),
        pytest.param("stores.sqlite.writer", "import sqlite3, time", id="a store"),
        pytest.param("accounts.hashing", "from concurrent import futures", id="the thread pool"),
        pytest.param("sealing", "import os", id="nonces"),
        pytest.param("rules.pkce", "import hashlib\nfrom urllib.parse import quote", id="pure"),
        pytest.param("server.token", "from codegrant.http import Request", id="our own http"),
    ],
)
def test_what_is_allowed_is_not_caught(module: str, source: str) -> None:
    assert not find_reaches_outside(source, module)
