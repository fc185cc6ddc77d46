"""Our response as Starlette's. Layer: web."""

from __future__ import annotations

from codegrant.errors import ConfigurationError
from codegrant.http import Response

try:
    from starlette.responses import Response as StarletteResponse
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.starlette needs Starlette: pip install 'codegrant[starlette]'"
    ) from _error

__all__ = ["to_starlette"]


def to_starlette(response: Response) -> StarletteResponse:
    """Return our response as Starlette's."""
    answer = StarletteResponse(response.body, response.status)
    for name, value in response.headers.pairs():
        answer.headers.append(name, value)
    return answer
