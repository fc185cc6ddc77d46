"""`Tokens`: what a finished login is worth. Layer: client, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from codegrant.errors import UsageError
from codegrant.jose import PrivateKey
from codegrant.rules.id_token import IdToken
from codegrant.sealing import KeyRing
from codegrant.secret import Secret

__all__ = ["Tokens"]

_PURPOSE = "codegrant client tokens 1"
_EARLY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one login and what was verified about it.

    They belong to one person: keep them where only that person's session finds them.

    Attributes:
        access_token: opaque to a client, whatever it looks like.
        token_type: `Bearer`, or `DPoP` for tokens that are bound to `dpop_key`.
        expires_at: epoch seconds by our clock, or `None` when the server did not say.
        scope: what was granted.
        missing_scope: what was asked for and not granted; empty when all was.
        refresh_token: or `None`.
        id_token: the raw ID token, e.g. for logout, or `None` for plain OAuth 2.
        identity: the verified ID token: who logged in. The key of an account is
            (`identity.issuer`, `identity.subject`), never an e-mail address.
        issuer: whose tokens they are; empty for a server described without an issuer.
        token_endpoint: where they came from, by which a server without an issuer is known.
        client_id: whom they were issued to.
        resource: the APIs that they were asked for. RFC 8707.
        grant_type: `client_credentials` for tokens of the client's own, which are asked for
            again when they expire; empty for those of a login.
        audience: what they were asked for besides `resource`, at servers that know that name.
        dpop_key: what an API is shown a proof of with every call; sealed with the tokens, which
            are worth nothing without it. RFC 9449.
        received_at: epoch seconds.
        extra: further members of the token response, as they came.
    """

    access_token: Secret
    token_type: str
    expires_at: int | None
    scope: frozenset[str]
    missing_scope: frozenset[str] = frozenset()
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    identity: IdToken | None = None
    issuer: str = ""
    token_endpoint: str = ""
    client_id: str = ""
    resource: tuple[str, ...] = ()
    grant_type: str = ""
    audience: tuple[str, ...] = ()
    dpop_key: PrivateKey | None = None
    received_at: int = 0
    extra: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    @property
    def claims(self) -> Mapping[str, object]:
        """The claims of the verified ID token.

        Raises:
            UsageError: the login was without OpenID, so nobody was identified.
        """
        return self.verified_identity().claims

    def verified_identity(self) -> IdToken:
        """Return `identity`, which an OpenID login always has.

        Raises:
            UsageError: the login was without OpenID, so nobody was identified.
        """
        if self.identity is None:
            raise UsageError(
                "tokens: there is no ID token, so they do not say who logged in",
                code="no_identity",
                hint="ask for the scope openid at a server that speaks OpenID Connect",
            )
        return self.identity

    @property
    def is_renewable(self) -> bool:
        """Whether there is a way to newer ones without a person."""
        return self.refresh_token is not None or self.grant_type == "client_credentials"

    def is_expired(self, now: int) -> bool:
        """Return whether the access token has expired at `now`, as far as the server told."""
        return self.expires_at is not None and now >= self.expires_at

    def is_due(self, now: int) -> bool:
        """Return whether it is time for a refresh: shortly before the access token expires.

        Shortly is a tenth of its life, at most half a minute.
        """
        if self.expires_at is None:
            return False
        early = min(_EARLY_SECONDS, max(0, self.expires_at - self.received_at) // 10)
        return now >= self.expires_at - early

    def is_same(self, other: Tokens) -> bool:
        """Return whether `other` has the same access token and the same refresh token."""
        mine, its = self.refresh_token, other.refresh_token
        return self.access_token == other.access_token and mine == its

    def seal(self, key_ring: KeyRing) -> str:
        """Return these tokens as text that only `key_ring` opens: for a store.

        Args:
            key_ring: the application's keys, the same in every process.
        """
        values: dict[str, object] = {
            "access_token": self.access_token.reveal(),
            "token_type": self.token_type,
            "expires_at": self.expires_at,
            "scope": sorted(self.scope),
            "missing_scope": sorted(self.missing_scope),
            "refresh_token": self.refresh_token and self.refresh_token.reveal(),
            "id_token": self.id_token and self.id_token.reveal(),
            "identity": self.identity and _plain(self.identity),
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "client_id": self.client_id,
            "resource": self.resource,
            "grant_type": self.grant_type,
            "audience": self.audience,
            "dpop_key": self.dpop_key and _pem(self.dpop_key),
            "received_at": self.received_at,
            "extra": dict(self.extra),
        }
        return key_ring.seal(_PURPOSE, json.dumps(values, separators=(",", ":")).encode())

    @classmethod
    def open(cls, sealed: str, key_ring: KeyRing) -> Tokens:
        """Return the tokens that `seal` made text of.

        Raises:
            SealBroken: the text was altered, is something else, or another key made it.
        """
        values = json.loads(key_ring.open(_PURPOSE, sealed))
        for name in ("access_token", "refresh_token", "id_token"):
            values[name] = Secret(values[name]) if values[name] else None
        for name in ("scope", "missing_scope"):
            values[name] = frozenset(values[name])
        for name in ("resource", "audience"):
            values[name] = tuple(values.get(name, ()))
        if values.get("dpop_key") is not None:
            alg, pem = values["dpop_key"]
            values["dpop_key"] = PrivateKey.from_pem(pem.encode(), alg, trusted=True)
        if values["identity"] is not None:
            values["identity"] = _identity(values["identity"])
        return cls(**values)


def _pem(key: PrivateKey) -> list[str]:
    return [key.spelling, key.to_pem().decode()]


def _plain(identity: IdToken) -> dict[str, object]:
    return {f.name: getattr(identity, f.name) for f in fields(identity)}


def _identity(values: dict[str, object]) -> IdToken:
    # JSON knows no tuples; every list of an IdToken is one, its claims aside.
    return IdToken(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
