"""A whole Django site: sessions, users, admin, and a login at a mock provider."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.test import AsyncClient as AsyncBrowser
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, include, path

from codegrant.web.django import Login
from tests.support.mock_provider import MockProvider

SETTINGS: dict[str, Any] = {
    "ROOT_URLCONF": __name__,
    "CODEGRANT": "tests.support.django_project.login",
    "AUTHENTICATION_BACKENDS": [
        "codegrant.web.django.backend.LoginBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "codegrant.web.django.middleware.LoginMiddleware",
    ],
    "LOGIN_URL": "codegrant:login",
    "ALLOWED_HOSTS": ["testserver"],
}


def home(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.user.get_username()})


async def later(request: HttpRequest) -> JsonResponse:
    user = await request.auser()
    return JsonResponse({"user": user.get_username()})


@login_required
def private(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.user.get_username()})


@permission_required("codegrant.view_session", raise_exception=True)
def watched(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def basket(request: HttpRequest) -> JsonResponse:
    request.session.setdefault("basket", "full")
    return JsonResponse({"basket": request.session["basket"]})


def template(request: HttpRequest) -> HttpResponse:
    text = "{{ request.codegrant.identity.subject|default:'nobody' }} {{ user.is_authenticated }}"
    return HttpResponse(engines["django"].from_string(text).render({}, request))


urlpatterns: list[URLPattern | URLResolver] = [
    path("", home),
    path("later", later),
    path("private", private),
    path("watched", watched),
    path("basket", basket),
    path("template", template),
]


def ours(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse()


async def ours_later(request: HttpRequest) -> HttpResponse:
    return ours(request)


def place(login: Login[Any]) -> None:
    """Put the addresses of a login into the site, and two views that ask nothing but the login."""
    del urlpatterns[6:]
    urlpatterns.extend(
        [
            path("", include(login.urls)),
            path("admin/login/", login.admin_login),
            path("admin/", admin.site.urls),
            path("ours", login.required(ours)),
            path("ours/later", login.required(ours_later)),
        ]
    )


class Visitor:
    """A browser of Django's test kit, in front of either kind of handler."""

    def __init__(self, runner: asyncio.Runner | None) -> None:
        self._runner = runner
        self.browser: Any = Browser() if runner is None else AsyncBrowser()

    def get(self, url: str, **arguments: Any) -> Any:
        return self._wait(self.browser.get(url, **arguments))

    def post(self, url: str, data: Any = None, **arguments: Any) -> Any:
        return self._wait(self.browser.post(url, data or {}, **arguments))

    def force_login(self, user: Any) -> None:
        if self._runner is None:
            self.browser.force_login(user)
        else:
            self._runner.run(self.browser.aforce_login(user))

    def start(self, provider: MockProvider, url: str = "/login") -> str:
        callback = urlsplit(provider.authorize(self.get(url)["Location"]))
        return f"{callback.path}?{callback.query}"

    def log_in(self, provider: MockProvider, url: str = "/login") -> Any:
        return self.get(self.start(provider, url))

    def user(self) -> str:
        name: str = self.get("/").json()["user"]
        assert self.get("/later").json() == {"user": name}
        return name

    @property
    def session_key(self) -> str | None:
        cookie = self.browser.cookies.get("sessionid")
        return None if cookie is None or not cookie.value else str(cookie.value)

    def _wait(self, answer: Any) -> Any:
        return answer if self._runner is None else self._runner.run(answer)
