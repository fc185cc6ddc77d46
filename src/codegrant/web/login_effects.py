"""What a web login asks of its adapter, besides the effects of its token store. Layer: web."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from codegrant.flow import Effect, Flow
from codegrant.remote.effects import Pause

__all__ = ["AtProvider", "Pause"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AtProvider(Effect[T]):
    """Run a flow with the driver of one provider's client: its time limit and its trust.

    Attributes:
        name: the application's name for the provider.
        start: makes the flow.
    """

    name: str
    start: Callable[[], Flow[T]]
