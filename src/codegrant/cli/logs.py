"""Logs on stderr: one line per record, nothing in it that could end the line or be a secret.

Of a record only what stands on a list is written: the message of our own loggers and
uvicorn's, and known facts. An exception is its type and where it came from.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TextIO, cast

from codegrant.server.events import FACTS, Event
from codegrant.web.failures import trail_of
from codegrant.web.performer import level_of

__all__ = ["EventLines", "LineFormatter", "log_to_stderr"]

_events = logging.getLogger("codegrant.events")

_FIELDS = FACTS | {"where", "worker"}
_WHOLE_IN_A_PIPE = 4096
_OUR_WORDS = ("codegrant", "uvicorn")
# Printable, and none of space, `"`, `=` and `\`.
_BARE = re.compile(r"[!#-<>-\[\]-~]+")


class LineFormatter(logging.Formatter):
    """Writes `time LEVEL logger message key=value …`, in ASCII, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        words = [_time_of(int(record.created)), record.levelname, _escape(record.name)]
        if record.name.partition(".")[0] in _OUR_WORDS:
            words.append(_escape(record.getMessage()))
        else:
            words.append(f"{record.module}:{record.lineno}")
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            known = cast("Mapping[str, object]", facts).items()
            words += [f"{key}={_value(value)}" for key, value in known if key in _FIELDS]
        if record.exc_info and record.exc_info[1] is not None:
            words.append(f"where={_value(trail_of(record.exc_info[1]))}")
        return " ".join(words)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send our records from `level` on to stderr, and others' that are at least warnings.

    At DEBUG others' go there as well; of theirs only place and level are written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.getLogger("codegrant").setLevel(level)
    logging.captureWarnings(capture=True)
    # Every record would look these up, and no line shows them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A handler that cannot write would print a traceback, with the record's arguments.
    logging.raiseExceptions = False


class EventLines:
    """An event sink: the lines that `log_event` leads to, without a log record on the way.

    What one turn of an event loop brings is written at once when the turn is over; outside
    of a loop each line is. Used by one thread at a time.
    """

    __slots__ = ("_lines", "_loop")

    def __init__(self) -> None:
        self._lines: list[str] = []
        # The one that will write; None while nothing waits.
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, event: Event) -> None:
        """Take an event."""
        level = level_of(event)
        if not _events.isEnabledFor(level):
            return
        words = [_time_of(int(time.time())), logging.getLevelName(level), _events.name, event.name]
        words += [f"{key}={_value(value)}" for key, value in event.facts.items()]
        self._lines.append(" ".join(words))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.write)

    def write(self) -> None:
        """Write what is waiting, in whole lines; what stderr does not take is lost."""
        lines, self._lines = self._lines, []
        self._loop = None
        stderr: TextIO | None = sys.stderr  # None in a process that was started without it
        if stderr is None:
            return
        with suppress(OSError, ValueError):
            for text in _pieces(lines):
                stderr.write(text)


def _pieces(lines: list[str]) -> Iterator[str]:
    """Return lines together, as many at a time as go into a pipe in one step.

    More would be mixed with what other processes write there. POSIX write(2), PIPE_BUF.
    """
    piece = ""
    for line in lines:
        if piece and len(piece) + len(line) >= _WHOLE_IN_A_PIPE:
            yield piece
            piece = ""
        piece += f"{line}\n"
    if piece:
        yield piece


@lru_cache(maxsize=1)
def _time_of(second: int) -> str:
    """Return an epoch second as text; a busy server asks for the same one many times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def _escape(text: str) -> str:
    """Return `text` in printable ASCII; what is not becomes an escape."""
    if _BARE.fullmatch(text):
        return text
    return text.encode("unicode_escape").decode("ascii")


def _value(value: object) -> str:
    """Return a fact's value, quoted where it is not one plain word."""
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    quoted = _escape(text).replace('"', '\\"')
    return f'"{quoted}"'
