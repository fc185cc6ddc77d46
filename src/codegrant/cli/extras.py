"""Naming the extra that a command needs and that is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from codegrant.errors import UsageError

__all__ = ["check_extra"]


def check_extra(command: str, *packages: str, extra: str = "") -> None:
    """Check that the packages of an extra are there.

    Args:
        extra: by default it is called like the command.

    Raises:
        UsageError: one is missing; the message is the line that helps.
    """
    for package in packages:
        if find_spec(package) is None:
            raise UsageError(
                f"{command} needs {package}: pip install 'codegrant[{extra or command}]'"
            )
