"""Asking an issuer what a token is good for. Layer: resource, no I/O.

One question per token, however many requests bring it at the same time, and the answer is
remembered for a bounded time. Without an answer nobody comes in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from codegrant.errors import (
    ConfigurationError,
    MessageError,
    MetadataRejected,
    ResponseRejected,
    TokenRejected,
    TransportError,
)
from codegrant.flow import Flow, ask
from codegrant.http import Response
from codegrant.jose import PrivateKey
from codegrant.messages.introspection import IntrospectionRequest, IntrospectionResponse
from codegrant.remote.client_assertion import ClientKey, read_client_key
from codegrant.remote.discovery import Discovery
from codegrant.remote.effects import SingleFlight
from codegrant.remote.posts import ClientAuthentication, authenticated_post, choose_method
from codegrant.resource.memory import RefusedTokens, VerifiedTokens
from codegrant.rules.access_token import AccessToken
from codegrant.rules.answers import refuse_answer
from codegrant.rules.introspection import verify_introspection
from codegrant.rules.uri import check_https_or_loopback
from codegrant.secret import Secret

__all__ = ["Introspection", "Introspector"]

REFUSAL_HOLDS = 5
"""Seconds for which a token that its issuer does not vouch for is refused unasked."""

_MOST_REMEMBERED = 300
_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """How a resource server asks an issuer about tokens.

    Attributes:
        client_id: of the API, as registered at the issuer.
        client_secret: of the API; none where it has a key.
        private_key: PEM or a JWK as text, the path of a file with either, or a `PrivateKey`.
        private_key_id: what the issuer calls the key, if it has a name there.
        every_token: ask about JWTs too, which could be verified here: a token that was
            revoked is then refused after `remember` seconds at the latest.
        remember: seconds for which a good answer holds, 0 to 300, and never beyond the
            token's own end; 0 asks with every request.
        issuer: which one is asked; needed where several are trusted.
        endpoint: its introspection endpoint; empty takes the one of its metadata.
        auth_method: `client_secret_basic`, `client_secret_post` or `private_key_jwt`; None
            goes by the metadata.
        accept_missing_audience: take an answer that does not say what the token is for.
            Only for an issuer that vouches for nothing but the tokens of the API that asks.

    RFC 7662.
    """

    client_id: str
    client_secret: Secret | str = field(default="", repr=False)
    private_key: str | Path | Secret | PrivateKey | None = field(default=None, repr=False)
    private_key_id: str = ""
    every_token: bool = False
    remember: int = 30
    issuer: str = ""
    endpoint: str = ""
    auth_method: str | None = None
    accept_missing_audience: bool = False
    key: ClientKey | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Check each value.

        Raises:
            ConfigurationError: names the argument and what is allowed.
        """
        if not self.client_id:
            raise ConfigurationError("introspection.client_id: it must not be empty")
        put = object.__setattr__
        if isinstance(self.client_secret, str) and self.client_secret:
            put(self, "client_secret", Secret(self.client_secret))
        elif not self.client_secret and self.private_key is None:
            raise ConfigurationError("introspection.client_secret: it must not be empty")
        if self.private_key is not None:
            try:
                put(self, "key", read_client_key(self.private_key, self.private_key_id))
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"introspection.{error.message}", hint=error.hint
                ) from None
        if not 0 <= self.remember <= _MOST_REMEMBERED:
            raise ConfigurationError(
                f"introspection.remember: {self.remember} is outside 0 to {_MOST_REMEMBERED} s"
            )
        if self.auth_method not in {None, *_METHODS}:
            raise ConfigurationError(
                f"introspection.auth_method: {self.auth_method!r} is none of {', '.join(_METHODS)}"
            )
        needed = self.key if self.auth_method == "private_key_jwt" else self.secret
        if self.auth_method is not None and needed is None:
            what = "private_key" if self.auth_method == "private_key_jwt" else "client_secret"
            raise ConfigurationError(f"introspection.{what}: {self.auth_method} needs one")
        if self.endpoint:
            check_https_or_loopback(
                self.endpoint, name="introspection.endpoint", error=ConfigurationError
            )

    @property
    def secret(self) -> Secret | None:
        """The secret, which never prints itself; None where there is none."""
        secret = self.client_secret
        if isinstance(secret, str):
            return Secret(secret) if secret else None
        return secret


class Introspector:
    """Asks one issuer about tokens for one API.

    Args:
        settings: how.
        issuer: who is asked.
        discovery: of that issuer.
        audience: of the API.
        leeway: seconds that clocks may differ.
        verified: where a token that is vouched for is kept.
    """

    def __init__(
        self,
        settings: Introspection,
        *,
        issuer: str,
        discovery: Discovery,
        audience: str,
        leeway: int,
        verified: VerifiedTokens,
    ) -> None:
        self.issuer = issuer
        self.every_token: bool = settings.every_token
        self._settings = settings
        self._discovery = discovery
        self._audience = audience
        self._leeway = leeway
        self._verified = verified
        self._refused = RefusedTokens()

    def asks_instead(self, issuer: str) -> bool:
        """Return whether a JWT of `issuer` is asked about rather than verified here."""
        return self.every_token and issuer == self.issuer

    def check_not_refused(self, digest: bytes, now: int) -> None:
        """Check that the token was not refused a moment ago.

        Raises:
            TokenRejected: as it was then.
        """
        found = self._refused.find(digest, now)
        if found is not None:
            raise TokenRejected(found[1], code=found[0], stage="access_token")

    def introspect(self, raw_token: str, digest: bytes, now: int) -> Flow[AccessToken]:
        """Return the access token that the issuer vouches for.

        Args:
            raw_token: as it came in the request.
            digest: of it.
            now: epoch seconds.

        Raises:
            TokenRejected: see `verify_introspection`.
            ConfigurationError, MetadataRejected, Refused, ResponseRejected, TransportError:
                there is no answer, so nobody knows.
        """
        key = f"introspection {self.issuer} {digest.hex()}"
        flight = SingleFlight(key, lambda: self._introspect(raw_token, digest, now))
        return (yield from ask(flight))

    def _introspect(self, raw_token: str, digest: bytes, now: int) -> Flow[AccessToken]:
        """Ask, unless the flight before this one has just done so; remember the answer."""
        found = self._verified.find(digest, now)
        if found is not None:
            return found[0]
        self.check_not_refused(digest, now)
        answer = yield from self._ask(Secret(raw_token), now)
        try:
            token = verify_introspection(
                answer,
                issuer=self.issuer,
                audience=self._audience,
                now=now,
                leeway=self._leeway,
                accept_missing_audience=self._settings.accept_missing_audience,
            )
        except TokenRejected as error:
            self._refused.keep(digest, error.code, error.message, until=now + REFUSAL_HOLDS)
            raise
        good_until = min(token.expires_at, now + self._settings.remember)
        if good_until > now:
            self._verified.keep(digest, token, keys=None, good_until=good_until)
        return token

    def _ask(self, token: Secret, now: int) -> Flow[IntrospectionResponse]:
        """Return the answer to one question."""
        settings = self._settings
        endpoint = settings.endpoint
        supported: tuple[str, ...] = ()
        algs: tuple[str, ...] = ()
        if not endpoint:
            metadata = (yield from self._discovery.find(now)).metadata
            endpoint = metadata.introspection_endpoint
            supported = metadata.introspection_endpoint_auth_methods_supported
            algs = metadata.token_endpoint_auth_signing_alg_values_supported
        if not endpoint:
            raise MetadataRejected(
                "the issuer publishes no introspection_endpoint",
                code="no_introspection",
                hint="name it: Introspection(endpoint=...)",
                facts={"issuer": self.issuer},
            )
        client = ClientAuthentication(
            client_id=settings.client_id,
            method=choose_method(
                settings.auth_method, secret=settings.secret, key=settings.key, supported=supported
            ),
            secret=settings.secret,
            key=settings.key,
            audience=self.issuer,
            algs=algs,
        )
        response = yield from authenticated_post(
            endpoint,
            IntrospectionRequest(token=token, token_type_hint="access_token").build(),
            client=client,
            stage="introspection",
            now=now,
        )
        return _read(response, endpoint, client.method, client.secrets(token))


def _read(
    response: Response, endpoint: str, method: str, secrets: list[Secret]
) -> IntrospectionResponse:
    """Return the answer that a response is; RFC 7662 §2.2, §2.3."""
    if response.status == 429 or response.status >= 500:
        raise TransportError(
            f"{endpoint} answered {response.status}",
            code="server_unavailable",
            stage="introspection",
            hint="the server has a problem of its own; trying again later may help",
            facts={"endpoint": endpoint, "status": response.status},
        )
    if response.status != 200:
        raise refuse_answer(
            response, stage="introspection", endpoint=endpoint, method=method, secrets=secrets
        )
    try:
        return IntrospectionResponse.parse(response.body)
    except MessageError as error:
        raise ResponseRejected(
            f"{endpoint}: {error.message}",
            code=error.code,
            stage="introspection",
            hint="is this the introspection endpoint?",
            facts={"endpoint": endpoint},
        ) from None
