"""How long it takes to start: medians of 20, each in a process of its own.

    .venv/bin/python benchmarks/startup.py

Imports are given over bare Python. A row over its budget makes the exit status 1; the
budget of `Client` counts from what httpx2 alone takes. Everything is compiled beforehand, as
an installer does: without that, a process that may not write bytecode compiles the package
at each start and the others do not compile theirs.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import codegrant

RUNS = 20
COMMAND = Path(sys.executable).with_name("codegrant")


class Row(NamedTuple):
    name: str
    measure: Callable[[], float]
    over_bare: bool = False
    budget: float | None = None
    budget_counts_from: str = ""


def time_python(code: str) -> float:
    """Return the seconds that an interpreter takes for `code`."""
    begin = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - begin


def time_help() -> float:
    begin = perf_counter()
    subprocess.run([COMMAND, "--help"], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - begin


def time_serve() -> float:
    """Return the seconds from a start in an empty folder to the line that says it answers."""
    with tempfile.TemporaryDirectory() as folder:
        begin = perf_counter()
        server = subprocess.Popen(
            [COMMAND, "serve", "--port", "0"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert server.stdout is not None  # noqa: S101 - a pipe was asked for
            line = server.stdout.readline()
            taken = perf_counter() - begin
        finally:
            server.terminate()
            server.communicate()
    if not line.startswith(b"codegrant: ready at "):
        raise SystemExit(f"codegrant serve did not start: {line!r}")
    return taken


ROWS = (
    Row("bare Python", lambda: time_python("pass")),
    Row("import codegrant", lambda: time_python("import codegrant"), over_bare=True, budget=0.020),
    Row("import httpx2", lambda: time_python("import httpx2"), over_bare=True),
    Row(
        "from codegrant import Client",
        lambda: time_python("from codegrant import Client"),
        over_bare=True,
        budget=0.060,
        budget_counts_from="import httpx2",
    ),
    Row("codegrant --help", time_help, budget=0.150),
    Row("codegrant serve, first answer", time_serve, budget=1.0),
)


def main() -> int:
    """Print the table; return 1 when a budget is exceeded."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not compileall.compile_dir(Path(codegrant.__file__).parent, quiet=1):
        raise SystemExit("the package could not be compiled")
    for row in ROWS:  # once for the caches of the disk
        row.measure()
    # In turns, so that a slow moment of the machine falls on all rows alike.
    turns = [{row.name: row.measure() for row in ROWS} for _ in range(RUNS)]
    medians = {row.name: median(turn[row.name] for turn in turns) for row in ROWS}
    bare = medians["bare Python"]
    exceeded = False
    print(f"{'median of ' + str(RUNS):32}{'ms':>8}{'budget':>10}")
    for row in ROWS:
        taken = medians[row.name] - (bare if row.over_bare else 0)
        budget = row.budget
        if budget is not None and row.budget_counts_from:
            budget += medians[row.budget_counts_from] - bare
        over = budget is not None and taken > budget
        exceeded |= over
        allowed = "-" if budget is None else f"{budget * 1000:.0f}"
        print(f"{row.name:32}{taken * 1000:8.1f}{allowed:>10}{'  exceeded' if over else ''}")
    return int(exceeded)


if __name__ == "__main__":
    raise SystemExit(main())
