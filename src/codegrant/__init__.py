"""OAuth 2.1 and OpenID Connect: the authorization code grant, end to end.

The names below are the whole public surface of the client role and the errors of every
role. Each is imported when it is first used, so `import codegrant` costs next to nothing.
The other roles have addresses of their own: `codegrant.server`, `codegrant.resource`,
`codegrant.web`.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.client import AsyncClient, Client, PendingLogin, Tokens
    from codegrant.errors import (
        CallbackRejected,
        CodegrantError,
        ConfigurationError,
        LoginRequired,
        MessageError,
        MetadataRejected,
        OAuthError,
        PeerError,
        Refused,
        ResponseRejected,
        SealBroken,
        StateError,
        StoreError,
        TokenRejected,
        TransportError,
        UsageError,
    )
    from codegrant.messages.metadata import ServerMetadata
    from codegrant.providers import Provider, provider
    from codegrant.rules.identity import Identity
    from codegrant.sealing import KeyRing
    from codegrant.secret import Secret

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "CallbackRejected",
    "Client",
    "CodegrantError",
    "ConfigurationError",
    "Identity",
    "KeyRing",
    "LoginRequired",
    "MessageError",
    "MetadataRejected",
    "OAuthError",
    "PeerError",
    "PendingLogin",
    "Provider",
    "Refused",
    "ResponseRejected",
    "SealBroken",
    "Secret",
    "ServerMetadata",
    "StateError",
    "StoreError",
    "TokenRejected",
    "Tokens",
    "TransportError",
    "UsageError",
    "__version__",
    "provider",
]

_HOMES = {
    "AsyncClient": "codegrant.client",
    "Client": "codegrant.client",
    "Identity": "codegrant.rules.identity",
    "KeyRing": "codegrant.sealing",
    "PendingLogin": "codegrant.client",
    "Provider": "codegrant.providers",
    "Secret": "codegrant.secret",
    "ServerMetadata": "codegrant.messages.metadata",
    "Tokens": "codegrant.client",
    "provider": "codegrant.providers",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use. PEP 562."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES.get(name, "codegrant.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
