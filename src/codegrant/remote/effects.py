"""The effects of talking to others, next to `http.Send`. Layer: remote, no I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from codegrant.flow import Effect, Flow

__all__ = ["FIELDS", "Call", "FieldName", "Leased", "Pause", "Report", "SingleFlight"]

T = TypeVar("T")

FieldName: TypeAlias = Literal[
    "age", "client_id", "code", "endpoint", "error", "issuer", "kid", "method",
    "missing_scope", "stage", "status",
]  # fmt: skip

# The allow-list: what is not here is not logged.
FIELDS: frozenset[str] = frozenset(FieldName.__args__)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class SingleFlight(Effect[T]):
    """Run a flow once, however many ask for the same `key` at the same time.

    The first to ask runs it; all who ask until it has ended get its result or its
    exception. When the first is cancelled, the next one runs it instead.

    Attributes:
        key: what is being done; unique within one driver.
        start: makes the flow; called by the one who runs it.
        finishes: whether a run that has begun goes on although the task that began it is
            cancelled: what it has sent cannot be taken back.
    """

    key: str
    start: Callable[[], Flow[T]]
    finishes: bool = False


@dataclass(frozen=True, slots=True)
class Leased(Effect[T]):
    """Run a flow while this process, and no other, has a lease.

    Whoever performs it takes the lease, waits for it if need be, renews it each second while
    the flow runs, and releases it at the end, however that comes. A flow whose lease has run
    out, since it was held up, posts nothing: it begins anew once the lease is there again, for
    another process may have changed what it has read. The functions may wait for a disk:
    asyncio calls them in a thread.

    Attributes:
        take: takes the lease or renews it; False while somebody else has it.
        release: gives it back, if it was taken.
        start: makes the flow; called whenever the lease is there anew.
        seconds: for how long at least it holds, counted from when it is taken.
    """

    take: Callable[[], bool]
    release: Callable[[], object]
    start: Callable[[], Flow[T]]
    seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Call(Effect[T]):
    """Call what the program gave us, a store or a callback.

    Attributes:
        call: a function; under asyncio a coroutine function will do as well.
        blocks: whether it may wait for a disk: asyncio then calls it in a thread.
    """

    call: Callable[[], T | Awaitable[T]]
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Pause(Effect[None]):
    """Wait for `seconds`, then go on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Report(Effect[None]):
    """Tell the operator: one line in the role's log, with fields of the allow-list only.

    Attributes:
        level: a level of `logging`, for example 30 for a warning.
        event: what happened, in a few words.
        fields: plain values, never a secret.
    """

    level: int
    event: str
    fields: Mapping[FieldName, str | int] = field(default_factory=dict[FieldName, "str | int"])
