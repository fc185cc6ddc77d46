"""Drives remote flows by hand: a script answers, nothing touches the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from codegrant.flow import Effect, Flow, RandomBytes, run
from codegrant.http import Headers, Request, Response, Send
from codegrant.remote.effects import Call, Leased, Pause, Report, SingleFlight

T = TypeVar("T")
Said: TypeAlias = Response | Exception | Callable[[Request], Response]


def json_response(value: object, *, cache_control: str = "") -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", cache_control)])
    return Response(status=200, headers=headers, body=json.dumps(value).encode())


class Script:
    """Answers by URL; what it has no answer for is 404. Everything is noted."""

    def __init__(self, answers: Mapping[str, Said] | None = None) -> None:
        self.answers: dict[str, Said] = dict(answers or {})
        self.sent: list[Send] = []
        self.reports: list[Report] = []
        self.drawn: list[bytes] = []
        self.paused: list[float] = []

    @property
    def urls(self) -> list[str]:
        return [send.request.url for send in self.sent]

    def run(self, flow: Flow[T]) -> T:
        return run(flow, self.perform)

    def perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Send(request):
                self.sent.append(effect)
                said = self.answers.get(request.url, Response(status=404))
                if isinstance(said, Exception):
                    raise said
                return said if isinstance(said, Response) else said(request)
            case SingleFlight():
                return run(effect.start(), self.perform)
            case Leased(take, release, start):
                assert take(), "somebody else has the lease"
                try:
                    return run(start(), self.perform)
                finally:
                    release()
            case Call(call):
                return call()
            case RandomBytes():
                self.drawn.append(bytes([len(self.drawn) + 1]) * effect.size)
                return self.drawn[-1]
            case Pause(seconds):
                self.paused.append(seconds)
                return None
            case Report():
                self.reports.append(effect)
                return None
            case _:
                raise AssertionError(f"nobody expects {effect!r}")
