"""One application with a login in each framework, and browsers that know no framework."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Coroutine, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import fastapi
import flask
import werkzeug.test
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from codegrant import AsyncClient, Client, LoginRequired, StoreError
from codegrant.http import Headers
from codegrant.web import asgi_login as for_asgi
from codegrant.web import django as for_django
from codegrant.web import fastapi as for_fastapi
from codegrant.web import flask as for_flask
from codegrant.web import starlette as for_starlette
from codegrant.web import wsgi as for_wsgi
from codegrant.web.django.store import DjangoTokenStore
from tests.support import django_project
from tests.support.mock_provider import MockProvider
from tests.support.website import make_client

BASE = "http://127.0.0.1:5000"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Tables that say which callbacks came, and that the database was made.
_NO_LOGINS = {"callbacks", "codegrant_callback", "schema_version", "settings"}


class Reply(NamedTuple):
    """What a browser was answered."""

    status: int
    headers: Headers
    text: str

    @property
    def location(self) -> str:
        return self.headers.get("location")

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The error code that a failure page shows."""
        return self.text.partition('<code id="error-code">')[2].partition("<")[0]


class LoginSite(Protocol):
    """An application with a login.

    `/` says who is signed in, `/profile` needs somebody, `/tokens` shows the tokens,
    `/call` calls `api_url` twice, `/kept` has its own cache rule, `/for-all` asks nothing,
    `/link` is given the options of a login and tells its address.
    """

    api_url: str

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply: ...

    def kept(self) -> bytes:
        """Return all that it keeps on its disk."""
        ...

    def rows(self) -> list[str]:
        """Return the rows of its store, but for the callbacks that came."""
        ...

    def close(self) -> None: ...


class SiteBrowser:
    """Keeps cookies by host, follows nothing; safe only in one thread at a time."""

    def __init__(self, site: LoginSite) -> None:
        self.site = site
        self.jar: dict[str, dict[str, str]] = {}
        self.cross_site: set[str] = set()

    @property
    def cookies(self) -> dict[str, str]:
        return self.jar.setdefault("127.0.0.1", {})

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        mount: str = "",
        *,
        foreign: bool = False,
    ) -> Reply:
        url = urljoin(BASE, url)
        jar = self.jar.setdefault(urlsplit(url).hostname or "", {})
        brought = {n: v for n, v in jar.items() if not foreign or n in self.cross_site}
        sent = {"Cookie": "; ".join(f"{n}={v}" for n, v in brought.items())} if brought else {}
        reply = self.site.send(method, url, {**sent, **(headers or {})}, body, mount)
        for line in reply.headers.get_all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar.pop(name, None)
            if "Max-Age=0;" not in line:
                jar[name] = value
            if "SameSite=None; Secure" in line:
                self.cross_site.add(name)
        return reply

    def get(self, url: str, headers: Mapping[str, str] | None = None, mount: str = "") -> Reply:
        return self.send("GET", url, headers, mount=mount)

    def post(self, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        return self.send("POST", url, headers, body)

    def post_from_provider(self, callback: str) -> Reply:
        """Bring a callback as a form of the provider's site, with the cookies that go there."""
        path, _, query = callback.partition("?")
        return self.send("POST", path, FORM, query.encode(), foreign=True)

    def tab(self, site: LoginSite | None = None) -> SiteBrowser:
        """Return a browser with the same cookies, in front of another worker perhaps."""
        other = SiteBrowser(site or self.site)
        other.jar = {host: dict(jar) for host, jar in self.jar.items()}
        other.cross_site = set(self.cross_site)
        return other

    def start(self, provider: MockProvider, url: str = "/login") -> str:
        """Begin a login and return the callback that the provider sends the browser to."""
        started = self.get(url)
        assert started.status == 303, started.text
        return provider.authorize(started.location)

    def log_in(self, provider: MockProvider, url: str = "/login") -> Reply:
        return self.get(self.start(provider, url))

    def who(self) -> object:
        return self.get("/").json["subject"]


class FlaskLogin:
    """The application in Flask."""

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        self.api_url = ""
        self.folder = folder
        app = self.app = flask.Flask("app", instance_path=str(folder))
        login = self.login = for_flask.Login(app, client, **arguments)

        @app.get("/")
        def home() -> dict[str, object]:
            who = login.current
            return {"subject": who.identity.subject if who else None}

        @app.get("/profile")
        @login.required
        def profile() -> dict[str, object]:
            return {"subject": login.identity.subject, "provider": login.tokens.issuer}

        @app.route("/tokens", methods=["GET", "POST"])
        def tokens() -> dict[str, object]:
            assert login.api is login.api
            return {"scope": sorted(login.tokens.scope)}

        @app.route("/call", methods=["GET", "POST"])
        @login.required
        def call() -> dict[str, object]:
            before = login.tokens.access_token
            status = [login.api.get(self.api_url).status_code for _ in range(2)]
            return {"status": status, "changed": login.tokens.access_token != before}

        @app.get("/kept")
        @login.required
        def kept() -> flask.Response:
            return flask.Response("", headers={"Cache-Control": "private, max-age=60"})

        @app.get("/for-all")
        def for_all() -> str:
            return ""

        @app.get("/link")
        def link() -> str:
            return login.url("/profile", **_options(flask.request.args))

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply:
        parts = urlsplit(url)
        answer = self.app.test_client(use_cookies=False).open(
            f"{parts.path.removeprefix(mount)}?{parts.query}",
            base_url=f"{parts.scheme}://{parts.netloc}{mount}",
            method=method,
            headers=dict(headers),
            data=body,
        )
        return Reply(answer.status_code, Headers(list(answer.headers)), answer.text)

    def kept(self) -> bytes:
        return _files(self.folder)

    def rows(self) -> list[str]:
        return _rows(self.folder / "codegrant.db")

    def close(self) -> None:
        store = self.app.extensions.get("codegrant.login", {}).get("store")
        if store is not None:
            store.close()


class AsgiLogin:
    """An application over ASGI, in an event loop of its own."""

    app: Any
    login: Any
    folder: Path

    def __init__(self, client: Any) -> None:
        self.api_url = ""
        self._clients = list(client.values()) if isinstance(client, Mapping) else [client]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply:
        reply: Reply = self.wait(self.answer(method, url, headers, body, mount))
        return reply

    async def answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply:
        parts = urlsplit(url)
        given = {"host": parts.netloc, **{n.lower(): v for n, v in headers.items()}}
        if method == "POST":
            given.setdefault("content-length", str(len(body)))
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "root_path": unquote(mount),
            "query_string": parts.query.encode(),
            "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in given.items()],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 5000),
        }
        incoming = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return incoming.pop() if incoming else await asyncio.Event().wait()  # type: ignore[return-value]

        async def send(message: Any) -> None:
            sent.append(message)

        # What nobody handled is raised again, after the answer.
        with suppress(Exception):
            await self.app(scope, receive, send)
        pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in sent[0]["headers"]]
        text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
        return Reply(sent[0]["status"], Headers(pairs), text)

    def kept(self) -> bytes:
        return _files(self.folder)

    def rows(self) -> list[str]:
        return _rows(self.folder / "codegrant.db")

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def close(self) -> None:
        for client in self._clients:
            self.wait(client.aclose())
        self.wait(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        store = getattr(self.login, "_store", None)  # a program of another library has none
        close = getattr(store, "close", None)
        if close is not None:
            close()


class StarletteLogin(AsgiLogin):
    """The application in Starlette."""

    app: Starlette
    login: for_starlette.Login

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        super().__init__(client)
        self.folder = folder
        app = self.app = Starlette()
        login = self.login = for_starlette.Login(app, client, folder=folder, **arguments)

        async def home(request: Request) -> JSONResponse:
            who = await login.current(request)
            return JSONResponse({"subject": who.identity.subject if who else None})

        @login.required
        def profile(request: Request) -> JSONResponse:
            who, tokens = login.identity(request), login.tokens(request)
            return JSONResponse({"subject": who.subject, "provider": tokens.issuer})

        async def tokens(request: Request) -> JSONResponse:
            await login.current(request)
            assert login.api(request) is login.api(request)
            return JSONResponse({"scope": sorted(login.tokens(request).scope)})

        @login.required
        async def call(request: Request) -> JSONResponse:
            return JSONResponse(await _call(self, request))

        @login.required
        async def kept(request: Request) -> JSONResponse:
            return JSONResponse("", headers={"Cache-Control": "private, max-age=60"})

        async def for_all(request: Request) -> JSONResponse:
            return JSONResponse("")

        async def link(request: Request) -> PlainTextResponse:
            return PlainTextResponse(
                login.url(request, "/profile", **_options(request.query_params))
            )

        app.router.routes.extend(
            [
                Route("/", home),
                Route("/profile", profile),
                Route("/tokens", tokens, methods=["GET", "POST"]),
                Route("/call", call, methods=["GET", "POST"]),
                Route("/kept", kept),
                Route("/for-all", for_all),
                Route("/link", link),
            ]
        )


class DjangoLogin:
    """The application in Django, over WSGI and with views that do not wait."""

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        self.api_url = ""
        self.app = django_project.wsgi()
        self.database = django_project.make_database(folder)
        arguments.setdefault("store", DjangoTokenStore(self.database))
        login = self.login = for_django.Login[Client](client, **arguments)

        def home(request: HttpRequest) -> JsonResponse:
            who = login.current(request)
            return JsonResponse({"subject": who.identity.subject if who else None})

        @login.required
        def profile(request: HttpRequest) -> JsonResponse:
            who, tokens = login.identity(request), login.tokens(request)
            return JsonResponse({"subject": who.subject, "provider": tokens.issuer})

        @csrf_exempt
        def tokens(request: HttpRequest) -> JsonResponse:
            assert login.api(request) is login.api(request)
            return JsonResponse({"scope": sorted(login.tokens(request).scope)})

        @csrf_exempt
        @login.required
        def call(request: HttpRequest) -> JsonResponse:
            before = login.tokens(request).access_token
            status = [login.api(request).get(self.api_url).status_code for _ in range(2)]
            changed = login.tokens(request).access_token != before
            return JsonResponse({"status": status, "changed": changed})

        @login.required
        def kept(request: HttpRequest) -> HttpResponse:
            return HttpResponse(headers={"Cache-Control": "private, max-age=60"})

        def for_all(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        def link(request: HttpRequest) -> HttpResponse:
            return HttpResponse(login.url(request, "/profile", **_options(request.GET)))

        self.urls = django_project.Urls(
            [
                path("", include(login.urls)),
                path("", home),
                path("profile", profile),
                path("tokens", tokens),
                path("call", call),
                path("kept", kept),
                path("for-all", for_all),
                path("link", link),
            ]
        )

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply:
        parts = urlsplit(url)
        answer = werkzeug.test.Client(self.app, use_cookies=False).open(
            f"{parts.path.removeprefix(mount)}?{parts.query}",
            base_url=f"{parts.scheme}://{parts.netloc}{mount}",
            method=method,
            headers=dict(headers),
            data=body,
            environ_overrides={django_project.SITE: self.urls},
        )
        answer.close()
        pairs = [(name, value.strip()) for name, value in answer.headers]
        return Reply(answer.status_code, Headers(pairs), answer.text)

    def kept(self) -> bytes:
        return django_project.read_database(self.database)

    def rows(self) -> list[str]:
        return _rows(django_project.file_of(self.database))

    def close(self) -> None:
        pass


class AsyncDjangoLogin(AsgiLogin):
    """The application in Django, over ASGI and with views of both kinds."""

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        super().__init__(client)
        self.database = django_project.make_database(folder)
        arguments.setdefault("store", DjangoTokenStore(self.database))
        login = self.login = for_django.Login[AsyncClient](client, **arguments)

        async def home(request: HttpRequest) -> JsonResponse:
            who = await login.acurrent(request)
            return JsonResponse({"subject": who.identity.subject if who else None})

        @login.required
        def profile(request: HttpRequest) -> JsonResponse:
            who, tokens = login.identity(request), login.tokens(request)
            return JsonResponse({"subject": who.subject, "provider": tokens.issuer})

        @csrf_exempt
        async def tokens(request: HttpRequest) -> JsonResponse:
            await login.acurrent(request)
            assert login.api(request) is login.api(request)
            return JsonResponse({"scope": sorted(login.tokens(request).scope)})

        @csrf_exempt
        @login.required
        async def call(request: HttpRequest) -> JsonResponse:
            before = login.tokens(request).access_token
            status = [(await login.api(request).get(self.api_url)).status_code for _ in range(2)]
            changed = login.tokens(request).access_token != before
            return JsonResponse({"status": status, "changed": changed})

        @login.required
        async def kept(request: HttpRequest) -> HttpResponse:
            return HttpResponse(headers={"Cache-Control": "private, max-age=60"})

        async def for_all(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        async def link(request: HttpRequest) -> HttpResponse:
            return HttpResponse(login.url(request, "/profile", **_options(request.GET)))

        urls = django_project.Urls(
            [
                path("", include(login.urls)),
                path("", home),
                path("profile", profile),
                path("tokens", tokens),
                path("call", call),
                path("kept", kept),
                path("for-all", for_all),
                path("link", link),
            ]
        )

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await django_project.asgi()({**scope, django_project.SITE: urls}, receive, send)

        self.app = app

    def kept(self) -> bytes:
        return django_project.read_database(self.database)

    def rows(self) -> list[str]:
        return _rows(django_project.file_of(self.database))


class FastApiLogin(AsgiLogin):
    """The application in FastAPI."""

    app: fastapi.FastAPI
    login: for_fastapi.Login

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        super().__init__(client)
        self.folder = folder
        app = self.app = fastapi.FastAPI()
        login = self.login = for_fastapi.Login(app, client, folder=folder, **arguments)

        async def home(request: Request) -> dict[str, object]:
            who = await login.current(request)
            return {"subject": who.identity.subject if who else None}

        def profile(user: Any = fastapi.Depends(login)) -> dict[str, object]:  # noqa: B008
            return {"subject": user.identity.subject, "provider": user.tokens.issuer}

        async def tokens(request: Request) -> dict[str, object]:
            await login.current(request)
            assert login.api(request) is login.api(request)
            return {"scope": sorted(login.tokens(request).scope)}

        @login.required
        async def call(request: Request) -> dict[str, object]:
            return await _call(self, request)

        def kept(response: fastapi.Response, user: Any = fastapi.Depends(login)) -> str:  # noqa: B008
            response.headers["Cache-Control"] = "private, max-age=60"
            return ""

        async def for_all() -> str:
            return ""

        async def link(request: Request) -> PlainTextResponse:
            return PlainTextResponse(
                login.url(request, "/profile", **_options(request.query_params))
            )

        app.get("/")(home)
        app.get("/profile")(profile)
        app.get("/tokens")(tokens)
        app.post("/tokens")(tokens)
        app.get("/call")(call)
        app.post("/call")(call)
        app.get("/kept")(kept)
        app.get("/for-all")(for_all)
        app.get("/link", response_model=None)(link)


def _options(query: Any) -> dict[str, Any]:
    """Return the options of a login that a page's query asks a link for."""
    return {name: query.get(name) for name in ("ask", "login_hint")}


class PlainAsgiLogin(AsgiLogin):
    """The application in ASGI, without a framework."""

    login: for_asgi.Login

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        super().__init__(client)
        self.folder = folder
        login = self.login = for_asgi.Login(client, folder=folder, **arguments)

        async def home(scope: Any, receive: Any, send: Any) -> None:
            who = await login.current(scope)
            await _say(send, {"subject": who.identity.subject if who else None})

        @login.required
        async def profile(scope: Any, receive: Any, send: Any) -> None:
            who, tokens = login.identity(scope), login.tokens(scope)
            await _say(send, {"subject": who.subject, "provider": tokens.issuer})

        async def tokens(scope: Any, receive: Any, send: Any) -> None:
            await login.current(scope)
            assert login.api(scope) is login.api(scope)
            await _say(send, {"scope": sorted(login.tokens(scope).scope)})

        @login.required
        async def call(scope: Any, receive: Any, send: Any) -> None:
            await _say(send, await _call(self, scope))

        @login.required
        async def kept(scope: Any, receive: Any, send: Any) -> None:
            await _say(send, "", (b"cache-control", b"private, max-age=60"))

        async def for_all(scope: Any, receive: Any, send: Any) -> None:
            await _say(send, "")

        async def link(scope: Any, receive: Any, send: Any) -> None:
            query = dict(parse_qsl(scope["query_string"].decode()))
            await _say(send, login.url(scope, "/profile", **_options(query)))

        pages = {
            "/": home, "/profile": profile, "/tokens": tokens, "/call": call, "/kept": kept,
            "/for-all": for_all, "/link": link,
        }  # fmt: skip

        async def app(scope: Any, receive: Any, send: Any) -> None:
            page = pages.get(scope["path"].removeprefix(scope["root_path"]))
            if page is None:
                await _say(send, "", status=404)
                return
            try:
                await page(scope, receive, send)
            except (LoginRequired, StoreError):
                raise
            except Exception:  # noqa: BLE001 - as a server does
                await _say(send, "", status=500)

        self.app = login.wrap(app)


class WsgiLogin:
    """The application in WSGI, without a framework."""

    def __init__(self, folder: Path, client: Any, **arguments: Any) -> None:
        self.api_url = ""
        self.folder = folder
        login = self.login = for_wsgi.Login(client, folder=folder, **arguments)

        def home(environ: Any, start: Any) -> list[bytes]:
            who = login.current(environ)
            return _begin(start, {"subject": who.identity.subject if who else None})

        @login.required
        def profile(environ: Any, start: Any) -> list[bytes]:
            who, tokens = login.identity(environ), login.tokens(environ)
            return _begin(start, {"subject": who.subject, "provider": tokens.issuer})

        def tokens(environ: Any, start: Any) -> list[bytes]:
            assert login.api(environ) is login.api(environ)
            return _begin(start, {"scope": sorted(login.tokens(environ).scope)})

        @login.required
        def call(environ: Any, start: Any) -> list[bytes]:
            before = login.tokens(environ).access_token
            status = [login.api(environ).get(self.api_url).status_code for _ in range(2)]
            changed = login.tokens(environ).access_token != before
            return _begin(start, {"status": status, "changed": changed})

        @login.required
        def kept(environ: Any, start: Any) -> list[bytes]:
            return _begin(start, "", ("Cache-Control", "private, max-age=60"))

        def for_all(environ: Any, start: Any) -> list[bytes]:
            return _begin(start, "")

        def link(environ: Any, start: Any) -> list[bytes]:
            query = dict(parse_qsl(environ["QUERY_STRING"]))
            return _begin(start, login.url(environ, "/profile", **_options(query)))

        pages: dict[str, Any] = {
            "/": home, "/profile": profile, "/tokens": tokens, "/call": call, "/kept": kept,
            "/for-all": for_all, "/link": link,
        }  # fmt: skip

        def app(environ: Any, start: Any) -> list[bytes]:
            page = pages.get(environ["PATH_INFO"])
            if page is None:
                return _begin(start, "", status="404 Not Found")
            try:
                answer: list[bytes] = page(environ, start)
            except (LoginRequired, StoreError):
                raise
            except Exception:  # noqa: BLE001 - as a server does
                return _begin(start, "", status="500 Internal Server Error")
            return answer

        self.app = login.wrap(app)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, mount: str
    ) -> Reply:
        parts = urlsplit(url)
        answer = werkzeug.test.Client(self.app, use_cookies=False).open(
            f"{parts.path.removeprefix(mount)}?{parts.query}",
            base_url=f"{parts.scheme}://{parts.netloc}{mount}",
            method=method,
            headers=dict(headers),
            data=body,
        )
        reply = Reply(answer.status_code, Headers(list(answer.headers)), answer.text)
        answer.close()
        return reply

    def kept(self) -> bytes:
        return _files(self.folder)

    def rows(self) -> list[str]:
        return _rows(self.folder / "codegrant.db")

    def close(self) -> None:
        close = getattr(self.login._store, "close", None)
        if close is not None:
            close()


async def _say(send: Any, value: object, *fields: tuple[bytes, bytes], status: int = 200) -> None:
    headers = [(b"content-type", b"application/json"), *fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def _begin(
    start: Any, value: object, *fields: tuple[str, str], status: str = "200 OK"
) -> list[bytes]:
    start(status, [("Content-Type", "application/json"), *fields])
    return [json.dumps(value).encode()]


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def _rows(file: Path) -> list[str]:
    """Return what a database of SQLite holds of logins, as statements."""
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        lines = [line for line in database.iterdump() if line.startswith("INSERT INTO ")]
    return [line for line in lines if line.split('"')[1] not in _NO_LOGINS]


async def _call(site: AsgiLogin, request: Any) -> dict[str, object]:
    login = site.login
    before = login.tokens(request).access_token
    status = [(await login.api(request).get(site.api_url)).status_code for _ in range(2)]
    return {"status": status, "changed": login.tokens(request).access_token != before}


SITES: dict[str, Any] = {
    "flask": FlaskLogin,
    "starlette": StarletteLogin,
    "fastapi": FastApiLogin,
    "django": DjangoLogin,
    "django-async": AsyncDjangoLogin,
    "asgi": PlainAsgiLogin,
    "wsgi": WsgiLogin,
}
# What waits in threads; the others wait in event loops.
SYNC = frozenset({"flask", "django", "wsgi"})


def client_for(framework: str, provider: MockProvider, **arguments: Any) -> Client | AsyncClient:
    """Return a client of the colour that the framework waits in."""
    client = make_client(provider, **arguments)
    if framework in SYNC:
        return client
    config = client.flows.config
    client.close()
    return AsyncClient(
        provider.issuer,
        client_id=config.client_id,
        client_secret=config.client_secret,
        **{"timeout": 5.0, **arguments},
    )


__all__ = ["BASE", "FORM", "SITES", "SYNC", "LoginSite", "Reply", "SiteBrowser", "client_for"]
