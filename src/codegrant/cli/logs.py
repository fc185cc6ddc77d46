"""Logs on stderr: one line per record, nothing in it that could end the line or be a secret.

Of a record only what stands on a list is written: the message of our own loggers and
uvicorn's, and known facts. An exception is its type and where it came from.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import cast

from codegrant.server.events import FACTS
from codegrant.web.failures import trail_of

__all__ = ["LineFormatter", "log_to_stderr"]

_FIELDS = FACTS | {"where", "worker"}
_OUR_WORDS = ("codegrant", "uvicorn")
_BARE = re.compile(r"[!-~]+")
_QUOTED = re.compile(r'["=\\]')


class LineFormatter(logging.Formatter):
    """Writes `time LEVEL logger message key=value …`, in ASCII, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        words = [at, record.levelname, _escape(record.name)]
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
    """Send our records from `level` on, and others' from WARNING on, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("codegrant").setLevel(level)
    logging.captureWarnings(capture=True)
    # A handler that cannot write would print a traceback, with the record's arguments.
    logging.raiseExceptions = False


def _escape(text: str) -> str:
    """Return `text` in printable ASCII; what is not becomes an escape."""
    return text.encode("unicode_escape").decode("ascii")


def _value(value: object) -> str:
    """Return a fact's value, quoted where it is not one plain word."""
    text = str(value)
    if _BARE.fullmatch(text) and not _QUOTED.search(text):
        return text
    quoted = _escape(text).replace('"', '\\"')
    return f'"{quoted}"'
