"""`LiveTokens`: the tokens of one login, through all of their refreshes. Layer: client, no I/O.

New tokens are saved before anybody uses them, and no failure but a refusal of the refresh
token itself costs any.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from typing import TypeAlias

from codegrant.client.flows import ClientFlows
from codegrant.client.refresh import login_required
from codegrant.client.saved import LeasedTokens, SavedTokens
from codegrant.client.tokens import Tokens
from codegrant.errors import (
    LoginRequired,
    PeerError,
    Refused,
    StoreError,
    TransportError,
    UsageError,
)
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.remote.effects import Call, Leased, Pause, Report, SingleFlight
from codegrant.remote.flights import own_copy

__all__ = ["LiveTokens", "OnTokens"]

# How long a lease holds without being renewed: so long others wait for one whose owner died.
_LEASE_SECONDS = 5
_OWNER_BYTES = 16
# What may pass, and how many seconds it is given before each further try: tokens that could not
# be saved are nowhere else, and the server may take the old ones no more.
_PASSING = frozenset({"store_busy", "store_failed", "store_unreachable", "store_write_failed"})
_TRIES_AFTER = (0.1, 1.0)

OnTokens: TypeAlias = Callable[[Tokens], Awaitable[None] | None]


class _Telling:
    """One call of `on_tokens`, on behalf of a session; `outer` is the one that it is made in."""

    __slots__ = ("is_over", "outer", "session")

    def __init__(self, session: LiveTokens, outer: _Telling | None) -> None:
        self.session = session
        self.outer = outer
        self.is_over = False


# In this thread or task. Tasks that `on_tokens` leaves behind inherit it: it is over for them.
_TELLING: ContextVar[_Telling | None] = ContextVar("_TELLING", default=None)


class LiveTokens:
    """What an API session takes its access token from; safe to share between threads and tasks.

    Args:
        flows: of the client.
        source: tokens, or the place where they are kept.
        clock: returns epoch seconds.
        on_tokens: called with what a refresh gave, before it is used.
    """

    def __init__(
        self,
        flows: ClientFlows,
        source: Tokens | SavedTokens,
        clock: Callable[[], float],
        on_tokens: OnTokens | None = None,
    ) -> None:
        self._flows = flows
        self._clock = clock
        self._on_tokens = on_tokens
        if isinstance(source, Tokens):
            flows.check_own(source)
            self._tokens: Tokens | None = source
            self._saved: SavedTokens | None = None
        else:
            self._tokens, self._saved = None, source

    def ready(self, now: int) -> Tokens | None:
        """Return tokens that are good for a call as they are; `None` when `fresh` must be asked."""
        tokens = self._tokens
        return None if tokens is None or tokens.is_due(now) else tokens

    def fresh(self, now: int) -> Flow[Tokens]:
        """Return tokens that are good for a call; refreshed, when it is time for it.

        While the access token has not expired yet, a server that cannot refresh it at the
        moment does no harm.

        Raises:
            LoginRequired: the login is over.
            UsageError: the saved tokens are not of this client at this server; or `on_tokens`
                asks, which this session waits for.
            StoreError: the tokens could not be loaded or saved.
            Refused, PeerError, TransportError: the refresh failed, and nothing is left to use.
        """
        tokens = self._tokens
        if tokens is None:
            tokens = self._tokens = yield from self._load()
        if not tokens.is_due(now):
            return tokens
        expired, lineage = tokens.is_expired(now), self._flows.lineage
        failure = lineage.recent_failure(tokens, now)
        if not expired and (failure is not None or not tokens.is_renewable):
            return tokens
        if failure is not None:
            raise own_copy(failure)
        try:
            return (yield from self._renew(tokens, now))
        except LoginRequired:
            raise
        except (Refused, PeerError, TransportError) as error:
            # A copy has no traceback, which would hold much.
            lineage.note_failure(tokens, own_copy(error), now)
            if expired:
                raise
            yield from ask(
                Report(
                    logging.WARNING,
                    "tokens could not be refreshed yet",
                    {"issuer": tokens.issuer, "client_id": tokens.client_id, "code": error.code},
                )
            )
            return tokens

    def replace(self, refused: Tokens, now: int) -> Flow[Tokens | None]:
        """Return other tokens than those that an API has just refused; `None` without any.

        Raises as `fresh` does.
        """
        current = self._tokens
        if current is not None and not current.is_same(refused):
            return current
        if self._flows.lineage.is_useless(refused, now):
            return None
        if not refused.is_renewable:
            # What one API refuses may be good for another one: nothing is forgotten for it.
            sibling = yield from self._find_sibling(refused)
            return None if sibling is None else self._adopt(sibling, refused)
        return (yield from self._renew(refused, now))

    def give_up(self, refused: Tokens, now: int) -> None:
        """Take note that `refused`, brand-new, were refused as well: no refresh helps there."""
        self._flows.lineage.note_useless(refused, now)

    def _renew(self, tokens: Tokens, now: int) -> Flow[Tokens]:
        """Replace `tokens`, once for all who ask at the same time."""
        if self._is_waited_for():
            raise UsageError(
                "on_tokens: it called the session that waits for it",
                code="on_tokens_calls_back",
                hint="use the tokens that it is given, in a call of their own, or call later",
            )
        key = f"renew {id(self)}"
        return (
            yield from ask(SingleFlight(key, lambda: self._refresh(tokens, now), finishes=True))
        )

    def _refresh(self, tokens: Tokens, now: int) -> Flow[Tokens]:
        """Refresh, once for every session of this client and every process that shares the place.

        Of this client's sessions the first one does it, with the lease of the place if it has one.
        """
        current = self._tokens
        if current is not None and not current.is_same(tokens) and not current.is_due(now):
            return current
        saved = self._saved
        if not isinstance(saved, LeasedTokens):
            return (yield from self._refresh_here(tokens, now))
        spent = tokens.refresh_token or tokens.access_token
        key = f"lease {spent.digest().hex()}"
        new = yield from ask(SingleFlight(key, lambda: self._lead(saved, tokens), finishes=True))
        current = self._tokens
        if current is not None and current.is_same(new):
            return current  # it was this session that did it
        return (yield from self._keep(tokens, new, now))

    def _lead(self, saved: LeasedTokens, tokens: Tokens) -> Flow[Tokens]:
        """Refresh while no other process does."""
        owner = yield from ask(RandomBytes(_OWNER_BYTES))
        return (
            yield from ask(
                Leased(
                    take=lambda: saved.take_lease(owner, int(self._clock()), _LEASE_SECONDS),
                    release=lambda: saved.release_lease(owner),
                    start=lambda: self._refresh_here(tokens, int(self._clock())),
                    seconds=_LEASE_SECONDS - 1,  # its ends are whole seconds of the clock
                )
            )
        )

    def _refresh_here(self, tokens: Tokens, now: int) -> Flow[Tokens]:
        """Read again, refresh, save."""
        if self._saved is not None:
            found = yield from self._load()
            if not found.is_same(tokens):
                tokens = self._adopt(found, tokens)
                if not tokens.is_due(now):
                    return tokens
        try:
            new = yield from self._flows.refresh(tokens, now)
        except LoginRequired:
            sibling = yield from self._find_sibling(tokens)
            if sibling is None:
                yield from self._forget(tokens)
                raise
            return self._adopt(sibling, tokens)
        return (yield from self._keep(tokens, new, now))

    def _load(self) -> Flow[Tokens]:
        """Return the saved tokens, of a login that goes on."""
        found = yield from self._look()
        if found is None:
            self._tokens = None
            raise login_required("nobody is logged in, or no longer", code="login_ended")
        self._flows.check_own(found)
        return found

    def _look(self) -> Flow[Tokens | None]:
        saved = self._saved
        return None if saved is None else (yield from ask(Call(saved.load, blocks=True)))

    def _adopt(self, found: Tokens, tokens: Tokens) -> Tokens:
        """Go on with tokens that somebody else has saved for the same login."""
        mine, its = tokens.identity, found.identity
        if mine is not None and its is not None and mine.subject != its.subject:
            self._tokens = None
            raise login_required("somebody else has logged in meanwhile", code="login_ended")
        self._tokens = found
        return found

    def _find_sibling(self, tokens: Tokens) -> Flow[Tokens | None]:
        """Return what another process has made of `tokens`, which are dead here."""
        found = yield from self._look()
        if found is None or found.is_same(tokens):
            return None
        self._flows.check_own(found)
        return found

    def _forget(self, tokens: Tokens) -> Flow[None]:
        """Delete `tokens`, which nobody can use any more."""
        saved = self._saved
        if saved is not None:
            self._tokens = None
            yield from ask(Call(lambda: saved.delete(tokens), blocks=True))

    def _keep(self, old: Tokens, new: Tokens, now: int) -> Flow[Tokens]:
        """Save what a refresh gave, then use it."""
        saved, on_tokens = self._saved, self._on_tokens
        if saved is not None and not (yield from self._save(saved, old, new)):
            found = yield from self._look()
            if found is None:
                self._tokens = None
                yield from self._flows.revoke_quietly(new, now)
                raise login_required("the login has ended meanwhile", code="login_ended")
            self._flows.check_own(found)
            if not found.is_same(new):
                return self._adopt(found, old)
        if on_tokens is not None:
            yield from ask(Call(lambda: self._tell(on_tokens, new)))
        self._tokens = new
        return new

    def _save(self, saved: SavedTokens, old: Tokens, new: Tokens) -> Flow[bool]:
        """Save what a refresh gave, and return whether it is kept.

        False also of what an earlier try has kept all the same, whose answer did not come.
        """
        save = Call(lambda: saved.save(new, replacing=old), blocks=True)
        for seconds in _TRIES_AFTER:
            try:
                return (yield from ask(save))
            except StoreError as error:
                if error.code not in _PASSING:
                    raise
            yield from ask(Pause(seconds))
        return (yield from ask(save))

    def _tell(self, on_tokens: OnTokens, new: Tokens) -> Awaitable[None] | None:
        """Call `on_tokens`, which must not wait for what waits for it."""
        telling = _Telling(self, _TELLING.get())
        outer = _TELLING.set(telling)
        try:
            answer = on_tokens(new)
        except BaseException:
            telling.is_over = True
            raise
        finally:
            _TELLING.reset(outer)
        if isawaitable(answer):
            return self._await_told(answer, telling)
        telling.is_over = True
        return None

    async def _await_told(self, answer: Awaitable[None], telling: _Telling) -> None:
        _TELLING.set(telling)
        try:
            await answer
        finally:
            _TELLING.set(telling.outer)
            telling.is_over = True

    def _is_waited_for(self) -> bool:
        """Return whether this is asked by an `on_tokens` that this session is waiting for."""
        telling = _TELLING.get()
        while telling is not None and (telling.is_over or telling.session is not self):
            telling = telling.outer
        return telling is not None
