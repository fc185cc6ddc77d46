"""What the first and the repeated verification of an access token take, next to raw `cryptography`.

    taskset -c 0 .venv/bin/python benchmarks/verification.py

Raw is `public_key.verify` alone: key, signature, signing input and algorithm are as it wants
them. The first verification is `ResourceServer.verify` of a token that it has not seen, with
the keys at hand: all of RFC 9068 §4, and remembering it. The peers decode the same tokens,
with the key at hand, and check issuer, audience and times.

Everything runs in turns, in small portions, so that a slow moment of the machine falls on all
alike; what counts is the quickest portion of each. A figure below its budget makes the exit
status 1.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread
from time import perf_counter, time
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from codegrant.jose import KeySet, PrivateKey, sign_jwt
from codegrant.resource import ResourceServer

AUDIENCE = "https://api.example"
PORTION = 50
TURNS = 400
BUDGETS = {("ES256", "first"): 0.9}
REPEATED_A_SECOND = 300_000


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        alg: of the tokens.
        name: who verified what.
        seconds: of one verification.
        ratio: raw through this; None where it means nothing.
        exceeded: its budget is.
    """

    alg: str
    name: str
    seconds: float
    ratio: float | None
    exceeded: bool = False


@contextmanager
def _issuer(keys: KeySet) -> Iterator[str]:
    """Publish metadata and `keys` on loopback."""

    class Handle(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            metadata = {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
            }
            body = keys.to_json() if self.path == "/jwks" else json.dumps(metadata).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handle)
    server.daemon_threads = True
    issuer = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()


def _tokens(key: PrivateKey, issuer: str, count: int) -> list[str]:
    """Return access tokens as our server writes them, each its own."""
    now = int(time())
    return [
        sign_jwt(
            key,
            {
                "iss": issuer,
                "sub": "x" * 43,
                "aud": AUDIENCE,
                "client_id": "app",
                "exp": now + 3000,
                "iat": now,
                "jti": f"{number:022d}",
                "scope": "profile read",
                "auth_time": now,
                "grant_id": "z" * 22,
            },
            typ="at+jwt",
        )
        for number in range(count)
    ]


def _raw(key: PrivateKey, tokens: Sequence[str]) -> Callable[[str], object]:
    """Return the bare verification, with everything converted beforehand."""
    public: Any = load_pem_private_key(key.to_pem(), None).public_key()
    prepared: dict[str, tuple[bytes, bytes]] = {}
    for token in tokens:
        signing_input, _, segment = token.rpartition(".")
        signature = base64.urlsafe_b64decode(segment + "==")
        if key.alg == "ES256":
            r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
            signature = encode_dss_signature(r, s)
        prepared[token] = signature, signing_input.encode()
    ecdsa, padding, hashed = ECDSA(SHA256()), PKCS1v15(), SHA256()
    if key.alg == "ES256":
        return lambda token: public.verify(*prepared[token], ecdsa)
    return lambda token: public.verify(*prepared[token], padding, hashed)


def _joserfc(key: PrivateKey, issuer: str) -> Callable[[str], object]:
    from joserfc import jwt
    from joserfc.jwk import import_key

    public = import_key({**key.public.to_jwk()})
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    return lambda token: claims.validate(jwt.decode(token, public, algorithms=[key.alg]).claims)


def _pyjwt(key: PrivateKey, issuer: str) -> Callable[[str], object]:
    import jwt

    public = jwt.PyJWK(key.public.to_jwk())
    return lambda token: jwt.decode(
        token, public, algorithms=[key.alg], audience=AUDIENCE, issuer=issuer
    )


_PEERS = {"joserfc": _joserfc, "jwt": _pyjwt}


def _time(verify: Callable[[str], object], tokens: Sequence[str]) -> float:
    """Return the seconds of one verification, the mean of a portion."""
    begin = perf_counter()
    for token in tokens:
        verify(token)
    return (perf_counter() - begin) / len(tokens)


def measure() -> list[Row]:
    """Return the table: ES256, then RS256."""
    return [row for alg in ("ES256", "RS256") for row in _measure(alg)]


def _measure(alg: str) -> Iterator[Row]:
    key = PrivateKey.generate(alg)
    with _issuer(KeySet([key.public])) as issuer:
        tokens = _tokens(key, issuer, PORTION * TURNS)
        server = ResourceServer(issuer, AUDIENCE)
        works = {"raw": _raw(key, tokens), "first": server.verify}
        for module, peer in _PEERS.items():
            if find_spec(module) is not None:
                works["PyJWT" if module == "jwt" else module] = peer(key, issuer)
        server.verify(_tokens(key, issuer, 1)[0])  # which fetches the keys
        taken: dict[str, list[float]] = {name: [] for name in (*works, "repeated")}
        for turn in range(TURNS):
            portion = tokens[turn * PORTION : (turn + 1) * PORTION]
            for name, verify in works.items():
                taken[name].append(_time(verify, portion))
            taken["repeated"].append(_time(server.verify, portion * 20))
        server.close()
    raw = min(taken["raw"])
    for name, portions in taken.items():
        quickest = min(portions)
        if name == "repeated":
            yield Row(alg, name, quickest, None, quickest > 1 / REPEATED_A_SECOND)
        else:
            ratio = raw / quickest
            yield Row(alg, name, quickest, ratio, ratio < BUDGETS.get((alg, name), 0))


def main() -> int:
    """Print the table; return 1 when a budget is exceeded."""
    rows = measure()
    print(f"{'':22}{'µs':>8}{'a second':>12}{'of raw':>9}")
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        print(
            f"{row.alg:8}{row.name:14}{row.seconds * 1e6:8.2f}{1 / row.seconds:12,.0f}{ratio:>9}"
            f"{'  exceeded' if row.exceeded else ''}"
        )
    return int(any(row.exceeded for row in rows))


if __name__ == "__main__":
    sys.exit(main())
