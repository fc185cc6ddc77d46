"""`Faults`: what can go wrong at a provider, by name and for a while. Layer: testing.

Where the server can be brought to it, it is the server itself that refuses: an expired code
is one whose time is over. Otherwise its answer is changed on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Literal, TypeAlias, get_args
from urllib.parse import parse_qs

from codegrant.errors import UsageError
from codegrant.http import Headers, Request, Response
from codegrant.server.policy import Policy
from codegrant.testing.wire import Unanswered

__all__ = ["Endpoint", "Faults"]

Endpoint: TypeAlias = Literal[
    "discovery", "jwks", "authorize", "token", "userinfo", "revoke", "introspect"
]

# Lets the server answer; the number is by how many seconds its clock is ahead.
_Proceed: TypeAlias = Callable[[int], Response]
# What takes the place of an answer.
_Change: TypeAlias = Callable[[_Proceed], Response]
_Sign: TypeAlias = Callable[[str, Mapping[str, object]], str]

_DISCOVERY = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_PAGE = b"<!doctype html><title>Welcome</title><h1>This is no token endpoint</h1>"


class _Fault:
    """One thing that goes wrong.

    Args:
        endpoint: where; None for everywhere.
        grant_type: of the token requests that it is about; empty for all.
        times: how often; None for always.
        change: takes what would answer.

    Raises:
        UsageError: there is no such endpoint.
    """

    def __init__(
        self,
        endpoint: Endpoint | None,
        change: _Change,
        *,
        grant_type: str = "",
        times: int | None = None,
    ) -> None:
        if endpoint is not None and endpoint not in get_args(Endpoint):
            # It would never come, and the test would show nothing.
            raise UsageError(f"endpoint: {endpoint!r} is none of {', '.join(get_args(Endpoint))}")
        self.change = change
        self._endpoint = endpoint
        self._grant_type = grant_type
        self._left = times
        self._lock = Lock()

    def takes(self, endpoint: str, request: Request) -> bool:
        """Return whether this request goes wrong, and count it."""
        if self._endpoint is not None and endpoint != self._endpoint:
            return False
        if self._grant_type and [self._grant_type] != parse_qs(request.body.decode()).get(
            "grant_type"
        ):
            return False
        with self._lock:
            if self._left is None:
                return True
            self._left -= 1
            return self._left >= 0


class Faults:
    """What goes wrong at one provider; each method is a context manager.

    `times` says for how many requests it does, and is without limit by default. Of several
    at once the newest comes first. An `endpoint` that there is not raises a `UsageError`.

    Args:
        policy: of the provider.
        sign: signs an ID token anew, with some claims changed.
    """

    def __init__(self, policy: Policy, sign: _Sign) -> None:
        self._policy = policy
        self._sign = sign
        self._faults: tuple[_Fault, ...] = ()
        self.ahead: int = 0
        """Seconds by which the server's clock is ahead."""

    def answer(self, request: Request, proceed: _Proceed) -> Response:
        """Return what `request` is answered while these faults last.

        Args:
            proceed: the server's own answer, by a clock that is so many seconds ahead.
        """
        endpoint = self._endpoint_of(request.path)
        for fault in self._faults:
            if fault.takes(endpoint, request):
                proceed = _after(fault.change, proceed)
        return proceed(0)

    def expired_code(self, *, times: int | None = None) -> AbstractContextManager[None]:
        """Let authorization codes expire before they are redeemed: `invalid_grant`."""
        ahead = self._policy.code_lifetime + 1
        code = "authorization_code"
        return self._put(
            _Fault("token", lambda proceed: proceed(ahead), grant_type=code, times=times)
        )

    def refused_refresh(self, *, times: int | None = None) -> AbstractContextManager[None]:
        """Refuse every refresh token: `invalid_grant`."""
        body = b'{"error":"invalid_grant","error_description":"the refresh token is not valid"}'
        return self._say("token", 400, "application/json", body, times, grant_type="refresh_token")

    @contextmanager
    def skewed_clock(self, seconds: int) -> Generator[None]:
        """Let the server's clock be off.

        Args:
            seconds: by which it is ahead; behind, when negative.
        """
        self.ahead += seconds
        try:
            yield
        finally:
            self.ahead -= seconds

    def wrong_nonce(self, *, times: int | None = None) -> AbstractContextManager[None]:
        """Answer with ID tokens of another login."""
        return self.changed_id_token({"nonce": "of-another-login"}, times=times)

    def changed_id_token(
        self, claims: Mapping[str, object], *, times: int | None = None
    ) -> AbstractContextManager[None]:
        """Answer with ID tokens whose claims are others; the signature holds.

        Args:
            claims: in place of what the server says, e.g. `{"aud": "other"}`; None leaves a
                claim out.
        """
        return self._put(
            _Fault("token", lambda proceed: self._resigned(proceed(0), claims), times=times)
        )

    def error_in_200(
        self,
        error: str = "invalid_grant",
        description: str = "",
        *,
        endpoint: Endpoint = "token",
        times: int | None = None,
    ) -> AbstractContextManager[None]:
        """Answer with status 200 and an error in the body, as some providers do."""
        told = {"error": error} | ({"error_description": description} if description else {})
        return self._say(endpoint, 200, "application/json", json.dumps(told).encode(), times)

    def html_answer(
        self, *, endpoint: Endpoint = "token", status: int = 200, times: int | None = None
    ) -> AbstractContextManager[None]:
        """Answer with a web page, as a wrong address does."""
        return self._say(endpoint, status, "text/html; charset=utf-8", _PAGE, times)

    def server_error(
        self, status: int = 503, *, endpoint: Endpoint = "token", times: int | None = None
    ) -> AbstractContextManager[None]:
        """Answer that the server cannot answer; nothing happens there."""
        return self._say(endpoint, status, "text/plain", b"try again later\n", times)

    def time_out(
        self, *, endpoint: Endpoint = "token", times: int | None = None
    ) -> AbstractContextManager[None]:
        """Answer never; the client sees its time limit pass, and the test need not wait.

        For slow keys: `time_out(endpoint="jwks")`. Who has the keys does not ask for them;
        `rotate_keys` gives them a reason to.
        """
        return self._put(_Fault(endpoint, _no_answer(stalls=True), times=times))

    def unreachable(
        self, *, endpoint: Endpoint | None = None, times: int | None = None
    ) -> AbstractContextManager[None]:
        """Refuse connections, to every endpoint by default."""
        return self._put(_Fault(endpoint, _no_answer(stalls=False), times=times))

    def lost_answer(
        self, *, endpoint: Endpoint = "token", times: int | None = None
    ) -> AbstractContextManager[None]:
        """Carry out the request and lose the answer: a code is spent, a refresh token rotated."""

        def change(proceed: _Proceed) -> Response:
            proceed(0)
            raise Unanswered(stalls=True)

        return self._put(_Fault(endpoint, change, times=times))

    @contextmanager
    def _put(self, fault: _Fault) -> Generator[None]:
        self._faults = (*self._faults, fault)
        try:
            yield
        finally:
            self._faults = tuple(other for other in self._faults if other is not fault)

    def _say(
        self,
        endpoint: Endpoint,
        status: int,
        kind: str,
        body: bytes,
        times: int | None,
        *,
        grant_type: str = "",
    ) -> AbstractContextManager[None]:
        said = Response(status=status, headers=Headers([("content-type", kind)]), body=body)
        return self._put(_Fault(endpoint, lambda _: said, grant_type=grant_type, times=times))

    def _resigned(self, response: Response, claims: Mapping[str, object]) -> Response:
        if response.status != 200:
            return response
        told = json.loads(response.body)
        if "id_token" not in told:
            return response
        told["id_token"] = self._sign(told["id_token"], claims)
        return Response(status=200, headers=response.headers, body=json.dumps(told).encode())

    def _endpoint_of(self, path: str) -> str:
        if any(mark in path for mark in _DISCOVERY):
            return "discovery"
        return path.removeprefix(f"{self._policy.path}/")


def _after(change: _Change, proceed: _Proceed) -> _Proceed:
    return lambda later: change(lambda more: proceed(later + more))


def _no_answer(*, stalls: bool) -> _Change:
    def change(_: _Proceed) -> Response:
        raise Unanswered(stalls=stalls)

    return change
