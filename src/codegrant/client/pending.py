"""One login between its start and its callback. Layer: client, no I/O.

The seed is its only secret: nonce, code verifier, login id, the key that tokens may be bound
to and the id of a web session are derived from it under different labels, so that none of
them tells another.
Sealed, a login is self-contained text for a program that keeps it as it likes; web logins
have a smaller form in `state`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from codegrant.client.state_errors import seal_error
from codegrant.errors import SealBroken
from codegrant.jose import PrivateKey, base64url
from codegrant.sealing import KeyRing
from codegrant.secret import Secret

__all__ = [
    "LOGIN_LIFETIME",
    "PendingLogin",
    "ProviderIdentity",
    "code_verifier_of",
    "dpop_key_of",
    "login_id_of",
    "nonce_of",
    "session_id_of",
]

LOGIN_LIFETIME = 600
"""Seconds from the start of a login to its callback."""

IDENTITY_BYTES = 16
LOGIN_ID_BYTES = 16

_PURPOSE = "codegrant client pending login 1"

# What each octet of an HMAC's key becomes. RFC 2104 §2.
_INNER_PAD = bytes(octet ^ 0x36 for octet in range(256))
_OUTER_PAD = bytes(octet ^ 0x5C for octet in range(256))


class ProviderIdentity(NamedTuple):
    """Whom a login was started with; a callback must find the same. RFC 9700 §4.4.2.

    Attributes:
        issuer: the issuer, or empty for a server described without one.
        client_id: our id there.
        redirect_uri: as sent in the authorization request.
        token_endpoint: where the code, and nothing but the code of this login, goes.
    """

    issuer: str
    client_id: str
    redirect_uri: str
    token_endpoint: str

    def digest(self) -> bytes:
        """Return 16 bytes that stand for all four."""
        return sha256(json.dumps(["codegrant provider", *self]).encode()).digest()[:IDENTITY_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """All that belongs to one login, from its start to its callback.

    Made by `start_login`, needed by `finish_login`, in this process or, sealed, in
    another. It belongs to one browser: keep it where only that browser brings it back.

    Attributes:
        url: where to send the browser; empty in a login that was sealed and opened.
        state: the `state` parameter of `url`.
        seed: 256 bits from which nonce, code verifier and login id are derived.
        provider: whom it was started with.
        started_at: epoch seconds.
        scope: what was asked for.
        resource: the APIs that the access token is for. RFC 8707.
        max_age: as sent, in seconds, or `None`.
        acr_values: as sent; one of them must come back when `acr_essential`.
        acr_essential: whether the caller insists on `acr_values`.
        return_to: where the application wants to continue, or `None`.
        url_expires_at: epoch seconds until which the browser must have come to `url`; `None`
            where the server did not say.
    """

    url: str = field(repr=False)
    state: str = field(repr=False)
    seed: Secret = field(repr=False)
    provider: ProviderIdentity
    started_at: int
    scope: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    return_to: str | None = field(default=None, repr=False)
    url_expires_at: int | None = None

    @property
    def nonce(self) -> str:
        """The `nonce` of the authorization request: 43 base64url characters."""
        return nonce_of(_raw(self.seed))

    @property
    def code_verifier(self) -> Secret:
        """The PKCE verifier: 43 base64url characters, 256 bits. RFC 7636 §4.1."""
        return code_verifier_of(_raw(self.seed))

    @property
    def login_id(self) -> bytes:
        """16 bytes that name this login and give nothing away."""
        return login_id_of(_raw(self.seed))

    @property
    def session_id(self) -> str:
        """The id of the web session that this login leads to: a secret of the browser."""
        return session_id_of(_raw(self.seed))

    def dpop_key(self, alg: str) -> PrivateKey:
        """Return the key that the tokens of this login are bound to, if they are. RFC 9449.

        Args:
            alg: as `rules.dpop.choose_alg` names it.
        """
        return dpop_key_of(_raw(self.seed), alg)

    def seal(self, key_ring: KeyRing) -> str:
        """Return this login as text that only `key_ring` opens: for a cookie or a file.

        Args:
            key_ring: the application's keys, the same in every process.
        """
        values: dict[str, object] = {
            "state": self.state,
            "seed": self.seed.reveal(),
            "provider": list(self.provider),
            "started_at": self.started_at,
            "scope": list(self.scope),
            "resource": list(self.resource),
            "max_age": self.max_age,
            "acr_values": list(self.acr_values),
            "acr_essential": self.acr_essential,
            "return_to": self.return_to,
        }
        return key_ring.seal(_PURPOSE, json.dumps(values, separators=(",", ":")).encode())

    @classmethod
    def open(cls, sealed: str, key_ring: KeyRing) -> PendingLogin:
        """Return the login that `seal` made text of; its `url` is empty.

        Args:
            sealed: the text, as it came back from wherever it was kept.
            key_ring: holds the key that sealed it.

        Raises:
            StateError: `state_tampered` when the text was altered or is something else,
                `state_unknown` when another key sealed it.
        """
        try:
            values = json.loads(key_ring.open(_PURPOSE, sealed))
        except SealBroken as error:
            raise seal_error(error, "the pending login") from None
        return cls(
            url="",
            state=values["state"],
            seed=Secret(values["seed"]),
            provider=ProviderIdentity(*values["provider"]),
            started_at=values["started_at"],
            scope=tuple(values["scope"]),
            resource=tuple(values["resource"]),
            max_age=values["max_age"],
            acr_values=tuple(values["acr_values"]),
            acr_essential=values["acr_essential"],
            return_to=values["return_to"],
        )


def nonce_of(seed: bytes) -> str:
    """Return the nonce of a raw seed; see `PendingLogin.nonce`."""
    return base64url.encode(_derive(seed, b"nonce"))


def code_verifier_of(seed: bytes) -> Secret:
    """Return the code verifier of a raw seed; see `PendingLogin.code_verifier`."""
    return Secret(base64url.encode(_derive(seed, b"code verifier")))


def login_id_of(seed: bytes) -> bytes:
    """Return the login id of a raw seed; see `PendingLogin.login_id`."""
    return _derive(seed, b"login id")[:LOGIN_ID_BYTES]


def session_id_of(seed: bytes) -> str:
    """Return the id of the web session that a raw seed leads to: 43 base64url characters."""
    return base64url.encode(_derive(seed, b"session id"))


def dpop_key_of(seed: bytes, alg: str) -> PrivateKey:
    """Return the proof key of a raw seed; see `PendingLogin.dpop_key`."""
    labels = (b"proof key 1", b"proof key 2")
    return PrivateKey.derive(alg, b"".join(_derive(seed, label) for label in labels))


def _raw(seed: Secret) -> bytes:
    return base64url.decode(seed.reveal())


def _derive(seed: bytes, label: bytes) -> bytes:
    """Return 32 bytes: HKDF-Expand for one block, which is an HMAC-SHA256.

    The seed is uniform, so it needs no Extract. The HMAC is written out: OpenSSL takes longer to
    set one up than to hash twice. RFC 5869 §2.3, §3.3; RFC 2104 §2.
    """
    key = seed.ljust(64, b"\0")
    inner = sha256(b"%bcodegrant login %b\x01" % (key.translate(_INNER_PAD), label))
    return sha256(key.translate(_OUTER_PAD) + inner.digest()).digest()
