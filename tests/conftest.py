"""What every test may use: the services of the machine, found once and named when missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache

import pytest
from hypothesis import settings


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), "")


def _node() -> str:
    """Return the path of Node.js 20 or newer."""
    node = shutil.which("node")
    if node is None:
        return ""
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return node if int(version.lstrip("v").partition(".")[0]) >= 20 else ""


pytest_plugins = ["tests.support.leak_watch"]

# Each answers with what a test needs to use the service: a path or a URL; empty when absent.
FIND: Mapping[str, Callable[[], str]] = {
    "chromium": cache(_chromium),
    "node": cache(_node),
    "postgres": lambda: os.environ.get("CODEGRANT_TEST_POSTGRES", ""),
    "redis": lambda: os.environ.get("CODEGRANT_TEST_REDIS", ""),
}
TITLES: Mapping[str, str] = {
    "chromium": "Chromium (chromium on the PATH)",
    "node": "Node.js 20 or newer (node on the PATH)",
    "postgres": "PostgreSQL (CODEGRANT_TEST_POSTGRES=postgresql://...)",
    "redis": "Redis or Valkey (CODEGRANT_TEST_REDIS=redis://...)",
}


def _must_be_complete() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


# No test is timed: how long an example takes says more about the machine than about us.
settings.register_profile("codegrant", deadline=None, derandomize=_must_be_complete())
settings.load_profile("codegrant")


def _missing() -> list[str]:
    return [service for service, find in FIND.items() if not find()]


@pytest.fixture(scope="session")
def services() -> Mapping[str, str]:
    """The path or URL of each service that is there. Mark the test with `needs` as well."""
    return {service: find() for service, find in FIND.items() if find()}


def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = [str(name) for mark in item.iter_markers("needs") for name in mark.args]
    absent = [TITLES[name] for name in wanted if not FIND[name]()]
    if absent:
        (pytest.fail if _must_be_complete() else pytest.skip)(f"needs {', '.join(absent)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for service in _missing():
        terminalreporter.write_line(f"not on this machine: {TITLES[service]}", yellow=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _must_be_complete() and exitstatus == pytest.ExitCode.OK and _missing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
