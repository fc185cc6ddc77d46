"""Minting access tokens and ID tokens. Layer: server, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import base64url, half_hash, sign_jwt
from codegrant.messages.json import JsonValue
from codegrant.rules.scope import format_scope
from codegrant.secret import digest_of
from codegrant.server.effects import FindResource, SaveAccessToken
from codegrant.server.keys import SIGNING_ALGORITHMS
from codegrant.server.policy import AccessFormat, SigningAlgorithm
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    GrantRecord,
)

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["mint_access_token", "mint_client_token", "mint_id_token"]


def mint_access_token(
    server: AuthorizationServer, grant: GrantRecord, scope: tuple[str, ...], now: int
) -> Flow[str | None]:
    """Return an access token on `grant`: `at+jwt`, or opaque where that is set (D15).

    None when the grant was revoked meanwhile; only an opaque token can tell, a JWT one is
    judged by its grant when it is used here.

    RFC 9068 §2.2.
    """
    record = _Unsigned(
        subject=grant.subject,
        client_id=grant.client_id,
        audience=grant.audience,
        scope=scope,
        grant_id=grant.grant_id,
        cnf=grant.cnf,
        further={
            "auth_time": grant.auth_time,
            "grant_id": grant.grant_id,
            **_authentication_claims(grant),
        },
    )
    return _mint(server, record, now)


def mint_client_token(
    server: AuthorizationServer,
    client: ClientRecord,
    scope: tuple[str, ...],
    audience: str,
    now: int,
) -> Flow[str]:
    """Return an access token that a client has for itself: no person, no grant.

    Its `sub` is the client's id, which no person's `sub` can equal. RFC 9068 §2.2, §5.
    """
    record = _Unsigned(
        subject=client.client_id,
        client_id=client.client_id,
        audience=audience,
        scope=scope,
    )
    token = yield from _mint(server, record, now)
    assert token is not None  # noqa: S101 - there is no grant that could have died
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unsigned:
    """What an access token says, whichever format it gets."""

    subject: str
    client_id: str
    audience: str
    scope: tuple[str, ...]
    grant_id: str = ""
    cnf: str = ""
    further: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


def _mint(server: AuthorizationServer, unsigned: _Unsigned, now: int) -> Flow[str | None]:
    """Return the token as text; None for an opaque one whose grant has died."""
    policy = server.policy
    expires_at = now + policy.access_token_lifetime
    if (yield from _access_format(server, unsigned.audience)) == "opaque":
        token = base64url.encode((yield from ask(RandomBytes(32))))
        record = AccessTokenRecord(
            digest=digest_of(token),
            grant_id=unsigned.grant_id,
            client_id=unsigned.client_id,
            subject=unsigned.subject,
            scope=unsigned.scope,
            audience=unsigned.audience,
            created_at=now,
            expires_at=expires_at,
            cnf=unsigned.cnf,
        )
        return token if (yield from ask(SaveAccessToken(record))) else None
    key = yield from server.keys.signer(policy.access_alg, now)
    jti = base64url.encode((yield from ask(RandomBytes(16))))
    claims: dict[str, JsonValue] = {
        "iss": policy.issuer,
        "sub": unsigned.subject,
        "aud": unsigned.audience,
        "client_id": unsigned.client_id,
        "exp": expires_at,
        "iat": now,
        "jti": jti,
        "scope": format_scope(unsigned.scope),
        **unsigned.further,
    }
    return sign_jwt(key, claims, typ="at+jwt")


def mint_id_token(
    server: AuthorizationServer,
    grant: GrantRecord,
    *,
    client: ClientRecord,
    person_claims: Mapping[str, JsonValue],
    access_token: str,
    now: int,
    nonce: str = "",
) -> Flow[str]:
    """Return the ID token that goes with `access_token`.

    `auth_time` is always in it, and always that of the login the grant comes from. Claims
    of the person only where the `claims` parameter asks for them and the scope opens them;
    the others are at the userinfo endpoint.

    Args:
        person_claims: those that the `claims` parameter of the authorization request asked
            for; none of the others here can be replaced by them.
        nonce: of the authorization request; empty at a refresh.

    OIDC Core §2, §3.1.3.6, §12.2.
    """
    alg = _id_token_alg(client)
    key = yield from server.keys.signer(alg, now)
    claims: dict[str, JsonValue] = {
        **person_claims,
        "iss": server.policy.issuer,
        "sub": grant.subject,
        "aud": client.client_id,
        "exp": now + server.policy.id_token_lifetime,
        "iat": now,
        "auth_time": grant.auth_time,
        "at_hash": half_hash(alg, access_token),
    }
    if nonce:
        claims["nonce"] = nonce
    if grant.sid:
        claims["sid"] = grant.sid
    return sign_jwt(key, claims | _authentication_claims(grant), typ="JWT")


def _authentication_claims(grant: GrantRecord) -> dict[str, JsonValue]:
    """Return `acr` and `amr` as far as they are known. RFC 9068 §2.2.1."""
    claims: dict[str, JsonValue] = {}
    if grant.acr:
        claims["acr"] = grant.acr
    if grant.amr:
        claims["amr"] = list(grant.amr)
    return claims


def _access_format(server: AuthorizationServer, audience: str) -> Flow[AccessFormat]:
    """Return the format for one audience: its resource's own, else the server's."""
    if audience == server.policy.issuer:
        return server.policy.access_format
    resource = yield from ask(FindResource(audience))
    if resource is None or resource.access_format == "":
        return server.policy.access_format
    return resource.access_format


def _id_token_alg(client: ClientRecord) -> SigningAlgorithm:
    """Return the algorithm that the client is registered for, RS256 by default (D14)."""
    registered = client.id_token_signed_response_alg
    for alg in SIGNING_ALGORITHMS:
        if alg == registered:
            return alg
    return "RS256"
