"""Minting access tokens and ID tokens. Layer: server, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import base64url, half_hash, sign_jwt
from codegrant.messages.json import JsonValue
from codegrant.rules.scope import format_scope
from codegrant.secret import digest_of
from codegrant.server.claims import claims_of, parse_claims
from codegrant.server.effects import CodeRedeemed, FindResource, SaveAccessToken
from codegrant.server.keys import SIGNING_ALGORITHMS
from codegrant.server.policy import AccessFormat, SigningAlgorithm
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    GrantRecord,
    Person,
)

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["mint_access_token", "mint_id_token"]


def mint_access_token(
    server: AuthorizationServer, grant: GrantRecord, scope: tuple[str, ...], now: int
) -> Flow[str | None]:
    """Return an access token on `grant`: `at+jwt`, or opaque where that is set (D15).

    None when the grant was revoked meanwhile; only an opaque token can tell, a JWT one is
    judged by its grant when it is used here.

    RFC 9068 §2.2.
    """
    policy = server.policy
    expires_at = now + policy.access_token_lifetime
    if (yield from _access_format(server, grant.audience)) == "opaque":
        token = base64url.encode((yield from ask(RandomBytes(32))))
        record = AccessTokenRecord(
            digest=digest_of(token),
            grant_id=grant.grant_id,
            client_id=grant.client_id,
            subject=grant.subject,
            scope=scope,
            audience=grant.audience,
            created_at=now,
            expires_at=expires_at,
            cnf=grant.cnf,
        )
        return token if (yield from ask(SaveAccessToken(record))) else None
    key = yield from server.keys.signer(policy.access_alg, now)
    jti = base64url.encode((yield from ask(RandomBytes(16))))
    claims: dict[str, JsonValue] = {
        "iss": policy.issuer,
        "sub": grant.subject,
        "aud": grant.audience,
        "client_id": grant.client_id,
        "exp": expires_at,
        "iat": now,
        "jti": jti,
        "scope": format_scope(scope),
        "auth_time": grant.auth_time,
        "grant_id": grant.grant_id,
    }
    return sign_jwt(key, claims | _authentication_claims(grant), typ="at+jwt")


def mint_id_token(
    server: AuthorizationServer,
    redeemed: CodeRedeemed,
    *,
    client: ClientRecord,
    person: Person,
    access_token: str,
    now: int,
) -> Flow[str]:
    """Return the ID token that goes with `access_token`.

    `auth_time` is always in it. Claims of the person only where the `claims` parameter asks
    for them and the scope opens them; the others are at the userinfo endpoint.

    OIDC Core §2, §3.1.3.6.
    """
    code, grant = redeemed.code, redeemed.grant
    alg = _id_token_alg(client)
    key = yield from server.keys.signer(alg, now)
    claims: dict[str, JsonValue] = {
        "iss": server.policy.issuer,
        "sub": grant.subject,
        "aud": client.client_id,
        "exp": now + server.policy.id_token_lifetime,
        "iat": now,
        "auth_time": grant.auth_time,
        "at_hash": half_hash(alg, access_token),
    }
    if code.nonce:
        claims["nonce"] = code.nonce
    if grant.sid:
        claims["sid"] = grant.sid
    if code.claims:
        wanted = parse_claims(code.claims).id_token
        claims = claims_of(person.claims, grant.scope, wanted) | claims
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
