"""The callback of a web login: judged, exchanged once, and repeated for a minute. Layer: web.

Whatever happens, the person gets a page or a way on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from codegrant.client.effects import (
    CallbackClaim,
    ClaimCallback,
    Claimed,
    FinishCallback,
    InProgress,
)
from codegrant.client.flows import ClientFlows
from codegrant.client.known_provider import wants_consent
from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin
from codegrant.client.state import (
    CookieLogin,
    LoginState,
    diagnose,
    login_digest,
    open_cookie,
    resume_login,
)
from codegrant.client.state_errors import other_provider, state_error
from codegrant.errors import (
    CallbackRejected,
    CodegrantError,
    LoginRequired,
    MessageError,
    StateError,
    StoreError,
)
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.messages.parameters import Parameters
from codegrant.sealing import KeyRing
from codegrant.web.login_addresses import LoginAddresses
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_failures import answer_failure, report_restart
from codegrant.web.login_options import LoginAsks
from codegrant.web.login_pages import redirect
from codegrant.web.login_repeats import end_others, open_answer, seal_answer, sessions_of
from codegrant.web.login_sessions import LoginSessions, SignedIn

__all__ = ["LoginCallback"]

REPLAY_SECONDS = 60
_WAITS = 100
_WAIT_SECONDS = 0.1


class _Arrival(NamedTuple):
    """One delivery of a callback; `answer` is its query or its form."""

    request: Request
    now: int
    name: str
    answer: str
    raw_state: str
    state: LoginState


class LoginCallback:
    """Answers the callbacks of one application.

    Args:
        clients: name of each provider to its client's flows.
        addresses, sessions: of the application.
        key_ring: called on first use.
        asks: what its logins ask for.
    """

    def __init__(
        self,
        clients: Mapping[str, ClientFlows],
        addresses: LoginAddresses,
        sessions: LoginSessions,
        key_ring: Callable[[], KeyRing],
        asks: LoginAsks,
    ) -> None:
        self._clients = clients
        self._asks = asks
        self._addresses = addresses
        self._sessions = sessions
        self._key_ring = key_ring

    def answer(self, request: Request, now: int) -> Flow[Response]:
        """Return the redirect that ends a login, or a page that says why it failed."""
        state, name = None, self._addresses.callbacks[request.path]
        try:
            is_form = request.method == "POST"
            if is_form and not self._by_form(name):
                raise self._explain(request, None, now, name)
            answer = _read_form(request) if is_form else request.query
            raw_state = _read_state(answer)
            if not raw_state:
                raise self._explain(request, raw_state, now, name)
            state = LoginState.open(raw_state, self._key_ring())
            return (yield from self._finish(_Arrival(request, now, name, answer, raw_state, state)))
        except CodegrantError as error:
            return_to = None if state is None else state.return_to
            asked = self._find_asked(request, state)
            if self._is_to_restart(request, error):
                report_restart(error)
                return self._restart(request, name, return_to, asked)
            retry = self._addresses.login_url(request, return_to, asked)
            return (yield from answer_failure(error, retry))

    def _find_asked(self, request: Request, state: LoginState | None) -> dict[str, str]:
        """Return what a link to the same login has in its query, as far as its cookie tells."""
        if state is None:
            return {}
        values = self._addresses.cookies(request).find_pending(request.headers, state.login_id)
        try:
            asked = open_cookie(values[0], self._key_ring()).asked if len(values) == 1 else ""
        except StateError:
            return {}
        return self._asks.query_of(asked)

    def _is_to_restart(self, request: Request, error: CodegrantError) -> bool:
        """Return whether the login begins again by itself: once, and where that may help."""
        if not self._may_restart(request):
            return False
        # A pending cookie shows that this browser keeps what stops a second time. In progress for
        # so long is a delivery whose process has died.
        return error.code in {"state_expired", "state_in_progress"} or (
            error.code == "state_unknown"
            and self._addresses.cookies(request).brought(request).pending > 0
        )

    def _may_restart(self, request: Request) -> bool:
        """Return whether no login was restarted in this browser a moment ago, as it says.

        A form comes from another site, with which the browser brings no such cookie.
        """
        cookies = self._addresses.cookies(request)
        return request.method == "GET" and not cookies.was_restarted(request.headers)

    def _restart(
        self, request: Request, name: str, return_to: str | None, asked: Mapping[str, str]
    ) -> Response:
        """Send the browser to the start of the login, which leads where this one did."""
        cookies = self._addresses.cookies(request)
        note = cookies.build(cookies.restarted, "1", max_age=LOGIN_LIFETIME)
        return redirect(self._addresses.restart_url(request, name, return_to, asked), [note])

    def _finish(self, arrival: _Arrival) -> Flow[Response]:
        """Finish the login of an arrival, once, or repeat the answer that it had."""
        request, now, name, _, raw_state, state = arrival
        values = self._addresses.cookies(request).find_pending(request.headers, state.login_id)
        if len(values) != 1:
            return (yield from self._finish_without_cookie(arrival, cookie_found=bool(values)))
        cookie = open_cookie(values[0], self._key_ring())
        age = now - state.started_at
        # Behind this line a claim is remembered: no login is ever exchanged twice.
        if age > LOGIN_LIFETIME + REPLAY_SECONDS:
            raise self._explain(request, raw_state, now, name)
        login = yield from self._resume(arrival, cookie)
        claim = yield from self._claim(state, now)
        if isinstance(claim, Claimed):
            return (yield from self._exchange(arrival, login, cookie, values[0]))
        if isinstance(claim, InProgress):
            raise state_error("state_in_progress", "another delivery of this callback is not done")
        answer = open_answer(claim.sealed_answer, login.seed)
        if answer is None:
            raise self._explain(request, raw_state, now, name, already_used=True)
        return (yield from self._repeat(arrival, login, *answer))

    def _repeat(
        self, arrival: _Arrival, login: PendingLogin, location: str, before: Sequence[str]
    ) -> Flow[Response]:
        """Lead where a finished login led; its session is given once more if it still may be.

        Not to a browser that has signed out since, or has a session of which this login did
        not know: that stays as it is.

        Args:
            arrival: the repeat.
            login: that was finished.
            location: where it led.
            before: digests of the sessions that the browser brought to its end.
        """
        request, now = arrival.request, arrival.now
        signed_in = yield from self._sessions.find(login.session_id, now)
        cookies = self._addresses.cookies(request)
        brought = sessions_of(cookies, request.headers)
        if signed_in is None or set(brought) - {signed_in.session.hex(), *before}:
            return redirect(location)
        yield from self._check_lasting(signed_in, now)
        yield from end_others(cookies, request.headers, self._key_ring(), login)
        return redirect(location, [self._session_cookie(request, login.session_id)])

    def _finish_without_cookie(self, arrival: _Arrival, *, cookie_found: bool) -> Flow[Response]:
        """Explain a callback without its cookie, unless its session is in this browser."""
        request, now, name, _, raw_state, state = arrival
        session_id = self._addresses.cookies(request).find_session(request.headers)
        signed_in = yield from self._sessions.find(session_id, now)
        used = signed_in is not None and signed_in.login_id == state.login_id
        if used and signed_in is not None and now < signed_in.since + REPLAY_SECONDS:
            return redirect(state.return_to or self._addresses.home(request))
        raise self._explain(
            request, raw_state, now, name, cookie_found=cookie_found, already_used=used
        )

    def _explain(
        self,
        request: Request,
        raw_state: str | None,
        now: int,
        name: str,
        *,
        cookie_found: bool = False,
        already_used: bool = False,
    ) -> StateError:
        """Return why there is no pending login for this callback."""
        return diagnose(
            raw_state,
            self._key_ring(),
            now=now,
            origin=self._addresses.seen_origin(request),
            cookie_found=cookie_found,
            already_used=already_used,
            lifetime=min(LOGIN_LIFETIME, self._clients[name].config.login_lifetime),
            brought=self._addresses.cookies(request).brought(request),
            by_form=self._by_form(name),
        )

    def _by_form(self, name: str) -> bool:
        """Return whether a provider was asked to answer with a form."""
        return self._clients[name].config.response_mode == "form_post"

    def _resume(self, arrival: _Arrival, cookie: CookieLogin) -> Flow[PendingLogin]:
        """Return the pending login that cookie and state make together."""
        name, flows = arrival.name, self._clients[arrival.name]
        asked = self._asks.named(cookie.asked)
        if cookie.provider_name != name or asked is None:
            raise other_provider()
        redirect_uri = self._addresses.redirect_uri(arrival.request, name)
        provider = yield from ask(
            AtProvider(name, lambda: flows.provider_identity(arrival.now, redirect_uri))
        )
        scope = asked.scope
        if scope is None:
            scope = yield from ask(AtProvider(name, lambda: flows.default_scope(arrival.now)))
        return resume_login(
            cookie,
            arrival.raw_state,
            provider,
            self._key_ring(),
            scope=scope,
            resource=asked.resource or flows.config.resource,
            acr_values=asked.acr_values,
            acr_essential=asked.acr_essential,
        )

    def _claim(self, state: LoginState, now: int) -> Flow[CallbackClaim]:
        """Claim the exchange; where another delivery has it, wait for its end."""
        claim = ClaimCallback(
            login_digest=login_digest(state.login_id),
            now=now,
            expires_at=state.started_at + 2 * LOGIN_LIFETIME,
        )
        answer = yield from ask(claim)
        for _ in range(_WAITS):
            if not isinstance(answer, InProgress):
                break
            yield from ask(Pause(_WAIT_SECONDS))
            answer = yield from ask(claim)
        return answer

    def _exchange(
        self, arrival: _Arrival, login: PendingLogin, cookie: CookieLogin, sealed_cookie: str
    ) -> Flow[Response]:
        """Exchange the code and begin a new session; the browser's old one ends."""
        request, now, name, response, raw_state, state = arrival
        digest = login_digest(state.login_id)
        url, flows = f"{request.url}?{response}", self._clients[name]
        try:
            if now - state.started_at > LOGIN_LIFETIME:
                raise self._explain(request, raw_state, now, name)
            tokens = yield from ask(AtProvider(name, lambda: flows.finish_login(url, login, now)))
            found = yield from ask(AtProvider(name, lambda: flows.find_identity(tokens, now)))
        except CodegrantError:
            with suppress(StoreError):  # what failed first is what the person is told
                yield from ask(
                    FinishCallback(login_digest=digest, sealed_answer="", answer_until=now)
                )
            raise
        session_id, cookies = login.session_id, self._addresses.cookies(request)
        location = login.return_to or self._addresses.home(request)
        signed_in = self._sessions.begin(
            session_id, provider=name, tokens=tokens, login_id=login.login_id, now=now, found=found
        )
        if wants_consent(flows.config, tokens) and not cookie.with_consent:
            signed_in, location = yield from self._find_refresh_token(
                arrival, cookie, signed_in, location
            )
        finish = FinishCallback(
            login_digest=digest,
            sealed_answer=seal_answer(location, sessions_of(cookies, request.headers), login.seed),
            answer_until=now + REPLAY_SECONDS,
            session=self._sessions.seal(signed_in),
        )
        try:
            yield from self._keep(finish, signed_in, now)
        except StoreError as error:
            if not self._may_restart(request):
                raise
            report_restart(error)
            asked = self._asks.query_of(cookie.asked)
            return self._restart(request, name, login.return_to, asked)
        # After it was stored: a logout token that comes from now on finds it there.
        yield from self._check_lasting(signed_in, now)
        yield from end_others(cookies, request.headers, self._key_ring(), login)
        kept = cookies.build_pending(
            login.login_id,
            sealed_cookie,
            max_age=REPLAY_SECONDS,
            by_form=self._by_form(name),
            finished=True,
        )
        fields = [self._session_cookie(request, session_id), kept]
        if cookies.was_restarted(request.headers):
            fields.append(cookies.clear(cookies.restarted))
        return redirect(location, fields)

    def _keep(self, finish: FinishCallback, signed_in: SignedIn, now: int) -> Flow[None]:
        """Store a session that begins; what cannot be stored is revoked.

        Raises:
            StoreError: the store failed twice; the step is the same however often it is done.
        """
        try:
            yield from ask(finish)
        except StoreError:
            yield from ask(Pause(_WAIT_SECONDS))
            try:
                yield from ask(finish)
            except StoreError:
                yield from self._revoke(signed_in, now)
                # Or repeats would wait for its end until the claim is forgotten.
                with suppress(StoreError):
                    yield from ask(replace(finish, sealed_answer="", session=None))
                raise

    def _check_lasting(self, signed_in: SignedIn, now: int) -> Flow[None]:
        """Check that the provider has not ended a login between its tokens and the store.

        Raises:
            StoreError: the store cannot say; a repeat of the callback asks once more.
            LoginRequired: `login_ended`.
        """
        if (yield from self._sessions.was_ended(signed_in, now)):
            yield from self._sessions.end(signed_in)
            yield from self._revoke(signed_in, now)
            raise LoginRequired(
                "login_required",
                description="the provider has ended this login meanwhile",
                code="login_ended",
                stage="callback",
            )

    def _revoke(self, signed_in: SignedIn, now: int) -> Flow[None]:
        """Ask the provider to revoke the tokens of a session that does not last."""
        flows, tokens = self._clients[signed_in.provider], signed_in.tokens
        yield from ask(AtProvider(signed_in.provider, lambda: flows.revoke_quietly(tokens, now)))

    def _find_refresh_token(
        self, arrival: _Arrival, cookie: CookieLogin, signed_in: SignedIn, location: str
    ) -> Flow[tuple[SignedIn, str]]:
        """Return a session with a refresh token, or the way to one.

        The provider gave none, since the person had consented before. The browser's session
        of the same person may have it; else they are asked for consent again, once.
        """
        request, now, name = arrival.request, arrival.now, arrival.name
        asked = self._asks.query_of(cookie.asked)
        consent = self._addresses.consent_url(request, name, location, asked)
        session_id = self._addresses.cookies(request).find_session(request.headers)
        before = yield from self._sessions.find(session_id, now)
        if before is None or not before.is_same_person(signed_in):
            return signed_in, consent
        if before.tokens.refresh_token is not None:
            tokens = replace(signed_in.tokens, refresh_token=before.tokens.refresh_token)
            return replace(signed_in, tokens=tokens), location
        if now - before.since < LOGIN_LIFETIME:
            return signed_in, location  # they were asked a moment ago, in vain
        return signed_in, consent

    def _session_cookie(self, request: Request, session_id: str) -> tuple[str, str]:
        cookies = self._addresses.cookies(request)
        return cookies.build(cookies.session, session_id, max_age=self._sessions.lifetime)


def _read_form(request: Request) -> str:
    """Return the form of a callback. OAuth 2.0 Form Post Response Mode §2."""
    media_type = request.headers.get("content-type").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded" or not request.body:
        raise CallbackRejected(
            "the callback is no form, or has more than 64 KiB",
            code="callback_no_form",
            stage="callback",
            hint="with response_mode=form_post it comes as application/x-www-form-urlencoded",
        )
    return request.body.decode("latin-1")


def _read_state(query: str) -> str | None:
    """Return the parameter `state`; a query that nobody can read is the browser's fault."""
    try:
        return Parameters.parse(query).single("state")
    except MessageError as error:
        raise CallbackRejected(
            f"the callback is malformed: {error.message}", code=error.code, stage="callback"
        ) from None
