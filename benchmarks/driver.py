"""The driver: proves that a server does the protocol right, and then measures how fast.

It knows a server by its metadata, a client of it, and the cookies of a browser in which a
person is logged in and has agreed; so it drives any OpenID provider. A server that fails
`prove` is never measured.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import parse_qs, quote_plus, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.connection import Answer, Connection, build

__all__ = [
    "OFFLINE",
    "WORKS",
    "Json",
    "Pkce",
    "Server",
    "Target",
    "Work",
    "WrongServerError",
    "base64url",
    "decode_base64url",
    "der_of",
    "measure",
    "prove",
]

Json: TypeAlias = dict[str, Any]
Work: TypeAlias = Literal["code flow", "refresh", "userinfo", "introspection"]
WORKS: tuple[Work, ...] = get_args(Work)
SCOPE = "openid profile email"
OFFLINE = f"{SCOPE} offline_access"


class WrongServerError(Exception):
    """The server does not do what the protocol says, so nothing it does is worth measuring."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server, a client of it, and the browser of a person who is logged in there.

    Attributes:
        name: as the table shows it.
        cookie: the value of the `Cookie` header.
        works: what it can be measured at.
        offline_scope: what to ask for where a refresh token is wanted.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    cookie: str
    works: tuple[Work, ...] = WORKS
    offline_scope: str = OFFLINE


@dataclass(frozen=True, kw_only=True)
class Pkce:
    """A verifier and its challenge. RFC 7636 §4.2."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        """The S256 challenge."""
        return base64url(hashlib.sha256(self.verifier.encode()).digest())


class Server:
    """What is asked of a target, request by request."""

    def __init__(self, target: Target, metadata: Mapping[str, str]) -> None:
        self.target = target
        self.metadata = metadata
        name = f"{quote_plus(target.client_id)}:{quote_plus(target.client_secret)}"
        self._basic = ("authorization", f"Basic {b64encode(name.encode()).decode()}")

    @classmethod
    async def find(cls, target: Target) -> Server:
        """Read the server's metadata."""
        connection = await Connection.open(target.issuer)
        try:
            url = f"{target.issuer}/.well-known/openid-configuration"
            metadata = _json(await connection.ask(build("GET", url)))
        finally:
            connection.close()
        return cls(target, metadata)

    def authorize(self, pkce: Pkce, *, scope: str, nonce: str, state: str) -> bytes:
        """Return an authorization request as a logged-in browser sends it."""
        query = {
            "response_type": "code",
            "client_id": self.target.client_id,
            "redirect_uri": self.target.redirect_uri,
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        }
        url = f"{self.metadata['authorization_endpoint']}?{urlencode(query)}"
        return build("GET", url, ("cookie", self.target.cookie), ("accept", "text/html"))

    def redeem(self, code: str, verifier: str) -> bytes:
        """Return a token request with a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.target.redirect_uri,
            "code_verifier": verifier,
        }
        return self._post("token_endpoint", form)

    def refresh(self, refresh_token: str) -> bytes:
        """Return a token request with a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._post("token_endpoint", form)

    def introspect(self, token: str) -> bytes:
        """Return an introspection request."""
        return self._post("introspection_endpoint", {"token": token})

    def userinfo(self, access_token: str) -> bytes:
        """Return a userinfo request."""
        bearer = ("authorization", f"Bearer {access_token}")
        return build("GET", self.metadata["userinfo_endpoint"], bearer)

    def _post(self, endpoint: str, form: Mapping[str, str]) -> bytes:
        body = urlencode(form).encode()
        return build("POST", self.metadata[endpoint], self._basic, body=body)


async def prove(target: Target) -> None:
    """Check one flow from the first request to the last, refusals included.

    Raises:
        WrongServerError: what the server did wrong.
    """
    server = await Server.find(target)
    connection = await Connection.open(target.issuer)
    try:
        await _prove_code(server, connection)
        tokens = await _prove_tokens(server, connection)
        if "refresh" in target.works:
            await _prove_refresh(server, connection, tokens)
    finally:
        connection.close()


async def _prove_code(server: Server, connection: Connection) -> None:
    """Check that a code needs its verifier, and that it works once."""
    pkce = Pkce()
    code = await _authorize(server, connection, pkce, scope=SCOPE, nonce="n")
    answer = await connection.ask(server.redeem(code, Pkce().verifier))
    _expect(answer.status == 400, "a code is given out for a wrong verifier")
    code = await _authorize(server, connection, pkce, scope=SCOPE, nonce="n")
    answer = await connection.ask(server.redeem(code, pkce.verifier))
    _expect(answer.status == 200, f"the code is refused: {answer.body!r}")
    answer = await connection.ask(server.redeem(code, pkce.verifier))
    _expect(answer.status == 400, "a code works twice")


async def _prove_tokens(server: Server, connection: Connection) -> Json:
    """Check what comes for a code, and what it is good for; return it."""
    pkce, nonce = Pkce(), secrets.token_urlsafe(16)
    scope = server.target.offline_scope if "refresh" in server.target.works else SCOPE
    code = await _authorize(server, connection, pkce, scope=scope, nonce=nonce)
    tokens = _json(await connection.ask(server.redeem(code, pkce.verifier)))
    keys = _json(await connection.ask(build("GET", server.metadata["jwks_uri"])))["keys"]
    claims = _read_id_token(server, tokens["id_token"], keys)
    _expect(claims["nonce"] == nonce, "the ID token is another's")

    access_token = tokens["access_token"]
    info = _json(await connection.ask(server.userinfo(access_token)))
    _expect(info["sub"] == claims["sub"], "userinfo is about somebody else")
    answer = await connection.ask(server.userinfo(_spoilt(access_token)))
    _expect(answer.status == 401, "userinfo takes a token that nobody issued")
    if "introspection" in server.target.works:
        answer = await connection.ask(server.introspect(access_token))
        _expect(_json(answer)["active"] is True, "introspection does not know a live token")
        answer = await connection.ask(server.introspect(_spoilt(access_token)))
        _expect(_json(answer)["active"] is False, "introspection knows a token that nobody issued")
    return tokens


def _read_id_token(server: Server, token: str, keys: list[Json]) -> Json:
    """Return the claims of an ID token that is this client's and holds."""
    claims = _verify_id_token(token, keys)
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    expected = (server.target.issuer, server.target.client_id)
    _expect((claims["iss"], audience) == expected, "the ID token is another's")
    _expect(claims["exp"] > time.time() - 60, "the ID token has expired")
    return claims


async def _prove_refresh(server: Server, connection: Connection, tokens: Json) -> None:
    """Check that a refresh token is rotated, and that a token whose successor was used is dead.

    An ID token need not come with it; one that comes is about the same person. OIDC Core §12.2.
    """
    first = str(tokens.get("refresh_token", ""))
    _expect(bool(first), "no refresh token is given out")
    refreshed = _json(await connection.ask(server.refresh(first)))
    second = refreshed["refresh_token"]
    if "id_token" in refreshed:
        keys = _json(await connection.ask(build("GET", server.metadata["jwks_uri"])))["keys"]
        before, after = (_read_id_token(server, t["id_token"], keys) for t in (tokens, refreshed))
        _expect(before["sub"] == after["sub"], "a refreshed ID token is about somebody else")
    _expect(second != first, "a refresh token is not rotated")
    answer = await connection.ask(server.refresh(second))
    _expect(answer.status == 200, f"the second refresh token is refused: {answer.body!r}")
    answer = await connection.ask(server.refresh(first))
    _expect(answer.status == 400, "an old refresh token still works")


async def measure(target: Target, work: Work, *, requests: int, concurrency: int = 16) -> float:
    """Return how often per second the server does `work`.

    Args:
        target: one that `prove` let pass.
        work: what is measured; what it needs is made before the clock starts.
        requests: how often in all; a tenth of it comes before, to warm up.
        concurrency: connections, each with one request on its way.

    Raises:
        WrongServerError: an answer was not what it should be.
    """
    server = await Server.find(target)
    connections = [await Connection.open(target.issuer) for _ in range(concurrency)]
    try:
        starts = [_STARTS[work](server, connection) for connection in connections]
        steps = [await start for start in starts]
        await _drive(steps, max(concurrency, requests // 10))
        begin = time.perf_counter()
        await _drive(steps, requests)
        return requests / (time.perf_counter() - begin)
    finally:
        for connection in connections:
            connection.close()


Step: TypeAlias = Callable[[], Awaitable[None]]


async def _drive(steps: list[Step], times: int) -> None:
    """Take `times` steps, one of each worker at a time."""
    left = times

    async def work(step: Step) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await step()

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(work(step))


async def _code_flow(server: Server, connection: Connection) -> Step:
    """Get a code with a session and exchange it, with one request prepared as a browser's is."""
    pkce = Pkce()
    authorize = server.authorize(pkce, scope=SCOPE, nonce="n-0S6_WzA2Mj", state="af0ifjsldkj")
    # All codes of a server are of one length, which the length of the form depends on.
    placeholder = "x" * len(_code_in(await connection.ask(authorize), server))
    redeem = server.redeem(placeholder, pkce.verifier)
    before, after = redeem.split(placeholder.encode())

    async def step() -> None:
        code = _code_in(await connection.ask(authorize), server)
        answer = await connection.ask(before + code + after)
        if answer.status != 200 or b'"id_token"' not in answer.body:
            raise WrongServerError(f"code flow: {answer.status} {answer.body!r}")

    return step


async def _refresh(server: Server, connection: Connection) -> Step:
    """Refresh one grant over and over, each time with the token that came last."""
    tokens = await _tokens(server, connection, server.target.offline_scope)
    refresh_token: str = tokens["refresh_token"]

    async def step() -> None:
        nonlocal refresh_token
        answer = await connection.ask(server.refresh(refresh_token))
        if answer.status != 200:
            raise WrongServerError(f"refresh: {answer.status} {answer.body!r}")
        refresh_token = json.loads(answer.body)["refresh_token"]

    return step


async def _userinfo(server: Server, connection: Connection) -> Step:
    """Ask with one access token over and over."""
    tokens = await _tokens(server, connection, SCOPE)
    return _repeat(connection, server.userinfo(tokens["access_token"]), b'"sub"')


async def _introspection(server: Server, connection: Connection) -> Step:
    """Ask about one access token over and over."""
    tokens = await _tokens(server, connection, SCOPE)
    return _repeat(connection, server.introspect(tokens["access_token"]), b'"active":true')


_STARTS: Mapping[Work, Callable[[Server, Connection], Awaitable[Step]]] = {
    "code flow": _code_flow,
    "refresh": _refresh,
    "userinfo": _userinfo,
    "introspection": _introspection,
}


def _repeat(connection: Connection, request: bytes, wanted: bytes) -> Step:
    """Return a step that sends the same request each time."""

    async def step() -> None:
        answer = await connection.ask(request)
        if answer.status != 200 or wanted not in answer.body.replace(b": ", b":"):
            raise WrongServerError(f"{answer.status} {answer.body!r}")

    return step


async def _tokens(server: Server, connection: Connection, scope: str) -> Json:
    pkce = Pkce()
    code = await _authorize(server, connection, pkce, scope=scope, nonce="n")
    return _json(await connection.ask(server.redeem(code, pkce.verifier)))


async def _authorize(
    server: Server, connection: Connection, pkce: Pkce, *, scope: str, nonce: str
) -> str:
    """Return a code that was given to the client and nobody else."""
    state = secrets.token_urlsafe(16)
    request = server.authorize(pkce, scope=scope, nonce=nonce, state=state)
    answer = await connection.ask(request)
    place, _, query = answer.location.partition("?")
    _expect(answer.status in {302, 303}, f"no redirect but {answer.status}: {answer.body!r}")
    _expect(place == server.target.redirect_uri, f"the redirect leads to {answer.location}")
    given = parse_qs(query)
    _expect(given.get("state") == [state], "state does not come back")
    _expect(given.get("iss", [server.target.issuer]) == [server.target.issuer], "iss is another's")
    (code,) = given.get("code", [""])
    _expect(len(code) >= 22, f"no code, or one that can be guessed: {query}")
    return code


def _code_in(answer: Answer, server: Server) -> bytes:
    """Return the code as it stands in the redirect, in which nothing has to be escaped."""
    found = answer.head.partition(b"code=")[2].partition(b"&")[0].partition(b"\r")[0]
    if answer.status not in {302, 303} or not found:
        raise WrongServerError(f"{server.target.name}: {answer.status} {answer.body!r}")
    return found


def _verify_id_token(token: str, keys: list[Json]) -> Json:
    """Return the claims of an ES256 ID token that one of the keys signed. RFC 7515 §5.2."""
    data, _, signature = token.rpartition(".")
    head, _, payload = data.partition(".")
    header = json.loads(decode_base64url(head))
    _expect(header["alg"] == "ES256", f"the ID token is signed with {header['alg']}")
    key = next(
        (
            key
            for key in keys
            if key["kty"] == "EC" and key.get("kid") == header.get("kid", key.get("kid"))
        ),
        None,
    )
    if key is None:
        raise WrongServerError("the key of the ID token is not published")
    x, y = (int.from_bytes(decode_base64url(key[name]), "big") for name in ("x", "y"))
    der = der_of(decode_base64url(signature))
    try:
        public_key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
        public_key.verify(der, data.encode(), ECDSA(SHA256()))
    except InvalidSignature:
        raise WrongServerError("the signature of the ID token does not hold") from None
    claims: Json = json.loads(decode_base64url(payload))
    return claims


def _spoilt(token: str) -> str:
    """Return a token that differs in a character that counts."""
    middle = len(token) // 2
    return f"{token[:middle]}{'A' if token[middle] != 'A' else 'B'}{token[middle + 1 :]}"


def _json(answer: Answer) -> Json:
    _expect(answer.status == 200, f"{answer.status}: {answer.body!r}")
    members: Json = json.loads(answer.body)
    return members


def _expect(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion
    if not condition:
        raise WrongServerError(otherwise)


def der_of(signature: bytes) -> bytes:
    """Return an ES256 signature as cryptography wants it. RFC 7518 §3.4."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return encode_dss_signature(r, s)


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
