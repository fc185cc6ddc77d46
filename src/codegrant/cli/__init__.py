"""The `codegrant` command. Layer: the top, may use everything.

Each subcommand is a module that is imported when it is called, so that `--help` costs next
to nothing. What they share: `settings` (what an operator may set), `database` (opening the
one that is meant), `output` (what goes to stdout), `root` (what becomes of errors).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: without the program's name; by default those of this process.

    Returns:
        0, 1 for an error (one line on stderr), or 2 for wrong usage.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if find_spec("click") is None:
        extra = "demo" if given[:1] == ["demo"] else "server"
        line = f"codegrant: the command needs click: pip install 'codegrant[{extra}]'"
        print(line, file=sys.stderr)
        return 1
    from codegrant.cli.root import run

    return run(given)
