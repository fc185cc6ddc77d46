"""The mutation run: which refusals could be taken out without a test noticing.

    scripts/mutate [--workers N] [--only TEXT] [FOLDER ...]

Exit status 0 when every refusal is either killed by a test or listed, with the reason why it
cannot matter, in `survivors.toml`; 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.importing import Switched
from tests.mutation.running import Outcome, Runner

ROOT = Path(__file__).parents[2]
FOLDERS = ("rules", "jose", "server")
# Tests that reach the refusals in this process; those that start a server do not.
TESTS = ("tests/unit", "tests/wire", "tests/flows", "tests/attacks")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what survived."""
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS, metavar="FOLDER")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="refusals whose file or function has this text")
    options = parser.parse_args(arguments)

    switched = Switched(ROOT / "src" / "codegrant", options.folders)
    switched.install()
    points = [p for p in switched.points if options.only in f"{p.path}:{p.function}"]
    start = time.monotonic()
    runner = Runner(points, options.workers, _say)
    tests = [str(ROOT / folder) for folder in TESTS if (ROOT / folder).is_dir()]
    switches = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:tests.support.leak_watch"]
    pytest.main([*switches, "--rootdir", str(ROOT), *tests], plugins=[runner])
    _say(f"{time.monotonic() - start:.0f} s")
    return _report(runner.outcome, len(points))


def _report(outcome: Outcome, count: int) -> int:
    """Print the figures and the survivors, and return the exit status."""
    if outcome.failed:
        print("not used, since they fail as things are:", *outcome.failed, sep="\n  ")
    listed = {
        (entry["path"], entry["function"], entry["text"]): entry["reason"]
        for entry in tomllib.loads((ROOT / "tests/mutation/survivors.toml").read_text("utf-8")).get(
            "survivor", []
        )
    }
    alive = [*outcome.survived, *outcome.unreached]
    unlisted = [point for point in alive if point.key not in listed]
    killed = {point.key for point in outcome.killed} - {point.key for point in alive}
    print(
        f"{count} refusals: {len(outcome.killed)} killed, "
        f"{len(alive) - len(unlisted)} listed with their reason, {len(unlisted)} survived"
    )
    for point in unlisted:
        what = "survived" if point in outcome.survived else "no test reaches"
        print(f"  {what}: {point.path}:{point.line} {point.function}: {point.text}")
    for key in sorted(killed & listed.keys()):
        print(f"  listed, but killed: {' '.join(key)}")
    return 1 if unlisted else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
