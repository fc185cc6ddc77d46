"""The recorder: what the parties of each login said, told apart and kept without secrets.

It stands before the application, the authorization server and the API, and ties their
exchanges to logins by what goes over the wire: the state, the transaction, the code, the
access token and the application's session cookie. Of those it keeps digests, of all else
only what `masking` shows. Layer: demo, no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from codegrant.demo.masking import FORM, Message, show_request, show_response
from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response, find_cookies
from codegrant.messages.json import parse_object
from codegrant.messages.parameters import Parameters

__all__ = ["Exchange", "Opened", "Party", "Recorder"]

_MOST_LOGINS = 32
_MOST_EXCHANGES = 48
_MOST_MARKS = 64


class Party(StrEnum):
    """Who speaks, as people call them."""

    BROWSER = "browser"
    APPLICATION = "application"
    SERVER = "authorization server"
    API = "API"


class Exchange(NamedTuple):
    """A request and its answer, as they may be shown.

    Attributes:
        step: of the tutorial, 3 to 6.
        asked_at: place of the request among all messages.
        answer: None while it is not there yet.
        answered_at: place of the answer; 0 while there is none.
    """

    step: int
    sender: Party
    receiver: Party
    asked_at: int
    request: Message
    answered_at: int = 0
    answer: Message | None = None


@dataclass(eq=False)
class _Login:
    """One login; its marks are digests of what identifies it on the wire."""

    exchanges: list[Opened] = field(default_factory=list["Opened"])
    marks: set[bytes] = field(default_factory=set[bytes])


@dataclass(eq=False)
class Opened:
    """An exchange that `Recorder.begin` opened; only the recorder looks inside."""

    exchange: Exchange
    asker: Opened | None = None
    login: _Login | None = None
    asked: list[Opened] = field(default_factory=list["Opened"])


class Recorder:
    """Keeps the exchanges of the latest logins. Safe to share between threads.

    Args:
        session_cookie: name of the application's session cookie.
        most_logins: how many are kept; the one that was quiet longest goes first.
        most_exchanges: of one login; later ones are not kept.
    """

    def __init__(
        self,
        session_cookie: str,
        *,
        most_logins: int = _MOST_LOGINS,
        most_exchanges: int = _MOST_EXCHANGES,
    ) -> None:
        self._session_cookie = session_cookie
        self._most_logins = most_logins
        self._most_exchanges = most_exchanges
        self._lock = Lock()
        self._clock = 0
        self._owners: dict[bytes, _Login] = {}
        self._logins: OrderedDict[_Login, None] = OrderedDict()
        self._open: list[Opened] = []

    def begin(self, receiver: Party, request: Request) -> Opened:
        """Take note of a request that has just arrived; its body may still be on the way."""
        path = urlsplit(request.url).path
        with self._lock:
            asker = self._asker() if receiver is Party.SERVER else None
            sender, step = _place(receiver, path, asker.exchange if asker else None)
            opened = Opened(Exchange(step, sender, receiver, self._tick(), show_request(request)))
            self._open.append(opened)
            if asker is not None and sender is asker.exchange.receiver:
                opened.asker = asker
                asker.asked.append(opened)
                if asker.login is not None:
                    self._keep(opened, asker.login)
            if not _starts(opened):
                self._tie(opened, self._marks_of_request(opened, request))
        return opened

    def end(self, opened: Opened, request: Request, response: Response | None) -> None:
        """Take note of the answer.

        Args:
            opened: what `begin` returned.
            request: as at `begin`, with its body.
            response: None when there was none.
        """
        with self._lock:
            self._open.remove(opened)
            if request.body:
                opened.exchange = opened.exchange._replace(request=show_request(request))
                self._tie(opened, self._marks_of_request(opened, request))
            if response is not None:
                opened.exchange = opened.exchange._replace(
                    answered_at=self._tick(), answer=show_response(response)
                )
                marks = list(self._marks_of_response(response))
                if _starts(opened) and marks:
                    self._keep(opened, self._new_login())
                self._tie(opened, marks)

    def find(self, access_token: str) -> tuple[Exchange, ...]:
        """Return what was said in the login that led to this access token, in order."""
        with self._lock:
            login = self._owners.get(_mark("access_token", access_token))
            return _told(login) if login else ()

    def find_newest(self) -> tuple[Exchange, ...]:
        """Return what was said in the login that was busy last, in order."""
        with self._lock:
            return _told(next(reversed(self._logins))) if self._logins else ()

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _asker(self) -> Opened | None:
        """Return whose handler sends a request now, when only one can.

        An application that waits for the API asks nobody else meanwhile.
        """
        asking = [one for one in self._open if one.exchange.receiver is Party.API]
        waiting = [one for one in self._open if one.exchange.receiver is Party.APPLICATION]
        if len(asking) > 1 or len(waiting) > 1:
            return None
        return next(iter(asking or waiting), None)

    def _new_login(self) -> _Login:
        """Return a new login; the one that was quiet longest goes when there are too many."""
        login = _Login()
        self._logins[login] = None
        while len(self._logins) > self._most_logins:
            gone, _ = self._logins.popitem(last=False)
            for mark in gone.marks:
                self._owners.pop(mark, None)
        return login

    def _tie(self, opened: Opened, marks: Iterable[bytes]) -> None:
        """Find the login that an exchange belongs to, and give it the exchange's marks."""
        found = list(marks)
        if opened.login is None:
            login = next((self._owners[mark] for mark in found if mark in self._owners), None)
            if login is not None:
                self._keep(opened, login)
        login = opened.login
        if login is not None and login in self._logins:
            for mark in found[: _MOST_MARKS - len(login.marks)]:
                self._owners[mark] = login
                login.marks.add(mark)

    def _keep(self, opened: Opened, login: _Login) -> None:
        """Add an exchange, and those that it caused, to a login."""
        if _shows_profile(opened):
            # The same page once more: what it asked for the last time is history.
            login.exchanges = [one for one in login.exchanges if one.exchange.step != 6]
        opened.login = login
        if login in self._logins:
            self._logins.move_to_end(login)
        if len(login.exchanges) < self._most_exchanges:
            login.exchanges.append(opened)
        for caused in opened.asked:
            if caused.login is None:
                self._keep(caused, login)

    def _marks_of_request(self, opened: Opened, request: Request) -> Iterator[bytes]:
        """Yield what ties a request to a login, the surest first."""
        yield from _marks_of_parameters(request.query)
        if request.headers.get("content-type").partition(";")[0].strip().lower() == FORM:
            yield from _marks_of_parameters(request.body)
        scheme, _, token = request.headers.get("authorization").partition(" ")
        if scheme.lower() == "bearer" and token:
            yield _mark("access_token", token.strip())
        if _shows_profile(opened):
            # Elsewhere the cookie is only in the way: of a login before, or at another port.
            for value in find_cookies(request.headers, self._session_cookie):
                yield _mark(self._session_cookie, value)

    def _marks_of_response(self, response: Response) -> Iterator[bytes]:
        """Yield what ties later exchanges to the login of this answer."""
        yield from _marks_of_parameters(urlsplit(response.headers.get("location")).query)
        if response.headers.get("content-type").startswith("application/json"):
            try:
                token = parse_object(response.body).get("access_token")
            except MessageError:
                token = None
            if isinstance(token, str):
                yield _mark("access_token", token)
        for line in response.headers.get_all("set-cookie"):
            pair = Headers([("cookie", line.partition(";")[0])])
            for value in filter(None, find_cookies(pair, self._session_cookie)):
                yield _mark(self._session_cookie, value)


def _starts(opened: Opened) -> bool:
    """Return whether a login starts with this exchange, whoever is signed in already."""
    return opened.exchange.receiver is Party.APPLICATION and opened.exchange.step == 3


def _shows_profile(opened: Opened) -> bool:
    return opened.exchange.receiver is Party.APPLICATION and opened.exchange.step == 6


def _marks_of_parameters(text: bytes | str) -> Iterator[bytes]:
    """Yield the marks among the parameters of a query or a form."""
    try:
        parameters = Parameters.parse(text)
        found = [(name, parameters.single(name)) for name in ("state", "transaction", "code")]
    except MessageError:
        return
    for name, value in found:
        if value:
            yield _mark(name, value)


def _mark(name: str, value: str) -> bytes:
    return sha256(f"{name}={value}".encode("utf-8", "surrogatepass")).digest()


def _place(receiver: Party, path: str, asker: Exchange | None) -> tuple[Party, int]:
    """Return who sent a request, and the step of the tutorial that it is a part of."""
    if receiver is Party.API:
        return Party.APPLICATION, 6
    if receiver is Party.APPLICATION:
        return Party.BROWSER, {"/login": 3, "/callback": 4}.get(path, 6)
    if path.endswith(("/token", "/userinfo")):
        return Party.APPLICATION, 5
    if asker is not None and (path.endswith("/jwks") or "/.well-known/" in path):
        # What the callback asks for, it needs to exchange the code and to check the answer.
        return asker.receiver, 5 if asker.step == 4 else asker.step
    return Party.BROWSER, 3


def _told(login: _Login) -> tuple[Exchange, ...]:
    return tuple(sorted((one.exchange for one in login.exchanges), key=lambda one: one.asked_at))
