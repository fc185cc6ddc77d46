"""How an authorization request travels: in the query, signed, or pushed. Layer: client, no I/O.

RFC 9101; RFC 9126.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, cast

from codegrant.client.configuration import ClientConfig
from codegrant.client.proofs import post
from codegrant.errors import ConfigurationError, Refused, UsageError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import PrivateKey, base64url
from codegrant.messages.json import JsonValue
from codegrant.messages.metadata import ServerMetadata
from codegrant.secret import Secret

__all__ = ["REQUEST_OBJECT_LIFETIME", "FrontChannel", "prepare_request"]

REQUEST_OBJECT_LIFETIME = 300
"""Seconds that a browser has to bring a signed request to the server."""

Pairs: TypeAlias = Sequence[tuple[str, str]]

_TYP = "oauth-authz-req+jwt"
_STAGE = "pushed_authorization"
# What the browser brings, and the server should not tell us again in an error.
_PRIVATE = frozenset({"nonce", "request", "state"})
# Names that mean something in every JWT. RFC 7519 §4.1
_OF_EVERY_JWT = frozenset({"aud", "exp", "iat", "iss", "jti", "nbf", "sub"})
_HINTS = {
    "invalid_request_object": "does the server know the public half of private_key for this "
    "client, and which algorithm is registered there for request objects?",
    "invalid_request": "the server does not take the request as it stands: is redirect_uri "
    "registered exactly so?",
}


class FrontChannel(NamedTuple):
    """What of a request goes through the browser.

    Attributes:
        pairs: the parameters, not yet encoded.
        expires_at: epoch seconds until which the server takes them; None when it did not say.
    """

    pairs: Pairs
    expires_at: int | None = None


def prepare_request(
    config: ClientConfig,
    metadata: ServerMetadata,
    pairs: Pairs,
    dpop_key: PrivateKey | None,
    now: int,
) -> Flow[FrontChannel]:
    """Return what the browser is to bring of a request, pushed and signed as need be.

    Args:
        config: of the client.
        metadata: of the server.
        pairs: the whole request.
        dpop_key: that its tokens will be bound to; a pushed request proves it. RFC 9449 §10.1
        now: epoch seconds.

    Raises:
        UsageError: the server requires what this client may not or cannot do, or has not what
            the client insists on; nothing was sent.
        Refused: the server does not take the pushed request.
        ResponseRejected: its answer must not be used.
        TransportError: the answer did not come.

    RFC 9101 §5; RFC 9126 §4.
    """
    expires_at = None
    pushes = _pushes(config, metadata)
    if config.signed_requests or metadata.require_signed_request_object:
        signed = yield from _sign(config, metadata, pairs, now)
        expires_at = now + REQUEST_OBJECT_LIFETIME
        # OpenID Connect Core §6.1 wants these two in the query as well.
        openid = [] if pushes else _openid_pairs(pairs)
        pairs = [("client_id", config.client_id), *openid, ("request", signed.reveal())]
    if not pushes:
        return FrontChannel(pairs, expires_at)
    return (yield from _push(config, metadata, pairs, dpop_key, now))


def _pushes(config: ClientConfig, metadata: ServerMetadata) -> bool:
    """Return whether a request is pushed: where the server can, unless told otherwise."""
    required = metadata.require_pushed_authorization_requests
    wanted = config.pushed_requests
    if wanted is False:
        if required:
            raise UsageError(
                "pushed_requests: the server takes no other ones",
                code="pushed_requests_required",
                stage=_STAGE,
                hint="leave pushed_requests out",
            )
        return False
    offered = bool(metadata.pushed_authorization_request_endpoint)
    if not offered and (wanted or required):
        raise UsageError(
            "pushed_authorization_request_endpoint: the server has none",
            code="no_pushed_requests",
            stage=_STAGE,
            hint="a server that has one without saying so needs ServerMetadata by hand",
        )
    return offered


def _push(
    config: ClientConfig,
    metadata: ServerMetadata,
    pairs: Pairs,
    dpop_key: PrivateKey | None,
    now: int,
) -> Flow[FrontChannel]:
    """Leave a request with the server, and return what stands for it. RFC 9126 §2.1, §4."""
    from codegrant.rules.pushed import judge_pushed_authorization

    url = metadata.pushed_authorization_request_endpoint
    client = config.authentication_at(metadata)
    # Every method but Basic writes the client's name into the form by itself.
    named = client.method != "client_secret_basic"
    form = [pair for pair in pairs if not (named and pair[0] == "client_id")]
    response = yield from post(
        config.nonces, dpop_key, url, form, client=client, stage=_STAGE, now=now
    )
    private = [Secret(value) for name, value in form if name in _PRIVATE and value]
    try:
        answer = judge_pushed_authorization(
            response,
            endpoint=url,
            method=client.method,
            supported=client.supported,
            secrets=client.secrets(*private),
        )
    except Refused as error:
        error.hint = _HINTS.get(error.error, error.hint)
        raise
    front = [("client_id", config.client_id), ("request_uri", answer.request_uri)]
    return FrontChannel(front, now + answer.expires_in)


def _sign(config: ClientConfig, metadata: ServerMetadata, pairs: Pairs, now: int) -> Flow[Secret]:
    """Return a request as a signed request object. RFC 9101 §4."""
    if config.client_key is None:
        raise ConfigurationError(
            "private_key: the server takes signed requests only",
            code="signed_requests_required",
            hint="give the key whose public half is registered there for request objects",
        )
    if not metadata.issuer:
        raise UsageError(
            "signed_requests: the server has no issuer that a request could be made for",
            code="no_audience",
            hint="say it: ServerMetadata(issuer=...)",
        )
    taken = _OF_EVERY_JWT & {name for name, _ in pairs}
    if taken:
        raise UsageError(
            f"extra: {', '.join(sorted(taken))} cannot be set in a signed request",
            code="own_parameter",
        )
    jti = base64url.encode((yield from ask(RandomBytes(32))))
    # No `sub`: the object must not pass for a client's assertion. RFC 9101 §10.8
    claims: dict[str, JsonValue] = {
        "iss": config.client_id,
        "aud": metadata.issuer,
        "jti": jti,
        "iat": now,
        "nbf": now,
        "exp": now + REQUEST_OBJECT_LIFETIME,
        **_claims(pairs),
    }
    return config.client_key.sign(
        claims,
        typ=_TYP,
        algs=metadata.request_object_signing_alg_values_supported,
        listed_as="request_object_signing_alg_values_supported",
    )


def _claims(pairs: Pairs) -> dict[str, JsonValue]:
    """Return parameters as members: numbers and objects as such. RFC 9101 §4; RFC 8707 §2."""
    claims: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name == "max_age":
            claims[name] = int(value)
        elif name == "claims":
            claims[name] = cast("JsonValue", json.loads(value))
        else:
            claims.setdefault(name, value)
    resources = [value for name, value in pairs if name == "resource"]
    if len(resources) > 1:
        claims["resource"] = list(resources)
    return claims


def _openid_pairs(pairs: Pairs) -> list[tuple[str, str]]:
    """Return what OpenID Connect wants to see in the query, for a request of its own."""
    values = dict(pairs)
    if "openid" not in values.get("scope", "").split():
        return []
    return [("response_type", "code"), ("scope", "openid")]
