"""`Protect`: Django in front of the resource server.

    server = ResourceServer("https://issuer.example", audience="https://api.example")
    api = Protect(server)

    @api.require("profile")
    def profile(request):
        return JsonResponse({"subject": api.token(request).subject})

It needs no setting; with `LoginMiddleware` the answers that Django makes of an exception are
kept out of caches as well. It translates requests and responses and decides nothing.
Layer: web.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from codegrant.errors import OAuthError, UsageError
from codegrant.http import Request
from codegrant.resource import AccessToken, AsyncResourceServer, ResourceServer
from codegrant.rules.access_token import check_wanted_scope
from codegrant.web.django.http import (
    from_django,
    guard,
    keep_out_of_caches,
    read_form,
    to_django,
)

__all__ = ["Protect"]

V = TypeVar("V", bound=Callable[..., HttpResponseBase | Awaitable[HttpResponseBase]])


class Protect:
    """Lets only requests with a good access token reach a view.

    Args:
        resource_server: whose tokens count, and for which audience. Either kind works with
            either kind of view; of one kind they need no thread.
    """

    def __init__(self, resource_server: ResourceServer | AsyncResourceServer) -> None:
        self._resource_server = resource_server
        self._kept_as = f"codegrant.access_token.{id(self)}"

    def require(self, *scope: str, person: bool = False) -> Callable[[V], V]:
        """Return a decorator that guards a view; for a class, with `method_decorator`.

        The view needs neither a CSRF token, since no browser adds an access token by itself,
        nor Django's own user.

        Args:
            scope: scope tokens that the token must have, all of them.
            person: a token that a client got for itself will not do.

        Raises:
            UsageError: one of `scope` is no scope token.
        """
        check_wanted_scope(scope)

        def decorate(view: V) -> V:
            server = self._resource_server
            waits = iscoroutinefunction(view)  # pyright: ignore[reportDeprecated] - as Django
            guarded: Callable[..., Any] = (
                self._guard(server, view, scope, person=person)
                if isinstance(server, ResourceServer) and not waits
                else self._guard_async(server, view, scope, person=person, waits=waits)
            )
            # Requests come from programs: no browser adds an access token by itself.
            return cast("V", csrf_exempt(login_not_required(guarded)))

        return decorate

    def _guard(
        self,
        server: ResourceServer,
        view: Callable[..., Any],
        scope: Collection[str],
        *,
        person: bool,
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            try:
                token = server.verify_request(_ours(request), scope, person=person)
            except OAuthError as error:
                return self._refuse(request, error)
            self._keep(request, token)
            return keep_out_of_caches(request, view(request, *args, **kwargs))

        return guarded

    def _guard_async(
        self,
        server: ResourceServer | AsyncResourceServer,
        view: Callable[..., Any],
        scope: Collection[str],
        *,
        person: bool,
        waits: bool,
    ) -> Callable[..., Awaitable[HttpResponseBase]]:
        verify: Callable[..., Awaitable[AccessToken]] = (
            sync_to_async(server.verify_request)
            if isinstance(server, ResourceServer)
            else server.verify_request
        )
        answer: Callable[..., Awaitable[HttpResponseBase]] = view if waits else sync_to_async(view)

        @wraps(view)
        async def guarded(
            request: HttpRequest, *args: object, **kwargs: object
        ) -> HttpResponseBase:
            try:
                token = await verify(_ours(request), scope, person=person)
            except OAuthError as error:
                return self._refuse(request, error)
            self._keep(request, token)
            return keep_out_of_caches(request, await answer(request, *args, **kwargs))

        return guarded

    def token(self, request: HttpRequest) -> AccessToken:
        """Return the verified access token of a request.

        Raises:
            UsageError: the view is not protected, or by another `Protect`.
        """
        token: AccessToken | None = request.META.get(self._kept_as)
        if token is None:
            raise UsageError("token: this view is not under @require of this Protect")
        return token

    def _keep(self, request: HttpRequest, token: AccessToken) -> None:
        # By this guard, since another one's token is for another audience.
        request.META[self._kept_as] = token
        guard(request)

    def _refuse(self, request: HttpRequest, error: OAuthError) -> HttpResponse:
        answer = to_django(self._resource_server.refuse(error))
        answer["Content-Length"] = str(len(answer.content))
        if request.method == "HEAD":
            answer.content = b""
        return answer


def _ours(request: HttpRequest) -> Request:
    return from_django(request, read_form(request))
