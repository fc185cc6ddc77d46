"""`codegrant.web.django.Protect`: what the suite over every adapter does not reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.utils.decorators import method_decorator
from django.views import View

from codegrant import UsageError
from codegrant.resource import AsyncResourceServer, ResourceServer
from codegrant.web.django import Protect
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.documents import DOCUMENTS, example
from tests.support.mock_provider import MockProvider


@pytest.fixture(autouse=True)
def _host() -> Iterator[None]:
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        yield


@pytest.fixture
def server(provider: MockProvider) -> Iterator[ResourceServer]:
    server = ResourceServer(provider.issuer, AUDIENCE)
    yield server
    server.close()


@pytest.fixture
def token(provider: MockProvider) -> str:
    return access_token(provider.issuer, provider.keys["k1"], int(time.time()))


def ask(view: Callable[..., Any], token: str = "") -> HttpResponse:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = RequestFactory().get("/", headers=headers)
    if iscoroutinefunction(view):  # pyright: ignore[reportDeprecated]
        return cast("HttpResponse", async_to_sync(view)(request))
    return cast("HttpResponse", view(request))


def sync_view(request: HttpRequest) -> HttpResponse:
    """Answer at once."""
    return HttpResponse("sync")


async def async_view(request: HttpRequest) -> HttpResponse:
    """Answer later."""
    return HttpResponse("async")


def altered(token: str) -> str:
    """Return the token with another character in its signature."""
    return f"{token[:-10]}{'B' if token[-10] == 'A' else 'A'}{token[-9:]}"


@pytest.mark.requirement("RS-BR-01", "RS-BR-04")
@pytest.mark.parametrize("view", [sync_view, async_view], ids=["sync view", "async view"])
@pytest.mark.parametrize("kind", [ResourceServer, AsyncResourceServer], ids=["sync", "async"])
def test_either_kind_of_server_guards_either_kind_of_view(
    provider: MockProvider, token: str, kind: Any, view: Any
) -> None:
    server = kind(provider.issuer, AUDIENCE)
    guarded = Protect(server).require("read")(view)
    assert (guarded.__name__, guarded.__doc__) == (view.__name__, view.__doc__)

    async def ask_all() -> list[HttpResponse]:
        answers = []
        for sent in (f"Bearer {token}", f"Bearer {altered(token)}", ""):
            headers = {"authorization": sent} if sent else {}
            answers.append(await guarded(RequestFactory().get("/", headers=headers)))
        await server.aclose()
        return answers

    if iscoroutinefunction(guarded):  # pyright: ignore[reportDeprecated]
        if kind is ResourceServer:
            server.aclose = _nothing
        good, bad, none = async_to_sync(ask_all)()
    else:
        good, bad, none = ask(guarded, token), ask(guarded, altered(token)), ask(guarded)
    if kind is ResourceServer:
        server.close()
    assert (good.status_code, good["Cache-Control"]) == (200, "private, no-store")
    assert [one.status_code for one in (bad, none)] == [401, 401]
    assert "invalid_token" in bad["WWW-Authenticate"]
    assert none["WWW-Authenticate"] == "Bearer"


async def _nothing() -> None:
    pass


def test_a_view_that_is_a_class_is_guarded(server: ResourceServer, token: str) -> None:
    api = Protect(server)

    @method_decorator(cast("Any", api.require("read")), name="dispatch")
    class Profile(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(api.token(request).subject)

    view = cast("Any", Profile).as_view()
    assert ask(view, token).content == b"person-1"
    assert ask(view).status_code == 401


def test_a_token_is_told_only_by_the_guard_that_has_seen_it(
    server: ResourceServer, token: str
) -> None:
    mine, other = Protect(server), Protect(server)

    @mine.require("read")
    def view(request: HttpRequest) -> HttpResponse:
        with pytest.raises(UsageError, match="not under @require"):
            other.token(request)
        return HttpResponse(mine.token(request).client_id)

    assert ask(view, token).content == b"app"
    with pytest.raises(UsageError):
        mine.token(RequestFactory().get("/"))


@pytest.mark.parametrize("scope", ["a b", "", 'a"'])
def test_what_is_no_scope_token_is_told_at_once(server: ResourceServer, scope: str) -> None:
    with pytest.raises(UsageError):
        Protect(server).require(scope)
    assert ask(Protect(server).require("a")(sync_view)).status_code == 401


def test_such_a_view_needs_neither_a_csrf_token_nor_a_user(server: ResourceServer) -> None:
    for view in (sync_view, async_view):
        guarded: Any = Protect(server).require()(view)
        assert guarded.csrf_exempt
        assert not guarded.login_required
        assert not hasattr(view, "csrf_exempt")


def test_the_program_of_the_page_runs(token: str) -> None:
    (document,) = (file for file in DOCUMENTS if file.name == "resource-server.md")
    program = example("api_urls.py", document)
    names: dict[str, Any] = {"__name__": "api_urls"}
    exec(compile(program.text, program.name, "exec"), names)  # noqa: S102 - the documentation
    assert ask(names["profile"]).status_code == 401
    (pattern,) = names["urlpatterns"]
    assert pattern.callback is names["profile"]
