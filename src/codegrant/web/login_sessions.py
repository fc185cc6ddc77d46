"""Who is signed in: the sessions that finished logins lead to. Layer: web.

The browser holds an opaque session id; the token store holds its digest and, sealed, the
tokens. Neither is of use without the other and the application's keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

from codegrant.client.configuration import ClientConfig
from codegrant.client.effects import (
    ClaimCallback,
    DeleteSession,
    EndSessions,
    FindSession,
    FinishCallback,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.client.logout import person_digest, provider_session_digest
from codegrant.client.tokens import Tokens
from codegrant.errors import SealBroken, UsageError
from codegrant.flow import Flow, ask
from codegrant.rules.identity import Identity
from codegrant.rules.logout_token import LogoutToken
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of

__all__ = ["LoginSessions", "SignedIn"]

_PURPOSE = "codegrant web session 3"
_NOTE_PURPOSE = "codegrant web ended session 2"
# Seconds: longer than any login takes from the answer with its tokens to the store.
_NOTE_LIFETIME = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The person whose browser sent a request.

    Attributes:
        provider: the application's name for where they logged in.
        tokens: of that login.
        found: who it is; None when the login identified nobody.
        login_id: of that login, see `PendingLogin.login_id`.
        session: digest of the session id.
        since: epoch seconds of the login.
        expires_at: epoch seconds at which the session ends.
    """

    provider: str
    tokens: Tokens
    found: Identity | None = None
    login_id: bytes = field(repr=False)
    session: bytes = field(repr=False)
    since: int
    expires_at: int

    @property
    def identity(self) -> Identity:
        """Who it is: the key of an account is (`issuer`, `subject`).

        Raises:
            UsageError: the login was without OpenID, at a server that is not in the catalogue.
        """
        if self.found is None:
            raise UsageError(
                "identity: the login did not say who logged in",
                code="no_identity",
                hint="ask for the scope openid, or name a provider that Codegrant knows",
            )
        return self.found

    def is_same_person(self, other: SignedIn) -> bool:
        """Return whether `other` is the same person at the same provider."""
        mine, theirs = self.found, other.found
        if mine is None or theirs is None or self.provider != other.provider:
            return False
        return (mine.issuer, mine.subject) == (theirs.issuer, theirs.subject)


class LoginSessions:
    """Seals sessions and opens them again.

    Args:
        configs: of each provider's client, by the provider's name.
        key_ring: called on first use.
        lifetime: seconds.
    """

    def __init__(
        self, configs: Mapping[str, ClientConfig], key_ring: Callable[[], KeyRing], lifetime: int
    ) -> None:
        self._configs = configs
        self._key_ring = key_ring
        self.lifetime: int = lifetime

    def begin(
        self,
        session_id: str,
        *,
        provider: str,
        tokens: Tokens,
        login_id: bytes,
        now: int,
        found: Identity | None = None,
    ) -> SignedIn:
        """Return the session that a finished login begins."""
        return SignedIn(
            provider=provider,
            tokens=tokens,
            found=found,
            login_id=login_id,
            session=digest_of(session_id),
            since=now,
            expires_at=now + self.lifetime,
        )

    def seal(self, signed_in: SignedIn) -> StoredSession:
        """Return the session as a store keeps it."""
        key_ring = self._key_ring()
        values = {
            "session": signed_in.session.hex(),
            "provider": signed_in.provider,
            "login_id": signed_in.login_id.hex(),
            "since": signed_in.since,
            "tokens": signed_in.tokens.seal(key_ring),
            "found": signed_in.found and _plain(signed_in.found),
        }
        return StoredSession(
            digest=signed_in.session,
            sealed=key_ring.seal(_PURPOSE, json.dumps(values).encode()),
            expires_at=signed_in.expires_at,
            **self._names(signed_in),
        )

    def _names(self, signed_in: SignedIn) -> dict[str, bytes]:
        """Return by what a logout token of the provider finds a session."""
        token, config = signed_in.tokens.identity, self._configs[signed_in.provider]
        if token is None:
            return {}
        names = {"person": person_digest(config, token.issuer, token.subject)}
        session = token.claims.get("sid")
        if isinstance(session, str) and session:
            names["provider_session"] = provider_session_digest(config, token.issuer, session)
        return names

    def find(self, session_id: str | None, now: int) -> Flow[SignedIn | None]:
        """Return whose session it is; one look-up.

        What no key of ours opens, what was sealed for another session id, and what belongs
        to a provider or a client that the application no longer has, counts as none.
        """
        if not session_id:
            return None
        return (yield from self.find_by_digest(digest_of(session_id), now))

    def find_by_digest(self, digest: bytes, now: int) -> Flow[SignedIn | None]:
        """As `find`, for who knows the session already."""
        stored = yield from ask(FindSession(digest, now))
        return None if stored is None else self._open(stored)

    def _open(self, stored: StoredSession) -> SignedIn | None:
        """Return the session that a store has kept; `None` when it is none of ours."""
        digest = stored.digest
        key_ring = self._key_ring()
        try:
            values = json.loads(key_ring.open(_PURPOSE, stored.sealed))
            tokens = Tokens.open(values["tokens"], key_ring)
        except SealBroken:
            return None
        config = self._configs.get(values["provider"])
        if values["session"] != digest.hex() or config is None or not config.owns(tokens):
            return None
        return SignedIn(
            provider=values["provider"],
            tokens=tokens,
            found=values["found"] and Identity(**values["found"]),
            login_id=bytes.fromhex(values["login_id"]),
            session=digest,
            since=values["since"],
            expires_at=stored.expires_at,
        )

    def replace(
        self, signed_in: SignedIn, now: int, *, replacing: Tokens | None = None
    ) -> Flow[bool]:
        """Store a session again, with other tokens; False when it has ended meanwhile.

        Args:
            replacing: do so only if these are its tokens by now.
        """
        sealed = None
        if replacing is not None:
            stored = yield from ask(FindSession(signed_in.session, now))
            found = None if stored is None else self._open(stored)
            if stored is None or found is None or not found.tokens.is_same(replacing):
                return False
            sealed = stored.sealed
        return (yield from ask(SaveSession(self.seal(signed_in), now, sealed)))

    def take_lease(self, signed_in: SignedIn, owner: bytes, now: int, duration: int) -> Flow[bool]:
        """Take the lease of a session's tokens; False while another request has it."""
        key = _lease_key(signed_in)
        return (yield from ask(TakeLease(key=key, owner=owner, now=now, duration=duration)))

    def release_lease(self, signed_in: SignedIn, owner: bytes) -> Flow[bool]:
        """Give the lease back; False when somebody else has it."""
        return (yield from ask(ReleaseLease(key=_lease_key(signed_in), owner=owner)))

    def end_named(self, provider: str, token: LogoutToken, now: int) -> Flow[int | None]:
        """End the sessions that a logout token names, once per token.

        Args:
            provider: whose token it is, by the application's name.
            token: verified.
            now: epoch seconds.

        Returns:
            How many ended; None when the token came before.
        """
        config, issuer = self._configs[provider], token.issuer
        person = session = b""
        if token.subject is not None:
            person = person_digest(config, issuer, token.subject)
        if token.session is not None:
            session = provider_session_digest(config, issuer, token.session)
        told = json.dumps(["codegrant logout token", issuer, config.client_id, token.token_id])
        # First of all: a login that is about to be stored looks for it afterwards.
        for named in filter(None, (session, person)):
            note = token.issued_at.to_bytes(8) + bytes([bool(session)])
            yield from self._note_ended(named, told, note, now)
        return (
            yield from ask(
                EndSessions(
                    token_digest=digest_of(told),
                    person=person,
                    provider_session=session,
                    now=now,
                    remember_until=token.expires_at + 2 * config.leeway,
                )
            )
        )

    def _note_ended(self, named: bytes, told: str, note: bytes, now: int) -> Flow[None]:
        """Leave a note for logins under way, in the place of a session that nobody can have.

        It says when the logout token was issued, and whether that names a provider's session.
        """
        digest = digest_of(f"ended, noted {named.hex()} {told}")
        until = now + _NOTE_LIFETIME
        yield from ask(ClaimCallback(login_digest=digest, now=now, expires_at=until))
        kept = StoredSession(
            digest=_note_digest(named),
            sealed=self._key_ring().seal(_NOTE_PURPOSE, note),
            expires_at=until,
        )
        yield from ask(
            FinishCallback(login_digest=digest, sealed_answer="", answer_until=now, session=kept)
        )

    def was_ended(self, signed_in: SignedIn, now: int) -> Flow[bool]:
        """Return whether the provider has ended a session before it could be stored.

        A note about the provider's session counts in any case; one about the person only for
        an ID token that is older: who logs in again, be it in the same second, is logged in.
        Where a note is about both, an ID token that names a session has to name that one.

        Raises:
            StoreError: the store cannot say.
        """
        names, token = self._names(signed_in), signed_in.tokens.identity
        if token is None:
            return False
        for name, named in names.items():
            note = yield from ask(FindSession(_note_digest(named), now))
            if note is None:
                continue
            try:
                raw = self._key_ring().open(_NOTE_PURPOSE, note.sealed)
            except SealBroken:
                continue
            ended_at, is_about_session = int.from_bytes(raw[:8]), bool(raw[8])
            if name == "provider_session":
                return True
            is_meant = not (is_about_session and "provider_session" in names)
            if is_meant and token.issued_at < ended_at:
                return True
        return False

    def end(self, signed_in: SignedIn) -> Flow[bool]:
        """End a session. True for exactly one caller."""
        return (yield from ask(DeleteSession(signed_in.session)))


def _note_digest(named: bytes) -> bytes:
    return digest_of(f"ended {named.hex()}")


def _lease_key(signed_in: SignedIn) -> bytes:
    return digest_of(f"refresh {signed_in.session.hex()}")


def _plain(identity: Identity) -> dict[str, object]:
    return {each.name: getattr(identity, each.name) for each in fields(identity)}
