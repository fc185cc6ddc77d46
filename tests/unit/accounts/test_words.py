"""`accounts.pages.words`: times as a person says them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from codegrant.accounts.pages.words import moment_of, too_many_attempts

NOW = 1_800_000_000
DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(-5, "just now", id="a clock that runs ahead"),
        pytest.param(0, "just now", id="now"),
        pytest.param(119, "just now", id="not yet two minutes"),
        pytest.param(120, "2 minutes ago", id="two minutes"),
        pytest.param(3599, "59 minutes ago", id="not yet an hour"),
        pytest.param(3600, "1 hour ago", id="an hour"),
        pytest.param(7200, "2 hours ago", id="two hours"),
        pytest.param(DAY - 1, "23 hours ago", id="not yet a day"),
        pytest.param(DAY, "1 day ago", id="a day"),
        pytest.param(30 * DAY, "30 days ago", id="30 days"),
        pytest.param(30 * DAY + 1, "on 16 December 2026", id="longer"),
    ],
)
def test_a_time_is_told_by_its_distance(seconds: int, words: str) -> None:
    assert moment_of(NOW - seconds, NOW).ago == words


def test_a_time_has_a_day_and_a_form_for_machines() -> None:
    moment = moment_of(NOW, NOW)
    assert (moment.iso, moment.day) == ("2027-01-15T08:00:00Z", "15 January 2027")


@pytest.mark.parametrize("start", [0, 951_696_000, 1_709_164_800, 1_798_675_200, 4_107_456_000])
def test_every_day_has_its_date(start: int) -> None:
    for at in range(start, start + 800 * DAY, DAY - 1):
        time = datetime.fromtimestamp(at, UTC)
        moment = moment_of(at, NOW)
        assert moment.iso == time.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert moment.day == f"{time.day} {time:%B} {time.year}"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (300, "5 minutes")],
)
def test_a_wait_is_never_told_too_short(seconds: int, words: str) -> None:
    text = too_many_attempts(seconds)
    assert text == f"Too many attempts have failed. Try again in {words}."
