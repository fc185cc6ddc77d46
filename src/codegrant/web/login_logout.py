"""The end of a session: here, then at the provider; or because the provider says so. Layer: web.

OpenID Connect RP-Initiated Logout 1.0; OpenID Connect Back-Channel Logout 1.0.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from codegrant.client.effects import DeleteSession
from codegrant.client.flows import ClientFlows
from codegrant.client.tokens import Tokens
from codegrant.errors import (
    CallbackRejected,
    CodegrantError,
    MessageError,
    PeerError,
    SealBroken,
    StoreError,
    TokenRejected,
)
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response
from codegrant.messages.parameters import Parameters
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of
from codegrant.web.login_addresses import LoginAddresses
from codegrant.web.login_effects import AtProvider
from codegrant.web.login_failures import answer_failure
from codegrant.web.login_pages import NOT_KEPT, logout_page, not_allowed, redirect
from codegrant.web.login_sessions import LoginSessions, SignedIn

__all__ = ["LoginLogout", "LogoutAt"]

LogoutAt: TypeAlias = Literal["local", "provider"]

_log = logging.getLogger("codegrant.web.login")

_STATE_PURPOSE = "codegrant web logout 1"
# A person may leave the provider's question open for long.
_STATE_LIFETIME = 86_400


class LoginLogout:
    """Answers the addresses of one application at which sessions end.

    Args:
        clients: name of each provider to its client's flows.
        addresses, sessions: of the application.
        key_ring: called on first use.
        logout: see `WebLogin`.
    """

    def __init__(
        self,
        clients: Mapping[str, ClientFlows],
        addresses: LoginAddresses,
        sessions: LoginSessions,
        key_ring: Callable[[], KeyRing],
        *,
        logout: LogoutAt,
    ) -> None:
        self._clients = clients
        self._addresses = addresses
        self._sessions = sessions
        self._key_ring = key_ring
        self._at_provider = logout == "provider"
        self._leeway = max(flows.config.leeway for flows in clients.values())

    def sign_out(self, request: Request, now: int) -> Flow[Response]:
        """Sign out: at once for a form or link of our own, else after a question.

        The session ends here first; then the provider is asked to revoke its tokens, and
        whatever becomes of that, the person is signed out. The way home may lead through the
        provider's own logout.
        """
        if request.method not in {"GET", "POST"}:
            return not_allowed("GET, POST")
        if not self._is_own(request):
            return logout_page(self._addresses.below(request, self._addresses.logout_path))
        cookies = self._addresses.cookies(request)
        session_ids = cookies.find_sessions(request.headers)
        if not session_ids:  # a form from another site comes without them, and drops none
            return redirect(self._addresses.home(request))
        left = None
        # Where somebody else has set a cookie of this name too, each of them ends; so do the
        # sessions of logins that could still be repeated.
        for session_id in dict.fromkeys([*session_ids, *self._find_repeatable(request)]):
            try:
                signed_in = yield from self._find_if_possible(session_id, now)
                ended = yield from ask(DeleteSession(digest_of(session_id)))
            except StoreError as error:
                retry = self._addresses.below(request, self._addresses.logout_path)
                return (yield from answer_failure(error, retry, what="signing out failed"))
            if ended and signed_in is not None:
                yield from self._revoke(signed_in, now)
            left = left or signed_in
        location = yield from self._leave(request, now, left)
        home = self._addresses.home(request)
        return redirect(location or home, [cookies.clear(cookies.session)])

    def come_back(self, request: Request, now: int) -> Flow[Response]:
        """Lead home whom the provider's logout has sent back. RP-Initiated Logout §3."""
        if request.method != "GET":
            return not_allowed("GET")
        home = self._addresses.home(request)
        try:
            self._check_state(request, now)
        except CodegrantError as error:
            what = "the way back from the provider's logout is unknown"
            return (yield from answer_failure(error, home, what=what))
        return redirect(home)

    def obey(self, request: Request, now: int) -> Flow[Response]:
        """End the sessions that a logout token of the provider names.

        200 when they have ended, also when there were none or the token came before; 400 when the
        token does not hold or they could not be ended. Back-Channel Logout §2.5 to §2.8.
        """
        if request.method != "POST":
            return not_allowed("POST")
        name = self._addresses.backchannels[request.path]
        flows = self._clients[name]
        try:
            raw_token = _read_logout_token(request)
            token = yield from ask(
                AtProvider(name, lambda: flows.verify_logout_token(raw_token, now))
            )
            ended = yield from self._sessions.end_named(name, token, now)
        except CodegrantError as error:
            _log.warning("back-channel logout refused: %s", error)
            return _refusal(error)
        if ended is None:  # a provider that had no answer delivers once more
            _log.info("back-channel logout: the token came before")
        else:
            _log.info("back-channel logout: %d sessions ended", ended)
        return Response(status=200, headers=Headers(NOT_KEPT))

    def _leave(self, request: Request, now: int, signed_in: SignedIn | None) -> Flow[str | None]:
        """Return the address of the provider's logout; None to go home.

        A second click finds the session gone: where there is one provider only, it leads
        there all the same, and the provider asks the person.
        """
        if not self._at_provider:
            return None
        name, tokens = next(iter(self._clients)), None
        if signed_in is not None:
            name, tokens = signed_in.provider, signed_in.tokens
        elif len(self._clients) > 1:
            return None
        try:
            return (yield from self._find_end_session(request, now, name, tokens))
        except CodegrantError as error:
            _log.warning("the provider's logout is left out: %s", error)
            return None

    def _find_end_session(
        self, request: Request, now: int, name: str, tokens: Tokens | None
    ) -> Flow[str | None]:
        """Return the address of a provider's logout, if it has one."""
        flows, back = self._clients[name], self._addresses.logged_out_uri(request)
        state = self._key_ring().seal(_STATE_PURPOSE, now.to_bytes(8))
        return (
            yield from ask(
                AtProvider(name, lambda: flows.end_session_url(tokens, back, state, now))
            )
        )

    def _check_state(self, request: Request, now: int) -> None:
        """Check that this application sent the browser to the provider's logout.

        Raises:
            CallbackRejected: the state is missing, is none of ours, or is too old.
        """
        try:
            sealed = Parameters.parse(request.query).single("state")
            started_at = int.from_bytes(self._key_ring().open(_STATE_PURPOSE, sealed or ""))
        except (MessageError, SealBroken) as error:
            raise CallbackRejected(
                f"the state of a logout does not open: {error.message}",
                code="logout_state_unknown",
                stage="logout",
                hint="the address was opened by hand, the provider drops the state, or the "
                "processes of the application have different secrets",
            ) from None
        if not -self._leeway <= now - started_at <= _STATE_LIFETIME:
            raise CallbackRejected(
                f"the logout began {now - started_at} s ago",
                code="logout_state_expired",
                stage="logout",
                hint="the person took longer than a day to answer the provider",
            )

    def _find_repeatable(self, request: Request) -> list[str]:
        """Return the session ids of the logins that could still be repeated.

        Keys that cannot be had keep nobody signed in; nor does anything repeat a login without.
        """
        try:
            cookies, key_ring = self._addresses.cookies(request), self._key_ring()
        except CodegrantError:
            return []
        return [one.session_id for one in cookies.find_finished(request.headers, key_ring)]

    def _find_if_possible(self, session_id: str, now: int) -> Flow[SignedIn | None]:
        """Return whose session it is, unless something stands in the way of reading it."""
        try:
            return (yield from self._sessions.find(session_id, now))
        except CodegrantError:
            return None

    def _revoke(self, signed_in: SignedIn, now: int) -> Flow[None]:
        """Ask the provider to revoke the tokens of a session that has ended."""
        name, tokens = signed_in.provider, signed_in.tokens
        flows = self._clients[name]
        yield from ask(AtProvider(name, lambda: flows.revoke_quietly(tokens, now)))

    def _is_own(self, request: Request) -> bool:
        """Return whether a page of the application itself asked, as the browser says.

        A link must be followed: an image whose address somebody has written into a page asks
        nothing. An older browser says nothing about a link; a form tells its origin.
        """
        site = request.headers.get("sec-fetch-site")
        if request.method == "GET":
            followed = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
            return site == "same-origin" and followed
        if site:
            return site in {"same-origin", "none"}
        origin = request.headers.get("origin")
        return not origin or origin == self._addresses.origin(request)


def _read_logout_token(request: Request) -> str:
    """Return the parameter `logout_token` of a form. Back-Channel Logout §2.5."""
    # What is no form, or too long, comes from the adapter as nothing.
    found = Parameters.parse(request.body.decode("latin-1")).single("logout_token")
    if not found:
        raise TokenRejected(
            "logout_token: the request has none",
            code="logout_token_missing",
            stage="logout_token",
            hint="it is sent as application/x-www-form-urlencoded, of at most 64 KiB",
        )
    return found


def _refusal(error: CodegrantError) -> Response:
    """Return the answer to a logout that did not happen. Back-Channel Logout §2.8."""
    told = {
        "error": "invalid_request" if isinstance(error, PeerError) else "server_error",
        "error_description": error.code,
    }
    fields = (("content-type", "application/json"), *NOT_KEPT)
    return Response(status=400, headers=Headers(fields), body=json.dumps(told).encode())
