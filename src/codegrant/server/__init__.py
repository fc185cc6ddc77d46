"""The authorization server role, headless: flows from a request to a response.

What is asked of the store is in `effects`, what is asked of the people who are logged in
is in `interaction`. No socket, thread, clock or page lives here. The names below are what
a host application needs; each is imported when it is first used.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.server.events import Event
    from codegrant.server.host import Authentication, Host, Visitor
    from codegrant.server.policy import Limits, Policy
    from codegrant.server.records import ClientRecord, Person, ResourceRecord
    from codegrant.server.server import AuthorizationServer

__all__ = [
    "Authentication",
    "AuthorizationServer",
    "ClientRecord",
    "Event",
    "Host",
    "Limits",
    "Person",
    "Policy",
    "ResourceRecord",
    "Visitor",
]

_HOMES = {
    "Authentication": "host",
    "AuthorizationServer": "server",
    "ClientRecord": "records",
    "Event": "events",
    "Host": "host",
    "Limits": "policy",
    "Person": "records",
    "Policy": "policy",
    "ResourceRecord": "records",
    "Visitor": "host",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use. PEP 562."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"codegrant.server.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
