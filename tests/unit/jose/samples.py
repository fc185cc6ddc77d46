"""Keys and tokens that the tests of this package share: those of the RFCs, and forged ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from codegrant.jose import PrivateKey
from codegrant.jose.base64url import encode


class TokenVector(TypedDict):
    source: str
    key: str
    token: str
    refusal: str


class Vectors(TypedDict):
    keys: dict[str, dict[str, str]]
    tokens: list[TokenVector]
    thumbprints: dict[str, str]


VECTORS = cast("Vectors", json.loads(Path(__file__).with_name("vectors.json").read_bytes()))

# One published key per algorithm.
PUBLISHED = {
    "ES256": "RFC 7515 A.3",
    "EdDSA": "RFC 8037 A.1",
    "PS256": "RFC 7515 A.2",
    "RS256": "RFC 7515 A.2",
}
ALGS = tuple(PUBLISHED)
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


@cache
def private_key(alg: str) -> PrivateKey:
    return PrivateKey.from_jwk(VECTORS["keys"][PUBLISHED[alg]], alg)


@cache
def other_private_key(alg: str) -> PrivateKey:
    """Another key than `private_key`, of the same kind."""
    return PrivateKey.generate(alg)


def public_jwk(alg: str, /, **changes: object) -> dict[str, object]:
    """The published public key, without alg, use and kid, with `changes`; None removes."""
    jwk = dict(VECTORS["keys"][PUBLISHED[alg]])
    merged = {**{k: v for k, v in jwk.items() if k not in PRIVATE_MEMBERS}, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def forge(
    header: Mapping[str, object] | bytes,
    payload: bytes = b'{"sub":"alice"}',
    sign: Callable[[bytes], bytes] | None = None,
) -> str:
    """A compact JWS with any header at all, signed by the ES256 key unless `sign` is given."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{encode(raw)}.{encode(payload)}"
    signature = (sign or private_key("ES256").sign)(signing_input.encode())
    return f"{signing_input}.{encode(signature)}"
