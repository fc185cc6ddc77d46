"""`login_as` with the test clients of the frameworks, through each application's real login."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import flask
import httpx
import httpx2
import pytest
import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.test import AsyncClient as DjangoAsyncBrowser
from django.test import Client as DjangoBrowser
from django.test import override_settings
from django.urls import include
from django.urls import path as at
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from codegrant import AsyncClient, Client, KeyRing, TransportError, UsageError
from codegrant.resource import AsyncResourceServer, ResourceServer
from codegrant.stores.named_tokens import NamedTokens
from codegrant.stores.sqlite import SqliteStore
from codegrant.testing import ProviderInProcess, Wire
from codegrant.testing.personas import Persona
from codegrant.testing.requests import WireAdapter
from codegrant.testing.signing_in import Provides, sign_in
from codegrant.web import asgi_login as for_asgi
from codegrant.web import django as for_django
from codegrant.web import fastapi as for_fastapi
from codegrant.web import flask as for_flask
from codegrant.web import starlette as for_starlette
from codegrant.web import wsgi as for_wsgi
from codegrant.web.login import SESSION_LIFETIME
from tests.support import django_project
from tests.support.documents import ROOT, example

pytestmark = pytest.mark.not_watched("the test clients log every address, the callback's as well")

CLOCKED: list[Any] = [
    Client, AsyncClient, ResourceServer, AsyncResourceServer, NamedTokens, Persona,
    for_asgi.Login, for_django.Login, for_fastapi.Login, for_flask.Login, for_starlette.Login,
    for_wsgi.Login,
]  # fmt: skip
RING = KeyRing(["a key ring for tests only, 32 characters and more"])
HOME = "https://app.example"


class Site(NamedTuple):
    """An application of one framework, two providers behind it, and what makes a browser."""

    app: Any
    browser: Any
    clients: dict[str, Any]


def clients_of(kind: type[Any]) -> dict[str, Any]:
    return {
        name: kind(f"https://{name}.test", client_id="app", client_secret="the secret of app")
        for name in ("one", "two")
    }


def make_flask(store: SqliteStore) -> Site:
    app, clients = flask.Flask("app"), clients_of(Client)
    login = for_flask.Login(app, clients, store=store, key_ring=RING, public_url=HOME)

    @app.get("/who")
    @login.required
    def who() -> dict[str, str]:
        return {"sub": login.identity.subject, "iss": login.identity.issuer}

    return Site(app, app.test_client, clients)


def make_starlette(store: SqliteStore) -> Site:
    clients = clients_of(AsyncClient)
    login = for_starlette.Login(None, clients, store=store, key_ring=RING, public_url=HOME)

    @login.required
    async def who(request: StarletteRequest) -> JSONResponse:
        found = login.identity(request)
        return JSONResponse({"sub": found.subject, "iss": found.issuer})

    app = Starlette(routes=[Route("/who", who)])
    login.init_app(app)
    return Site(app, lambda: TestClient(app, base_url=HOME), clients)


def make_fastapi(store: SqliteStore) -> Site:
    app, clients = FastAPI(), clients_of(AsyncClient)
    login = for_fastapi.Login(app, clients, store=store, key_ring=RING, public_url=HOME)

    @app.get("/who")
    @login.required
    async def who(request: Request) -> dict[str, str]:
        found = login.identity(request)
        return {"sub": found.subject, "iss": found.issuer}

    return Site(app, lambda: TestClient(app, base_url=HOME), clients)


def make_django(store: SqliteStore) -> Site:
    clients = clients_of(Client)
    login = for_django.Login[Client](clients, store=store, key_ring=RING, public_url=HOME)

    @login.required
    def who(request: HttpRequest) -> JsonResponse:
        found = login.identity(request)
        return JsonResponse({"sub": found.subject, "iss": found.issuer})

    urls = django_project.Urls([at("", include(login.urls)), at("who", who)])
    more: dict[str, Any] = {django_project.SITE: urls}
    return Site(urls, lambda: DjangoBrowser(**more), clients)


@pytest.fixture(params=[make_flask, make_starlette, make_fastapi, make_django])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with SqliteStore(":memory:") as store:
        yield request.param(store)


@pytest.fixture
def providers(site: Site) -> Iterator[dict[str, ProviderInProcess]]:
    with ExitStack() as stack:
        made = {name: ProviderInProcess(f"https://{name}.test") for name in site.clients}
        for name, provider in made.items():
            stack.enter_context(provider)
            provider.register(site.clients[name], redirect_uri=f"{HOME}/callback/{name}")
        yield made


def ask(browser: Any, path: str) -> Any:
    if isinstance(browser, DjangoBrowser):
        return browser.get(path, secure=True, headers={"host": HOME[8:]})
    return browser.get(f"{HOME}{path}", follow_redirects=False)


def told(answer: Any) -> Any:
    return answer.json if isinstance(answer, flask.Response) else answer.json()


def test_the_next_request_is_the_persons(
    site: Site, providers: dict[str, ProviderInProcess]
) -> None:
    for name, provider in providers.items():
        alice, browser = provider.add_person("alice"), site.browser()
        assert ask(browser, "/who").status_code in {302, 303}
        answer = provider.login_as(browser, alice, path=f"{HOME}/login/{name}?return_to=/who")
        assert (answer.status_code, answer.headers["location"]) == (303, "/who")
        assert told(ask(browser, "/who")) == {"sub": alice.subject, "iss": provider.issuer}


def test_two_browsers_are_two_people(site: Site, providers: dict[str, ProviderInProcess]) -> None:
    provider, seen = providers["one"], []
    browsers = {name: site.browser() for name in ("alice", "bob")}
    for name, browser in browsers.items():
        provider.login_as(browser, name, path=f"{HOME}/login/one")
    for name, browser in browsers.items():
        seen.append(told(ask(browser, "/who"))["sub"])
        assert seen[-1] == provider.find_person(name).subject
    assert len(set(seen)) == 2


def test_a_login_that_is_refused_fails_the_test_and_says_why(
    site: Site, providers: dict[str, ProviderInProcess]
) -> None:
    browser = site.browser()
    with pytest.raises(
        AssertionError, match=r"did not take the login: status 403, error code access_denied"
    ):
        providers["one"].login_as(browser, "alice", path=f"{HOME}/login/one", allow=False)
    assert ask(browser, "/who").status_code in {302, 303}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("/nowhere", "starts no login: status 404", id="wrong path"),
        pytest.param("/login", "starts no login: status 200", id="a page to choose from"),
        pytest.param(
            "/login/two",
            "leads to another provider: https://two.test/authorize",
            id="another provider",
        ),
    ],
)
def test_a_login_that_does_not_start_here_fails_the_test(
    site: Site, providers: dict[str, ProviderInProcess], path: str, says: str
) -> None:
    with pytest.raises(AssertionError, match=says):
        providers["one"].login_as(site.browser(), path=f"{HOME}{path}")


def test_a_time_that_is_frozen_later_is_everybodys(
    site: Site, providers: dict[str, ProviderInProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a library does that stops the time: the application was made before."""
    frozen = [1_706_788_800.0]
    monkeypatch.setattr(time, "time", lambda: frozen[0])
    browser = site.browser()
    providers["one"].login_as(browser, path=f"{HOME}/login/one")
    assert ask(browser, "/who").status_code == 200
    frozen[0] += SESSION_LIFETIME - 60
    assert ask(browser, "/who").status_code == 200
    frozen[0] += 60
    assert ask(browser, "/who").status_code == 303


@pytest.mark.parametrize("kind", CLOCKED, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_nobody_has_taken_hold_of_the_machines_clock(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = inspect.signature(kind).parameters["clock"].default
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert clock() == 5.0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(lambda p: p.faults.unreachable(), "connect_failed", id="unreachable"),
        pytest.param(
            lambda p: p.faults.time_out(endpoint="authorize"), "timeout", id="a page that stalls"
        ),
    ],
)
def test_a_provider_that_does_not_answer_the_browser_is_told(
    site: Site, providers: dict[str, ProviderInProcess], fault: Any, code: str
) -> None:
    """The application knows the metadata already, and is not the one that finds out."""
    provider, browser = providers["one"], site.browser()
    provider.login_as(browser, path=f"{HOME}/login/one")
    with fault(provider), pytest.raises(TransportError) as caught:
        provider.login_as(site.browser(), path=f"{HOME}/login/one")
    assert (caught.value.code, caught.value.stage) == (code, "authorize")
    assert "https://one.test/authorize: " in str(caught.value)
    assert provider.login_as(site.browser(), path=f"{HOME}/login/one").status_code == 303


def test_a_provider_outside_its_with_lets_nothing_out(site: Site) -> None:
    provider = ProviderInProcess("https://one.test")
    provider.register(site.clients["one"], redirect_uri=f"{HOME}/callback/one")
    path = f"{HOME}/login/one"
    with pytest.raises(UsageError, match="is not up"):
        provider.login_as(site.browser(), path=path)
    with provider:
        assert provider.login_as(site.browser(), path=path).status_code == 303
    with pytest.raises(UsageError, match="is not up"):
        provider.login_as(site.browser(), path=path)
    with pytest.raises(UsageError, match="make a new one"):
        provider.__enter__()


def test_a_redirect_uri_that_is_not_registered_is_told(site: Site) -> None:
    with ProviderInProcess("https://one.test") as provider:
        provider.register(site.clients["one"], redirect_uri=f"{HOME}/elsewhere")
        with pytest.raises(UsageError, match="redirect_uri"):
            provider.login_as(site.browser(), path=f"{HOME}/login/one")


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("site", [make_starlette, make_fastapi], indirect=True)
def test_an_async_client_over_the_application_logs_in(
    site: Site, providers: dict[str, ProviderInProcess], library: Any
) -> None:
    async def visit() -> Any:
        transport = library.ASGITransport(site.app)
        async with library.AsyncClient(transport=transport, base_url=HOME) as browser:
            answer = await providers["one"].login_as_async(
                browser, "alice", path=f"{HOME}/login/one"
            )
            assert answer.status_code == 303
            return (await browser.get("/who")).json()

    alice = providers["one"].find_person("alice")
    assert asyncio.run(visit()) == {"sub": alice.subject, "iss": "https://one.test"}


@pytest.mark.parametrize("site", [make_starlette, make_fastapi], indirect=True)
def test_a_test_client_of_the_other_kind_is_told_apart(
    site: Site, providers: dict[str, ProviderInProcess]
) -> None:
    path = f"{HOME}/login/one"
    login_as: Any = providers["one"].login_as

    async def visit() -> None:
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as browser:
            with pytest.raises(UsageError, match="has to be awaited") as caught:
                login_as(browser, path=path)
            assert "login_as_async" in caught.value.hint

    asyncio.run(visit())
    waits: Any = site.browser()
    with pytest.raises(UsageError, match="cannot be awaited") as caught:
        asyncio.run(providers["one"].login_as_async(waits, path=path))
    assert "login_as(" in caught.value.hint


def test_the_documented_helper_for_django_signs_alice_in() -> None:
    program = example("django_browser.py", ROOT / "docs" / "testing.md")
    names: dict[str, Any] = {"__name__": "django_browser"}
    exec(compile(program.text, program.name, "exec"), names)  # noqa: S102 - the documentation
    client = Client("https://one.test", client_id="app", client_secret="the secret of app")
    with SqliteStore(":memory:") as store, ProviderInProcess("https://one.test") as provider:
        login = for_django.Login[Client](client, store=store, key_ring=RING)

        @login.required
        def me(request: HttpRequest) -> JsonResponse:
            return JsonResponse({"sub": login.identity(request).subject})

        urls = django_project.Urls([at("", include(login.urls)), at("me", me)])
        plain = [one for one in settings.MIDDLEWARE if "ChooseSite" not in one]
        with override_settings(ALLOWED_HOSTS=["testserver"], ROOT_URLCONF=urls, MIDDLEWARE=plain):
            browser = names["sign_in"](provider, client)
            alice = provider.find_person("alice")
            assert browser.get("/me", secure=True).json() == {"sub": alice.subject}
            assert DjangoBrowser().get("/me", secure=True).status_code in {302, 303}


def test_the_async_client_of_django_logs_in() -> None:
    home = "https://testserver"
    with (
        SqliteStore(":memory:") as store,
        ProviderInProcess("https://one.test") as provider,
        override_settings(ALLOWED_HOSTS=["testserver"]),
    ):
        clients = clients_of(AsyncClient)
        setting: dict[str, Any] = {"store": store, "key_ring": RING, "public_url": home}
        login = for_django.Login[AsyncClient](clients, **setting)
        provider.register(clients["one"], redirect_uri=f"{home}/callback/one")
        urls = django_project.Urls([at("", include(login.urls))])

        async def visit() -> Any:
            browser: Any = DjangoAsyncBrowser()
            handler = browser.handler
            browser.handler = lambda scope: handler({**scope, django_project.SITE: urls})
            return await provider.login_as_async(browser, path=f"{home}/login/one")

        answer = asyncio.run(visit())
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_client_over_wsgi_logs_in(tmp_path: Path) -> None:
    with SqliteStore(":memory:") as store, ProviderInProcess("https://one.test") as provider:
        site = make_flask(store)
        provider.register(site.clients["one"], redirect_uri=f"{HOME}/callback/one")
        transport = httpx2.WSGITransport(site.app)
        with httpx2.Client(transport=transport, base_url=HOME) as browser:
            provider.login_as(browser, "alice", path=f"{HOME}/login/one")
            alice = provider.find_person("alice")
            assert browser.get("/who").json()["sub"] == alice.subject


@pytest.mark.parametrize("site", [make_flask, make_starlette, make_fastapi], indirect=True)
def test_a_session_of_requests_that_reaches_the_application_logs_in(
    site: Site, providers: dict[str, ProviderInProcess]
) -> None:
    provider = providers["one"]
    provider.serve(HOME, site.app)
    alice = provider.find_person("alice")
    with requests.Session() as browser, requests.Session() as nobody:
        for session in (browser, nobody):
            session.mount("https://", WireAdapter(provider.wire))
        answer = provider.login_as(browser, alice, path=f"{HOME}/login/one?return_to=/who")
        assert (answer.status_code, answer.headers["location"]) == (303, "/who")
        assert browser.get(f"{HOME}/who").json()["sub"] == alice.subject
        assert nobody.get(f"{HOME}/who", allow_redirects=False).status_code == 303


START = "https://posts.test/authorize"


def post_to(home: str) -> Provides:
    """Return a provider that has its answer posted by the browser."""
    return Provides(START, lambda url: (f"{home}/callback", b"code=a+b&state=c"))


def test_an_answer_that_is_posted_reaches_a_flask_application() -> None:
    app = flask.Flask("app")
    app.add_url_rule("/login", "login", lambda: flask.redirect(f"{START}?response_type=code"))

    @app.post("/callback")
    def callback() -> Any:
        return flask.redirect(f"/callback?{flask.request.form['code']}")

    app.add_url_rule("/callback", "page", lambda: f"{flask.request.query_string!r}")
    answer = sign_in(app.test_client(), "/login", post_to("http://localhost"))
    assert (answer.status_code, answer.text) == (200, "b'a%20b'")


def test_an_answer_that_is_posted_reaches_a_starlette_application() -> None:
    async def login(request: StarletteRequest) -> RedirectResponse:
        return RedirectResponse(f"{START}?response_type=code", 303)

    async def callback(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(dict(parse_qsl((await request.body()).decode())), 201)

    posted = Route("/callback", callback, methods=["POST"])
    app = Starlette(routes=[Route("/login", login), posted])
    answer = sign_in(TestClient(app, base_url=HOME), "/login", post_to(HOME))
    assert (answer.status_code, answer.json()) == (201, {"code": "a b", "state": "c"})
    with Wire() as wire, requests.Session() as browser:
        wire.serve(HOME, app)
        browser.mount("https://", WireAdapter(wire))
        sent = sign_in(browser, f"{HOME}/login", post_to(HOME))
        assert (sent.status_code, sent.json()) == (201, {"code": "a b", "state": "c"})


def test_an_answer_that_is_posted_reaches_a_django_site() -> None:
    def login(request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{START}?response_type=code")

    @csrf_exempt
    def callback(request: HttpRequest) -> JsonResponse:
        return JsonResponse(request.POST.dict(), status=201)

    urls = django_project.Urls([at("login", login), at("callback", callback)])
    more: dict[str, Any] = {django_project.SITE: urls}
    browser = DjangoBrowser(**more)
    answer = sign_in(browser, f"{HOME}/login", post_to(HOME))
    assert (answer.status_code, answer.json()) == (201, {"code": "a b", "state": "c"})


def test_something_that_is_no_test_client_is_refused() -> None:
    class Other:
        def get(self, url: str) -> str:
            return url

    with ProviderInProcess() as provider, pytest.raises(UsageError, match="no test client"):
        provider.login_as(Other())
