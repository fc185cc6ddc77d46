"""What a log may say about an exception that nobody expected. Layer: web, no I/O.

Its type and where it came from, and not its text: that may hold whatever a request held.
"""

from __future__ import annotations

from pathlib import PurePath
from traceback import extract_tb

__all__ = ["trail_of"]

_MOST_FRAMES = 8


def trail_of(error: BaseException) -> str:
    """Return the type of `error` and its innermost frames, in one line and without values."""
    causes: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(causes) < 4:
        frames = extract_tb(seen.__traceback__)[-_MOST_FRAMES:]
        steps = (f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in frames)
        causes.append(f"{type(seen).__name__} at {' > '.join(steps) or 'unknown'}")
        seen = seen.__cause__
    return " from ".join(causes)
