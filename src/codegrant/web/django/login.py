"""The login of a Django site: addresses, guards, and who is signed in.

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload
from urllib.parse import urlencode

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_exempt

from codegrant.client.aio import AsyncClient
from codegrant.client.api import ApiSession, AsyncApiSession
from codegrant.client.effects import DeleteSession
from codegrant.client.facade import Client
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, StoreError
from codegrant.flow import Effect, Flow, RandomBytes, ask, run, run_async
from codegrant.http import Request
from codegrant.remote.transport import machine_time
from codegrant.rules.identity import Identity
from codegrant.rules.return_to import safe_return_to
from codegrant.sealing import KeyRing
from codegrant.web.django.http import (
    Visit,
    from_django,
    guard,
    hide_parameters,
    read_form,
    to_django,
    visits_of,
)
from codegrant.web.django.keys import find_keys
from codegrant.web.django.users import (
    LOGIN,
    NewUser,
    admit,
    begun_by,
    has_users,
    make_user,
    may_enter,
    no_account_page,
)
from codegrant.web.login import SESSION_LIFETIME, WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import TokenStore, check_signed_in, check_usable, clients_by_colour
from codegrant.web.login_tokens import SessionTokens

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

__all__ = ["Login"]

C = TypeVar("C", Client, AsyncClient)
R = TypeVar("R")
V = TypeVar("V", bound=Callable[..., HttpResponseBase | Awaitable[HttpResponseBase]])


class Login(Generic[C]):
    """Logs people in to a Django site; its addresses are `path("", include(login.urls))`.

    With a `Client` an API is called from views, with an `AsyncClient` from asynchronous
    views. Everything else works in both kinds of view, over WSGI and ASGI.

    Args:
        client: one client, or a mapping of provider names to clients.
        public_url: how browsers reach the site, e.g. `https://app.example`. Without it the
            request says so, as far as Django believes it.
        store: where sessions and tokens are kept; by default Django's own database.
        key_ring: seals cookies and tokens; by default made of `CODEGRANT_SECRET`, else of
            `SECRET_KEY` and `SECRET_KEY_FALLBACKS`.
        login_path, callback_path, logout_path: of the three addresses.
        home: where a person goes after login and logout, below the site's root.
        session_lifetime: seconds, at least 60.
        new_user: called with a person who has no account yet, where `LoginBackend` is among the
            `AUTHENTICATION_BACKENDS`; returns their user, new or there already, or None to
            refuse them. By default everybody gets a new one.
        logout: `local`, or `provider`: on to the provider's own, if it has one, and back.
        ask: what logins ask for: `LoginOptions`, or several by name, for `url`.
        clock: returns epoch seconds; for tests.

    Attributes:
        public_url: as given.

    Raises:
        UsageError, ConfigurationError: as `WebLogin`.
    """

    def __init__(
        self,
        client: C | Mapping[str, C],
        *,
        public_url: str | None = None,
        store: TokenStore | None = None,
        key_ring: KeyRing | None = None,
        login_path: str = "/login",
        callback_path: str = "/callback",
        logout_path: str = "/logout",
        home: str = "/",
        session_lifetime: int = SESSION_LIFETIME,
        new_user: NewUser = make_user,
        logout: LogoutAt = "local",
        ask: LoginAsk = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        self._clients, self._async_clients = clients_by_colour(client)
        self._store, self._ring, self._clock = store, key_ring, clock
        flows = {name: one.flows for name, one in self._clients.items()}
        flows |= {name: one.flows for name, one in self._async_clients.items()}
        self._web = WebLogin(
            flows,
            self._key_ring,
            public_url=public_url,
            login_path=login_path,
            callback_path=callback_path,
            logout_path=logout_path,
            home=home,
            session_lifetime=session_lifetime,
            logout=logout,
            ask=ask,
        )
        self.public_url: str | None = public_url
        self._new_user = new_user
        self._logout_path = logout_path
        self._starts = {at for name, at in self._web.routes() if name.split(".")[0] == "login"}

    @property
    def urls(self) -> tuple[list[URLPattern], str]:
        """The addresses, for `include` at the root of the site.

        For `reverse` they are `codegrant:login`, `codegrant:callback` and
        `codegrant:logout`; of several providers also `codegrant:login.NAME`. A second login
        needs other paths and a namespace: `include(staff.urls, namespace="staff")`.
        """
        answer: Callable[[HttpRequest], Any] = self._answer

        def view(request: HttpRequest) -> HttpResponse:
            return self._answer(request)

        async def async_view(request: HttpRequest) -> HttpResponse:
            return await self._answer_async(request)

        # A callback's state and a logout's origin are judged by the login itself; a person
        # has to reach it before anybody is logged in; and what it stores stays stored.
        answer = login_not_required(async_view if self._async_clients else view)
        for alias in connections:
            answer = transaction.non_atomic_requests(using=alias)(answer)
        answer = csrf_exempt(answer)
        vars(answer)[LOGIN] = self
        patterns = [path(at[1:], answer, name=name) for name, at in self._web.routes()]
        return patterns, "codegrant"

    def addresses(self) -> list[tuple[str, str]]:
        """Return name and path of each address, for the checks."""
        return list(self._web.routes())

    def required(self, view: V) -> V:
        """Let only somebody who is signed in reach `view`; others are sent to log in.

        Args:
            view: of either kind; for a class, `@method_decorator(login.required, "dispatch")`.
        """
        if iscoroutinefunction(view):  # pyright: ignore[reportDeprecated] - Django marks with it
            wait_for = cast("Callable[..., Awaitable[HttpResponseBase]]", view)

            @wraps(view)
            async def guarded_async(
                request: HttpRequest, *args: object, **kwargs: object
            ) -> HttpResponseBase:
                if not await sync_to_async(may_enter)(request, self):
                    return self._ask_to_log_in(request)
                guard(request)
                return await wait_for(request, *args, **kwargs)

            return cast("V", guarded_async)

        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> object:
            if not may_enter(request, self):
                return self._ask_to_log_in(request)
            guard(request)
            return view(request, *args, **kwargs)

        return cast("V", guarded)

    def current(self, request: HttpRequest) -> SignedIn | None:
        """Return who is signed in in the browser that sent `request`; one look-up per request.

        Raises:
            StoreError: the store cannot say; left alone, the answer is a 503.
        """
        visit = self._visit(request)
        if not visit.is_looked_up:
            flow = self._web.find_signed_in(from_django(request), self._now())
            visit.know(self._run(flow))
        return visit.signed_in

    async def acurrent(self, request: HttpRequest) -> SignedIn | None:
        """As `current`, for asynchronous views."""
        visit = self._visit(request)
        return visit.signed_in if visit.is_looked_up else await sync_to_async(self.current)(request)

    def tokens(self, request: HttpRequest) -> Tokens:
        """Return the tokens of the person who is signed in.

        Raises:
            LoginRequired: nobody is.
        """
        return check_signed_in(self.current(request)).tokens

    def identity(self, request: HttpRequest) -> Identity:
        """Return who is signed in: the key of an account is (`issuer`, `subject`).

        Raises:
            LoginRequired: nobody is signed in.
            UsageError: the login was without OpenID.
        """
        return check_signed_in(self.current(request)).identity

    @overload
    def api(self: Login[Client], request: HttpRequest) -> ApiSession: ...
    @overload
    def api(self: Login[AsyncClient], request: HttpRequest) -> AsyncApiSession: ...
    def api(self, request: HttpRequest) -> ApiSession | AsyncApiSession:
        """Call APIs as the person who is signed in; see `Client.api`.

        What a refresh gives is kept with the session. Where the tokens are gone for good
        the session ends, and the call fails with `LoginRequired`: left alone, that sends the
        person to log in again, and back to this page.

        Raises:
            LoginRequired: nobody is signed in, or the access token has expired and nothing
                can refresh it.
        """
        signed_in, visit = check_signed_in(self.current(request)), self._visit(request)
        check_usable(signed_in, self._now())
        if visit.api is None:
            tokens = SessionTokens(
                self._web.sessions,
                signed_in,
                drive=self._run_anywhere,
                clock=self._now,
                tell=visit.know,
            )
            name = signed_in.provider
            clients = self._async_clients or self._clients
            visit.api = clients[name].api(tokens)
        return visit.api

    def url(
        self,
        request: HttpRequest,
        return_to: str | None = None,
        *,
        ask: str | None = None,
        login_hint: str | None = None,
    ) -> str:
        """Return the path that starts a login; see `WebLogin.login_url`."""
        return self._web.login_url(from_django(request), return_to, ask=ask, login_hint=login_hint)

    def explain(self, request: HttpRequest, error: LoginRequired | StoreError) -> HttpResponse:
        """Return the answer to a request whose view failed, for the middleware.

        A person whose tokens are gone (`LoginRequired`) is sent to log in; while the store
        cannot say who is signed in (`StoreError`) the answer is a 503.
        """
        ours = from_django(request)
        if isinstance(error, StoreError):
            return to_django(self._run(self._web.explain(ours, error)))
        known = self._visit(request).signed_in
        return to_django(self._run(self._web.log_in_again(ours, error, self._now(), known)))

    @login_not_required
    def admin_login(self, request: HttpRequest) -> HttpResponseBase:
        """Log in to Django's admin at the provider: `path("admin/login/", login.admin_login)`.

        It stands in front of the admin's own addresses. Who is logged in already and is no
        member of the staff is answered with a 403: another login would change nothing.
        """
        from django.contrib import admin

        target = safe_return_to(request.GET.get("next", ""))
        if target is None or target.partition("?")[0] == request.path:
            target = reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect(self.url(request, target))
        if not admin.site.has_permission(request):
            raise PermissionDenied
        return redirect(target)

    def end_current(self, request: HttpRequest) -> None:
        """End the session of who is signed in, here and for the rest of the request."""
        signed_in = self.current(request)
        if signed_in is not None:
            self.end(signed_in.session)
            self._visit(request).know(None)

    def end(self, session: bytes) -> None:
        """End a session, by the digest of its id; whether it was there makes no difference."""
        self._run(ask(DeleteSession(session)))

    def new_user(self, signed_in: SignedIn) -> AbstractBaseUser | None:
        """Return the user of a person who has no account yet, or None to refuse them."""
        return self._new_user(signed_in)

    def _ask_to_log_in(self, request: HttpRequest) -> HttpResponse:
        return to_django(self._web.ask_to_log_in(from_django(request)))

    def _visit(self, request: HttpRequest) -> Visit:
        visits = visits_of(request)
        visits[self] = visit = visits.pop(self, None) or Visit()
        return visit

    def _answer(self, request: HttpRequest) -> HttpResponse:
        begun: list[bytes] = []

        def perform(effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
            answer = self._perform(effect)
            begun.extend(begun_by(effect))
            return answer

        flow = self._web.respond(self._ours(request), self._now())
        return self._settle(request, to_django(run(flow, perform)), begun)

    async def _answer_async(self, request: HttpRequest) -> HttpResponse:
        begun: list[bytes] = []

        async def perform(effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run_async` asks
            answer = await self._perform_async(effect)
            begun.extend(begun_by(effect))
            return answer

        flow = self._web.respond(self._ours(request), self._now())
        response = to_django(await run_async(flow, perform))
        return await sync_to_async(self._settle)(request, response, begun)

    def _settle(
        self, request: HttpRequest, response: HttpResponse, begun: list[bytes]
    ) -> HttpResponse:
        """Let Django's user follow what an address has done; return what is answered.

        Django keeps no log of it: the address of a callback has a code in it, and the login
        has logged what failed, with the reference that the page shows.
        """
        if has_users(request):
            for digest in begun if response.status_code == 303 else ():
                if not self._admit(request, digest):
                    response = to_django(no_account_page(self.url(request)))
            if request.path_info == self._logout_path and response.status_code == 303:
                auth.logout(request)
        vars(response)["_has_been_logged"] = True
        return response

    def _admit(self, request: HttpRequest, digest: bytes) -> bool:
        """Log in the user of a session that has begun; who stays outside has none here either.

        Raises:
            Exception: what `new_user` raised, or the database.
        """
        signed_in = self._run(self._web.sessions.find_by_digest(digest, self._now()))
        if signed_in is None:
            return True
        is_admitted = False
        try:
            is_admitted = admit(request, signed_in, self._new_user)
        finally:
            if not is_admitted:
                self.end(digest)
        return is_admitted

    def _ours(self, request: HttpRequest) -> Request:
        """Take what a request for one of the addresses says; `next` is our `return_to`."""
        ours = from_django(request, read_form(request))
        target, has_own = request.GET.get("next"), "return_to" in request.GET
        hide_parameters(request)
        if target is None or has_own or ours.path not in self._starts:
            return ours
        query = f"{ours.query}&{urlencode({'return_to': target})}"
        return replace(ours, query=query)

    def _run(self, flow: Flow[R]) -> R:
        return run(flow, self._perform)

    def _run_anywhere(self, flow: Flow[Any]) -> Any:  # noqa: ANN401 - as `flow.run`
        """As `_run`, in whatever thread an API session asks for its tokens."""
        from codegrant.web.django.store import leaving_no_connection

        with leaving_no_connection():
            return self._run(flow)

    def _perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        match effect:
            case AtProvider(name, start):
                return run(start(), self._clients[name].perform)
            case Pause(seconds):
                return time.sleep(seconds)
            case RandomBytes(size=size):
                return os.urandom(size)
            case _:
                return self._token_store().perform(effect)

    async def _perform_async(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `run_async` asks
        match effect:
            case AtProvider(name, start):
                return await run_async(start(), self._async_clients[name].perform)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case RandomBytes():
                return self._perform(effect)
            case _:
                return await sync_to_async(self._perform)(effect)

    def _now(self) -> int:
        return int(self._clock())

    # Made on first use, and without a lock that a fork could inherit: of two that are made at
    # once one is dropped unused.

    def _token_store(self) -> TokenStore:
        if self._store is None:
            from codegrant.web.django.store import DjangoTokenStore

            self._store = DjangoTokenStore()
        return self._store

    def _key_ring(self) -> KeyRing:
        if self._ring is None:
            self._ring = find_keys()
        return self._ring
