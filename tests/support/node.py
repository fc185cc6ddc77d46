"""Node.js: its packages, and a script that is spoken to in lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pytest

from tests.support.documents import ROOT
from tests.support.serving import clean_environment

_FOLDER = ROOT / "tests" / "interop"
_PATIENCE = 10


def find_packages() -> Path:
    """Return the folder of npm's packages; the test is skipped without them, or fails in CI."""
    packages = _FOLDER / "node_modules"
    if not (packages / ".package-lock.json").exists():
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("needs the packages of tests/interop: npm ci --prefix tests/interop")
    return packages


class Node:
    """A running script, one question and one answer at a time; a context manager.

    The script says that it is ready with a first line on stdout, and ends with its stdin.

    Args:
        node: path of Node.js.
        script: the file.
        arguments: for the script.
    """

    def __init__(self, node: str, script: Path, *arguments: str) -> None:
        self.ready: dict[str, Any] = {}
        self.log = ""
        self._process = subprocess.Popen(
            [node, script.name, *arguments],
            cwd=script.parent,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._keep_log, daemon=True)
        self._reader.start()

    def ask(self, question: Mapping[str, object]) -> dict[str, Any]:
        """Send a question and return its answer."""
        stdin = _open(self._process.stdin)
        stdin.write(f"{json.dumps(question)}\n")
        stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the script, and wait until it has ended."""
        _open(self._process.stdin).close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            _open(stream).close()

    def _read(self) -> dict[str, Any]:
        line = _open(self._process.stdout).readline()
        if not line:
            self._process.wait(_PATIENCE)
            self._reader.join()
            raise AssertionError(f"the script has ended: {self.log}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _keep_log(self) -> None:
        for line in _open(self._process.stderr):
            self.log += line

    def __enter__(self) -> Self:
        try:
            self.ready = self._read()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
