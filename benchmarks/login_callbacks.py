"""Login callbacks in a web application: our `Login` beside Authlib, in one run.

Each contestant is a whole application, set up as its documentation says, and called as its
server calls it: WSGI in four threads for Flask, ASGI with 16 requests at once for Starlette.
Timed are the callbacks alone, from the requests to the last redirect: the state is judged, the
code exchanged with PKCE and client secret, the ID token verified (ES256), the session written.
Ours is kept in an encrypted SQLite file, as by default; Authlib's is the framework's signed
cookie. Starting the logins, and the token responses with ID tokens for their nonces, are not
counted. Metadata and keys are fetched once, in the first login.

The provider is instant: it has every answer ready. `over HTTPS` it is a program of its own on
another core, behind a certificate, as token endpoints are: what a client does to reach it is
counted. `over HTTP` it has no certificate. With `no network` it is cut off in one manner for all,
at the last method before a connection, of httpx2 and of requests: clients and their pools are
real, connections and their TLS are not there.

`the request alone` is a ceiling: an application of the framework that sends the token request with
an HTTP client it keeps, as ours does, and does nothing else that a login needs.

Everything runs in turns, in small portions, so that a slow moment of the machine falls on all
alike; a ratio is taken within its round.

    .venv/bin/python -m benchmarks.login_callbacks
    .venv/bin/python -m benchmarks.login_callbacks --profile "Flask, codegrant"

`TMPDIR` says where the SQLite files are: on a disk that others keep busy, each of our two commits
waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from cProfile import Profile
from http.client import HTTPConnection, HTTPSConnection
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from pstats import Stats
from statistics import median
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from unittest.mock import patch
from urllib.parse import parse_qs, urlencode, urlsplit

import certifi
import httpx2
import requests
import uvloop
from requests.adapters import HTTPAdapter

from benchmarks.client_side import (
    CLIENT_ID,
    CLIENT_SECRET,
    ISSUER,
    JWK,
    SCOPE,
    canned_answer,
    token_response,
)
from benchmarks.instant_provider import CERTIFICATE, code_of, documents
from benchmarks.servers import cores, pinned, started
from codegrant import AsyncClient, Client

__all__ = ["BUDGETS", "PLACES", "Contestant", "contestants", "measure", "ratios"]

HOST = "app.example"
JSON = {"content-type": "application/json"}
COOKIE_SECRET = secrets.token_urlsafe(48)
THREADS, TASKS = 4, 16
# As many as have connections of their own, which a pool drops after some seconds.
WARMING, PORTION, SLOW_PORTION = 2 * TASKS, 160, 16
ROUNDS = 15
# (us, whom): the least that our rate is of theirs
BUDGETS = {
    ("Flask, codegrant", "Flask, Authlib"): 3.0,
    ("Starlette, codegrant", "Starlette, Authlib"): 20.0,
}
# (the most that is possible, beside whom)
CEILINGS = (
    ("Flask, the request alone", "Flask, Authlib"),
    ("Starlette, the request alone", "Starlette, Authlib"),
)
Place = Literal["over HTTPS", "over HTTP", "no network"]
R = TypeVar("R", bound=Any)
PLACES: tuple[Place, ...] = get_args(Place)


class Answer(NamedTuple):
    """What a browser gets."""

    status: int
    headers: list[tuple[str, str]]

    def find(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key.lower() == name]


class Visit(NamedTuple):
    """A GET of a browser."""

    path: str
    query: str = ""
    cookie: str = ""


class Contestant(NamedTuple):
    """An application.

    Attributes:
        answer: answers many visits, several at once; in the order of the visits.
        portion: callbacks of a round.
    """

    answer: Callable[[Sequence[Visit]], Awaitable[list[Answer]]]
    portion: int = PORTION


class Provider(NamedTuple):
    """An authorization server that has its answers ready.

    Attributes:
        issuer: where it is.
        expect: takes a code and what the token endpoint answers to it.
    """

    issuer: str
    expect: Callable[[str, bytes], object]


def measure(
    place: Place = "over HTTPS", rounds: int = ROUNDS, portion: int | None = None
) -> dict[str, list[float]]:
    """Return the callbacks a second of each contestant, one figure for each round."""

    async def main() -> dict[str, list[float]]:
        async with _everything(place) as (provider, known):
            rates: dict[str, list[float]] = {name: [] for name in known}
            for _ in range(rounds):
                for name, contestant in known.items():
                    count = portion or contestant.portion
                    await _log_in(provider, contestant, min(WARMING, count))
                    rates[name].append(count / await _log_in(provider, contestant, count))
            return rates

    return uvloop.run(main())


def ratios(rates: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    """Return our rate to theirs, round by round."""
    return [one / other for one, other in zip(rates[ours], rates[theirs], strict=True)]


def profile(place: Place, name: str, count: int) -> Stats:
    """Return where one contestant's callbacks spend their time."""
    profiler = Profile()

    async def main() -> None:
        async with _everything(place) as (provider, known):
            await _log_in(provider, known[name], WARMING)
            for _ in range(count):  # one by one: a profiler sees its own thread
                await _log_in(provider, known[name], 1, profiler)

    uvloop.run(main())
    return Stats(profiler)


def contestants(issuer: str, folder: Path, stack: AsyncExitStack) -> dict[str, Contestant]:
    """Return the applications, each beside the other of its framework.

    Args:
        issuer: of the provider.
        folder: where ours keep their sessions.
        stack: closes our clients.
    """
    client = Client(issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope=SCOPE)
    aio = AsyncClient(issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope=SCOPE)
    stack.callback(client.close)
    stack.push_async_callback(aio.aclose)
    shared = _starlette_authlib(issuer, verify=httpx2.create_ssl_context())
    return {
        "Flask, codegrant": _flask_codegrant(client, folder / "flask"),
        "Flask, Authlib": _flask_authlib(issuer),
        "Starlette, codegrant": _starlette_codegrant(aio, folder / "starlette"),
        "Starlette, Authlib": _starlette_authlib(issuer)._replace(portion=SLOW_PORTION),
        # What its documentation does not say: a TLS context that all its clients share.
        "Starlette, Authlib, one TLS context": shared,
        "Flask, the request alone": _flask_bare(issuer, stack),
        "Starlette, the request alone": _starlette_bare(issuer, stack),
    }


@asynccontextmanager
async def _everything(place: Place) -> AsyncIterator[tuple[Provider, dict[str, Contestant]]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider = stack.enter_context(_at(place, folder))
        stack.enter_context(pinned(cores()[1]))
        yield provider, contestants(provider.issuer, folder, stack)


def _at(place: Place, folder: Path) -> AbstractContextManager[Provider]:
    """Return the provider of a place."""
    if place == "no network":
        return _without_network()
    return _over("https" if place == "over HTTPS" else "http", folder)


@contextmanager
def _over(scheme: str, folder: Path) -> Iterator[Provider]:
    """Start a provider; the certificate of https is trusted beside the usual authorities."""
    command = (sys.executable, "-m", "benchmarks.instant_provider", scheme, str(folder))
    with ExitStack() as stack:
        line, _ = stack.enter_context(started(*command, folder=folder))
        issuer = line.strip()
        connection = stack.enter_context(closing(_connect(issuer, folder, stack)))

        def put(path: str, body: bytes) -> None:
            connection.request("PUT", path, body)
            connection.getresponse().read()

        for path, body in documents(issuer, dict(JWK)).items():
            put(path, body)
        yield Provider(issuer, lambda code, body: put(f"/token/{code}", body))


def _connect(issuer: str, folder: Path, stack: ExitStack) -> HTTPConnection:
    """Return a way to tell the provider its answers, over which https is trusted by all."""
    parts = urlsplit(issuer)
    if parts.scheme == "http":
        return HTTPConnection(parts.netloc)
    certificate, bundle = (folder / CERTIFICATE).read_text(), folder / "bundle.pem"
    bundle.write_text(certifi.contents() + certificate)
    trust = {"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}
    stack.enter_context(patch.dict(os.environ, trust))
    context = ssl.create_default_context(cadata=certificate)
    return HTTPSConnection(parts.netloc, context=context)


@contextmanager
def _without_network() -> Iterator[Provider]:
    """Answer whatever httpx2 or requests would send."""
    ready = {ISSUER + path: body for path, body in documents(ISSUER, dict(JWK)).items()}

    def over_httpx2(_: object, request: httpx2.Request) -> httpx2.Response:
        found = ready[_asked_for(str(request.url), request.content)]
        stream = httpx2.ByteStream(found)
        return httpx2.Response(200, headers=JSON, stream=stream, request=request)

    async def over_async_httpx2(_: object, request: httpx2.Request) -> httpx2.Response:
        return over_httpx2(_, request)

    def over_requests(_: object, request: requests.PreparedRequest, **__: object) -> object:
        return canned_answer(request, ready[_asked_for(str(request.url), request.body)])

    with (
        patch.object(httpx2.HTTPTransport, "handle_request", over_httpx2),
        patch.object(httpx2.AsyncHTTPTransport, "handle_async_request", over_async_httpx2),
        patch.object(HTTPAdapter, "send", over_requests),
    ):
        yield Provider(ISSUER, lambda code, body: ready.update({f"{ISSUER}/token/{code}": body}))


def _asked_for(url: str, body: Any) -> str:  # noqa: ANN401 - as either library has it
    """Return the address of an answer; of tokens it is the code's."""
    return f"{url}/{code_of(body)}" if body else url


async def _log_in(
    provider: Provider, contestant: Contestant, count: int, profiler: Profile | None = None
) -> float:
    """Return the seconds of the callbacks of browsers that have just started to log in."""
    callbacks: list[Visit] = []
    for started_login in await contestant.answer([Visit("/login")] * count):
        query = parse_qs(urlsplit(started_login.find("location")[0]).query)
        cookie = "; ".join(one.partition(";")[0] for one in started_login.find("set-cookie"))
        code = secrets.token_urlsafe(32)
        provider.expect(code, token_response(query["nonce"][0], provider.issuer))
        answer = {"code": code, "state": query["state"][0], "iss": provider.issuer}
        callbacks.append(Visit("/callback", urlencode(answer), cookie))
    if profiler is not None:
        profiler.enable()
    begin = time.perf_counter()
    answers = await contestant.answer(callbacks)
    taken = time.perf_counter() - begin
    if profiler is not None:
        profiler.disable()
    for one in answers:
        if one.status not in {302, 303, 307} or not one.find("set-cookie"):
            raise SystemExit(f"a callback was answered with {one.status}")
        if urlsplit(one.find("location")[0]).path != "/":
            raise SystemExit(f"a callback led to {one.find('location')[0]}")
    return taken


def _flask_codegrant(client: Client, folder: Path) -> Contestant:
    import flask

    from codegrant.web.flask import Login

    app = flask.Flask(__name__, instance_path=str(folder))
    app.secret_key = COOKIE_SECRET
    Login(app, client)
    return _through_wsgi(app)


def _flask_authlib(issuer: str) -> Contestant:
    import flask
    from authlib.integrations.flask_client import OAuth

    app = flask.Flask(__name__)
    app.secret_key = COOKIE_SECRET
    provider: Any = OAuth(app).register("provider", **_as_authlib_is_told(issuer))

    @app.get("/login")
    def login() -> Any:  # noqa: ANN401 - of Authlib, untyped
        return provider.authorize_redirect(flask.url_for("callback", _external=True))

    @app.get("/callback")
    def callback() -> Any:  # noqa: ANN401 - of Authlib, untyped
        flask.session["user"] = provider.authorize_access_token()["userinfo"]
        return flask.redirect("/")

    return _through_wsgi(app)


def _starlette_codegrant(client: AsyncClient, folder: Path) -> Contestant:
    from starlette.applications import Starlette

    from codegrant.web.starlette import Login

    app = Starlette()
    Login(app, client, folder=folder)
    return _through_asgi(app)


def _starlette_authlib(issuer: str, **more: object) -> Contestant:
    from authlib.integrations.starlette_client import OAuth
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.requests import Request
    from starlette.responses import RedirectResponse
    from starlette.routing import Route

    provider: Any = OAuth().register("provider", **_as_authlib_is_told(issuer, **more))

    async def login(request: Request) -> Any:  # noqa: ANN401 - of Authlib, untyped
        return await provider.authorize_redirect(request, request.url_for("callback"))

    async def callback(request: Request) -> RedirectResponse:
        tokens = await provider.authorize_access_token(request)
        request.session["user"] = dict(tokens["userinfo"])
        return RedirectResponse("/")

    app = Starlette(
        routes=[Route("/login", login), Route("/callback", callback)],
        middleware=[Middleware(SessionMiddleware, secret_key=COOKIE_SECRET, https_only=True)],
    )
    return _through_asgi(app)


def _flask_bare(issuer: str, stack: AsyncExitStack) -> Contestant:
    """Return an application that asks for tokens and does nothing with them: a ceiling."""
    import flask

    app = flask.Flask(__name__)
    http = httpx2.Client(verify=httpx2.create_ssl_context())
    stack.callback(http.close)

    @app.get("/login")
    def login() -> Any:  # noqa: ANN401 - as the others
        return _kept(flask.redirect(f"{issuer}/authorize?nonce=n&state=s"))

    @app.get("/callback")
    def callback() -> Any:  # noqa: ANN401 - as the others
        http.post(f"{issuer}/token", data=_token_request(flask.request.args["code"])).json()
        return _kept(flask.redirect("/"))

    return _through_wsgi(app)


def _starlette_bare(issuer: str, stack: AsyncExitStack) -> Contestant:
    """As `_flask_bare`."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import RedirectResponse
    from starlette.routing import Route

    http = httpx2.AsyncClient(verify=httpx2.create_ssl_context())
    stack.push_async_callback(http.aclose)

    async def login(_: Request) -> RedirectResponse:
        return _kept(RedirectResponse(f"{issuer}/authorize?nonce=n&state=s"))

    async def callback(request: Request) -> RedirectResponse:
        form = _token_request(request.query_params["code"])
        (await http.post(f"{issuer}/token", data=form)).json()
        return _kept(RedirectResponse("/"))

    return _through_asgi(Starlette(routes=[Route("/login", login), Route("/callback", callback)]))


def _kept(response: R) -> R:
    """Return a framework's response with the cookie of a session that nobody keeps."""
    response.set_cookie("session", COOKIE_SECRET)
    return response


def _token_request(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"https://{HOST}/callback",
        "code_verifier": COOKIE_SECRET,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }


def _as_authlib_is_told(issuer: str, **more: object) -> dict[str, Any]:
    """Return the arguments of Authlib's `register`, of its documentation."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
        "client_kwargs": {"scope": SCOPE, "code_challenge_method": "S256", **more},
    }


def _through_wsgi(app: Any) -> Contestant:  # noqa: ANN401 - any WSGI application
    """Return an application that is called as a server does, in threads."""
    from werkzeug.test import EnvironBuilder

    template = EnvironBuilder(base_url=f"https://{HOST}").get_environ()

    def visit(at: Visit) -> Answer:
        environ = template | {
            "PATH_INFO": at.path,
            "QUERY_STRING": at.query,
            "HTTP_COOKIE": at.cookie,
            "wsgi.input": BytesIO(),
        }
        found: list[Answer] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            found.append(Answer(int(status[:3]), headers))

        for _ in app(environ, start_response):
            pass
        return found[0]

    async def answer(visits: Sequence[Visit]) -> list[Answer]:
        if len(visits) == 1:
            return [visit(visits[0])]
        shares = [visits[start::THREADS] for start in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as threads:
            return _merged(list(threads.map(lambda share: [visit(one) for one in share], shares)))

    return Contestant(answer)


def _through_asgi(app: Any) -> Contestant:  # noqa: ANN401 - any ASGI application
    """Return an application that is called as a server does, in tasks."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def visit(at: Visit) -> Answer:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": at.path,
            "raw_path": at.path.encode(),
            "query_string": at.query.encode(),
            "root_path": "",
            "headers": [(b"host", HOST.encode()), (b"cookie", at.cookie.encode())],
            "client": ("127.0.0.1", 50000),
            "server": (HOST, 443),
        }
        found: list[Answer] = []

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                fields = [(k.decode(), v.decode("latin-1")) for k, v in message["headers"]]
                found.append(Answer(message["status"], fields))

        await app(scope, receive, send)
        return found[0]

    async def some(share: Sequence[Visit]) -> list[Answer]:
        return [await visit(one) for one in share]

    async def answer(visits: Sequence[Visit]) -> list[Answer]:
        shares = [visits[start::TASKS] for start in range(TASKS)]
        return _merged(await asyncio.gather(*map(some, shares)))

    return Contestant(answer)


def _merged(shares: Sequence[Sequence[Answer]]) -> list[Answer]:
    """Return the answers of shares that were dealt out in turns, in their order."""
    return [one for turn in zip_longest(*shares) for one in turn if one is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rates and our ratios to Authlib's; return 1 when one is below its budget."""
    parser = argparse.ArgumentParser(description="Login callbacks beside Authlib.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--profile", metavar="WHO", help="where one spends its time, no network")
    parser.add_argument("--callbacks", type=int, default=1000, help="of a profile")
    given = parser.parse_args(arguments)
    if given.profile:
        stats = profile("no network", given.profile, given.callbacks)
        stats.sort_stats("tottime").print_stats(60)
        return 0
    missed = False
    for place in PLACES:
        rates = measure(place, given.rounds)
        print(place)
        for name, figures in rates.items():
            print(f"  {name:38}{median(figures):6.0f}/s  {min(figures):.0f}..{max(figures):.0f}")
        for (ours, theirs), least in BUDGETS.items():
            found = ratios(rates, ours, theirs)
            missed |= median(found) < least
            span = f"({min(found):.2f}..{max(found):.2f})"
            print(f"  {ours} to {theirs}: {median(found):.2f} {span}, asked {least:g}")
        for most, theirs in CEILINGS:
            print(f"  {most} to {theirs}: {median(ratios(rates, most, theirs)):.2f}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
