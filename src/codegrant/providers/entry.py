"""One row of the catalogue: a provider with places that the program fills. Layer: providers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from codegrant.providers.model import Provider

__all__ = ["Entry"]


class Entry(NamedTuple):
    """A provider whose texts may hold `{variable}`.

    Attributes:
        provider: as far as it is the same for everybody.
        needs: variables that the program must give, as `provider` calls them.
        defaults: of those that it may give.
    """

    provider: Provider
    needs: tuple[str, ...] = ()
    defaults: Mapping[str, str] = MappingProxyType({})
