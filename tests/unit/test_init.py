"""`codegrant`: the public names, imported on first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import codegrant


def run_python(code: str) -> str:
    """Return what `code` prints in an interpreter of its own."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_imports_almost_nothing() -> None:
    added = run_python(
        "import sys; before = set(sys.modules); import codegrant; "
        "print(*sorted(set(sys.modules) - before))"
    )
    assert {name.partition(".")[0] for name in added.split()} <= {
        "codegrant",
        "importlib",
        "warnings",
    }
    assert "codegrant." not in added


# What a login that goes well does not need, or an application without a browser.
RARELY_NEEDED = frozenset({
    "codegrant.client.api", "codegrant.client.api_auth", "codegrant.client.client_credentials",
    "codegrant.client.device", "codegrant.client.identity", "codegrant.client.logout",
    "codegrant.client.memory", "codegrant.client.protected_resource",
    "codegrant.client.revocation", "codegrant.client.state", "codegrant.client.token_exchange",
    "codegrant.client.userinfo", "codegrant.messages.bearer", "codegrant.messages.device",
    "codegrant.messages.grants", "codegrant.messages.pushed",
    "codegrant.messages.resource_metadata", "codegrant.messages.revocation",
    "codegrant.messages.userinfo", "codegrant.providers.catalogue", "codegrant.providers.openid",
    "codegrant.remote.client_assertion", "codegrant.rules.entra_causes",
    "codegrant.rules.identity", "codegrant.rules.known_causes", "codegrant.rules.logout_token",
    "cryptography.hazmat.primitives.serialization", "html", "httpx2", "socket", "ssl",
})  # fmt: skip
OTHER_ROLES = ("accounts", "cli", "demo", "resource", "server", "stores", "testing", "web")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        pytest.param("Client", frozenset[str](), id="sync"),
        # Both belong to asyncio.
        pytest.param("AsyncClient", frozenset({"socket", "ssl"}), id="async"),
    ],
)
def test_a_client_imports_nothing_that_most_logins_do_not_need(
    name: str, allowed: frozenset[str]
) -> None:
    added = run_python(f"import sys; from codegrant import {name}; print(*sys.modules)").split()
    assert f"codegrant.client.{'facade' if name == 'Client' else 'aio'}" in added
    assert sorted((RARELY_NEEDED - allowed).intersection(added)) == []
    others = tuple(f"codegrant.{role}." for role in OTHER_ROLES)
    assert [module for module in added if f"{module}.".startswith(others)] == []


@pytest.mark.parametrize("module", sorted(n for n in RARELY_NEEDED if n.startswith("codegrant.")))
def test_what_is_rarely_needed_exists_under_that_name(module: str) -> None:
    assert find_spec(module) is not None


@pytest.mark.parametrize("name", codegrant.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(codegrant, name) is not None


def test_a_name_is_imported_once_and_kept() -> None:
    loaded = run_python(
        "import codegrant; before = 'Secret' in vars(codegrant); codegrant.Secret; "
        "print(before, 'Secret' in vars(codegrant))"
    )
    assert loaded == "False True"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clientt'"):
        codegrant.__getattr__("Clientt")


def test_the_listing_has_every_public_name() -> None:
    assert set(codegrant.__all__) <= set(dir(codegrant))


def test_checkers_see_the_same_names_as_programs() -> None:
    source = Path(codegrant.__file__).read_text(encoding="utf-8")
    block = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    seen = {a.name for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}
    homes = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(codegrant.__all__) - {"__version__"}
    assert all(
        codegrant._HOMES.get(name, "codegrant.errors") == home for name, home in homes.items()
    )
