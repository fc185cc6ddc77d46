"""`LoginMiddleware`: what a login has to do around the views of a site. Layer: web."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from codegrant.errors import LoginRequired, StoreError
from codegrant.web.django.http import keep_out_of_caches, visits_of
from codegrant.web.django.login import Login
from codegrant.web.django.site import find_site_login
from codegrant.web.django.users import FOLLOWED, follow, has_users

__all__ = ["LoginMiddleware"]

Answer: TypeAlias = HttpResponseBase | Awaitable[HttpResponseBase]


class LoginMiddleware:
    """Tells caches what an answer was made for, and answers views without a login or the store.

    `request.codegrant` is who is signed in at the login that the setting `CODEGRANT` names,
    or false, looked up on first use. With `LoginBackend`, `request.user` follows it.

    In `MIDDLEWARE` it stands behind those of sessions and of authentication, if they are
    there. It works in both kinds of site, over WSGI and ASGI.

    Args:
        get_response: what answers.
    """

    sync_capable: bool = True
    async_capable: bool = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):  # pyright: ignore[reportDeprecated] - as Django
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        """Answer one request."""
        login = find_site_login()
        if login is not None:
            _attach(request, login)
        answer = self._get_response(request)
        if isinstance(answer, HttpResponseBase):
            return _finish(request, answer)
        return _finish_later(request, answer)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a view that failed for want of a login or of the store."""
        if not isinstance(error, LoginRequired | StoreError):
            return None
        for login in reversed(visits_of(request)):
            if isinstance(login, Login):
                return login.explain(request, error)
        return None


def _attach(request: HttpRequest, login: Login[Any]) -> None:
    """Put who is signed in to a request, and let its user follow them; each on first use."""

    def user() -> Any:  # noqa: ANN401 - the site's own model
        return follow(request, login)

    async def auser() -> Any:  # noqa: ANN401 - the site's own model
        return await sync_to_async(user)()

    kept: Any = request
    kept.codegrant = SimpleLazyObject(lambda: login.current(request))
    if has_users(request):
        kept.user, kept.auser = SimpleLazyObject(user), auser
        kept.META[FOLLOWED] = login


async def _finish_later(
    request: HttpRequest, answer: Awaitable[HttpResponseBase]
) -> HttpResponseBase:
    return _finish(request, await answer)


def _finish(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    visits = visits_of(request).values()
    if any(visit.is_looked_up for visit in visits):  # RFC 9110 §12.5.5
        patch_vary_headers(answer, ["Cookie"])
    return keep_out_of_caches(request, answer)
