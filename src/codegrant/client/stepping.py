"""Calls of an API in steps, as the auth objects of httpx2 and httpx are driven. Layer: client.

The two libraries have objects of one shape and no common class.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

from codegrant.client.authorizing import Calls, Exchange, advance, origin_parts
from codegrant.flow import Effect, Flow

__all__ = ["async_steps", "rewind_form", "steps"]


def steps(
    calls: Calls,
    request: Any,  # noqa: ANN401 - of either library
    can_repeat: Callable[[Any], bool],
    *,
    follow_redirects: bool,
) -> Generator[Any, Any, None]:
    """Yield what to send and be sent the answers, as an httpx auth object does."""
    calls.check_colour(is_async=False)
    tokens, response = calls.start(request, request.url), None
    if tokens is not None:
        response = yield request
    if response is None or response.status_code == 401:
        flow = calls.go_on(request, lambda: can_repeat(request), tokens, response)
        try:
            exchange = advance(flow, calls.perform)
            while exchange is not None:
                response = yield request
                exchange = advance(flow, calls.perform, response)
        finally:
            flow.close()
    if follow_redirects:
        while (following := _find_next(request, response, can_repeat)) is not None:
            response = yield following


async def async_steps(
    calls: Calls,
    request: Any,  # noqa: ANN401 - of either library
    can_repeat: Callable[[Any], bool],
    *,
    follow_redirects: bool,
) -> AsyncGenerator[Any, Any]:
    """As `steps`, for asyncio."""
    calls.check_colour(is_async=True)
    tokens, response = calls.start(request, request.url), None
    if tokens is not None:
        response = yield request
    if response is None or response.status_code == 401:
        flow = calls.go_on(request, lambda: can_repeat(request), tokens, response)
        try:
            exchange = await _advance_async(flow, calls.perform)
            while exchange is not None:
                response = yield request
                exchange = await _advance_async(flow, calls.perform, response)
        finally:
            flow.close()
    if follow_redirects:
        while (following := _find_next(request, response, can_repeat)) is not None:
            response = yield following


async def _advance_async(
    flow: Flow[None],
    perform: Callable[[Effect[Any]], Any],
    answer: object = None,
) -> Exchange | None:
    """As `advance`, for asyncio."""
    try:
        effect = flow.send(answer)
        while not isinstance(effect, Exchange):
            try:
                answer = perform(effect)
                answer = await answer if inspect.isawaitable(answer) else answer
            except Exception as error:  # noqa: BLE001 - handed on into the flow
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration:
        return None
    return effect


def rewind_form(stream: object) -> bool:
    """Make the multipart form of httpx2 or httpx ready to be sent once more.

    Returns whether `stream` is one whose files are all there to be read again. Both libraries
    read a file from its beginning; of one that cannot go back nothing would be left.
    """
    fields: object = getattr(stream, "fields", None)
    if not isinstance(fields, list):
        return False
    files = [getattr(field, "file", b"") for field in cast("list[object]", fields)]
    return all(isinstance(file, str | bytes) or _rewind(file) for file in files)


def _rewind(file: Any) -> bool:  # noqa: ANN401 - whatever a program puts into a form
    try:
        file.seek(0)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _find_next(request: Any, response: Any, can_repeat: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - see `steps`
    """Return the request that a redirect leads to, without the token outside of its origin.

    There is none for a body that cannot be sent twice (307, 308). A proof is for one address, so
    a token that needs one does not follow a redirect at all.
    """
    following = response.next_request
    if following is None or not can_repeat(following):
        return None
    proven = following.headers.pop("dpop", None) is not None
    if proven or origin_parts(following.url) != origin_parts(request.url):
        following.headers.pop("authorization", None)
    return following
