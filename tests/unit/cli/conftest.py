"""The command, run in this process in a folder of its own."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codegrant.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.stderr
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line of an error, with nothing but that line."""
        assert self.status != 0
        assert self.stdout == ""
        assert self.stderr.endswith("\n")
        assert self.stderr.count("\n") == 1, self.stderr
        assert self.stderr.startswith("codegrant: ")
        return self.stderr.removeprefix("codegrant: ").rstrip("\n")


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command with arguments and stdin."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("CODEGRANT_"):
            monkeypatch.delenv(name)

    def run_one(*arguments: str, stdin: str | bytes = "") -> Outcome:
        raw = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8"))
        capsys.readouterr()
        status = main(arguments)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run_one
