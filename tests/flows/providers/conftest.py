"""Applications at personas, on a wire of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from codegrant.testing.wire import Wire
from tests.support.colours import Colour
from tests.support.personas import Site, make_site

MakeSite: TypeAlias = Callable[..., Site]


@pytest.fixture
def make(colour: Colour) -> Iterator[MakeSite]:
    """Makes applications, and closes them at the end."""
    made: list[Site] = []

    def make(*arguments: Any, **named: Any) -> Site:
        made.append(make_site(wire, colour, *arguments, **named))
        return made[-1]

    with Wire() as wire:
        yield make
        for site in made:
            site.close()
