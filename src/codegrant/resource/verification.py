"""Verifying an access token, without a colour: what both façades drive. Layer: resource, no I/O.

Cheap checks come before any fetch of keys, and each issuer's tokens are verified with that
issuer's keys and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from codegrant.errors import (
    CodegrantError,
    ConfigurationError,
    MetadataRejected,
    OAuthError,
    Refused,
    ResponseRejected,
    TokenRejected,
    TransportError,
)
from codegrant.flow import Flow
from codegrant.http import Request
from codegrant.jose import KeySet, parse_jwt, verify_signature
from codegrant.remote.discovery import Discovery
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.resource.introspection import Introspection, Introspector
from codegrant.resource.memory import VerifiedTokens
from codegrant.rules.access_token import (
    AccessToken,
    ClaimedAccessToken,
    accept_access_token,
    check_access,
    read_access_token,
)
from codegrant.rules.bearer import MAXIMUM_TOKEN_LENGTH, read_bearer_token
from codegrant.secret import digest_of

__all__ = ["ResourceConfig", "ResourceFlows"]

FAILURE_HOLDS = 5
"""Seconds for which a failed fetch counts while there is no copy to go by."""

_NO_KEYS = KeySet()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceConfig:
    """Whose tokens a resource server takes, and for whom.

    Attributes:
        issuers: authorization servers, compared character by character.
        audience: the identifier of this API; a token must name it. RFC 9068 §4.
        leeway: seconds that clocks may differ, 0 to 60.
        introspection: for tokens that are no JWTs; None refuses those.
    """

    issuers: tuple[str, ...]
    audience: str
    leeway: int = 60
    introspection: Introspection | None = None

    def __post_init__(self) -> None:
        """Check each value.

        Raises:
            ConfigurationError: names the argument and what is allowed.
        """
        if not self.issuers:
            raise ConfigurationError("issuers: at least one is needed")
        if not self.audience:
            raise ConfigurationError(
                "audience: it must not be empty; without it a token for any API would do"
            )
        if not 0 <= self.leeway <= 60:
            raise ConfigurationError(f"leeway: {self.leeway} is outside 0 to 60 seconds")
        asked = self.introspection.issuer if self.introspection is not None else self.issuers[0]
        if not asked and len(self.issuers) > 1:
            raise ConfigurationError(
                "introspection.issuer: name the one that is asked; a token that is no JWT does "
                "not say whose it is"
            )
        if asked and asked not in self.issuers:
            raise ConfigurationError(f"introspection.issuer: {asked!r} is none of the issuers")


def parse_issuers(issuers: str | Sequence[str]) -> tuple[str, ...]:
    """Return the issuers of an argument: one text, or a sequence of them."""
    return (issuers,) if isinstance(issuers, str) else tuple(dict.fromkeys(issuers))


class ResourceFlows:
    """The flows of one API, with its issuers' keys and the tokens verified lately.

    Safe to share between threads and tasks.

    Args:
        config: of the resource server.

    Raises:
        UsageError: an issuer is no issuer.
    """

    def __init__(self, config: ResourceConfig) -> None:
        self.config = config
        self._issuers = {issuer: _Issuer(issuer) for issuer in config.issuers}
        self._verified = VerifiedTokens()
        self._introspector = self._make_introspector()

    def find_verified(
        self, raw_token: str, now: int, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken | None:
        """Return the access token that `raw_token` is, if it was verified a moment ago.

        Arguments and exceptions are those of `verify_token`.
        """
        if len(raw_token) > MAXIMUM_TOKEN_LENGTH:
            return None
        token = self._find_remembered(digest_of(raw_token), now)
        if token is not None:
            check_access(token, scope, person=person)
        return token

    def verify_at_once(
        self, raw_token: str, now: int, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken | None:
        """Return the access token that `raw_token` is, if that takes nothing of the outside world.

        That is: it was verified a moment ago, or the keys are at hand. With None it is for
        `verify_token` to say. Arguments and exceptions are those of `verify_token`.
        """
        try:
            token = self._verify_at_once(raw_token, now)
        except TokenRejected as error:
            raise _invalid_token(error) from None
        if token is not None:
            check_access(token, scope, person=person)
        return token

    def verify_request(
        self, request: Request, now: int, scope: Collection[str] = (), *, person: bool = False
    ) -> Flow[AccessToken]:
        """Return the verified access token of a request.

        Args:
            request: as received; only its headers, its query and, when it is a form, its
                body are looked at.
            now: epoch seconds.
            scope: scope tokens that the token must have, all of them.
            person: a token that a client got for itself will not do.

        Raises:
            OAuthError: 401 without an error code when there are no credentials,
                `invalid_request` (400), `invalid_token` (401), `insufficient_scope` (403),
                or `temporarily_unavailable` (503) when the issuer's keys are out of reach
                or its introspection gives no answer that we may use.
            UsageError: `scope` is no collection of scope tokens.

        RFC 6750 §2.1, §3.1.
        """
        raw_token = read_bearer_token(request)
        return (yield from self.verify_token(raw_token, now, scope, person=person))

    def verify_token(
        self, raw_token: str, now: int, scope: Collection[str] = (), *, person: bool = False
    ) -> Flow[AccessToken]:
        """Return the verified access token that `raw_token` is.

        Args:
            raw_token: as it came in the `Authorization` header.
            now: epoch seconds.
            scope: scope tokens that the token must have, all of them.
            person: a token that a client got for itself will not do.

        Raises:
            OAuthError, UsageError: see `verify_request`.

        RFC 9068 §4.
        """
        try:
            token = yield from self._verify(raw_token, now)
        except TokenRejected as error:
            raise _invalid_token(error) from None
        except (
            ConfigurationError, MetadataRejected, Refused, ResponseRejected, TransportError,
        ) as error:  # fmt: skip
            raise _nobody_knows(error) from None
        check_access(token, scope, person=person)
        return token

    def _find_remembered(self, digest: bytes, now: int) -> AccessToken | None:
        """Return a token that was verified with keys that are still the newest, or asked about."""
        found = self._verified.find(digest, now)
        if found is None:
            return None
        token, keys = found
        if keys is not None and keys is not self._issuers[token.issuer].current_keys:
            self._verified.forget(digest)
            return None
        return token

    def _verify_at_once(self, raw_token: str, now: int) -> AccessToken | None:
        """Verify a token with what is at hand, and remember it."""
        if len(raw_token) > MAXIMUM_TOKEN_LENGTH:
            raise _too_long()
        digest = digest_of(raw_token)
        token = self._find_remembered(digest, now)
        if token is not None:
            return token
        if self._introspector is not None:
            self._introspector.check_not_refused(digest, now)
        read = self._read(raw_token, now)
        if read is None:
            return None
        issuer, claimed = read
        jwt = claimed.jwt
        kid = jwt.jws.kid
        keys, serve_until = issuer.at_hand
        if now >= serve_until or keys is not issuer.current_keys:
            return None
        if kid is not None and kid not in keys.kids:
            return None
        try:
            verified = verify_signature(jwt, keys.find(kid, jwt.jws.alg))
        except TokenRejected:
            if kid is not None:
                raise
            return None  # there may be newer keys
        token = accept_access_token(claimed, verified)
        good_until = min(token.expires_at, serve_until)
        self._verified.keep(digest, token, keys=keys, good_until=good_until)
        return token

    def _verify(self, raw_token: str, now: int) -> Flow[AccessToken]:
        """Verify a token with all that it takes, and remember it."""
        if len(raw_token) > MAXIMUM_TOKEN_LENGTH:
            raise _too_long()
        digest = digest_of(raw_token)
        token = self._find_remembered(digest, now)
        if token is not None:
            return token
        read = self._read(raw_token, now)
        if read is None:
            assert self._introspector is not None  # noqa: S101 - else `_read` has raised
            return (yield from self._introspector.introspect(raw_token, digest, now))
        issuer, claimed = read
        source = yield from issuer.find_keys(now)
        verified, keys = yield from source.verify(claimed.jwt, now)
        token = accept_access_token(claimed, verified)
        # In an outage for as long as the keys are used as they are. Should they have been
        # fetched again meanwhile, then it is not found with the new ones, whatever is said.
        _, serve_until = issuer.take_in_hand()
        good_until = min(token.expires_at, serve_until)
        self._verified.keep(digest, token, keys=keys, good_until=good_until)
        return token

    def _read(self, raw_token: str, now: int) -> tuple[_Issuer, ClaimedAccessToken] | None:
        """Return what a JWT claims and the issuer whose it would be; None to ask about it."""
        introspector = self._introspector
        if len(self._issuers) == 1 and introspector is not None and introspector.every_token:
            return None
        try:
            jwt = parse_jwt(raw_token, max_bytes=MAXIMUM_TOKEN_LENGTH)
        except TokenRejected as error:
            if introspector is None or error.code != "malformed_token":
                raise
            return None  # no JWT at all
        claimed_issuer = jwt.claimed.get("iss")
        issuer = self._issuers.get(claimed_issuer) if isinstance(claimed_issuer, str) else None
        if issuer is None:
            raise TokenRejected(
                "the token is of an issuer that is not trusted here",
                code="issuer_mismatch",
                stage="access_token",
                facts={"expected": " ".join(self.config.issuers)},
            )
        if introspector is not None and introspector.asks_instead(issuer.name):
            return None
        config = self.config
        return issuer, read_access_token(
            jwt, issuer=issuer.name, audience=config.audience, now=now, leeway=config.leeway
        )

    def _make_introspector(self) -> Introspector | None:
        config, settings = self.config, self.config.introspection
        if settings is None:
            return None
        issuer = self._issuers[settings.issuer or config.issuers[0]]
        return Introspector(
            settings,
            issuer=issuer.name,
            discovery=issuer.discovery,
            audience=config.audience,
            leeway=config.leeway,
            verified=self._verified,
        )


class _Issuer:
    """One trusted issuer: its metadata and its keys, which serve for no other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.discovery = Discovery(name, missing_s256="ignore", failure_holds=FAILURE_HOLDS)
        self._keys: tuple[str, RemoteKeySet] | None = None
        self.at_hand: tuple[KeySet, int] = (_NO_KEYS, 0)

    @property
    def current_keys(self) -> KeySet | None:
        """The newest keys, another value after each fetch; None before the first."""
        return self._keys[1].current if self._keys is not None else None

    def take_in_hand(self) -> tuple[KeySet, int]:
        """Note the keys of today, and until when nothing must be fetched to use them."""
        if self._keys is not None:
            source = self._keys[1]
            until = min(source.serves_until, self.discovery.serves_until)
            self.at_hand = (source.current or _NO_KEYS, until)
        return self.at_hand

    def find_keys(self, now: int) -> Flow[RemoteKeySet]:
        """Return the key set at the issuer's `jwks_uri` of today."""
        server = yield from self.discovery.find(now)
        uri = server.metadata.jwks_uri
        if not uri:
            raise MetadataRejected(
                "the issuer publishes no jwks_uri",
                code="no_keys",
                stage="access_token",
                hint="its access tokens cannot be verified locally",
                facts={"issuer": self.name},
            )
        if self._keys is None or self._keys[0] != uri:
            self._keys = (uri, RemoteKeySet(uri, failure_holds=FAILURE_HOLDS))
        return self._keys[1]


def _invalid_token(error: TokenRejected) -> OAuthError:
    """Return the refusal of a token; why stays between us and the log."""
    return OAuthError(
        "invalid_token",
        "the access token is malformed, expired, or not for this resource",
        reason=f"{error.code}: {error.message}",
        status=401,
        stage="access_token",
        facts={"code": error.code},
    )


def _too_long() -> TokenRejected:
    return TokenRejected(f"token: longer than {MAXIMUM_TOKEN_LENGTH} bytes", code="too_large")


def _nobody_knows(error: CodegrantError) -> OAuthError:
    """Return the refusal while the issuer has neither keys nor an answer: closed, not open."""
    return OAuthError(
        "temporarily_unavailable",
        "the access token cannot be verified at the moment",
        reason=f"{error.code}: {error.message}",
        status=503,
        stage="access_token",
        facts={"code": error.code},
    )
