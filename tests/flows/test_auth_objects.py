"""The auth objects for requests, httpx and httpx2: one suite for all of them, in every colour."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import httpx
import httpx2
import pytest
import requests
from requests.adapters import BaseAdapter

import codegrant.web.httpx as for_httpx
import codegrant.web.requests as for_requests
from codegrant import AsyncClient, Client, LoginRequired, Secret, Tokens, UsageError
from codegrant.client import BearerAuth, MemoryTokens, RefreshingAuth
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, Lie, Listener, MockProvider, as_json, redirect
from tests.support.picky_api import INVALID, PickyApi
from tests.support.proving_provider import ProvingApi, ProvingProvider

TOKEN = Secret("s3cret-access-token")


class Got(NamedTuple):
    """A response, the same for every library."""

    status: int
    body: bytes


class Http(Protocol):
    """An HTTP client of a program, with an auth object; it follows redirects."""

    def send(self, method: str, url: str, content: Any = None, **options: Any) -> Got: ...

    def send_many(self, url: str, times: int) -> list[Got]: ...

    def close(self) -> None: ...


class RequestsHttp:
    def __init__(self, _: Colour, auth: Any) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = auth

    def send(self, method: str, url: str, content: Any = None, **options: Any) -> Got:
        response = self._session.request(method, url, data=content, timeout=5, **options)
        return Got(response.status_code, response.content)

    def send_many(self, url: str, times: int) -> list[Got]:
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(lambda _: self.send("GET", url), range(times)))

    def close(self) -> None:
        self._session.close()


class HttpxHttp:
    """httpx or httpx2, whose `module` it is."""

    def __init__(self, colour: Colour, auth: Any, module: Any) -> None:
        self._colour = colour
        make = module.AsyncClient if colour.is_async else module.Client
        self._client = make(auth=auth, trust_env=False, timeout=5)

    def send(self, method: str, url: str, content: Any = None, **options: Any) -> Got:
        response = self._colour.wait(self._client.request(method, url, content=content, **options))
        return Got(response.status_code, response.content)

    def send_many(self, url: str, times: int) -> list[Got]:
        if not self._colour.is_async:
            with ThreadPoolExecutor(times) as pool:
                return list(pool.map(lambda _: self.send("GET", url), range(times)))

        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*(self._client.get(url) for _ in range(times))))

        answers: list[Any] = self._colour.wait(all_of_them())
        return [Got(r.status_code, r.content) for r in answers]

    def close(self) -> None:
        if self._colour.is_async:
            self._colour.finish(self._client.aclose())
        else:
            self._client.close()


class Library(NamedTuple):
    """An HTTP library: its auth objects, set to follow redirects, and a client with one."""

    bearer: Callable[..., Any]
    refreshing: Callable[..., Any]
    client: Callable[[Colour, Any], Http]


def of_httpx(module: Any, bearer: Any, refreshing: Any) -> Library:
    return Library(
        lambda *given, **more: bearer(*given, follow_redirects=True, **more),
        lambda *given, **more: refreshing(*given, follow_redirects=True, **more),
        lambda colour, auth: HttpxHttp(colour, auth, module),
    )


LIBRARIES: Mapping[str, Library] = {
    "requests": Library(for_requests.BearerAuth, for_requests.RefreshingAuth, RequestsHttp),
    "httpx": of_httpx(httpx, for_httpx.BearerAuth, for_httpx.RefreshingAuth),
    "httpx2": of_httpx(httpx2, BearerAuth, RefreshingAuth),
}


@pytest.fixture(
    params=["requests sync", "httpx sync", "httpx async", "httpx2 sync", "httpx2 async"]
)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    library, _, colour = request.param.partition(" ")
    return library, colour


@pytest.fixture
def colour(kind: tuple[str, str]) -> Iterator[Colour]:
    colour = Colour(kind[1])
    yield colour
    colour.close()


@pytest.fixture
def library(kind: tuple[str, str]) -> Library:
    return LIBRARIES[kind[0]]


@pytest.fixture
def make_http(library: Library, colour: Colour) -> Iterator[Callable[[Any], Http]]:
    made: list[Http] = []

    def make(auth: Any) -> Http:
        made.append(library.client(colour, auth))
        return made[-1]

    yield make
    for http in made:
        http.close()


@pytest.fixture
def clock(provider: MockProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def app(make_app: Callable[..., Application], provider: MockProvider, clock: Clock) -> Application:
    return make_app(provider, clock=clock)


@pytest.fixture
def api(provider: MockProvider) -> Iterator[PickyApi]:
    api = PickyApi(provider)
    yield api
    api.close()


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    listener = Listener()
    listener.routes["/me"] = lambda _: as_json({})
    yield listener
    listener.close()


def test_the_token_of_a_login_reaches_the_api(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
) -> None:
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    assert http.send("POST", api.url, b"hello") == (200, b"hello")
    assert http.send("GET", api.url).status == 200
    assert api.tokens() == [tokens.access_token.reveal()] * 2
    assert provider.sent("refresh_token") == []


def test_a_token_is_refreshed_shortly_before_it_expires(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    clock: Clock,
) -> None:
    kept: list[Tokens] = []
    auth = library.refreshing(app.client, app.log_in(provider), on_tokens=kept.append)
    http = make_http(auth)
    for ahead, refreshes in [(0, 0), (265, 0), (275, 1), (400, 1), (275 + 275, 2)]:
        clock.ahead = ahead
        assert http.send("GET", api.url).status == 200
        assert len(provider.sent("refresh_token")) == len(kept) == refreshes
    assert len(set(api.tokens())) == 3


@pytest.mark.requirement("CL-TOK-07")
def test_many_calls_at_once_make_one_refresh(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    clock: Clock,
) -> None:
    http = make_http(library.refreshing(app.client, app.log_in(provider)))
    clock.ahead = 301
    assert [got.status for got in http.send_many(api.url, 10)] == [200] * 10
    assert len(provider.sent("refresh_token")) == 1
    assert len(set(api.tokens())) == 1


@pytest.mark.parametrize(
    "make_body",
    [
        pytest.param(lambda: b"a body", id="bytes"),
        pytest.param(lambda: "a body", id="text"),
    ],
)
def test_a_refused_token_is_refreshed_and_the_request_sent_once_more(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    make_body: Callable[[], Any],
) -> None:
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    api.refused.add(tokens.access_token.reveal())
    assert http.send("POST", api.url, make_body()) == (200, b"a body")
    assert [r.body for r in api.received] == [b"a body"] * 2
    assert len(set(api.tokens())) == 2
    assert http.send("GET", api.url).status == 200
    assert len(provider.sent("refresh_token")) == 1


def test_a_body_that_is_gone_is_not_sent_twice_but_the_next_call_has_a_new_token(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    colour: Colour,
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b""

    async def later() -> Any:
        yield b""

    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    api.refused.add(tokens.access_token.reveal())
    body = later() if colour.is_async else pieces()
    assert http.send("POST", api.url, body).status == 401
    assert len(api.received) == len(provider.sent("refresh_token")) == 1
    assert http.send("GET", api.url).status == 200


def test_a_token_that_is_refused_again_is_not_refreshed_for_ever(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
) -> None:
    api.routes["/me"] = lambda _: Answer(401, b"", INVALID)
    http = make_http(library.refreshing(app.client, app.log_in(provider)))
    for _ in range(3):
        assert http.send("GET", api.url).status == 401
    assert len(provider.sent("refresh_token")) == 1


@pytest.mark.parametrize(
    ("status", "challenge"),
    [
        pytest.param(401, [], id="401, no challenge"),
        pytest.param(401, [("www-authenticate", "Bearer")], id="401, no error"),
        pytest.param(401, [("www-authenticate", 'Basic error="invalid_token"')], id="401, Basic"),
        pytest.param(401, [("www-authenticate", 'Bearer "')], id="401, no challenge at all"),
        pytest.param(403, INVALID, id="403"),
    ],
)
def test_any_other_refusal_is_the_programs_to_judge(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    status: int,
    challenge: list[tuple[str, str]],
) -> None:
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    api.routes["/me"] = lambda _: Answer(status, b"", challenge)
    assert http.send("GET", api.url).status == status
    assert provider.sent("refresh_token") == []
    api.routes["/me"] = api.me
    api.challenge = [("www-authenticate", 'Basic realm="x"'), *INVALID]
    api.refused.add(tokens.access_token.reveal())
    assert http.send("GET", api.url).status == 200


@pytest.mark.requirement("CL-TOK-08")
def test_dead_tokens_ask_for_a_login_and_nothing_is_sent_to_the_api(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    clock: Clock,
) -> None:
    saved = MemoryTokens(app.log_in(provider))
    http = make_http(library.refreshing(app.client, saved))
    provider.refresh_tokens.clear()
    clock.ahead = 301
    with pytest.raises(LoginRequired):
        http.send("GET", api.url)
    assert saved.load() is None
    assert api.received == []
    saved.save(app.log_in(provider))
    assert http.send("GET", api.url).status == 200


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_carries_the_token_inside_its_origin_alone(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    elsewhere: Listener,
    status: int,
) -> None:
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    api.routes["/old"] = lambda _: redirect("/me", status)
    assert http.send("GET", f"{api.origin}/old").status == 200
    api.routes["/away"] = lambda _: redirect(f"{elsewhere.origin}/me", status)
    assert http.send("GET", f"{api.origin}/away").status == 200
    api.routes["/name"] = lambda _: redirect(f"//localhost:{api.port}/me", status)
    assert http.send("GET", f"{api.origin}/name").status == 401
    api.routes["/there"] = lambda _: redirect(f"{elsewhere.origin}/back", status)
    elsewhere.routes["/back"] = lambda _: redirect(api.url, status)
    assert http.send("GET", f"{api.origin}/there").status == 401
    assert [r.headers.get("authorization") for r in elsewhere.received] == [None, None]
    mine = tokens.access_token.reveal()
    assert api.tokens() == [mine, mine, mine, mine, "", mine, ""]
    # What somebody said who got no token is no reason for another one.
    assert provider.sent("refresh_token") == []


def test_after_a_refresh_a_redirect_carries_the_new_token(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    elsewhere: Listener,
) -> None:
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    old = tokens.access_token.reveal()
    to = [f"{api.origin}/me", f"{elsewhere.origin}/me"]
    api.routes["/old"] = lambda request: (
        Answer(401, b"", INVALID)
        if old in request.headers["authorization"]
        else redirect(to.pop(0), 302)
    )
    for _ in range(2):
        assert http.send("GET", f"{api.origin}/old").status == 200
    assert api.tokens()[0] == old
    assert len(set(api.tokens()[1:])) == 1
    assert "authorization" not in elsewhere.received[0].headers


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://api.example/", "insecure_api_url"),
        ("http://127.0.0.1.example/", "insecure_api_url"),
        ("http://0.0.0.0/", "insecure_api_url"),
        ("http://[::2]/", "insecure_api_url"),
        ("https://evil.example/", "foreign_api_origin"),
        ("https://api.example:8443/", "foreign_api_origin"),
        ("https://api.example@evil.example/", "foreign_api_origin"),
        ("https://api.example.evil.example/", "foreign_api_origin"),
        ("https://evil.example/@api.example", "foreign_api_origin"),
    ],
)
def test_a_token_goes_to_no_other_origin(
    library: Library,
    make_http: Callable[[Any], Http],
    elsewhere: Listener,
    url: str,
    code: str,
) -> None:
    auth = library.bearer(TOKEN, origins=["https://api.example", elsewhere.origin])
    http = make_http(auth)
    assert http.send("GET", f"{elsewhere.origin}/me").status == 200
    assert elsewhere.received[0].headers["authorization"] == "Bearer s3cret-access-token"
    with pytest.raises(UsageError) as refused:
        http.send("GET", url)
    assert (refused.value.code, refused.value.stage) == (code, "api")
    assert "s3cret" not in f"{refused.value} {auth!r}"


def test_the_origins_are_those_of_the_client(
    make_app: Callable[..., Application],
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
) -> None:
    app = make_app(provider, api_origins=["https://api.example"])
    auth = library.refreshing(app.client, app.log_in(provider))
    with pytest.raises(UsageError) as refused:
        make_http(auth).send("GET", api.url)
    assert refused.value.code == "foreign_api_origin"
    assert api.received == []
    assert repr(auth) == "RefreshingAuth(***, origins=['https://api.example'])"


def test_tokens_of_another_client_are_refused_at_once(
    make_app: Callable[..., Application], provider: MockProvider, library: Library
) -> None:
    tokens = make_app(provider).log_in(provider)
    stranger = make_app(provider, client_id="another")
    with pytest.raises(UsageError) as refused:
        library.refreshing(stranger.client, tokens)
    assert refused.value.code == "foreign_tokens"


def test_a_client_of_the_other_colour_is_refused_before_anything_is_sent(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
) -> None:
    tokens = app.log_in(provider)
    given: dict[str, Any] = {"client_id": "app", "client_secret": "s" * 32}
    other: Any = Client if app.colour.is_async else AsyncClient
    with pytest.raises(UsageError) as refused:
        make_http(library.refreshing(other(provider.issuer, **given), tokens)).send("GET", api.url)
    assert refused.value.code == "wrong_colour"
    assert api.received == []


def test_a_server_in_trouble_costs_no_call_before_the_end(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    clock: Clock,
) -> None:
    http = make_http(library.refreshing(app.client, app.log_in(provider)))
    truth = provider.routes["/token"]
    provider.routes["/token"] = lambda _: Answer(503, b"")
    clock.ahead = 275
    assert http.send("GET", api.url).status == 200
    provider.routes["/token"] = truth
    clock.ahead = 275 + 6  # it is asked again in a moment, not with every call
    assert http.send("GET", api.url).status == 200
    assert len(set(api.tokens())) == 2


def test_a_call_that_is_broken_off_leaves_the_next_one_free(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
) -> None:
    provider.token = Lie({"expires_in": None})
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    gone = Listener()
    gone.close()
    with pytest.raises((requests.ConnectionError, httpx.ConnectError, httpx2.ConnectError)):
        http.send("GET", f"{gone.origin}/me")
    api.refused.add(tokens.access_token.reveal())
    assert http.send("GET", api.url).status == 200


# What only requests does: files as bodies, and redirects of its own.


@pytest.mark.parametrize("kind", [("requests", "sync")])
def test_a_file_goes_out_again_from_where_it_was(
    make_app: Callable[..., Application], provider: MockProvider, api: PickyApi, kind: Any
) -> None:
    app = make_app(provider)
    tokens = app.log_in(provider)
    api.refused.add(tokens.access_token.reveal())
    body = io.BytesIO(b"skipped, sent")
    body.seek(9)
    auth = LIBRARIES["requests"].refreshing(app.client, tokens)
    with requests.Session() as session:
        answer = session.post(api.url, data=body, auth=auth, timeout=5)
    assert (answer.status_code, answer.content) == (200, b"sent")
    assert [r.body for r in api.received] == [b"sent"] * 2
    assert [r.status_code for r in answer.history] == [401]


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize(
    ("target", "carries"),
    [
        ("http://localhost/b", True),
        ("http://LOCALHOST:80/b?c", True),
        ("/b", True),
        ("https://localhost/", False),
        ("http://localhost:8080/", False),
        ("http://127.0.0.1/", False),
        ("//127.0.0.1/", False),
        ("http://localhost\\@evil.example/", False),
        ("http://localhost:80@evil.example/", False),
        ("http://évil.example/", False),
        ("http://localhost:port/", False),
    ],
)
def test_requests_itself_would_keep_a_header_that_is_taken_out_here(
    target: str, carries: bool
) -> None:
    sent: list[requests.PreparedRequest] = []

    class Adapter(BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
            response = requests.Response()
            response.status_code = 200 if sent else 302
            response.headers["location"] = target.encode().decode("latin-1")
            response._content = b""
            response.request, response.url = request, str(request.url)
            sent.append(request)
            return response

        def close(self) -> None:
            pass

    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter())
        session.get("http://localhost/a", auth=for_requests.BearerAuth(TOKEN), timeout=5)
    assert len(sent) == 2
    assert ("Authorization" in sent[1].headers) == carries


@pytest.mark.requirement("CL-TOK-13")
def test_a_bound_token_goes_with_a_proof_of_its_own_each_time(
    make_app: Callable[..., Application], library: Library, make_http: Callable[[Any], Http]
) -> None:
    provider = ProvingProvider()
    api = ProvingApi(provider)
    api.nonce = "nonce-of-the-api"
    app = make_app(provider, dpop=True)
    tokens = app.log_in(provider)
    http = make_http(library.refreshing(app.client, tokens))
    # The first call is sent twice, with its body, for it did not know the nonce.
    assert http.send("POST", f"{api.url}?a=b", b"hello") == (200, b"hello")
    assert http.send("GET", api.url).status == 200
    assert len(api.received) == 3
    assert len(provider.verifier.seen) == 4  # two of them at the provider
    api.routes["/old"] = lambda _: redirect("/me", 302)
    assert http.send("GET", f"{api.origin}/old").status == 401
    assert "authorization" not in api.received[-1].headers
    assert "dpop" not in api.received[-1].headers
    api.close()
    provider.close()


def test_a_proof_is_for_the_path_as_the_library_sends_it(
    make_app: Callable[..., Application], library: Library, make_http: Callable[[Any], Http]
) -> None:
    """Some leave in a path what no URI may have, and the API compares what it has received."""
    with closing(ProvingProvider()) as provider, closing(ProvingApi(provider)) as api:
        for path in ("/a|b/[1]^", "/a%7Cb/%5B1%5D%5E"):
            api.routes[path] = api.me
        app = make_app(provider, dpop=True)
        http = make_http(library.refreshing(app.client, app.log_in(provider)))
        assert http.send("GET", f"{api.origin}/a|b/[1]^?q=|").status == 200
        assert http.send("GET", f"{api.origin}/a%7Cb/%5B1%5D%5E").status == 200


class Pipe(io.RawIOBase):
    """A file that is read once: its end of a pipe."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._left = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


class Source:
    """No file, but something to read."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, _: int = -1) -> bytes:
        data, self._left = self._left, b""
        return data


class Pieces:
    """A body that gives its pieces once, and nothing after that."""

    def __init__(self, data: bytes) -> None:
        self._left = [data]

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            yield self._left.pop()


class LaterPieces:
    """The same for asyncio."""

    def __init__(self, data: bytes) -> None:
        self._pieces = Pieces(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


BODY = b"the whole body"
A_FORM = {"headers": {"content-type": "multipart/form-data; boundary=x"}}


def skipped() -> io.BytesIO:
    body = io.BytesIO(BODY)
    body.seek(4)
    return body


@pytest.mark.requirement("CL-TOK-13")
@pytest.mark.parametrize("cause", ["a nonce is wanted", "the token is refused"])
@pytest.mark.parametrize(
    ("make_body", "times"),
    [
        pytest.param(lambda: {"content": BODY}, 2, id="bytes"),
        pytest.param(lambda: {"content": Pieces(BODY)}, 1, id="pieces"),
        pytest.param(lambda: {"content": Pieces(BODY), **A_FORM}, 1, id="pieces named a form"),
        pytest.param(lambda: {"files": {"a": BODY}}, 2, id="a form with bytes"),
        pytest.param(lambda: {"files": {"a": skipped()}}, 2, id="a form with a file"),
        pytest.param(
            lambda: {"files": {"a": BODY, "b": Pipe(BODY)}}, 1, id="a form with a file that is gone"
        ),
        pytest.param(lambda: {"files": {"a": Source(BODY)}}, 1, id="a form with no file"),
    ],
)
def test_a_body_is_sent_whole_or_not_once_more(
    make_app: Callable[..., Application],
    library: Library,
    make_http: Callable[[Any], Http],
    colour: Colour,
    make_body: Callable[[], dict[str, Any]],
    times: int,
    cause: str,
) -> None:
    with closing(ProvingProvider()) as provider, closing(ProvingApi(provider)) as api:
        app = make_app(provider, dpop=True)
        tokens = app.log_in(provider)
        if cause == "a nonce is wanted":
            api.nonce = "n"
        else:
            api.refused.add(tokens.access_token.reveal())
        http = make_http(library.refreshing(app.client, tokens))
        body = make_body()
        if "files" in body and library is LIBRARIES["requests"]:
            times = 2  # it reads all files before it sends anything
        if colour.is_async and isinstance(body.get("content"), Pieces):
            body["content"] = LaterPieces(BODY)
        got = http.send("POST", api.url, **body)
        assert got.status == (200 if times == 2 else 401)
        bodies = [request.body for request in api.received]
        assert bodies == [bodies[0]] * times
        assert BODY in bodies[0] or BODY[4:] in bodies[0]
        assert http.send("POST", api.url, BODY) == (200, BODY)


@pytest.mark.parametrize(
    "kind", ["httpx sync", "httpx async", "httpx2 sync", "httpx2 async"], indirect=True
)
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_that_wants_a_body_which_is_gone_is_the_answer(
    app: Application,
    provider: MockProvider,
    library: Library,
    make_http: Callable[[Any], Http],
    api: PickyApi,
    colour: Colour,
    status: int,
) -> None:
    http = make_http(library.refreshing(app.client, app.log_in(provider)))
    api.routes["/old"] = lambda _: redirect("/me", status)
    once, pieces = ([BODY, b""], 200) if status == 302 else ([BODY], status), Pieces(BODY)
    gone = LaterPieces(BODY) if colour.is_async else pieces
    for body in (gone, aiter(LaterPieces(BODY)) if colour.is_async else iter(Pieces(BODY))):
        api.received.clear()
        got = http.send("POST", f"{api.origin}/old", body)
        assert ([r.body for r in api.received], got.status) == once
    assert http.send("POST", f"{api.origin}/old", BODY).status == 200
    assert api.received[-1].body == (b"" if status == 302 else BODY)
