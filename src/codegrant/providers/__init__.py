"""The catalogue of known providers and their quirks: data, and nothing that acts on it.

    client = Client("github", client_id=..., client_secret=...)
    client = Client(provider("microsoft", tenant="..."), client_id=..., client_secret=...)

What a quirk does stands where the thing is parsed, in `codegrant.rules` and the client; each
loosens what its name says, for its provider, and nothing else. Layer: providers.
"""

from codegrant.providers.catalogue import IDS, find_entry, provider
from codegrant.providers.provider import (
    EmailList,
    Provider,
    Quirk,
    SignedSecret,
    TenantRule,
    UserShape,
)

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
