"""A program of a user, run as they would run it: a process with its own environment."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.support.serving import clean_environment

_PATIENCE = 30


class WebProgram:
    """A user's web application in a process of its own; a context manager.

    Args:
        command: that serves it.
        folder: the current folder of the process.
        origin: where it listens.
        environment: variables to set.
        listening: what it says when it does.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        origin: str,
        environment: Mapping[str, str],
        listening: str,
    ) -> None:
        self.origin = origin
        self.log = ""
        self._listening = listening
        self._is_up = threading.Event()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    @classmethod
    def flask(
        cls, source: Path, folder: Path, port: int, environment: Mapping[str, str]
    ) -> WebProgram:
        """Return `flask run` of a source file."""
        command = [sys.executable, "-m", "flask", "--app", str(source), "run", "--port", str(port)]
        origin = f"http://127.0.0.1:{port}"
        return cls(command, folder, origin, environment, " * Running on ")

    @classmethod
    def gunicorn(
        cls, app: str, folder: Path, port: int, environment: Mapping[str, str], *arguments: str
    ) -> WebProgram:
        """Return gunicorn with an application such as `module:app`, found in `folder`."""
        bind = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "gunicorn", "--bind", bind, *arguments, app]
        return cls(command, folder, f"http://{bind}", environment, "Listening at: ")

    @classmethod
    def uvicorn(
        cls, app: str, folder: Path, port: int, environment: Mapping[str, str]
    ) -> WebProgram:
        """Return uvicorn with an application such as `module:app`, found in `folder`."""
        command = [sys.executable, "-m", "uvicorn", "--lifespan", "off", "--no-access-log"]
        origin = f"http://127.0.0.1:{port}"
        arguments = ["--port", str(port), app]
        return cls([*command, *arguments], folder, origin, environment, "Uvicorn running on")

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.log += line
            if self._listening in line:
                self._is_up.set()
        self._is_up.set()

    def __enter__(self) -> Self:
        self._is_up.wait(_PATIENCE)
        assert self._listening in self.log, self.log
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
