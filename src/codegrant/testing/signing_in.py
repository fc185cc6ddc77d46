"""Logging a person in to the application under test, through its own test client.

The trip is the real one: the application's login, the provider, the callback. What differs
between the test clients of frameworks is how an address is opened and an answer is read.
Layer: testing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from codegrant.accounts.records import Account
from codegrant.errors import UsageError

__all__ = ["LoginAs", "SupportsGet", "login_as", "login_as_async"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_STEPS = 5
_CODE = re.compile(r'id="error-code">([^<]*)<')


class SupportsGet(Protocol[R_co]):
    """A test client: of Flask, Starlette, FastAPI or Django, or one of `httpx` over the app."""

    @property
    def get(self) -> Callable[..., R_co]:
        """Opens an address."""
        ...


class LoginAs(Protocol):
    """The fixture `login_as`, see `ProviderInProcess.login_as`."""

    def __call__(
        self,
        client: SupportsGet[R],
        person: str | Account = "alice",
        *,
        path: str = "/login",
        allow: bool = True,
    ) -> R:
        """Log a person in and return the application's answer to the callback."""
        ...


class _Reply(NamedTuple):
    """What a test client was answered; `location` is absolute, or empty."""

    status: int
    location: str
    text: str


class _Kind(NamedTuple):
    """How the test client of one framework is used."""

    get: Callable[[Any, str], Any]
    read: Callable[[Any], _Reply]


def login_as(
    client: SupportsGet[R], path: str, *, is_provider: Callable[[str], bool], authorize: Authorize
) -> R:
    """Log a person in to an application and return its answer to the callback.

    Args:
        client: a test client of Flask, Starlette, FastAPI or Django.
        path: of the application's login, e.g. `/login`; or an absolute URL.
        is_provider: whether an address is where the person logs in.
        authorize: takes that address, returns the callback's.

    Raises:
        AssertionError: the application did not start the login, or did not finish it.
        UsageError: the test client is of no framework that is known.
    """
    kind, trip = _kind_of(client), _trip(path, is_provider, authorize)
    url = next(trip)
    while True:
        answer = kind.get(client, url)
        try:
            url = trip.send(kind.read(answer))
        except StopIteration:
            return cast("R", answer)


async def login_as_async(
    client: SupportsGet[Awaitable[R]],
    path: str,
    *,
    is_provider: Callable[[str], bool],
    authorize: Authorize,
) -> R:
    """As `login_as`, for an `AsyncClient` of `httpx` or `httpx2` over the application."""
    kind, trip = _kind_of(client), _trip(path, is_provider, authorize)
    url = next(trip)
    while True:
        answer = await kind.get(client, url)
        try:
            url = trip.send(kind.read(answer))
        except StopIteration:
            return cast("R", answer)


class Authorize(Protocol):
    """Lets the person log in at the provider."""

    def __call__(self, url: str, /) -> str:
        """Return the callback's address."""
        ...


def _trip(
    url: str, is_provider: Callable[[str], bool], authorize: Authorize
) -> Generator[str, _Reply, None]:
    """Yield the addresses that the browser opens at the application, to be sent its answers."""
    for _ in range(_MOST_STEPS):
        reply = yield url
        if reply.status not in _REDIRECTS:
            raise AssertionError(f"{url} starts no login: {_told(reply)}")
        url = reply.location
        if is_provider(url):
            break
        if "response_type=" in url:
            raise AssertionError(f"the login leads to another provider: {url.partition('?')[0]}")
    else:
        raise AssertionError(f"{_MOST_STEPS} redirects do not lead to the provider")
    callback = authorize(url)
    reply = yield callback
    address = callback.partition("?")[0]
    if reply.status >= 400:
        raise AssertionError(f"{address} did not take the login: {_told(reply)}")
    if reply.status in _REDIRECTS and is_provider(reply.location):
        raise AssertionError(f"{address} did not take the login, and started it once more")


def _told(reply: _Reply) -> str:
    """Return what an answer says, fit for a failure's message."""
    code = _CODE.search(reply.text)
    return f"status {reply.status}{f', error code {code[1]}' if code else ''}"


def _kind_of(client: object) -> _Kind:
    """Return how this client is used; no framework is imported for it."""
    families = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    for family, kind in _KINDS.items():
        if family in families:
            return kind
    name = f"{type(client).__module__}.{type(client).__qualname__}"
    raise UsageError(
        f"client: {name} is no test client that is known",
        hint="take that of Flask, Starlette, FastAPI or Django, or one of httpx over the app",
    )


def _get_werkzeug(client: Any, url: str) -> Any:  # noqa: ANN401 - clients of any framework
    return client.get(url, follow_redirects=False)


def _read_werkzeug(answer: Any) -> _Reply:  # noqa: ANN401
    location = answer.headers.get("Location", "")
    absolute = urljoin(answer.request.url, location) if location else ""
    return _Reply(answer.status_code, absolute, answer.get_data(as_text=True))


def _get_httpx(client: Any, url: str) -> Any:  # noqa: ANN401
    return client.get(url, follow_redirects=False)


def _read_httpx(answer: Any) -> _Reply:  # noqa: ANN401
    location = answer.headers.get("location", "")
    absolute = urljoin(str(answer.url), location) if location else ""
    return _Reply(answer.status_code, absolute, answer.text)


def _get_django(client: Any, url: str) -> Any:  # noqa: ANN401
    parts = urlsplit(url)
    if not parts.netloc:
        return client.get(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    # Django's own default: to its asynchronous client a second Host would be one too many.
    headers = {} if parts.netloc == "testserver" else {"host": parts.netloc}
    return client.get(path, secure=parts.scheme == "https", headers=headers)


def _read_django(answer: Any) -> _Reply:  # noqa: ANN401
    request = answer.wsgi_request if hasattr(answer, "wsgi_request") else answer.asgi_request
    location = answer.headers.get("Location", "")
    absolute = urljoin(request.build_absolute_uri(), location) if location else ""
    return _Reply(answer.status_code, absolute, b"".join(answer).decode(errors="replace"))


_KINDS = {
    "django": _Kind(_get_django, _read_django),
    "werkzeug": _Kind(_get_werkzeug, _read_werkzeug),
    "httpx2": _Kind(_get_httpx, _read_httpx),
    "httpx": _Kind(_get_httpx, _read_httpx),
}
