"""One token for another: for another API, or to act for somebody. Layer: client, no I/O.

RFC 8693.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegrant.client.configuration import ClientConfig, parse_scope_argument
from codegrant.client.proofs import make_key
from codegrant.client.token_requests import as_tuple, make_tokens, request_tokens
from codegrant.client.tokens import Tokens
from codegrant.errors import ResponseRejected, UsageError
from codegrant.flow import Flow
from codegrant.messages.grants import TokenExchangeRequest
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.metadata import VerifiedServer
from codegrant.secret import Secret

__all__ = ["ExchangedToken", "exchange_token", "make_request"]

# RFC 8693 §3
_PREFIX = "urn:ietf:params:oauth:token-type:"
_NOT_FOR_APIS = frozenset({f"{_PREFIX}refresh_token", f"{_PREFIX}id_token"})
_SHORT_NAMES = frozenset({"access_token", "refresh_token", "id_token", "saml1", "saml2", "jwt"})

_HINTS = {
    "invalid_request": "the server does not take this subject or actor token, or its type",
    "invalid_grant": "the subject or actor token has expired, was revoked, or is of somebody else",
    "invalid_target": "the server makes no token for this resource or audience",
    "unauthorized_client": "is token exchange allowed for this client at the server?",
    "unsupported_grant_type": "the server has no token exchange",
    "invalid_scope": "the new token cannot have more scope than the subject token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangedToken:
    """What a token exchange gave.

    Attributes:
        token: of the type `issued_token_type`.
        issued_token_type: a URI, e.g. `urn:ietf:params:oauth:token-type:access_token`.
        tokens: the same for `Client.api`, when it can be used as an access token; else `None`.
        expires_at: epoch seconds by our clock, or `None` when the server did not say.
    """

    token: Secret
    issued_token_type: str
    tokens: Tokens | None
    expires_at: int | None

    def as_tokens(self) -> Tokens:
        """Return `tokens`.

        Raises:
            UsageError: it is no access token, but something to be given to somebody.
        """
        if self.tokens is None:
            raise UsageError(
                "the token that was issued is no access token, so no API takes it",
                code="no_access_token",
                stage="token",
                facts={"issued_token_type": self.issued_token_type},
            )
        return self.tokens


def make_request(
    subject_token: str | Secret,
    *,
    subject_token_type: str,
    actor_token: str | Secret | None,
    actor_token_type: str | None,
    requested_token_type: str | None,
    scope: str | Sequence[str],
    resource: str | Sequence[str],
    audience: str | Sequence[str],
) -> TokenExchangeRequest:
    """Return the request of a method's arguments.

    Raises:
        UsageError: a token is empty, a type is none, or one of an actor's two is alone.

    RFC 8693 §2.1.
    """
    if (actor_token is None) != (actor_token_type is None):
        raise UsageError(
            "actor_token and actor_token_type: one needs the other", code="actor_incomplete"
        )
    return TokenExchangeRequest(
        _secret("subject_token", subject_token),
        _type("subject_token_type", subject_token_type),
        None if actor_token is None else _secret("actor_token", actor_token),
        _type("actor_token_type", actor_token_type) if actor_token_type is not None else "",
        _type("requested_token_type", requested_token_type) if requested_token_type else "",
        " ".join(parse_scope_argument(scope)),
        as_tuple(resource),
        as_tuple(audience),
    )


def exchange_token(
    config: ClientConfig, server: VerifiedServer, request: TokenExchangeRequest, now: int
) -> Flow[ExchangedToken]:
    """Return what the server gives for a token; see `Client.exchange_token`. RFC 8693 §2.2."""
    metadata = server.metadata
    given = (request.subject_token, request.actor_token)
    scope = request.scope.split()
    key = make_key(metadata) if config.dpop else None
    body = yield from request_tokens(
        config,
        metadata,
        request.build(),
        scope=scope,
        now=now,
        secrets=[secret for secret in given if secret is not None],
        hints=_HINTS,
        token_types=("bearer", "n_a"),
        dpop_key=key,
    )
    issued = body.extra.get("issued_token_type")
    wanted = request.requested_token_type
    if not isinstance(issued, str) or not issued or (wanted and issued != wanted):
        said = f"{clean_error_text(issued[:80])!r}" if isinstance(issued, str) else "missing"
        raise ResponseRejected(
            f"issued_token_type: {said}" + (f", where {wanted!r} was asked for" if wanted else ""),
            code="issued_token_type_mismatch",
            stage="token",
            hint="does the server support token exchange, and this type?",
            facts={"endpoint": metadata.token_endpoint},
        )
    tokens = make_tokens(
        config, metadata, body, scope=scope, now=now, resource=request.resource, dpop_key=key
    )
    return ExchangedToken(
        token=body.access_token,
        issued_token_type=issued,
        tokens=tokens if body.token_type.lower() != "n_a" and issued not in _NOT_FOR_APIS else None,
        expires_at=tokens.expires_at,
    )


def _secret(name: str, value: str | Secret) -> Secret:
    if not value:
        raise UsageError(f"{name}: it is empty", code="empty_token")
    return Secret(value) if isinstance(value, str) else value


def _type(name: str, value: str) -> str:
    """Return the URI of a token type: of RFC 8693 by its last word, any other whole."""
    if value in _SHORT_NAMES:
        return f"{_PREFIX}{value}"
    if ":" not in value:
        raise UsageError(
            f"{name}: {value!r} is neither a URI nor one of {', '.join(sorted(_SHORT_NAMES))}",
            code="bad_token_type",
        )
    return value
