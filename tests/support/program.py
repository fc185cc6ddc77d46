"""A program of a user, run as they would run it: a process with its own environment."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.support.serving import clean_environment

_PATIENCE = 30
_LISTENING = " * Running on "


class FlaskProgram:
    """`flask run` of a source file on a port of its own; a context manager.

    Args:
        source: the file with the application.
        folder: the current folder of the process.
        port: where it listens.
        environment: variables to set.
    """

    def __init__(
        self, source: Path, folder: Path, port: int, environment: Mapping[str, str]
    ) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.log = ""
        self._is_up = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", str(source), "run", "--port", str(port)],
            cwd=folder,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.log += line
            if line.startswith(_LISTENING):
                self._is_up.set()
        self._is_up.set()

    def __enter__(self) -> Self:
        self._is_up.wait(_PATIENCE)
        assert _LISTENING in self.log, self.log
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


def run_program(source: str, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `python -c source` with pipes to type into and to read from."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", source],
        cwd=folder,
        env=clean_environment(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
