"""The resource server role: checks the access token of a request to an API.

The names below are imported when they are first used. Layer: resource.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.resource.facade import AsyncResourceServer, ResourceServer
    from codegrant.resource.introspection import Introspection
    from codegrant.resource.verification import ResourceFlows
    from codegrant.rules.access_token import AccessToken

__all__ = ["AccessToken", "AsyncResourceServer", "Introspection", "ResourceFlows", "ResourceServer"]

_HOMES = {
    "AccessToken": "codegrant.rules.access_token",
    "AsyncResourceServer": "codegrant.resource.facade",
    "Introspection": "codegrant.resource.introspection",
    "ResourceFlows": "codegrant.resource.verification",
    "ResourceServer": "codegrant.resource.facade",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use. PEP 562."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
