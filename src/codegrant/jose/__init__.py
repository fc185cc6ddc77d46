"""Keys and signatures: compact JWS and JWT, strictly, over `cryptography`.

Four algorithms (ES256, EdDSA, RS256, PS256), one per key. What general libraries have and
this one has not is the list of their advisories: `none`, HMAC, encryption, compression,
the JSON forms, critical extensions, keys and addresses of keys in a header.

Nothing here knows a claim, an issuer or the time: see `codegrant.rules`.
"""

from codegrant.jose.algorithms import (
    ALGORITHMS,
    Algorithm,
    find_algorithm,
    find_spelling,
    half_hash,
)
from codegrant.jose.jws import UnverifiedJws, parse_compact, sign_compact
from codegrant.jose.jwt import UnverifiedJwt, VerifiedJwt, parse_jwt, sign_jwt, verify_signature
from codegrant.jose.keys import PrivateKey, PublicKey, parse_public_keys
from codegrant.jose.keyset import KeySet

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "KeySet",
    "PrivateKey",
    "PublicKey",
    "UnverifiedJws",
    "UnverifiedJwt",
    "VerifiedJwt",
    "find_algorithm",
    "find_spelling",
    "half_hash",
    "parse_compact",
    "parse_jwt",
    "parse_public_keys",
    "sign_compact",
    "sign_jwt",
    "verify_signature",
]
