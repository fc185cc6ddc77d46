"""The wheel, installed without extras: what is in it, that it imports, what it says is missing."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = """
    server demo postgres valkey flask starlette fastapi django requests httpx keyring passkeys
    jwe testing all
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def installed(wheel: Path, metadata: Message, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel, what it depends on, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python3*/site-packages")
    wanted = [str(text) for text in metadata.get_all("Requires-Dist", [])]
    for package in dependencies_of(wanted):
        for part in {file.parts[0] for file in distribution(package).files or ()}:
            source = Path(str(distribution(package).locate_file(part)))
            if part not in {"..", "__pycache__"} and not (site / part).exists():
                (site / part).symlink_to(source)
    commands = home / "bin"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    pip = [sys.executable, "-m", "pip", "--python", str(commands / "python")]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    return commands


def dependencies_of(wanted: list[str]) -> set[str]:
    """Return the names that `wanted` needs, without extras, from what the tests run with."""
    found = set[str]()
    waiting = [Requirement(text) for text in wanted]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in distribution(name).requires or ()]
    return found


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "src"
    kept = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".db", ".key"}
    }
    assert packed == kept
    assert "codegrant/py.typed" in packed


def test_the_wheel_says_what_it_is(wheel: Path, metadata: Message) -> None:
    assert metadata["Name"] == "codegrant"
    assert metadata["Version"] == "0.1.0"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Provides-Extra") == sorted(EXTRAS.split())
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())


def test_it_depends_on_two_packages(metadata: Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    plain = {r.name: str(r.specifier) for r in requirements if r.marker is None}
    assert plain == {"cryptography": ">=45", "httpx2": "<3,>=2.10"}


def test_it_is_installed_without_any_extra(installed: Path) -> None:
    for name in ("click", "flask", "httpx", "jinja2", "requests", "uvicorn"):
        assert run(installed / "python", "-c", f"import {name}").returncode == 1


def test_every_public_name_imports_without_extras(installed: Path) -> None:
    answer = run(
        installed / "python", "-W", "error", "-c", "from codegrant import *; print(Client)"
    )
    assert answer.returncode == 0, answer.stderr


def test_every_module_that_needs_no_extra_imports_without_one(installed: Path) -> None:
    answer = run(installed / "python", "-W", "error", "-c", IMPORT_ALL)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) > 100


IMPORT_ALL = """
from importlib import import_module
from pkgutil import walk_packages
import codegrant

# What is of no use without an extra: the command, the demo, three stores, the plugin, the
# adapters, uvicorn's parts.
extra = (
    "__main__", "cli", "demo", "stores.keyring", "stores.postgres", "stores.valkey",
    "testing.httpx", "testing.plugin", "testing.requests", "web.django", "web.fastapi", "web.flask",
    "web.http_protocol", "web.httpx", "web.requests", "web.running", "web.starlette",
)
count = 0
for module in walk_packages(codegrant.__path__, "codegrant.", onerror=lambda _: None):
    if not module.name.removeprefix("codegrant.").startswith(extra):
        import_module(module.name)
        count += 1
print(count)
"""


@pytest.mark.parametrize(
    ("module", "needs", "extra"),
    [
        ("codegrant.stores.keyring", "keyring", "keyring"),
        ("codegrant.stores.postgres", "psycopg", "postgres"),
        ("codegrant.stores.valkey", "redis", "valkey"),
        ("codegrant.web.django", "Django", "django"),
        ("codegrant.testing.httpx", "httpx", "httpx"),
        ("codegrant.testing.requests", "requests", "requests"),
        ("codegrant.web.fastapi", "FastAPI", "fastapi"),
        ("codegrant.web.fastapi_resource", "FastAPI", "fastapi"),
        ("codegrant.web.flask", "Flask", "flask"),
        ("codegrant.web.flask_resource", "Flask", "flask"),
        ("codegrant.web.httpx", "httpx", "httpx"),
        ("codegrant.web.requests", "requests", "requests"),
        ("codegrant.web.starlette", "Starlette", "starlette"),
    ],
)
def test_an_adapter_without_its_extra_says_what_to_install(
    installed: Path, module: str, needs: str, extra: str
) -> None:
    answer = run(installed / "python", "-c", f"import {module}")
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    assert f"{module} needs {needs}: pip install 'codegrant[{extra}]'" in last


def test_pages_without_their_extra_say_what_to_install(installed: Path) -> None:
    answer = run(installed / "python", "-c", BUILD_SITE)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith("pip install 'codegrant[server]'\n")


BUILD_SITE = """
from codegrant.accounts.site import Site
from codegrant.errors import ConfigurationError
from codegrant.sealing import KeyRing
from codegrant.server.policy import Policy

try:
    Site.build(Policy(issuer="https://login.test"), KeyRing(["k" * 32]))
except ConfigurationError as error:
    print(error.message)
"""


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        pytest.param(["serve"], "server", id="serve"),
        pytest.param(["users", "list"], "server", id="users"),
        pytest.param(["clients", "list"], "server", id="clients"),
        pytest.param(["resources", "list"], "server", id="resources"),
        pytest.param(["keys", "list"], "server", id="keys"),
        pytest.param(["db", "check"], "server", id="db"),
        pytest.param(["config", "check", "--config", "x"], "server", id="config"),
        pytest.param(["--version"], "server", id="version"),
        pytest.param(["--help"], "server", id="help"),
        pytest.param([], "server", id="nothing"),
        pytest.param(["demo"], "demo", id="demo"),
        pytest.param(["demo", "--headless"], "demo", id="demo, headless"),
    ],
)
def test_a_command_without_its_extra_prints_the_one_line_that_helps(
    installed: Path, arguments: list[str], extra: str
) -> None:
    answer = run(installed / "codegrant", *arguments)
    assert answer.returncode == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("codegrant: ")
    assert f"pip install 'codegrant[{extra}]'" in line


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, cwd=command.parent
    )
