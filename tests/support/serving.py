"""A real `codegrant serve`, with people and clients added through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.support.leak_watch import WATCH

_PATIENCE = 30
_READY = "codegrant: ready at "


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line of an error, and nothing but that line."""
        assert self.stdout == "", self.stdout
        assert self.stderr.count("\n") == 1, self.stderr
        assert "Traceback" not in self.stderr
        return self.stderr.rstrip("\n")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would set something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEGRANT_")}
    return {**kept, **(extra or {})}


def codegrant(
    *arguments: str,
    folder: Path,
    stdin: str | bytes = "",
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a command to its end, in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "codegrant", *arguments],
        cwd=folder,
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        env=clean_environment(environment),
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


class Serving:
    """A running `codegrant serve` on a free port; a context manager.

    Args:
        folder: where its database `codegrant.db` is, and where relative paths start.
        arguments: further ones, for example `("--workers", "2")`.
        environment: variables to set.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.folder = folder
        self.arguments = arguments
        self.environment = dict(environment or {})
        self.port = port
        self.issuer = ""
        self.log = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start it and wait for the ready line."""
        self.spawn()
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._reader is not None
        line = self._process.stdout.readline()
        if not line.startswith(_READY):
            self._process.wait(_PATIENCE)
            self._reader.join(_PATIENCE)
            self._close_pipes()
            self._process = None
            raise AssertionError(f"no ready line but {line!r}: {self.log}")
        self.issuer = line.removeprefix(_READY).rstrip("\n")
        return self

    def spawn(self) -> None:
        """Start it and wait for nothing."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codegrant", "serve", "--port", str(self.port), *self.arguments],
            cwd=self.folder,
            env=clean_environment({"CODEGRANT_LOG_LEVEL": "debug", **self.environment}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        reader = threading.Thread(target=self._keep_log, args=(self._process.stderr,), daemon=True)
        reader.start()
        self._reader = reader

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def run(self, *arguments: str, stdin: str = "") -> Finished:
        """Run another command on the same database; it must succeed."""
        done = codegrant(*arguments, folder=self.folder, stdin=stdin, environment=self.environment)
        assert done.status == 0, done.stderr
        return done

    def add_user(self, name: str = "alice", password: str = "wonderland", *more: str) -> str:
        """Add a person and return their subject."""
        done = self.run("users", "add", name, "--password-stdin", *more, stdin=f"{password}\n")
        return str(done.json["sub"])

    def add_client(
        self, client_id: str, *more: str, redirect_uri: str = "https://app.example/callback"
    ) -> Mapping[str, Any]:
        """Add a client and return what was registered, with the secret it was given."""
        registered: Mapping[str, Any] = self.run(
            "clients", "add", client_id, "--redirect-uri", redirect_uri, *more
        ).json
        return registered

    def stop(self, number: int = signal.SIGTERM) -> Finished:
        """Send a signal, wait for the end, and return what came out after the ready line."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> Finished:
        """Wait for the end, and return what came out after the ready line."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        status = process.wait(_PATIENCE)
        stdout = process.stdout.read()
        if self._reader is not None:
            self._reader.join(_PATIENCE)
        self._close_pipes()
        self._process = None
        WATCH.show("the output of codegrant serve", stdout)
        for database in self.folder.glob("*.db"):
            WATCH.show_database(database)
        return Finished(status, stdout, self.log)

    def _keep_log(self, stream: IO[str]) -> None:
        for line in stream:
            self.log += line
            WATCH.show("the log of codegrant serve", line)

    def _close_pipes(self) -> None:
        assert self._process is not None
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self.start() if self._process is None else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.stop()
