"""What the effects of the rate limits mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server.effects import CountFailures, FailureCount, SaveFailure
from codegrant.stores.statements import Row, execute, load_statements

_SQL = load_statements("failures")
_FORGET_AT_ONCE = 20
COUNT_COLUMNS = 4


def save_failure(effect: SaveFailure) -> Flow[None]:
    """Insert a failure and delete a few that are too old to count."""
    yield from execute(
        _SQL["save_failure"],
        kind=effect.kind,
        account=effect.account,
        source=effect.source,
        at=effect.at,
    )
    yield from execute(
        _SQL["forget_failures"], forget_before=effect.forget_before, limit=_FORGET_AT_ONCE
    )


def count_failures(effect: CountFailures) -> Flow[FailureCount]:
    """Count the failures of a pair and of a source."""
    found = yield from execute(
        _SQL["count_failures"],
        kind=effect.kind,
        account=effect.account,
        source=effect.source,
        since=effect.since,
    )
    return failure_count(found[0])


def failure_count(columns: Row) -> FailureCount:
    """Return what the columns of `count_failures` say; MIN over nothing is NULL."""
    return FailureCount(*[value if isinstance(value, int) else 0 for value in columns])
