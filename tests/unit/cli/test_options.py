"""`cli.options`: the first line of stdin, and the prompt that only a terminal gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegrant.cli.options import new_secret
from codegrant.secret import digest_of
from tests.support.serving import clean_environment
from tests.unit.cli.conftest import Run

pty = pytest.importorskip("pty")


PROMPTS = ("password: ", "password, once more: ")


def on_a_terminal(
    folder: Path, typed: tuple[str, ...], *arguments: str
) -> tuple[int, str, str, str]:
    """Run the command on a terminal of its own.

    Args:
        typed: what is typed at each of `PROMPTS`.

    Returns:
        Exit status, stdout, stderr, and what the terminal showed of what was typed.
    """
    outer, inner = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "codegrant", *arguments],
            cwd=folder,
            env=clean_environment(),
            stdin=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        said = ""
        for prompt, line in zip(PROMPTS, typed, strict=False):
            # The prompt comes once nothing that is typed is shown any more.
            while not said.endswith(prompt):
                said += process.stderr.read(1)
            os.write(outer, f"{line}\n".encode())
        stdout, rest = process.communicate(timeout=30)
        os.write(inner, b".")
        return process.returncode, stdout, said + rest, os.read(outer, 4096).decode()
    finally:
        os.close(outer)
        os.close(inner)


@pytest.mark.parametrize("more", [(), ("--password-stdin",)])
def test_a_terminal_is_prompted_for_a_password_that_it_does_not_show(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    arguments = ("users", "add", "alice", *more)
    typed = ("wonderland", "wonderland")
    status, stdout, stderr, shown = on_a_terminal(tmp_path, typed, *arguments)
    assert status == 0, stderr
    assert stderr.split() == " ".join(PROMPTS).split()
    assert '"preferred_username": "alice"' in stdout
    assert "wonderland" not in stdout + stderr + shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param(("wonderland", "wonderlane"), "the two are not the same", id="mistyped"),
        pytest.param(("wonderland", ""), "is empty", id="not typed again"),
        pytest.param(("",), "is empty", id="nothing"),
    ],
)
def test_what_is_typed_unseen_is_typed_twice(
    tmp_path: Path, typed: tuple[str, ...], said: str
) -> None:
    status, stdout, stderr, _ = on_a_terminal(tmp_path, typed, "users", "add", "alice")
    assert (status, stdout) == (1, "")
    assert said in stderr
    assert "wonderland" not in stderr


@pytest.mark.parametrize("length", [7, 8])
def test_a_short_password_is_taken_with_a_warning(run: Run, length: int) -> None:
    password = "p" * length
    for command in ("add", "passwd"):
        outcome = run("users", command, "alice", "--password-stdin", stdin=password)
        assert outcome.status == 0
        warned = "warning: password: it has 7 characters, at least 8 are advised"
        assert (warned in outcome.stderr) == (length < 8)
        assert password not in outcome.stdout + outcome.stderr


def test_without_a_terminal_nobody_is_prompted(run: Run) -> None:
    outcome = run("users", "add", "alice", stdin="wonderland\n")
    assert outcome.status == 2
    assert "--password-stdin" in outcome.error
    added = run("users", "add", "alice", "--password-stdin", stdin="wonderland\n")
    assert (added.status, added.stderr) == (0, "")


@pytest.mark.parametrize("length", [31, 32])
def test_a_client_secret_under_32_characters_is_taken_with_a_warning(run: Run, length: int) -> None:
    secret = "s" * length
    outcome = run(
        "clients", "add", "app", "--redirect-uri", "https://app.test/cb", "--secret-stdin",
        stdin=secret,
    )  # fmt: skip
    assert outcome.status == 0
    assert ("warning: secret: it has 31 characters" in outcome.stderr) == (length < 32)
    assert secret not in outcome.stdout + outcome.stderr


def test_a_secret_that_is_made_here_is_long_and_another_each_time() -> None:
    made = [new_secret(from_stdin=False) for _ in range(2)]
    for secret, shown in made:
        assert shown is not None
        assert len(shown) >= 43
        assert secret.digest() == digest_of(shown)
    assert made[0][1] != made[1][1]
