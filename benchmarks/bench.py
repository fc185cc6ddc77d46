"""The benchmark: every figure beside the floor and the peers, as ratios of one run.

    scripts/bench                     all of it, several minutes
    scripts/bench --only userinfo     one work; may be given several times
    scripts/bench --rounds 9          more rounds, for a machine that is not quiet

All servers run on one core and the driver on another. In each round every server is measured
once, one after the other, so that a slow moment of the machine falls on all alike; a ratio is
taken within its round. Exit status 1 when a figure is not within its budget.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import uvloop

from benchmarks import api_call, client_side, login_callbacks, verification
from benchmarks.driver import WORKS, Target, Work, measure, prove
from benchmarks.memory import BUDGET_MB, measure_memory
from benchmarks.servers import SERVERS, cores, pinned

REQUESTS: dict[Work, int] = {
    "code flow": 1500,
    "refresh": 2000,
    "userinfo": 5000,
    "introspection": 5000,
}
# By how much fewer requests a slow peer gets.
SLOW = 5
# (whom, the least that we are of them)
BUDGETS: dict[Work, tuple[tuple[str, float], ...]] = {
    "code flow": (("floor", 0.6), ("oidc-provider", 2.0)),
    "refresh": (("floor", 0.5),),
    "userinfo": (("floor", 0.5),),
    "introspection": (("floor", 0.5),),
}
CLIENT_SIDE_BUDGET = 1.3
API_CALL_BUDGET = 5e-6
OTHERS = ("verification", "client side", "login callback", "api call", "memory")


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        work: what was done.
        who: by whom.
        figure: with its unit.
        spread: smallest and largest of the rounds.
        ratio: of ours to this one, or what the budget is about; empty for none.
        budget: empty for none.
        ok: None without a budget.
    """

    work: str
    who: str
    figure: str
    spread: str = ""
    ratio: str = ""
    budget: str = ""
    ok: bool | None = None


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def bench_servers(works: Sequence[Work], names: Sequence[str], rounds: int) -> Iterator[Row]:
    """Measure the servers in turns."""
    with ExitStack() as stack:
        targets: dict[str, Target] = {}
        for name in names:
            say(f"starting {name}")
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            targets[name] = stack.enter_context(SERVERS[name](Path(folder))).target
        stack.enter_context(pinned(cores()[1]))
        for name, target in targets.items():
            say(f"proving {name}")
            uvloop.run(prove(target))
        for work in works:
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for turn in range(rounds):
                for name, target in targets.items():
                    requests = REQUESTS[work] // (SLOW if name == "Authlib" else 1)
                    rate = uvloop.run(measure(target, work, requests=requests))
                    rates[name].append(rate)
                    say(f"{work}, round {turn + 1} of {rounds}: {name} {rate:.0f}/s")
            yield from _server_rows(work, rates)


def _server_rows(work: Work, rates: dict[str, list[float]]) -> Iterator[Row]:
    ours = rates["codegrant"]
    budgets = dict(BUDGETS[work])
    for name, figures in rates.items():
        row = Row(work, name, f"{median(figures):.0f}/s", _spread(figures, "{:.0f}"))
        if name != "codegrant":
            ratios = [mine / theirs for mine, theirs in zip(ours, figures, strict=True)]
            ratio = f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
            row = row._replace(ratio=ratio)
            if name in budgets:
                ok = median(ratios) >= budgets[name]
                row = row._replace(budget=f"≥ {budgets[name]:g}", ok=ok)
        yield row


def bench_verification() -> Iterator[Row]:
    """Measure the resource server."""
    say("verification of access tokens")
    for found in verification.measure():
        budget = ""
        if found.name == "repeated":
            budget = f"≥ {verification.REPEATED_A_SECOND}/s"
        elif (found.alg, found.name) in verification.BUDGETS:
            budget = f"≥ {verification.BUDGETS[found.alg, found.name]} of raw"
        yield Row(
            f"verify {found.alg}",
            found.name,
            f"{found.seconds * 1e6:.2f} µs",
            ratio="" if found.ratio is None else f"{found.ratio:.2f} of raw",
            budget=budget,
            ok=not found.exceeded if budget else None,
        )


def bench_api_call() -> Iterator[Row]:
    """Measure what the access token adds to a call of an API."""
    say("access token of an API call")
    for name, (bare, signed) in api_call.measure().items():
        added = [one - other for one, other in zip(signed, bare, strict=True)]
        row = Row("api call", name, f"+{median(added) * 1e6:.1f} µs", _quartiles(added))
        if name.startswith("codegrant"):
            row = row._replace(
                budget=f"≤ {API_CALL_BUDGET * 1e6:.0f} µs", ok=median(added) <= API_CALL_BUDGET
            )
        yield row


def bench_client_side() -> Iterator[Row]:
    """Measure the client's side of a login."""
    say("client side of a login")
    taken = client_side.measure()
    floor = client_side.quickest(taken["floor"])
    for name, seconds in taken.items():
        row = Row("client side", name, f"{median(seconds) * 1e6:.0f} µs", _quartiles(seconds))
        if name == "codegrant":
            ratio = client_side.quickest(seconds) / floor
            row = row._replace(
                ratio=f"{ratio:.2f} of the floor",
                budget=f"≤ {CLIENT_SIDE_BUDGET}",
                ok=ratio <= CLIENT_SIDE_BUDGET,
            )
        yield row


def bench_login_callbacks() -> Iterator[Row]:
    """Measure the callbacks of a web application's login."""
    for place in login_callbacks.PLACES:
        say(f"login callbacks, {place}")
        rates = login_callbacks.measure(place)
        judged = {
            theirs: (ours, least) for (ours, theirs), least in login_callbacks.BUDGETS.items()
        }
        for name, figures in rates.items():
            work = f"login callback, {place}"
            row = Row(work, name, f"{median(figures):.0f}/s", _spread(figures, "{:.0f}"))
            if name in judged:
                ours, least = judged[name]
                found = login_callbacks.ratios(rates, ours, name)
                row = row._replace(
                    ratio=f"{median(found):.2f} ({min(found):.2f}..{max(found):.2f})",
                    budget=f"≥ {least:g}",
                    ok=median(found) >= least,
                )
            yield row


def bench_memory() -> Iterator[Row]:
    """Measure what the server holds."""
    say("memory: 10 000 code flows and 200 password logins")
    memory = measure_memory()
    yield Row("memory", "at the start", f"{memory.at_start:.1f} MB")
    yield Row("memory", "after the flows", f"{memory.after_flows:.1f} MB")
    ok = memory.after_logins <= BUDGET_MB
    figure = f"{memory.after_logins:.1f} MB"
    yield Row("memory", "after the logins", figure, budget=f"≤ {BUDGET_MB}", ok=ok)


def _spread(figures: Iterable[float], form: str) -> str:
    found = sorted(figures)
    return f"{form.format(found[0])}..{form.format(found[-1])}"


def _quartiles(seconds: Sequence[float]) -> str:
    """Return the middle half of many figures, in microseconds."""
    found = sorted(seconds)
    quarter = len(found) // 4
    return f"{found[quarter] * 1e6:.0f}..{found[-quarter - 1] * 1e6:.0f}"


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    titles = ("work", "who", "median", "spread", "ours to it", "budget", "")
    marks = {None: "", True: "ok", False: "NOT REACHED"}
    lines = [titles] + [(*row[:-1], marks[row.ok]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def machine() -> str:
    """Return what it ran on."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    system = f"{platform.system()} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    servers, driver = cores()
    return f"{python}, {system}, {count} cores{load}; servers on {servers}, driver on {driver}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for and print the table; return 1 when a budget was not reached."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Codegrant.")
    parser.add_argument("--only", action="append", choices=[*WORKS, *OTHERS], metavar="WORK")
    parser.add_argument("--server", action="append", choices=list(SERVERS), metavar="SERVER")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    wanted: Sequence[str] = given.only or [*WORKS, *OTHERS]
    names = [name for name in SERVERS if name in (given.server or SERVERS) or name == "codegrant"]
    # As Ctrl-C: the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(machine())
    rows: list[Row] = []
    works: list[Work] = [work for work in WORKS if work in wanted]
    try:
        if works:
            rows += bench_servers(works, names, given.rounds)
        if "verification" in wanted:
            rows += bench_verification()
        if "client side" in wanted:
            rows += bench_client_side()
        if "login callback" in wanted:
            rows += bench_login_callbacks()
        if "api call" in wanted:
            rows += bench_api_call()
        if "memory" in wanted:
            rows += bench_memory()
    except KeyboardInterrupt:
        say("stopped; what was measured until then:")
    show(rows)
    return int(any(row.ok is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
