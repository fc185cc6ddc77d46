"""Who is signed in: the sessions that finished logins lead to. Layer: web.

The browser holds an opaque session id; the token store holds its digest and, sealed, the
tokens. Neither is of use without the other and the application's keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from codegrant.client.configuration import ClientConfig
from codegrant.client.effects import FindSession, StoredSession
from codegrant.client.tokens import Tokens
from codegrant.errors import SealBroken
from codegrant.flow import Flow, ask
from codegrant.rules.id_token import IdToken
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of

__all__ = ["LoginSessions", "SignedIn"]

_PURPOSE = "codegrant web session 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The person whose browser sent a request.

    Attributes:
        provider: the application's name for where they logged in.
        tokens: of that login.
        login_id: of that login, see `PendingLogin.login_id`.
    """

    provider: str
    tokens: Tokens
    login_id: bytes = field(repr=False)

    @property
    def identity(self) -> IdToken:
        """Who it is: the key of an account is (`issuer`, `subject`).

        Raises:
            UsageError: the login was without OpenID.
        """
        return self.tokens.verified_identity()


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

    def seal(self, session_id: str, signed_in: SignedIn, now: int) -> StoredSession:
        """Return the session as a store keeps it."""
        key_ring, digest = self._key_ring(), digest_of(session_id)
        values = {
            "session": digest.hex(),
            "provider": signed_in.provider,
            "login_id": signed_in.login_id.hex(),
            "tokens": signed_in.tokens.seal(key_ring),
        }
        return StoredSession(
            digest=digest,
            sealed=key_ring.seal(_PURPOSE, json.dumps(values).encode()),
            expires_at=now + self.lifetime,
        )

    def find(self, session_id: str | None, now: int) -> Flow[SignedIn | None]:
        """Return whose session it is; one look-up.

        What no key of ours opens, what was sealed for another session id, and what belongs
        to a provider or a client that the application no longer has, counts as none.
        """
        if not session_id:
            return None
        digest = digest_of(session_id)
        stored = yield from ask(FindSession(digest, now))
        if stored is None:
            return None
        key_ring = self._key_ring()
        try:
            values = json.loads(key_ring.open(_PURPOSE, stored.sealed))
            tokens = Tokens.open(values["tokens"], key_ring)
        except SealBroken:
            return None
        config = self._configs.get(values["provider"])
        if values["session"] != digest.hex() or config is None:
            return None
        if (tokens.issuer, tokens.client_id) != (config.issuer, config.client_id):
            return None
        return SignedIn(
            provider=values["provider"],
            tokens=tokens,
            login_id=bytes.fromhex(values["login_id"]),
        )
