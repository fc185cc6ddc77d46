"""The command as a whole: help, version, wrong usage, what is not installed, mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import codegrant
from codegrant.cli.root import codegrant as codegrant_command
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]
GROUPS = ("users", "clients", "resources", "keys", "db", "config")


def test_the_help_names_every_subcommand(run: Run) -> None:
    outcome = run("--help")
    assert outcome.status == 0
    assert outcome.stderr == ""
    for name in ("demo", "serve", *GROUPS):
        assert re.search(rf"^  {name} ", outcome.stdout, re.MULTILINE), name


@pytest.mark.parametrize("group", [("serve",), ("demo",), *((name,) for name in GROUPS)])
def test_every_subcommand_has_a_help(run: Run, group: tuple[str, ...]) -> None:
    outcome = run(*group, "--help")
    assert outcome.status == 0
    assert outcome.stdout.startswith(f"Usage: codegrant {group[0]} ")


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Return the commands below a group, by the words that call them."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for below in command.list_commands(context):
        found = command.get_command(context, below)
        assert found is not None
        yield from _commands(found, f"{name} {below}".strip())


def test_every_option_says_what_it_does() -> None:
    options = {
        f"{name} {option.opts[0]}": option.help
        for name, command in _commands(codegrant_command, "")
        for option in command.params
        if isinstance(option, click.Option)
    }
    assert "clients add --redirect-uri" in options
    assert [name for name, text in options.items() if not text] == []


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version").stdout == f"codegrant {codegrant.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("nope",), "nope", id="no such command"),
        pytest.param(("users", "nope"), "nope", id="no such subcommand"),
        pytest.param(("users", "show"), "NAME", id="no argument"),
        pytest.param(("users", "show", "a", "b"), "b", id="one argument too many"),
        pytest.param(("serve", "--nope"), "--nope", id="no such option"),
        pytest.param(("resources", "add", "https://api.test"), "--id", id="no option"),
        pytest.param(("users", "list", "--config"), "--config", id="no value"),
        pytest.param(("users", "add", "alice"), "--password-stdin", id="no password"),
        pytest.param(("demo", "--port", "70000"), "70000", id="no such port"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    run: Run, arguments: tuple[str, ...], named: str
) -> None:
    outcome = run(*arguments)
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.error.endswith("--help)")


def test_a_command_without_a_subcommand_shows_its_help(run: Run) -> None:
    outcome = run("users")
    assert outcome.status == 2
    assert "Usage: codegrant users" in outcome.stderr


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments, "-c", code], capture_output=True, text=True, check=False
    )


def without(*packages: str) -> str:
    """Return code that makes `packages` look as if they were not installed."""
    return (
        "import sys, importlib.util as u; real = u.find_spec\n"
        f"u.find_spec = lambda n, p=None: None if n in {packages!r} else real(n, p)\n"
    )


def test_the_help_imports_none_of_the_heavy_packages() -> None:
    heavy = ("cryptography", "httpx2", "uvicorn", "jinja2", "sqlite3", "asyncio", "ssl")
    done = python(
        "import sys, codegrant.cli\n"
        "codegrant.cli.main(['--help'])\n"
        f"print('loaded:', *[name for name in {heavy!r} if name in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize(
    ("missing", "arguments", "line"),
    [
        pytest.param("click", [], "codegrant: the command needs click: {server}", id="click"),
        pytest.param("uvicorn", ["serve"], "codegrant: serve needs uvicorn: {server}", id="serve"),
        pytest.param("jinja2", ["serve"], "codegrant: serve needs jinja2: {server}", id="pages"),
        pytest.param("flask", ["demo"], "codegrant: demo needs flask: {demo}", id="flask"),
        pytest.param("requests", ["demo"], "codegrant: demo needs requests: {demo}", id="requests"),
    ],
)
def test_a_missing_extra_is_one_line_that_says_how_to_get_it(
    missing: str, arguments: list[str], line: str
) -> None:
    done = python(
        f"{without(missing)}from codegrant.cli import main; sys.exit(main({arguments!r}))"
    )
    extras = {name: f"pip install 'codegrant[{name}]'" for name in ("server", "demo")}
    assert done.stderr == f"{line.format(**extras)}\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"server", "demo"} <= set(project["optional-dependencies"])
    assert project["scripts"] == {"codegrant": "codegrant.cli:main"}


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codegrant", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"codegrant {codegrant.__version__}\n"


def test_a_mistake_of_ours_is_one_line_without_values(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("codegrant.cli.options.load_settings", fail)
    outcome = run("users", "list")
    assert outcome.status == 1
    assert outcome.error.startswith("this is a mistake in Codegrant, please report it: Runtime")
    assert "s3cret" not in outcome.stderr
