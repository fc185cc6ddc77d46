from __future__ import annotations

import time

from codegrant.testing import MovableClock


def test_it_shows_the_time_of_the_machine() -> None:
    assert time.time() <= MovableClock()() <= time.time()


def test_it_is_moved_and_goes_on() -> None:
    clock = MovableClock()
    clock.advance(3600)
    assert time.time() + 3600 <= clock() <= time.time() + 3600
    clock.advance(-7200)
    assert time.time() - 3600 <= clock() <= time.time() - 3600


def test_it_stands_still_where_it_was_stopped_and_can_still_be_moved() -> None:
    clock = MovableClock()
    clock.advance(500)
    clock.stop()
    assert clock() == clock()
    clock.stop(at=1_000)
    assert clock() == 1_000
    clock.advance(5)
    assert clock() == 1_005
    clock.reset()
    assert clock() >= time.time() - 1
