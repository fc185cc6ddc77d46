"""The catalogue of known providers and their quirks: data, and nothing that acts on it.

    client = Client("github", client_id=..., client_secret=...)
    client = Client(provider("microsoft", tenant="..."), client_id=..., client_secret=...)

What a quirk does stands where the thing is parsed, in `codegrant.rules` and the client; each
loosens what its name says, for its provider, and nothing else. Layer: providers.
"""

from importlib import import_module

from codegrant.providers.model import (
    EmailList,
    Provider,
    Quirk,
    SignedSecret,
    TenantRule,
    UserShape,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.providers.catalogue import IDS, find_entry, provider

__all__ = [
    "IDS",
    "EmailList",
    "Provider",
    "Quirk",
    "SignedSecret",
    "TenantRule",
    "UserShape",
    "find_entry",
    "provider",
]

_CATALOGUE = frozenset({"IDS", "find_entry", "provider"})


def __getattr__(name: str) -> object:
    """Import the catalogue on its first use; most programs name an issuer. PEP 562."""
    if name not in _CATALOGUE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.catalogue"), name)
    globals()[name] = value
    return value
