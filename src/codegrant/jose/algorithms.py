"""The signature algorithms we speak: a closed set of four. Layer: keys and signatures.

No `none`, no HMAC (whose key a client secret or, worse, a public key would be), no
encryption, and no algorithm whose key could serve another one of the set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from codegrant.errors import TokenRejected
from codegrant.jose.base64url import encode

__all__ = ["ALGORITHMS", "Algorithm", "find_algorithm", "find_spelling", "half_hash"]


class Algorithm(NamedTuple):
    """One signature algorithm.

    Attributes:
        name: the value of `alg` that we write.
        kty: the key type that it needs.
        crv: the curve that it needs, or empty.
        hash_name: its hash, as `hashlib` calls it.
    """

    name: str
    kty: str
    crv: str
    hash_name: str


_SET = (
    Algorithm("ES256", "EC", "P-256", "sha256"),
    Algorithm("EdDSA", "OKP", "Ed25519", "sha512"),
    Algorithm("RS256", "RSA", "", "sha256"),
    Algorithm("PS256", "RSA", "", "sha256"),
)

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({each.name: each for each in _SET})

# RFC 9864 §2.2 gives EdDSA over Ed25519 a name of its own; it is the same algorithm.
_SPELLINGS = MappingProxyType({**ALGORITHMS, "Ed25519": ALGORITHMS["EdDSA"]})


# `hashlib.new` takes longer to find a hash than to compute it.
_HASHES: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


def find_algorithm(name: object) -> Algorithm | None:
    """Return the algorithm that `name` spells, or None for every other value.

    Args:
        name: a value of `alg` as it came; `Ed25519` is another spelling of `EdDSA`.
    """
    return _SPELLINGS.get(name) if isinstance(name, str) else None


def find_spelling(alg: str, listed: Collection[str]) -> str | None:
    """Return the name that `listed` has for an algorithm, or None if it has none.

    Args:
        alg: one of `ALGORITHMS`; this name goes before another one.
        listed: values of `alg` as they came.

    RFC 9864 §2.2.
    """
    others = (name for name, algorithm in _SPELLINGS.items() if algorithm.name == alg)
    return next((name for name in (alg, *others) if name in listed), None)


def half_hash(alg: str, value: str) -> str:
    """Return the left half of the hash of `value`, as `at_hash` and `c_hash` carry it.

    Args:
        alg: the algorithm of the ID token that carries it.
        value: the access token or the code.

    Raises:
        TokenRejected: `algorithm_refused`, `alg` is none of ours.

    OpenID Connect Core §3.1.3.6; for EdDSA the hash is SHA-512, as in Ed25519 itself.
    """
    algorithm = find_algorithm(alg)
    if algorithm is None:
        raise TokenRejected("alg: no algorithm that we accept", code="algorithm_refused")
    digest = _HASHES[algorithm.hash_name](value.encode()).digest()
    return encode(digest[: len(digest) // 2])
