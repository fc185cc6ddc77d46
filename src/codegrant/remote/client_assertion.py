"""The private key of a client and the assertions made with it. Layer: remote, no I/O.

RFC 7523; draft-ietf-oauth-rfc7523bis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codegrant.errors import ConfigurationError, MessageError, UsageError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import ALGORITHMS, PrivateKey, base64url, find_spelling, sign_jwt
from codegrant.messages.json import JsonValue, parse_object
from codegrant.secret import Secret

__all__ = ["ASSERTION_LIFETIME", "ClientKey", "client_assertion", "read_client_key"]

ASSERTION_LIFETIME = 60
"""Seconds."""

_TYP = "client-authentication+jwt"
# The likelier one of an RSA key's two, at a server that lists none.
_LIKELIER = "RS256"


@dataclass(frozen=True, slots=True)
class ClientKey:
    """The private key of a client, once for each algorithm that it is good for.

    Attributes:
        keys: at least one, the preferred algorithm first.
        kid: what the server calls the key; empty leaves it to find out.
    """

    keys: tuple[PrivateKey, ...]
    kid: str = ""

    def sign(
        self, claims: Mapping[str, JsonValue], *, typ: str, algs: Sequence[str], listed_as: str
    ) -> Secret:
        """Return `claims` as a JWT, signed with an algorithm that the server takes.

        Args:
            claims: written in their order.
            typ: the kind of token.
            algs: what the server's metadata lists; empty when it does not say.
            listed_as: the name of that member, for the error.

        Raises:
            ConfigurationError: the server takes none of the key's algorithms.

        RFC 8414 §2.
        """
        named = ((key, find_spelling(key.alg, algs or (_LIKELIER,))) for key in self.keys)
        usable = [key.spelled(name) for key, name in named if name is not None]
        if not usable and algs:
            mine = " or ".join(key.alg for key in self.keys)
            raise ConfigurationError(
                f"private_key: it signs with {mine}, and the server takes {', '.join(algs)}",
                hint=f"{listed_as} in the server's metadata says so; use another key",
            )
        return Secret(sign_jwt((usable or self.keys)[0], claims, typ=typ, kid=self.kid))


def read_client_key(source: str | Path | Secret | PrivateKey, kid: str = "") -> ClientKey:
    """Return the private key that a program gives us.

    Args:
        source: PEM or a JWK as text, the path of a file with either, or a key.
        kid: what the server calls the key; by default the `kid` of the JWK or of the key.

    Raises:
        ConfigurationError: there is no such file, or no key in it that we can sign with. The
            message holds nothing of `source`.

    RFC 7517; RFC 7518 §6.
    """
    if isinstance(source, PrivateKey):
        return ClientKey((source,), kid or source.kid)
    text = _read(source)
    try:
        if not text.lstrip().startswith("{"):
            return ClientKey(_each(partial(PrivateKey.from_pem, text.encode())), kid)
        jwk = parse_object(text.encode())
        keys = _each(partial(PrivateKey.from_jwk, jwk))
        return ClientKey(keys, kid or (keys[0].kid if "kid" in jwk else ""))
    except (MessageError, UsageError) as error:
        raise ConfigurationError(
            f"private_key: {error.message.removeprefix('key: ')}",
            hint="PEM (PKCS #8, PKCS #1 or SEC 1) without a passphrase, or a JWK, is expected",
        ) from None


def _read(source: str | Path | Secret) -> str:
    """Return the text of a key, of a file unless it is text already."""
    if source == "":
        raise ConfigurationError("private_key: it is empty; leave it out")
    if isinstance(source, Secret):
        return source.reveal()
    if isinstance(source, str) and ("-----BEGIN" in source or source.lstrip().startswith("{")):
        return source
    try:
        return Path(source).read_text("ascii")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "it is no text"
        raise ConfigurationError(
            f"private_key: the file cannot be read: {reason}",
            hint="a path, PEM text or a JWK is expected",
        ) from None


def _each(make: Callable[..., PrivateKey]) -> tuple[PrivateKey, ...]:
    """Return a key for each algorithm that it is good for.

    Raises:
        UsageError: it is good for none.
    """
    found: list[PrivateKey] = []
    refusal: UsageError | None = None
    for alg in reversed(tuple(ALGORITHMS)):
        try:
            # The numbers of an RSA key are checked once: that is slow.
            found.append(make(alg=alg, trusted=bool(found)))
        except UsageError as error:
            refusal = error
    if not found and refusal is not None:
        raise refusal
    return tuple(found)


def client_assertion(
    key: ClientKey, *, client_id: str, audience: str, algs: Sequence[str], now: int
) -> Flow[Secret]:
    """Return a fresh assertion for one request: no two are the same.

    Args:
        key: of the client.
        client_id: who signs, and for whom.
        audience: the server's issuer, or what a server of its own mind wants instead.
        algs: what the server's metadata says that it verifies; empty when it does not say.
        now: epoch seconds.

    Raises:
        UsageError: `no_audience`, there is none; the assertion would be good anywhere.
        ConfigurationError: the server takes no algorithm of this key.

    RFC 7523 §3; draft-ietf-oauth-rfc7523bis: one audience, as text and never as a list.
    """
    if not audience:
        raise UsageError(
            "private_key_jwt: the server has no issuer that an assertion could be made for",
            code="no_audience",
            hint="say it: ServerMetadata(issuer=...); a server that wants its token endpoint there "
            "instead is allowed by dangerously_use_token_endpoint_as_audience=True",
        )
    jti = base64url.encode((yield from ask(RandomBytes(32))))
    claims: dict[str, JsonValue] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": jti,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME,
    }
    return key.sign(
        claims,
        typ=_TYP,
        algs=algs,
        listed_as="token_endpoint_auth_signing_alg_values_supported",
    )
