"""The pytest plugin: fixtures, and nothing at all until a test asks for one. Layer: testing.

pytest imports this module in every run of everybody who has Codegrant installed, so it
imports nothing else of it before a fixture is used.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from codegrant.testing.clock import MovableClock
    from codegrant.testing.provider import ProviderInProcess
    from codegrant.testing.signing_in import LoginAs

__all__ = ["codegrant_clock", "codegrant_issuer", "codegrant_provider", "login_as"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of `pytest.ini` or `pyproject.toml`."""
    parser.addini("codegrant_issuer", "issuer of the provider in tests", default="")
    parser.addini(
        "codegrant_let_out", "origins that tests may really reach", type="linelist", default=[]
    )


@pytest.fixture
def codegrant_issuer(pytestconfig: pytest.Config) -> str:
    """The issuer of `codegrant_provider`: override it, or set `codegrant_issuer`."""
    from codegrant.testing.provider import ISSUER

    return str(pytestconfig.getini("codegrant_issuer")) or ISSUER


@pytest.fixture
def codegrant_clock() -> MovableClock:
    """The provider's clock, which a client may share: `Client(..., clock=codegrant_clock)`.

    Override it for an application that is made once for many tests and has a clock of its own.
    """
    from codegrant.testing.clock import MovableClock

    return MovableClock()


@pytest.fixture
def codegrant_provider(
    codegrant_issuer: str, codegrant_clock: MovableClock, pytestconfig: pytest.Config
) -> Iterator[ProviderInProcess]:
    """An OpenID provider in this process, new for each test; see `ProviderInProcess`.

    Its clock shows the machine's time again after the test.

    The test fails when anything was sent to an address that nobody serves, or when something
    that is served has raised an exception.
    """
    from codegrant.testing.provider import ProviderInProcess

    let_out = cast("list[str]", pytestconfig.getini("codegrant_let_out"))
    with ProviderInProcess(codegrant_issuer, clock=codegrant_clock, let_out=let_out) as provider:
        yield provider
    codegrant_clock.reset()
    if provider.wire.failures:
        error = provider.wire.failures[0]
        raised = "".join(traceback.format_exception(error))
        pytest.fail(
            f"what this test serves has failed:\n{raised}\n"
            "where it was meant to, call codegrant_provider.wire.failures.clear()",
            pytrace=False,
        )
    if provider.wire.not_served:
        sent = "\n  ".join(dict.fromkeys(provider.wire.not_served))
        pytest.fail(
            f"nothing serves what this test has sent:\n  {sent}\n"
            "answer it with codegrant_provider.serve(origin, app), let it out with "
            "codegrant_provider.wire.let_out(origin), or, where it was meant to fail, "
            "call codegrant_provider.wire.not_served.clear()",
            pytrace=False,
        )


@pytest.fixture
def login_as(codegrant_provider: ProviderInProcess) -> LoginAs:
    """Logs a person in behind a test client; see `ProviderInProcess.login_as`."""
    return codegrant_provider.login_as
