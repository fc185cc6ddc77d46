"""Clients that work without a pause, and remember every answer that they received.

Whatever got no answer is tried again once the server is back, as a client would: a code, a
refresh token, a revocation. What was promised in an answer must hold then.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import Any

from tests.support.browser import Browser
from tests.support.relying_party import Answer, RelyingParty, read_callback, send_form

REFRESHES = 4


class Unavailable(OSError):
    """The server said that it cannot answer now."""


@dataclass
class Held:
    """A grant that a client was told of.

    Attributes:
        code: what it came from.
        access_tokens: all that came with it, unexpired for as long as a test lasts.
        refresh_token: the newest that was received.
        ended: whether the client received the word that it has ended.
        ending: whether the client has asked for its end, received a word or not.
    """

    code: str
    refresh_token: str
    access_tokens: list[str]
    ended: bool = False
    ending: bool = False


class Traffic:
    """What all customers share: whether the server is up, and how many answers came."""

    def __init__(self) -> None:
        self.up = Event()
        self.over = Event()
        self.answers = 0
        self.unanswered = 0
        self._changed = Condition()

    def count(self, *, answered: bool) -> None:
        with self._changed:
            self.answers += answered
            self.unanswered += not answered
            self._changed.notify_all()

    def wait_for(self, answers: int = 0, *, unanswered: int = 0) -> None:
        """Wait until this many further requests were answered, and this many were not."""
        with self._changed:
            answers, unanswered = self.answers + answers, self.unanswered + unanswered
            assert self._changed.wait_for(
                lambda: (
                    self.over.is_set()
                    or (self.answers >= answers and self.unanswered >= unanswered)
                ),
                timeout=60,
            ), "the traffic has come to a stop"

    def end(self) -> None:
        self.over.set()
        self.up.set()
        with self._changed:
            self._changed.notify_all()


@dataclass
class Customer:
    """One client application, and the browser of the person who uses it.

    Attributes:
        held: every grant so far.
        spent: every code that was answered with tokens.
    """

    app: RelyingParty
    browser: Browser
    traffic: Traffic
    held: list[Held] = field(default_factory=list[Held])
    spent: list[str] = field(default_factory=list[str])
    _code: str = ""
    _tried: bool = False
    _refreshed: int = 0

    def work(self) -> None:
        """Go on until the traffic is over; an answer that may not be is a failure."""
        try:
            while not self.traffic.over.is_set():
                self.traffic.up.wait()
                try:
                    self._step()
                except (OSError, http.client.HTTPException):
                    self.traffic.count(answered=False)
                else:
                    self.traffic.count(answered=True)
        except BaseException:
            self.traffic.end()
            raise

    def _step(self) -> None:
        """Send one request, the one that is next."""
        if not self.held or self.held[-1].ended:
            self._begin()
        elif self._refreshed < REFRESHES and not self.held[-1].ending:
            self._refresh(self.held[-1])
        elif len(self.held) % 2:
            # Every other grant stays as it is.
            self._end(self.held[-1])
        else:
            self._begin()

    def _begin(self) -> None:
        if not self._code:
            page = self.app.pass_pages(self.browser, self.app.open(self.browser))
            if page.status == 503:
                raise Unavailable
            self._code = read_callback(page.location)["code"]
            self._tried = False
            return
        first, self._tried = not self._tried, True
        answer = received(self.app.token(self._code))
        code, self._code = self._code, ""
        if answer.status == 200:
            self.spent.append(code)
            tokens = answer.json
            self.held.append(Held(code, tokens["refresh_token"], [tokens["access_token"]]))
            self._refreshed = 0
            return
        # A code whose answer was lost may have been redeemed then.
        assert not first, answer
        assert (answer.status, answer.error) == (400, "invalid_grant"), answer

    def _refresh(self, held: Held) -> None:
        answer = received(self.app.refresh(held.refresh_token))
        # Also where an answer was lost: it is still inside its grace.
        assert answer.status == 200, answer
        held.refresh_token = answer.json["refresh_token"]
        held.access_tokens.append(answer.json["access_token"])
        self._refreshed += 1

    def _end(self, held: Held) -> None:
        held.ending = True
        if len(self.held) % 4 == 1:
            form = [("token", held.refresh_token)]
            url = f"{self.app.issuer}/revoke"
            answer = received(send_form(url, form, self.app.authentication()))
            assert answer.status == 200, answer
        else:
            answer = received(self.app.token(held.code))
            assert (answer.status, answer.error) == (400, "invalid_grant"), answer
        held.ended = True


def received(answer: Answer) -> Answer:
    """Return an answer that says something."""
    if answer.status == 503:
        assert answer.error == "temporarily_unavailable", answer
        raise Unavailable
    return answer


def faults_of(customers: Sequence[Customer]) -> list[str]:
    """Return a line for everything that was promised and does not hold."""
    faults: list[str] = []
    for customer in customers:
        app = customer.app
        for held in customer.held:
            faults += _faults_of_access(app, held)
            answer = app.refresh(held.refresh_token)
            if held.ended and answer.status == 200:
                faults.append("a revoked refresh token works")
            if not held.ending and answer.status != 200:
                faults.append(f"a refresh token is lost: {answer}")
        for code in customer.spent:
            answer = app.token(code)
            if not _is_refused(answer):
                faults.append(f"a code is redeemed twice: {answer}")
    return faults


def _faults_of_access(app: RelyingParty, held: Held) -> list[str]:
    statuses = {app.userinfo(token) for token in held.access_tokens}
    if held.ended and statuses != {401}:
        return [f"a revoked access token works: {statuses}"]
    if not held.ending and statuses != {200}:
        return [f"an access token is lost: {statuses}"]
    return []


def _is_refused(answer: Answer) -> bool:
    error: Any = answer.json and answer.json.get("error")
    return (answer.status, error) == (400, "invalid_grant")
