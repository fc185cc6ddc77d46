"""Judging a client secret that is a JWT, as Apple does. Layer: testing."""

from __future__ import annotations

from codegrant.errors import CodegrantError
from codegrant.jose import KeySet, PrivateKey, parse_jwt, verify_signature
from codegrant.messages.json import build_json

__all__ = ["is_signed_secret"]

_HALF_A_YEAR = 15_777_000


def is_signed_secret(
    sent: str, key: PrivateKey, *, team_id: str, client_id: str, audience: str, now: int
) -> bool:
    """Return whether `sent` is a JWT that `key` signed for this client and this audience.

    Args:
        sent: the `client_secret` of a request.
        key: of the team, with the name that it was given.
        team_id: must be `iss`.
        client_id: must be `sub`.
        audience: must be `aud`.
        now: epoch seconds.
    """
    known = KeySet.parse(build_json({"keys": [key.public.to_jwk()]}))
    try:
        jwt = verify_signature(parse_jwt(sent), known.find(key.kid, "ES256"))
    except CodegrantError:
        return False
    issued, expires = jwt.claims.get("iat"), jwt.claims.get("exp")
    if jwt.kid != key.kid or not isinstance(issued, int) or not isinstance(expires, int):
        return False
    said = tuple(jwt.claims.get(name) for name in ("iss", "sub", "aud"))
    in_time = now - 300 <= issued <= now < expires <= now + _HALF_A_YEAR
    return in_time and said == (team_id, client_id, audience)
