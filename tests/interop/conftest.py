"""What the interop tests share: two servers, one of them under a path, and Node.js."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.interop.foreign_client import open_node
from tests.interop.foreign_server import AWKWARD_SECRET, METHODS
from tests.support.colours import Colour
from tests.support.node import Node, find_packages
from tests.support.person import Person
from tests.support.relying_party import RelyingParty, administer, register
from tests.support.serving import Serving
from tests.support.tls import self_signed

__all__ = ["API", "AWKWARD_SECRET", "HERE", "METHODS", "WHOLE_SCOPE", "Scripts", "Site"]

HERE = Path(__file__).parent
API = "https://api.example"
# Everything that a client may be given, the scope of the API included.
WHOLE_SCOPE = "openid profile email offline_access read"


@dataclass
class Site:
    """A running server that knows alice and an API, with a client for each method and algorithm."""

    server: Serving
    subject: str
    api_secret: str
    parties: dict[str, RelyingParty] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.server.issuer

    @property
    def alice(self) -> Person:
        return Person(self.issuer)

    def party(self, method: str = "client_secret_basic", alg: str = "") -> RelyingParty:
        """Return the client with this method and algorithm, registered on first use."""
        name = f"{method}.{alg or 'default'}"
        if name not in self.parties:
            options = ["--scope", "openid profile email", "--auth-method", method]
            options += ["--id-token-alg", alg] if alg else []
            self.parties[name] = register(self.server, name, *options)
        return self.parties[name]

    def whole_party(
        self, method: str = "client_secret_basic", owner: str = "whole"
    ) -> RelyingParty:
        """Return a client that may do everything, with a secret also on its own behalf."""
        name = f"{method}.{owner.replace(' ', '-')}"
        if name not in self.parties:
            grants = ["authorization_code", "refresh_token", "client_credentials"]
            options = ["--scope", WHOLE_SCOPE, "--audience", API, "--auth-method", method]
            for grant in grants[: 2 if method == "none" else 3]:
                options += ["--grant", grant]
            self.parties[name] = register(self.server, name, *options)
        return self.parties[name]

    def awkward_party(self, method: str) -> RelyingParty:
        """Return a client whose secret was brought along, with characters to be encoded."""
        name = f"{method}.awkward"
        if name not in self.parties:
            where = ("--redirect-uri", "https://app.example/callback", "--auth-method", method)
            adding = ("clients", "add", name, "--secret-stdin", *where)
            self.server.run(*adding, stdin=f"{AWKWARD_SECRET}\n")
            self.parties[name] = RelyingParty(self.issuer, name, AWKWARD_SECRET, method=method)
        return self.parties[name]


def _open(folder: Path, *arguments: str, port: int = 0) -> Iterator[Site]:
    with Serving(folder, *arguments, port=port).start() as server:
        more = ("--name", "Alice L", "--email", "alice@example.test")
        subject = server.add_user("alice", "wonderland", *more)
        api = administer(server, "resources", "add", API, "--id", "api", "--scope", "read")
        yield Site(server, subject, api["client_secret"])


@pytest.fixture(scope="session")
def root_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from _open(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="session")
def path_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    issuer = f"http://127.0.0.1:{port}/tenant/one"
    yield from _open(tmp_path_factory.mktemp("path"), "--issuer", issuer, port=port)


@pytest.fixture(params=["root", "path"])
def site(request: pytest.FixtureRequest) -> Site:
    """Run the test at an issuer without a path, and once more at one with a path."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test in a thread, and once more in an event loop."""
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture(scope="session")
def node(services: Mapping[str, str]) -> str:
    """Return the path of Node.js, whose packages must have been installed here."""
    find_packages()
    return services["node"]


Scripts: TypeAlias = Callable[[str], Node]


@pytest.fixture(scope="module")
def scripts(request: pytest.FixtureRequest) -> Iterator[Scripts]:
    """Runs the script of a library in Node.js, from its first use to the end of the module."""
    with ExitStack() as stack:
        running: dict[str, Node] = {}

        def run(library: str) -> Node:
            if library not in running:
                script = open_node(request.getfixturevalue("node"), library)
                running[library] = stack.enter_context(script)
            return running[library]

        yield run


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of one CA, which is read faster than all of the system's."""
    return str(self_signed(tmp_path_factory.mktemp("tls")).file)
