"""What the access token adds to a call of an API, the network taken out.

Each contestant is an HTTP client with an auth object, beside the same client without one; the
answer comes from a transport that has it ready. The tokens are good for an hour: no refresh is
part of it. Everything runs in turns, in small portions, so that a slow moment of the machine
falls on all alike.

    .venv/bin/python -m benchmarks.api_call
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

import uvloop

from benchmarks.client_side import quickest
from codegrant import AsyncClient, Client, Secret, ServerMetadata, Tokens
from codegrant.client.api import ApiSession, AsyncApiSession
from codegrant.client.api_auth import RefreshingAuth, make_auths

__all__ = ["AsyncContestant", "Contestant", "async_contestants", "contestants", "measure"]

ISSUER = "https://issuer.example"
URL = "https://api.example/profile"
ACCESS_TOKEN = "a" * 43
BODY = b'{"sub":"person-1"}'
WARMING, PORTION = 20, 200
TURNS = 60


class Contestant(NamedTuple):
    """An HTTP client.

    Attributes:
        bare: calls the API without a token.
        signed: calls it with one.
    """

    bare: Callable[[], object]
    signed: Callable[[], object]


class AsyncContestant(NamedTuple):
    """An HTTP client for asyncio, likewise."""

    bare: Callable[[], Awaitable[object]]
    signed: Callable[[], Awaitable[object]]


def measure(turns: int = TURNS) -> dict[str, tuple[list[float], list[float]]]:
    """Return the seconds of one call, bare and signed: the mean of each of the portions."""
    return uvloop.run(_measure(turns))


async def _measure(turns: int) -> dict[str, tuple[list[float], list[float]]]:
    client, aio, tokens = _ours()
    known = contestants(client, tokens)
    known_async = async_contestants(aio, tokens)
    taken: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in (*known, *known_async)
    }
    for _ in range(turns):
        for name, contestant in known.items():
            for call, seconds in zip(contestant, taken[name], strict=True):
                for _ in range(WARMING):
                    call()
                begin = time.perf_counter()
                for _ in range(PORTION):
                    call()
                seconds.append((time.perf_counter() - begin) / PORTION)
        for name, awaited in known_async.items():
            for start, seconds in zip(awaited, taken[name], strict=True):
                for _ in range(WARMING):
                    await start()
                begin = time.perf_counter()
                for _ in range(PORTION):
                    await start()
                seconds.append((time.perf_counter() - begin) / PORTION)
    return taken


def _ours() -> tuple[Client, AsyncClient, Tokens]:
    """Return our clients, and tokens of theirs."""
    server = ServerMetadata(
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
    )
    now = int(time.time())
    tokens = Tokens(
        access_token=Secret(ACCESS_TOKEN),
        token_type="Bearer",
        expires_at=now + 3600,
        scope=frozenset(),
        issuer=ISSUER,
        token_endpoint=f"{ISSUER}/token",
        client_id="app",
        received_at=now,
    )
    return Client(server, client_id="app"), AsyncClient(server, client_id="app"), tokens


def contestants(client: Client, tokens: Tokens) -> dict[str, Contestant]:
    """Return ourselves on each HTTP library, and those peers that are installed."""
    known = _on_httpx2(client, tokens)
    if find_spec("httpx"):
        known |= _on_httpx(client, tokens)
    if find_spec("requests"):
        known |= _on_requests(client, tokens)
    return known


def async_contestants(client: AsyncClient, tokens: Tokens) -> dict[str, AsyncContestant]:
    """Return `AsyncClient.api`, our auth objects on clients of one's own, and Authlib's client."""
    import httpx2

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=BODY)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    session = AsyncApiSession(lambda: http, *make_auths(client, tokens, None))
    signing = httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer), auth=RefreshingAuth(client, tokens)
    )
    known = {
        "codegrant api, async": AsyncContestant(lambda: http.get(URL), lambda: session.get(URL)),
        "codegrant, httpx2, async": AsyncContestant(
            lambda: http.get(URL), lambda: signing.get(URL)
        ),
    }
    if find_spec("httpx"):
        known["codegrant, httpx, async"] = _on_async_httpx(client, tokens)
    if find_spec("authlib"):
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        theirs: Any = AsyncOAuth2Client(
            "app", "s" * 43, token=_plain(), transport=httpx2.MockTransport(answer)
        )
        known["Authlib, httpx2, async"] = AsyncContestant(
            lambda: http.get(URL), lambda: theirs.get(URL)
        )
    return known


def _on_async_httpx(client: AsyncClient, tokens: Tokens) -> AsyncContestant:
    """Return our auth object for httpx."""
    import httpx

    from codegrant.web.httpx import RefreshingAuth as Auth

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=BODY)

    bare = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    ours = httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=Auth(client, tokens))
    return AsyncContestant(lambda: bare.get(URL), lambda: ours.get(URL))


def _on_httpx2(client: Client, tokens: Tokens) -> dict[str, Contestant]:
    """Return `Client.api`, the auth object on a client of one's own, and Authlib's client."""
    import httpx2

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=BODY)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    session = ApiSession(lambda: http, *make_auths(client, tokens, None))
    signing = httpx2.Client(
        transport=httpx2.MockTransport(answer), auth=RefreshingAuth(client, tokens)
    )
    known = {
        "codegrant api": Contestant(lambda: http.get(URL), lambda: session.get(URL)),
        "codegrant, httpx2": Contestant(lambda: http.get(URL), lambda: signing.get(URL)),
    }
    if find_spec("authlib"):
        from authlib.integrations.httpx_client import OAuth2Client

        # Which is over httpx2 where that is installed.
        transport = httpx2.MockTransport(answer)
        theirs: Any = OAuth2Client("app", "s" * 43, token=_plain(), transport=transport)
        known["Authlib, httpx2"] = Contestant(lambda: http.get(URL), lambda: theirs.get(URL))
    return known


def _on_httpx(client: Client, tokens: Tokens) -> dict[str, Contestant]:
    """Return our auth object for httpx."""
    import httpx

    from codegrant.web.httpx import RefreshingAuth as Auth

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=BODY)

    bare = httpx.Client(transport=httpx.MockTransport(answer))
    ours = httpx.Client(transport=httpx.MockTransport(answer), auth=Auth(client, tokens))
    return {"codegrant, httpx": Contestant(lambda: bare.get(URL), lambda: ours.get(URL))}


def _on_requests(client: Client, tokens: Tokens) -> dict[str, Contestant]:
    """Return our auth object for requests, and the sessions of requests-oauthlib and Authlib."""
    import requests

    from benchmarks.client_side import canned_session
    from codegrant.web.requests import RefreshingAuth as Auth

    def canned(session: Any) -> Any:  # noqa: ANN401 - of requests, or made like one
        canned_session(session)(BODY)
        session.trust_env = False
        return session

    bare, ours = canned(requests.Session()), canned(requests.Session())
    ours.auth = Auth(client, tokens)
    known = {"codegrant, requests": Contestant(lambda: bare.get(URL), lambda: ours.get(URL))}
    if find_spec("authlib"):
        from authlib.integrations.requests_client import OAuth2Session

        authlib = canned(OAuth2Session("app", "s" * 43, token=_plain()))
        known["Authlib, requests"] = Contestant(lambda: bare.get(URL), lambda: authlib.get(URL))
    if find_spec("requests_oauthlib"):
        made = import_module("requests_oauthlib").OAuth2Session("app", token=_plain())
        theirs = canned(made)
        known["requests-oauthlib"] = Contestant(lambda: bare.get(URL), lambda: theirs.get(URL))
    return known


def _plain() -> dict[str, object]:
    """Return the tokens as the peers have them."""
    return {
        "access_token": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 3600,
        "expires_at": int(time.time()) + 3600,
    }


def main() -> None:
    """Print what a call takes, bare and signed, and the difference: medians and the quickest."""
    print(f"{'':24}{'bare':>10}{'signed':>10}{'added':>10}{'quickest':>10}")
    for name, (bare, signed) in measure().items():
        added = median(one - other for one, other in zip(signed, bare, strict=True))
        least = quickest(signed) - quickest(bare)
        print(
            f"{name:24}{median(bare) * 1e6:7.1f} µs{median(signed) * 1e6:7.1f} µs"
            f"{added * 1e6:7.1f} µs{least * 1e6:7.1f} µs"
        )


if __name__ == "__main__":
    main()
