"""What the end-to-end tests share: a server of their own, with alice and one application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.colours import Colour
from tests.support.serving import Serving
from tests.support.tls import self_signed

Start = Callable[..., Serving]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a server in the test's folder; all of them are stopped."""
    with ExitStack() as stack:

        def start_one(*arguments: str, **more: object) -> Serving:
            return stack.enter_context(Serving(tmp_path, *arguments, **more).start())  # type: ignore[arg-type]

        yield start_one


@pytest.fixture
def server(start: Start) -> Serving:
    """Return a running server that knows alice (wonderland) and nobody else."""
    running = start()
    running.add_user()
    return running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Return a running server of the module's own that knows alice (wonderland) and nobody else."""
    with Serving(tmp_path_factory.mktemp("server")).start() as running:
        running.add_user()
        yield running


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test in a thread, and once more in an event loop."""
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of one CA, which is read faster than all of the system's."""
    return str(self_signed(tmp_path_factory.mktemp("tls")).file)
