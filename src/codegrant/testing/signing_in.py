"""Logging a person in to the application under test, through its own test client.

The trip is the real one: the application's login, the provider, the callback. What differs
between the test clients of frameworks is how an address is opened and an answer is read.
Layer: testing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable, iscoroutine
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from codegrant.accounts.records import Account
from codegrant.errors import UsageError
from codegrant.testing.personas import Persona

__all__ = [
    "LoginAs",
    "Provides",
    "SupportsGet",
    "login_at",
    "login_at_async",
    "sign_in",
    "sign_in_async",
]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_STEPS = 5
_FORM = "application/x-www-form-urlencoded"
_CODE = re.compile(r'id="error-code">([^<]*)<')


class SupportsGet(Protocol[R_co]):
    """A test client: of Flask, Starlette, FastAPI or Django, or one of `httpx` or `requests`."""

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


class _Step(NamedTuple):
    """An address that the browser opens, or sends a form to."""

    url: str
    form: bytes | None = None


class _Kind(NamedTuple):
    """How the test client of one framework is used."""

    send: Callable[[Any, _Step], Any]
    read: Callable[[Any], _Reply]


class Provides(NamedTuple):
    """Where the person logs in.

    Attributes:
        start: address of the authorization endpoint.
        authorize: takes an authorization URL and returns the callback's: what the browser
            opens, or an address and the form that it sends there.
    """

    start: str
    authorize: Callable[[str], str | tuple[str, bytes]]

    def begins(self, url: str) -> bool:
        """Return whether somebody who is sent to `url` is to log in here."""
        return url.partition("?")[0] == self.start


def login_at(client: SupportsGet[R], persona: Persona, *, path: str = "/login") -> R:
    """Log the persona's person in to the application behind a test client.

    Args:
        client: as for `ProviderInProcess.login_as`.
        persona: that is served, see `ProviderInProcess.persona`.
        path: of the application's login; `/login/NAME` where there are several providers.

    Returns:
        The application's answer to the callback; no redirect is followed.

    Raises:
        AssertionError: the application did not start the login, or did not finish it.
    """
    return sign_in(client, path, _persona_login(persona))


async def login_at_async(
    client: SupportsGet[Awaitable[R]], persona: Persona, *, path: str = "/login"
) -> R:
    """As `login_at`, for a test client that is awaited."""
    return await sign_in_async(client, path, _persona_login(persona))


def sign_in(client: SupportsGet[R], path: str, provides: Provides) -> R:
    """Log a person in to an application and return its answer to the callback.

    Args:
        client: a test client of Flask, Starlette, FastAPI or Django.
        path: of the application's login, e.g. `/login`; or an absolute URL.
        provides: lets the person log in.

    Raises:
        AssertionError: the application did not start the login, or did not finish it.
        UsageError: the test client is of no framework that is known, or has to be awaited.
    """
    kind, trip = _kind_of(client), _trip(path, provides)
    step = next(trip)
    while True:
        answer = kind.send(client, step)
        if isawaitable(answer):
            if iscoroutine(answer):
                answer.close()  # nobody will ever wait for it
            raise _of_the_other_kind(client, "has to be awaited", "await login_as_async(...)")
        try:
            step = trip.send(kind.read(answer))
        except StopIteration:
            return cast("R", answer)


async def sign_in_async(client: SupportsGet[Awaitable[R]], path: str, provides: Provides) -> R:
    """As `sign_in`, for a test client that is awaited."""
    kind, trip = _kind_of(client), _trip(path, provides)
    step = next(trip)
    while True:
        coming = kind.send(client, step)
        if not isawaitable(coming):
            raise _of_the_other_kind(client, "cannot be awaited", "login_as(...)")
        answer = await coming
        try:
            step = trip.send(kind.read(answer))
        except StopIteration:
            return cast("R", answer)


def _of_the_other_kind(client: object, what: str, instead: str) -> UsageError:
    name = type(client).__name__
    return UsageError(
        f"client: the answer of this {name} {what}",
        hint=f"{instead}; at a persona the function that ends alike",
    )


def _persona_login(persona: Persona) -> Provides:
    return Provides(
        persona.address(persona.facts.authorize),
        persona.authorize_form if persona.facts.form_post else persona.authorize,
    )


def _trip(url: str, provides: Provides) -> Generator[_Step, _Reply, None]:
    """Yield what the browser does at the application, to be sent its answers."""
    for _ in range(_MOST_STEPS):
        reply = yield _Step(url)
        if reply.status not in _REDIRECTS:
            raise AssertionError(f"{url} starts no login: {_told(reply)}")
        url = reply.location
        if provides.begins(url):
            break
        if "response_type=" in url:
            raise AssertionError(f"the login leads to another provider: {url.partition('?')[0]}")
    else:
        raise AssertionError(f"{_MOST_STEPS} redirects do not lead to the provider")
    back = provides.authorize(url)
    step = _Step(back) if isinstance(back, str) else _Step(*back)
    address = step.url.partition("?")[0]
    reply = yield step
    if reply.location.partition("?")[0] == address:  # a form that becomes a page of its own
        reply = yield _Step(reply.location)
    if reply.status >= 400:
        raise AssertionError(f"{address} did not take the login: {_told(reply)}")
    if provides.begins(reply.location):
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
        hint="take that of Flask, Starlette, FastAPI or Django, or one of httpx over the app, or a "
        "requests.Session that reaches it",
    )


def _send_werkzeug(client: Any, step: _Step) -> Any:  # noqa: ANN401 - clients of any framework
    if step.form is None:
        return client.get(step.url, follow_redirects=False)
    return client.post(step.url, data=step.form, content_type=_FORM, follow_redirects=False)


def _read_werkzeug(answer: Any) -> _Reply:  # noqa: ANN401
    location = answer.headers.get("Location", "")
    absolute = urljoin(answer.request.url, location) if location else ""
    return _Reply(answer.status_code, absolute, answer.get_data(as_text=True))


def _send_httpx(client: Any, step: _Step) -> Any:  # noqa: ANN401
    if step.form is None:
        return client.get(step.url, follow_redirects=False)
    headers = {"content-type": _FORM}
    return client.post(step.url, content=step.form, headers=headers, follow_redirects=False)


def _read_httpx(answer: Any) -> _Reply:  # noqa: ANN401
    location = answer.headers.get("location", "")
    absolute = urljoin(str(answer.url), location) if location else ""
    return _Reply(answer.status_code, absolute, answer.text)


def _send_requests(client: Any, step: _Step) -> Any:  # noqa: ANN401
    if step.form is None:
        return client.get(step.url, allow_redirects=False)
    headers = {"content-type": _FORM}
    return client.post(step.url, data=step.form, headers=headers, allow_redirects=False)


def _send_django(client: Any, step: _Step) -> Any:  # noqa: ANN401
    parts = urlsplit(step.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    # Django's own default: to its asynchronous client a second Host would be one too many.
    headers = {} if parts.netloc in {"", "testserver"} else {"host": parts.netloc}
    secure = parts.scheme == "https"
    if step.form is None:
        return client.get(path, secure=secure, headers=headers)
    return client.post(path, step.form, _FORM, secure=secure, headers=headers)


def _read_django(answer: Any) -> _Reply:  # noqa: ANN401
    request = answer.wsgi_request if hasattr(answer, "wsgi_request") else answer.asgi_request
    location = answer.headers.get("Location", "")
    absolute = urljoin(request.build_absolute_uri(), location) if location else ""
    return _Reply(answer.status_code, absolute, b"".join(answer).decode(errors="replace"))


_KINDS = {
    "django": _Kind(_send_django, _read_django),
    "werkzeug": _Kind(_send_werkzeug, _read_werkzeug),
    "httpx2": _Kind(_send_httpx, _read_httpx),
    "httpx": _Kind(_send_httpx, _read_httpx),
    "requests": _Kind(_send_requests, _read_httpx),
}
