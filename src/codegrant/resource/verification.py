"""Verifying an access token, without a colour: what both façades drive. Layer: resource, no I/O.

Cheap checks come before any fetch of keys, and each issuer's tokens are verified with that
issuer's keys and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from codegrant.errors import (
    ConfigurationError,
    MetadataRejected,
    OAuthError,
    TokenRejected,
    TransportError,
)
from codegrant.flow import Flow
from codegrant.http import Request
from codegrant.jose import KeySet, parse_jwt
from codegrant.remote.discovery import Discovery
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.resource.memory import VerifiedTokens
from codegrant.rules.access_token import (
    AccessToken,
    check_access,
    check_claimed_access_token,
    verify_access_token,
)
from codegrant.rules.bearer import MAXIMUM_TOKEN_LENGTH, read_bearer_token
from codegrant.secret import digest_of

__all__ = ["ResourceConfig", "ResourceFlows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceConfig:
    """Whose tokens a resource server takes, and for whom.

    Attributes:
        issuers: authorization servers, compared character by character.
        audience: the identifier of this API; a token must name it. RFC 9068 §4.
        leeway: seconds that clocks may differ, 0 to 60.
    """

    issuers: tuple[str, ...]
    audience: str
    leeway: int = 60

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

    def find_verified(
        self, raw_token: str, now: int, scope: Collection[str] = (), *, person: bool = False
    ) -> AccessToken | None:
        """Return the access token that `raw_token` is, if it was verified a moment ago.

        Arguments and exceptions are those of `verify_token`, which does the rest: this
        part needs nothing of the outside world.
        """
        token = self._find_remembered(raw_token, now)
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
                or `temporarily_unavailable` (503) when the issuer's keys are out of reach.
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
        token = self._find_remembered(raw_token, now)
        if token is None:
            try:
                token = yield from self._verify(raw_token, now)
            except TokenRejected as error:
                raise _invalid_token(error) from None
            except (TransportError, MetadataRejected) as error:
                raise _keys_out_of_reach(error) from None
        check_access(token, scope, person=person)
        return token

    def _find_remembered(self, raw_token: str, now: int) -> AccessToken | None:
        """Return a token that was verified with keys that are still the newest."""
        if len(raw_token) > MAXIMUM_TOKEN_LENGTH:
            return None
        digest = digest_of(raw_token)
        found = self._verified.find(digest, now)
        if found is None:
            return None
        token, keys = found
        if keys is not self._issuers[token.issuer].current_keys:
            self._verified.forget(digest)
            return None
        return token

    def _verify(self, raw_token: str, now: int) -> Flow[AccessToken]:
        """Verify a token that is not remembered, and remember it."""
        jwt = parse_jwt(raw_token, max_bytes=MAXIMUM_TOKEN_LENGTH)
        claimed_issuer = jwt.claimed.get("iss")
        issuer = self._issuers.get(claimed_issuer) if isinstance(claimed_issuer, str) else None
        if issuer is None:
            raise TokenRejected(
                "the token is of an issuer that is not trusted here",
                code="issuer_mismatch",
                stage="access_token",
                facts={"expected": " ".join(self.config.issuers)},
            )
        audience, leeway = self.config.audience, self.config.leeway
        check_claimed_access_token(
            jwt, issuer=issuer.name, audience=audience, now=now, leeway=leeway
        )
        source = yield from issuer.find_keys(now)
        verified, keys = yield from source.verify(jwt, now)
        token = verify_access_token(
            verified, issuer=issuer.name, audience=audience, now=now, leeway=leeway
        )
        # Should the keys have been fetched again meanwhile, then it is not found with the
        # new ones, whatever `fresh_until` says of them.
        good_until = min(token.expires_at, source.fresh_until)
        self._verified.keep(digest_of(raw_token), token, keys=keys, good_until=good_until)
        return token


class _Issuer:
    """One trusted issuer: its metadata and its keys, which serve for no other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._discovery = Discovery(name, missing_s256="ignore")
        self._keys: tuple[str, RemoteKeySet] | None = None

    @property
    def current_keys(self) -> KeySet | None:
        """The newest keys, another value after each fetch; None before the first."""
        return self._keys[1].current if self._keys is not None else None

    def find_keys(self, now: int) -> Flow[RemoteKeySet]:
        """Return the key set at the issuer's `jwks_uri` of today."""
        server = yield from self._discovery.find(now)
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
            self._keys = (uri, RemoteKeySet(uri))
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


def _keys_out_of_reach(error: TransportError | MetadataRejected) -> OAuthError:
    """Return the refusal while the issuer's keys cannot be had: closed, not open."""
    return OAuthError(
        "temporarily_unavailable",
        "the access token cannot be verified at the moment",
        reason=f"{error.code}: {error.message}",
        status=503,
        stage="access_token",
        facts={"code": error.code},
    )
