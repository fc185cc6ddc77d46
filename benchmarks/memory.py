"""What `codegrant serve` holds after a day's work: memory of its one process.

.venv/bin/python -m benchmarks.memory
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.driver import WORKS, Target, measure
from benchmarks.servers import PASSWORD, authorization_url, cores, pinned, start_codegrant
from tests.support.browser import Browser

__all__ = ["BUDGET_MB", "Memory", "measure_memory"]

BUDGET_MB = 64
FLOWS = 10_000
LOGINS = 200


class Memory(NamedTuple):
    """Megabytes (1024 times 1024 bytes) that the process holds in memory."""

    at_start: float
    after_flows: float
    after_logins: float


def measure_memory(flows: int = FLOWS, logins: int = LOGINS) -> Memory:
    """Return what a server of its own holds after code flows and password logins.

    Raises:
        OSError: this system has no /proc.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        start_codegrant(Path(folder)) as (target, pid),
        pinned(cores()[1]),
    ):
        at_start = _resident(pid)
        asyncio.run(measure(target, WORKS[0], requests=flows))
        after_flows = _resident(pid)
        for _ in range(logins):
            _log_in(target)
        return Memory(at_start, after_flows, _resident(pid))


def _log_in(target: Target) -> None:
    """Log in with the password, in a fresh browser."""
    browser = Browser(target.issuer)
    url = authorization_url(
        issuer=target.issuer, client_id=target.client_id, redirect_uri=target.redirect_uri
    )
    page = browser.log_in(browser.get(url), password=PASSWORD)
    if not page.location.startswith(target.redirect_uri) or not urlsplit(page.location).query:
        raise SystemExit(f"a login ended at {page.url}: {page.status}")


def _resident(pid: int) -> float:
    """Return the resident set in megabytes. proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main() -> int:
    """Print the figures; return 1 when the budget is exceeded."""
    memory = measure_memory()
    for name, megabytes in memory._asdict().items():
        print(f"{name:16}{megabytes:8.1f} MB")
    return int(memory.after_logins > BUDGET_MB)


if __name__ == "__main__":
    sys.exit(main())
