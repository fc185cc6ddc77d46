"""One row of the catalogue: a provider with places that the program fills. Layer: providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.providers.provider import Provider

__all__ = ["Entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A provider whose texts may hold `{variable}`.

    Attributes:
        provider: as far as it is the same for everybody.
        needs: variables that the program must give, as `provider` calls them.
        defaults: of those that it may give.
    """

    provider: Provider
    needs: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
