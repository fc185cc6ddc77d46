"""The floor: the smallest honest server of the same protocol, to measure ourselves against.

    .venv/bin/python -m benchmarks.floor FOLDER

The same ASGI server, the same database at `synchronous=FULL` with grouped commits, and the
same cryptography as `codegrant serve`; no framework, no layers, one client and one person in
memory, one table for each thing that must be remembered. It is honest in what counts: nothing
is answered before it is durable, a code and a refresh token work once, a code that comes
again ends its grant, a session can be ended. It is no product: it has no pages, no limits,
no second algorithm and hardly an error that says why.

The first line on stdout is JSON and says where it is and how to use it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
import sqlite3
import sys
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlencode

import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

T = TypeVar("T")
Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Any]
Send: TypeAlias = Callable[[dict[str, Any]], Any]
Write: TypeAlias = tuple[Callable[[sqlite3.Connection], Any], Any]
Fields: TypeAlias = dict[bytes, bytes]
Reply: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]

CLIENT_ID, CLIENT_SECRET = "bench", "s" * 43
REDIRECT_URI = "https://app.example/callback"
SCOPES = {"openid", "profile", "email", "offline_access"}
PERSON = {"sub": "person-1", "name": "Alice L", "email": "alice@example.test"}
CODE_SECONDS, TOKEN_SECONDS = 60, 300

SCHEMA = """
CREATE TABLE sessions (digest BLOB PRIMARY KEY, sub TEXT, auth_time INTEGER) WITHOUT ROWID;
CREATE TABLE grants (
    id TEXT PRIMARY KEY, client_id TEXT, sub TEXT, scope TEXT, auth_time INTEGER, nonce TEXT,
    redirect_uri TEXT, challenge TEXT, code_digest BLOB UNIQUE, code_until INTEGER,
    code_used INTEGER DEFAULT 0, refresh_digest BLOB UNIQUE, revoked INTEGER DEFAULT 0
);
"""


class Refused(Exception):
    """An OAuth error and its status."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.status = error, status


class Database:
    """One connection that reads in the loop, and one thread that writes in grouped commits."""

    def __init__(self, path: Path) -> None:
        self.reader = self._connect(path)
        self.reader.execute("PRAGMA journal_mode = WAL")
        self.reader.executescript(SCHEMA)
        self._writer = self._connect(path)
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns, once it is durable."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread = Thread(target=self._run, daemon=True)
            self._thread.start()
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, done))
        return await done

    def _run(self) -> None:
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        while (first := self._queue.get()) is not None:
            batch = [first]
            with suppress(Empty):
                while (more := self._queue.get_nowait()) is not None:
                    batch.append(more)
            self._writer.execute("BEGIN IMMEDIATE")
            results = [(done, work(self._writer)) for work, done in batch]
            self._writer.execute("COMMIT")
            loop.call_soon_threadsafe(_tell, results)

    def close(self) -> None:
        """End the thread, once nobody waits any more, and close the connections."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        self.reader.close()
        self._writer.close()


def _tell(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in results:
        if not done.done():
            done.set_result(result)


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def fields_of(raw: bytes) -> dict[str, str]:
    """Return a query or a form, in which nothing may be repeated."""
    pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("invalid_request")
    return fields


def cookie_of(headers: Mapping[bytes, bytes], name: str) -> str:
    for part in headers.get(b"cookie", b"").decode().split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def as_json(members: Mapping[str, object], status: int = 200) -> Reply:
    body = json.dumps(members, separators=(",", ":")).encode()
    return status, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")], body


class Floor:
    """The application; its methods are its endpoints."""

    def __init__(self, issuer: str, folder: Path) -> None:
        self.issuer = issuer
        self.database = Database(folder / "floor.db")
        self.key = generate_private_key(SECP256R1())
        self.public_key = self.key.public_key()
        self.heads = {typ: self._head(typ) for typ in ("JWT", "at+jwt")}
        self.secret_digest = digest_of(CLIENT_SECRET)
        self.cookie = secrets.token_urlsafe(32)
        row = (digest_of(self.cookie), PERSON["sub"], int(time.time()))
        self.database.reader.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)
        self.routes: dict[str, Callable[[Scope, dict[bytes, bytes], bytes], Any]] = {
            "/authorize": self.authorize,
            "/token": self.token,
            "/userinfo": self.userinfo,
            "/introspect": self.introspect,
            "/jwks": self.jwks,
            "/.well-known/openid-configuration": self.metadata,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        endpoint = self.routes.get(scope["path"])
        if endpoint is None:
            status, headers, answer = as_json({"error": "not_found"}, 404)
        else:
            try:
                status, headers, answer = await endpoint(scope, dict(scope["headers"]), body)
            except Refused as error:
                status, headers, answer = as_json({"error": error.error}, error.status)
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def authorize(self, scope: Scope, headers: Fields, _body: bytes, /) -> Reply:
        """Give a code to the client, for the person whose browser it is."""
        asked = fields_of(scope["query_string"])
        if asked.get("client_id") != CLIENT_ID or asked.get("redirect_uri") != REDIRECT_URI:
            raise Refused("invalid_request")
        challenge, wanted = asked.get("code_challenge", ""), asked.get("scope", "")
        if (
            asked.get("response_type") != "code"
            or asked.get("code_challenge_method") != "S256"
            or len(challenge) != 43
            or not SCOPES.issuperset(wanted.split(" "))
        ):
            raise Refused("invalid_request")
        sql = "SELECT sub, auth_time FROM sessions WHERE digest = ?"
        digest = digest_of(cookie_of(headers, "session"))
        session = self.database.reader.execute(sql, (digest,)).fetchone()
        if session is None:
            raise Refused("login_required", 401)
        code, grant_id = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        values = (
            *(grant_id, CLIENT_ID, session[0], wanted, session[1], asked.get("nonce")),
            *(REDIRECT_URI, challenge, digest_of(code), int(time.time()) + CODE_SECONDS),
        )

        def save(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO grants (id, client_id, sub, scope, auth_time, nonce, redirect_uri,"
                " challenge, code_digest, code_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

        await self.database.write(save)
        answer = urlencode({"code": code, "state": asked.get("state", ""), "iss": self.issuer})
        location = f"{REDIRECT_URI}?{answer}".encode()
        return 303, [(b"location", location), (b"cache-control", b"no-store")], b""

    async def token(self, _scope: Scope, headers: Fields, body: bytes, /) -> Reply:
        """Exchange a code or a refresh token."""
        form = fields_of(body)
        self.check_client(headers)
        match form.get("grant_type"):
            case "authorization_code":
                refresh = secrets.token_urlsafe(32)
                grant = await self.redeem(form, digest_of(refresh))
                grant_id, sub, scope, auth_time, nonce = grant
                access_token = self.access_token(grant_id, sub, scope)
                claims = self.claims(sub, auth_time, nonce, access_token)
                answer = self.tokens(access_token, scope) | {"id_token": self.sign("JWT", claims)}
                if "offline_access" in scope.split(" "):
                    answer["refresh_token"] = refresh
                return as_json(answer)
            case "refresh_token":
                refresh = secrets.token_urlsafe(32)
                grant_id, sub, scope, auth_time = await self.rotate(form, digest_of(refresh))
                access_token = self.access_token(grant_id, sub, scope)
                answer = self.tokens(access_token, scope) | {"refresh_token": refresh}
                if "openid" in scope.split(" "):
                    claims = self.claims(sub, auth_time, None, access_token)
                    answer["id_token"] = self.sign("JWT", claims)
                return as_json(answer)
            case _:
                raise Refused("unsupported_grant_type")

    async def redeem(self, form: dict[str, str], refresh_digest: bytes) -> tuple[Any, ...]:
        """Consume the code and return its grant; a code that comes again ends it."""
        digest = digest_of(form.get("code", ""))
        challenge = self.challenge_of(form.get("code_verifier", ""))

        def work(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            found = connection.execute(
                "SELECT client_id, redirect_uri, challenge, code_until, code_used, revoked"
                " FROM grants WHERE code_digest = ?",
                (digest,),
            ).fetchone()
            if found is None:
                return None
            client_id, redirect_uri, stored_challenge, until, used, revoked = found
            if (
                (client_id, redirect_uri) != (CLIENT_ID, form.get("redirect_uri"))
                or not hmac.compare_digest(stored_challenge, challenge)
                or until <= time.time()
                or revoked
            ):
                return None
            if used:
                sql = "UPDATE grants SET revoked = 1 WHERE code_digest = ?"
                connection.execute(sql, (digest,))
                return None
            sql = (
                "UPDATE grants SET code_used = 1, refresh_digest = ? WHERE code_digest = ?"
                " RETURNING id, sub, scope, auth_time, nonce"
            )
            (row,) = connection.execute(sql, (refresh_digest, digest)).fetchall()
            return cast("tuple[Any, ...]", row)

        grant = await self.database.write(work)
        if grant is None:
            raise Refused("invalid_grant")
        return grant

    async def rotate(self, form: dict[str, str], successor: bytes) -> tuple[Any, ...]:
        """Put another refresh token into the place of this one and return its grant."""
        digest = digest_of(form.get("refresh_token", ""))

        def work(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(
                "UPDATE grants SET refresh_digest = ?"
                " WHERE refresh_digest = ? AND client_id = ? AND revoked = 0"
                " AND ' ' || scope || ' ' LIKE '% offline_access %' RETURNING id, sub, scope,"
                " auth_time",
                (successor, digest, CLIENT_ID),
            ).fetchall()

        rows = await self.database.write(work)
        if not rows:
            raise Refused("invalid_grant")
        return rows[0]

    async def userinfo(self, _scope: Scope, headers: Fields, _body: bytes, /) -> Reply:
        """Say who the person is."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        claims = self.verify(token.decode()) if scheme.lower() == b"bearer" else None
        if claims is None or "openid" not in claims["scope"].split(" "):
            raise Refused("invalid_token", 401)
        return as_json(PERSON)

    async def introspect(self, _scope: Scope, headers: Fields, body: bytes, /) -> Reply:
        """Say what a token is good for."""
        self.check_client(headers)
        claims = self.verify(fields_of(body).get("token", ""))
        return as_json({"active": False} if claims is None else {"active": True, **claims})

    async def jwks(self, *_: object) -> Reply:
        """Return the one key."""
        numbers = self.public_key.public_numbers()
        x, y = (base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        key = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "kid": "floor"}
        return as_json({"keys": [key]})

    async def metadata(self, *_: object) -> Reply:
        """Return where the endpoints are."""
        return as_json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "introspection_endpoint": f"{self.issuer}/introspect",
                "jwks_uri": f"{self.issuer}/jwks",
            }
        )

    @staticmethod
    def challenge_of(verifier: str) -> str:
        """Return what a verifier opens. RFC 7636 §4.2."""
        return base64url(digest_of(verifier))

    def check_client(self, headers: dict[bytes, bytes]) -> None:
        """Check name and secret of the client. RFC 6749 §2.3.1."""
        scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
        client_id, _, secret = b64decode(rest).decode().partition(":")
        given = digest_of(unquote(secret))
        if (
            scheme.lower() != b"basic"
            or unquote(client_id) != CLIENT_ID
            or not hmac.compare_digest(given, self.secret_digest)
        ):
            raise Refused("invalid_client", 401)

    def tokens(self, access_token: str, scope: str) -> dict[str, object]:
        """Return the token response, but for what only some have."""
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": scope,
        }

    def access_token(self, grant_id: str, sub: str, scope: str) -> str:
        """Return an `at+jwt`. RFC 9068 §2.2."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": sub,
            "aud": self.issuer,
            "client_id": CLIENT_ID,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "scope": scope,
            "grant_id": grant_id,
        }
        return self.sign("at+jwt", claims)

    def claims(
        self, sub: str, auth_time: int, nonce: str | None, access_token: str
    ) -> dict[str, object]:
        """Return what the ID token says."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "sub": sub,
            "aud": CLIENT_ID,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "auth_time": auth_time,
            "at_hash": base64url(digest_of(access_token)[:16]),
        }
        return claims if nonce is None else claims | {"nonce": nonce}

    def _head(self, typ: str) -> str:
        return base64url(json.dumps({"alg": "ES256", "typ": typ, "kid": "floor"}).encode())

    def sign(self, typ: str, claims: dict[str, object]) -> str:
        """Return a compact JWS. RFC 7515 §3.1."""
        payload = base64url(json.dumps(claims, separators=(",", ":")).encode())
        data = f"{self.heads[typ]}.{payload}"
        r, s = decode_dss_signature(self.key.sign(data.encode(), ECDSA(SHA256())))
        return f"{data}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def verify(self, token: str) -> dict[str, Any] | None:
        """Return what an access token says while it holds and its grant is alive."""
        data, _, signature = token.rpartition(".")
        head, _, payload = data.partition(".")
        if head != self.heads["at+jwt"] or len(signature) != 86:
            return None
        raw = from_base64url(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        try:
            self.public_key.verify(encode_dss_signature(r, s), data.encode(), ECDSA(SHA256()))
        except InvalidSignature:
            return None
        claims: dict[str, Any] = json.loads(from_base64url(payload))
        if claims["iss"] != self.issuer or claims["exp"] <= time.time():
            return None
        sql = "SELECT revoked FROM grants WHERE id = ?"
        row = self.database.reader.execute(sql, (claims["grant_id"],)).fetchone()
        return claims if row == (0,) else None


def serve(floor: Floor) -> uvicorn.Server:
    """Return uvicorn's server as `codegrant serve` sets it up, but for our own protocol class."""
    return uvicorn.Server(
        uvicorn.Config(
            floor,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
    )


def main() -> None:
    """Serve until SIGTERM."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        floor = Floor(issuer, Path(sys.argv[1]))
        ready = {
            "issuer": issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "cookie": f"session={floor.cookie}",
        }
        print(json.dumps(ready), flush=True)
        serve(floor).run(sockets=[listener])


if __name__ == "__main__":
    main()
