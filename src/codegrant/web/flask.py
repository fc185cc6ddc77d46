"""`Login`: Flask in front of the shared web login. `Protect` is at hand here as well.

    app = Flask(__name__)
    login = Login(app, Client("https://issuer.example", client_id=..., client_secret=...))

    @app.get("/profile")
    @login.required
    def profile():
        return login.api.get("https://api.example/profile").json()

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from codegrant.client.api import ApiSession
from codegrant.client.facade import Client
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, LoginRequired, StoreError
from codegrant.flow import Effect, Flow, RandomBytes, run
from codegrant.remote.transport import machine_time
from codegrant.rules.identity import Identity
from codegrant.sealing import KeyRing
from codegrant.web.login import SESSION_LIFETIME, WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import (
    TokenStore,
    check_signed_in,
    check_usable,
    clients_by_name,
    find_configured_keys,
    find_key_file,
    open_store,
)
from codegrant.web.login_tokens import SessionTokens

try:
    import flask
    from flask.typing import ResponseReturnValue
    from werkzeug.wrappers import Response as FlaskResponse
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.flask needs Flask: pip install 'codegrant[flask]'"
    ) from _error

from codegrant.web.flask_http import Guarded, View, from_flask, keep_out_of_caches, to_flask
from codegrant.web.flask_resource import Protect

__all__ = ["Login", "Protect", "TokenStore"]

P = ParamSpec("P")
R = TypeVar("R")

_KEPT = "codegrant.login"


class Login:
    """Logs people in to a Flask application: adds `/login`, `/callback` and `/logout`.

    Args:
        app: or None, and `init_app` later.
        client: one client, or a mapping of provider names to clients.
        public_url: how browsers reach the application, e.g. `https://app.example`. Without
            it the request says so, which is right only without a proxy in front.
        store: where sessions and tokens are kept; by default an encrypted SQLite file in
            the application's instance folder.
        key_ring: seals cookies and tokens; by default made of `CODEGRANT_SECRET`, else of
            the application's `SECRET_KEY` and `SECRET_KEY_FALLBACKS`, else of a key file
            beside the store.
        login_path, callback_path, logout_path: of the three addresses.
        home: where a person goes after login and logout, below the application's root.
        session_lifetime: seconds, at least 60.
        logout: `local` ends the session here; `provider` goes on to the provider's own
            logout, where it has one, and comes back.
        ask: what logins ask for: `LoginOptions`, or several by name, for `url`.
        clock: returns epoch seconds; for tests.

    Raises:
        UsageError: no client was given, or one under a name that no address should have.
        ConfigurationError: `public_url` is neither https nor loopback, a client's own
            `redirect_uri` does not lead to the callback, `session_lifetime` is too short,
            or a key has under 32 characters.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        client: Client | Mapping[str, Client] | None = None,
        *,
        public_url: str | None = None,
        store: TokenStore | None = None,
        key_ring: KeyRing | None = None,
        login_path: str = "/login",
        callback_path: str = "/callback",
        logout_path: str = "/logout",
        home: str = "/",
        session_lifetime: int = SESSION_LIFETIME,
        logout: LogoutAt = "local",
        ask: LoginAsk = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        self._clients = clients_by_name(client, Client)
        self._store, self._ring, self._clock = store, key_ring, clock
        self._kept_as = f"codegrant.signed_in.{id(self)}"
        self._web = WebLogin(
            {name: one.flows for name, one in self._clients.items()},
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
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Add the addresses to `app`, and pages for views without a login or without the store.

        A person whose tokens are gone (`LoginRequired`) is sent to log in; while the store
        cannot say who is signed in (`StoreError`) the answer is a 503.

        The endpoints, for `url_for`, are `codegrant.login`, `codegrant.callback` and
        `codegrant.logout`; of several providers also `codegrant.login.NAME`.

        Raises:
            ConfigurationError: the application's secret has under 32 characters, or it has a
                login already.
        """
        if "codegrant.login" in app.view_functions:
            raise ConfigurationError(
                "app: it has a Login already",
                hint="one takes several providers: Login(app, {'google': Client(...), ...})",
            )
        if self._ring is None:
            _find_configured_keys(app)  # a wrong key is told now rather than at the first login
        for name, path in self._web.routes():
            app.add_url_rule(path, f"codegrant.{name}", self._respond, methods=["GET", "POST"])
        app.register_error_handler(LoginRequired, self._log_in_again)
        app.register_error_handler(StoreError, self._explain)

    def required(self, view: View[P]) -> Guarded[P]:
        """Let only somebody who is signed in reach `view`; others are sent to log in."""

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if self.current is None:
                return to_flask(self._web.ask_to_log_in(from_flask()))
            flask.after_this_request(keep_out_of_caches)
            answer = flask.current_app.ensure_sync(view)(*args, **kwargs)
            return cast("ResponseReturnValue", answer)

        return guarded

    @property
    def current(self) -> SignedIn | None:
        """Who is signed in in the browser that sent this request; one look-up per request.

        Raises:
            StoreError: the store cannot say; left alone, the answer is a 503.
        """
        # Kept with the request: `flask.g` may outlive it where a test pushes a context. By
        # this login: an application inside another one sees the same environment.
        kept = flask.request.environ
        if self._kept_as not in kept:
            flask.after_this_request(_differ_by_cookie)
            kept[self._kept_as] = self._run(self._web.find_signed_in(from_flask(), self._now()))
        signed_in: SignedIn | None = kept[self._kept_as]
        return signed_in

    @property
    def tokens(self) -> Tokens:
        """The tokens of the person who is signed in.

        Raises:
            LoginRequired: nobody is.
        """
        return self._signed_in().tokens

    @property
    def identity(self) -> Identity:
        """Who is signed in: the key of an account is (`issuer`, `subject`).

        Raises:
            LoginRequired: nobody is signed in.
            UsageError: the login was without OpenID.
        """
        return self._signed_in().identity

    @property
    def api(self) -> ApiSession:
        """Calls APIs as the person who is signed in; see `Client.api`.

        What a refresh gives is kept with the session. Where the tokens are gone for good
        the session ends, and the call fails with `LoginRequired`: left alone, that sends the
        person to log in again, and back to this page.

        Raises:
            LoginRequired: nobody is signed in, or the access token has expired and nothing
                can refresh it.
        """
        signed_in = self._signed_in()
        check_usable(signed_in, self._now())
        kept, name = flask.request.environ, f"{self._kept_as}.api"
        if name not in kept:
            tokens = self._session_tokens(signed_in)
            kept[name] = self._clients[signed_in.provider].api(tokens)
        session: ApiSession = kept[name]
        return session

    def url(
        self,
        return_to: str | None = None,
        *,
        ask: str | None = None,
        login_hint: str | None = None,
    ) -> str:
        """Return the path that starts a login and then leads to `return_to`.

        Args:
            return_to: a path of the same origin as `url_for` makes it, up to 200 bytes;
                anything else is ignored.
            ask: the name of a set of options that `Login` was given.
            login_hint: who is expected to log in; sealed in the link.

        Raises:
            UsageError: there is no set of that name, or the hint is too long.
        """
        return self._web.login_url(from_flask(), return_to, ask=ask, login_hint=login_hint)

    def _session_tokens(self, signed_in: SignedIn) -> SessionTokens:
        """Return where the tokens of this request's session are kept; good in any thread."""
        app, kept = flask.current_app.app_context().app, flask.request.environ

        def drive(flow: Flow[Any]) -> Any:  # noqa: ANN401 - as `flow.run`
            with app.app_context():
                return self._run(flow)

        def tell(changed: SignedIn) -> None:
            kept[self._kept_as] = changed

        return SessionTokens(self._web.sessions, signed_in, drive=drive, clock=self._now, tell=tell)

    def _signed_in(self) -> SignedIn:
        return check_signed_in(self.current)

    def _respond(self) -> FlaskResponse:
        return to_flask(self._run(self._web.respond(from_flask(), self._now())))

    def _log_in_again(self, error: LoginRequired) -> FlaskResponse:
        known: SignedIn | None = flask.request.environ.get(self._kept_as)
        flow = self._web.log_in_again(from_flask(), error, self._now(), known)
        return to_flask(self._run(flow))

    def _explain(self, error: StoreError) -> FlaskResponse:
        return to_flask(self._run(self._web.explain(from_flask(), error)))

    def _run(self, flow: Flow[R]) -> R:
        return run(flow, self._perform)

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

    def _now(self) -> int:
        return int(self._clock())

    # Made on first use, for each application, and without a lock that a fork could inherit:
    # of two that are made at once one is dropped unused.

    def _token_store(self) -> TokenStore:
        if self._store is not None:
            return self._store
        kept = flask.current_app.extensions.setdefault(_KEPT, {})
        if "store" not in kept:
            kept.setdefault("store", open_store(Path(flask.current_app.instance_path)))
        store: TokenStore = kept["store"]
        return store

    def _key_ring(self) -> KeyRing:
        if self._ring is not None:
            return self._ring
        kept = flask.current_app.extensions.setdefault(_KEPT, {})
        if "key_ring" not in kept:
            kept.setdefault("key_ring", _find_key_ring())
        key_ring: KeyRing = kept["key_ring"]
        return key_ring


def _differ_by_cookie(response: flask.Response) -> flask.Response:
    """Say to caches that an answer was made for who is signed in. RFC 9110 §12.5.5."""
    response.vary.add("Cookie")
    return response


def _find_configured_keys(app: flask.Flask) -> KeyRing | None:
    """Return the keys of the environment, else those of the application's secret, if any."""
    if not app.secret_key:
        return find_configured_keys()
    settings = cast("Mapping[str, Any]", app.config)
    older: Sequence[str | bytes] = settings.get("SECRET_KEY_FALLBACKS") or ()
    return find_configured_keys([app.secret_key, *older])


def _find_key_ring() -> KeyRing:
    """Return the application's keys: configured, else of a file beside its store."""
    app = flask.current_app
    return _find_configured_keys(app) or find_key_file(Path(app.instance_path))
