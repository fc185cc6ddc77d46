"""`codegrant.web.django.Login` and its middleware: what is Django's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory, override_settings
from django.urls import include, path, reverse
from django.utils.decorators import method_decorator
from django.views import View

from codegrant import AsyncClient, Client, ConfigurationError, KeyRing, LoginRequired, UsageError
from codegrant.client import LoginOptions
from codegrant.web.django import Login
from codegrant.web.django.keys import find_keys
from codegrant.web.django.middleware import LoginMiddleware
from tests.support.application import Clock
from tests.support.django_project import Urls
from tests.support.login_sites import DjangoLogin, SiteBrowser
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient
from tests.unit.web.django.conftest import MakeBrowser

CHOOSE = "tests.support.django_project.ChooseSite"
LOGIN = "codegrant.web.django.middleware.LoginMiddleware"


def add(browser: SiteBrowser, at: str, view: Any) -> None:
    """Add a view to the site in front of everything else."""
    site = cast("DjangoLogin", browser.site)
    site.urls = Urls([path(at, view), *site.urls.urlpatterns])


def login_of(browser: SiteBrowser) -> Login[Client]:
    return cast("DjangoLogin", browser.site).login


# --- addresses ---


def test_the_addresses_have_names_for_reverse(
    provider: MockProvider, client_of: MakeClient
) -> None:
    one = Login(client_of(provider), login_path="/accounts/in")
    urls = Urls([path("", include(one.urls))])
    assert reverse("codegrant:login", urlconf=urls) == "/accounts/in"  # type: ignore[arg-type]
    assert reverse("codegrant:logout", urlconf=urls) == "/logout"  # type: ignore[arg-type]
    several = Login({"one": client_of(provider), "two": client_of(provider)})
    urls = Urls([path("", include(several.urls))])
    assert reverse("codegrant:login.two", urlconf=urls) == "/login/two"  # type: ignore[arg-type]
    assert reverse("codegrant:callback.one", urlconf=urls) == "/callback/one"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param("next=/orders%3Fa%3Db", "/orders?a=b", id="next"),
        pytest.param("next=/orders&return_to=/profile", "/profile", id="our own name first"),
        pytest.param("next=//evil.example/", "/", id="another host"),
        pytest.param("next=https://evil.example/", "/", id="another origin"),
        pytest.param("next=/login", "/", id="round and round"),
        pytest.param("next=", "/", id="empty"),
    ],
)
def test_next_leads_where_return_to_does(
    browser: SiteBrowser, provider: MockProvider, query: str, target: str
) -> None:
    assert browser.log_in(provider, f"/login?{query}").location == target


def test_next_leaves_what_a_link_asks_for_as_it_is(
    make_browser: MakeBrowser, provider: MockProvider
) -> None:
    """Django puts `next` behind whatever `LOGIN_URL` has in its query."""
    ask = {"strong": LoginOptions(acr_values="phr")}
    browser = make_browser({"ask": ask}, LOGIN_URL="/login?ask=strong")
    started = browser.get("/login?ask=strong&next=/profile")
    assert "acr_values=phr" in started.location
    assert browser.get(provider.authorize(started.location)).location == "/profile"


def test_a_callback_is_posted_to_without_a_token_of_djangos(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    """Whether a form came from the provider is judged by its state, not by our cookie."""
    add(browser, "guarded-form", lambda _: HttpResponse())
    path, query = browser.start(provider).split("?")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post(path, form, query.encode()).status in {200, 303, 400}
    assert browser.post("/guarded-form", form, b"a=1").status == 403


def test_a_foreign_form_signs_nobody_out_although_it_needs_no_token(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    browser.log_in(provider)
    for said in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert 'id="logout-yes"' in browser.post("/logout", said).text
        assert browser.who() == "person-1"
    assert browser.post("/logout", {"Sec-Fetch-Site": "same-origin"}).location == "/"
    assert browser.who() is None


def test_where_every_view_wants_a_login_those_of_the_login_do_not(
    make_browser: MakeBrowser, provider: MockProvider
) -> None:
    browser = make_browser(
        MIDDLEWARE=[
            CHOOSE,
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
            LOGIN,
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        LOGIN_URL="codegrant:login",
    )
    asked = browser.get("/for-all?a=b")
    assert (asked.status, asked.location) == (302, "/login?next=/for-all%3Fa%3Db")
    assert browser.log_in(provider, asked.location).location == "/for-all?a=b"
    assert browser.post("/logout").location == "/"


def test_djangos_own_decorator_leads_to_the_login_and_back(
    make_browser: MakeBrowser, provider: MockProvider
) -> None:
    browser = make_browser(
        MIDDLEWARE=[
            CHOOSE,
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            LOGIN,
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        LOGIN_URL="codegrant:login",
    )
    add(browser, "theirs", login_required(lambda _: HttpResponse()))
    asked = browser.get("/theirs")
    assert asked.location == "/login?next=/theirs"
    assert browser.log_in(provider, asked.location).location == "/theirs"


def test_django_logs_no_address_with_a_code_in_it(
    browser: SiteBrowser, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    callback = browser.start(provider)
    with caplog.at_level(logging.DEBUG):
        assert SiteBrowser(browser.site).get(callback).status == 400
        assert browser.get("/nowhere?a=b").status == 404
    logged = [record for record in caplog.records if record.name == "django.request"]
    assert [record.getMessage() for record in logged] == ["Not Found: /nowhere"]
    assert any(record.name == "codegrant.web.login" for record in caplog.records)


# --- views ---


class Guarded(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("here")


def test_a_view_that_is_a_class_is_guarded(browser: SiteBrowser, provider: MockProvider) -> None:
    guard = cast("Any", method_decorator(login_of(browser).required, name="dispatch"))
    add(browser, "class", guard(type("Mine", (Guarded,), {})).as_view())
    assert browser.get("/class").location == "/login?return_to=%2Fclass"
    browser.log_in(provider)
    answer = browser.get("/class")
    assert (answer.text, answer.headers.get("cache-control")) == ("here", "private, no-store")


def test_an_asynchronous_view_is_guarded_by_a_login_of_either_colour(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    login = login_of(browser)

    async def view(request: HttpRequest, number: int) -> JsonResponse:
        who = await login.acurrent(request)
        return JsonResponse({"subject": who and who.identity.subject, "number": number})

    add(browser, "async/<int:number>", login.required(view))
    assert browser.get("/async/5").location == "/login?return_to=%2Fasync%2F5"
    browser.log_in(provider)
    assert browser.get("/async/5").json == {"subject": "person-1", "number": 5}


def test_a_guard_keeps_the_name_of_its_view(browser: SiteBrowser) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        """Say hello."""
        return HttpResponse()

    guarded = login_of(browser).required(view)
    assert (guarded.__name__, guarded.__doc__) == ("view", "Say hello.")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(LoginRequired("invalid_token"), 303, id="a login that is over"),
        pytest.param(UsageError("wrong"), 500, id="a fault of the site"),
        pytest.param(Http404("gone"), 404, id="an error of Django's"),
    ],
)
def test_only_what_wants_a_login_is_answered_with_one(
    browser: SiteBrowser, error: Exception, status: int
) -> None:
    login = login_of(browser)

    def view(request: HttpRequest) -> HttpResponse:
        login.current(request)
        raise error

    add(browser, "fails", view)
    assert browser.get("/fails").status == status


def test_a_view_that_asks_nothing_of_the_login_fails_as_it_likes(browser: SiteBrowser) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise LoginRequired("invalid_token")

    add(browser, "fails", view)
    assert browser.get("/fails").status == 500


def test_a_request_that_a_framework_has_wrapped_is_looked_up_once(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    """Django REST framework puts a request of its own around Django's."""
    login, database = login_of(browser), cast("DjangoLogin", browser.site).database

    class Wrapped:
        def __init__(self, request: HttpRequest) -> None:
            self._request = request

        def __getattr__(self, name: str) -> Any:
            return getattr(self._request, name)

    def view(request: HttpRequest) -> JsonResponse:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connections[database]) as queries:
            login.current(request)
            subject = login.identity(cast("HttpRequest", Wrapped(request))).subject
        return JsonResponse({"subject": subject, "queries": len(queries)})

    add(browser, "wrapped", view)
    browser.log_in(provider)
    assert browser.get("/wrapped").json == {"subject": "person-1", "queries": 1}


# --- transactions ---


@pytest.fixture
def atomic(browser: SiteBrowser, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every view is in a transaction, as `ATOMIC_REQUESTS` makes it."""
    database = cast("DjangoLogin", browser.site).database
    monkeypatch.setitem(connections.settings[database], "ATOMIC_REQUESTS", True)
    connections[database].close()
    del connections[database]
    return database


def test_a_view_that_is_rolled_back_loses_no_refreshed_tokens(
    browser: SiteBrowser, provider: MockProvider, clock: Clock, atomic: str
) -> None:
    login = login_of(browser)

    def view(request: HttpRequest) -> HttpResponse:
        assert connections[atomic].in_atomic_block
        login.api(request).get(f"{provider.issuer}/userinfo")
        raise Http404

    add(browser, "fails", view)
    browser.log_in(provider)
    clock.ahead += 301
    for _ in range(2):
        assert browser.get("/fails").status == 404
    assert len(provider.sent("refresh_token")) == 1
    clock.ahead += 301
    assert browser.get("/fails").status == 404
    assert len(provider.sent("refresh_token")) == 2
    assert browser.who() == "person-1"


def test_a_view_that_is_rolled_back_brings_back_no_session(
    browser: SiteBrowser, provider: MockProvider, clock: Clock, atomic: str
) -> None:
    login = login_of(browser)

    def view(request: HttpRequest) -> HttpResponse:
        login.api(request).get(f"{provider.issuer}/userinfo")
        return HttpResponse()

    add(browser, "calls", view)
    browser.log_in(provider)
    clock.ahead += 301
    provider.refresh_tokens.clear()
    assert browser.get("/calls").location == "/login?return_to=%2Fcalls"
    assert browser.who() is None


def test_the_addresses_are_outside_of_the_transactions_of_views(
    browser: SiteBrowser, provider: MockProvider, atomic: str
) -> None:
    assert browser.log_in(provider).location == "/"
    assert browser.get("/profile").json["subject"] == "person-1"
    assert browser.post("/logout").location == "/"
    assert browser.who() is None


# --- keys, arguments, middleware ---


def test_keys_are_those_of_the_environment_or_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(SECRET_KEY="n" * 32, SECRET_KEY_FALLBACKS=["o" * 32]):
        assert find_keys().open("x", KeyRing(["o" * 32]).seal("x", b"y")) == b"y"
        assert KeyRing(["n" * 32]).open("x", find_keys().seal("x", b"y")) == b"y"
        monkeypatch.setenv("CODEGRANT_SECRET", "e" * 32)
        assert KeyRing(["e" * 32]).open("x", find_keys().seal("x", b"y")) == b"y"
    monkeypatch.delenv("CODEGRANT_SECRET")
    with override_settings(SECRET_KEY="short"), pytest.raises(ConfigurationError, match="32"):
        find_keys()
    with override_settings(SECRET_KEY=""), pytest.raises(ImproperlyConfigured):
        find_keys()


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(lambda sync, _: {"a": sync, "b": object()}, id="no client"),
        pytest.param(lambda sync, other: {"a": sync, "b": other}, id="clients of both colours"),
        pytest.param(lambda _, __: {}, id="none"),
        pytest.param(lambda _, __: None, id="nothing"),
        pytest.param(lambda sync, _: {"a b": sync}, id="a name that is none"),
    ],
)
def test_a_login_wants_clients_of_one_colour(
    provider: MockProvider, client_of: MakeClient, client: Callable[[Any, Any], Any]
) -> None:
    sync = client_of(provider)
    other = AsyncClient(provider.issuer, client_id="x", client_secret="y" * 32)
    with pytest.raises(UsageError):
        Login(client(sync, other))
    assert Login({"a": sync}).urls[1] == "codegrant"


def test_the_middleware_is_of_the_colour_of_what_it_stands_before() -> None:
    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse("later")

    request = RequestFactory().get("/")
    later = async_to_sync(cast("Any", LoginMiddleware(answer)))(request)
    now = LoginMiddleware(lambda _: HttpResponse("now"))(request)
    assert (later.content, cast("HttpResponse", now).content) == (b"later", b"now")
