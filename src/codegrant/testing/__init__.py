"""For your own tests: an OpenID provider in the test's process, and a pytest plugin.

    def test_a_profile(login_as, codegrant_provider):
        codegrant_provider.add_client("app", client_secret=..., redirect_uri=...)
        client = app.test_client()
        login_as(client, "alice")
        assert client.get("/profile").status_code == 200

Each name is imported when it is first used: pytest imports this package at every start.
Layer: testing.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.testing.clock import MovableClock
    from codegrant.testing.faults import Endpoint, Faults
    from codegrant.testing.provider import ProviderInProcess
    from codegrant.testing.registration import ClientCredentials
    from codegrant.testing.signing_in import LoginAs, login_at, login_at_async
    from codegrant.testing.wire import Unanswered, Wire

__all__ = [
    "ClientCredentials",
    "Endpoint",
    "Faults",
    "LoginAs",
    "MovableClock",
    "ProviderInProcess",
    "Unanswered",
    "Wire",
    "login_at",
    "login_at_async",
]

_HOMES = {
    "ClientCredentials": "codegrant.testing.registration",
    "Endpoint": "codegrant.testing.faults",
    "Faults": "codegrant.testing.faults",
    "LoginAs": "codegrant.testing.signing_in",
    "MovableClock": "codegrant.testing.clock",
    "ProviderInProcess": "codegrant.testing.provider",
    "Unanswered": "codegrant.testing.wire",
    "Wire": "codegrant.testing.wire",
    "login_at": "codegrant.testing.signing_in",
    "login_at_async": "codegrant.testing.signing_in",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use. PEP 562."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
