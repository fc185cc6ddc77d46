"""A real OpenID provider on loopback whose every answer a test can bend.

It plays by the rules by itself: it checks client, redirect URI and PKCE, and signs with
keys that it publishes. What a test changes is the lie that the test is about.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CLIENT_ID = "app"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT_SECRET = "a:b%+ ü-" + "s" * 32
SigningKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Answer(NamedTuple):
    """What goes back on the wire."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()


class Received(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


def as_json(value: object, status: int = 200) -> Answer:
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Answer(status, json.dumps(value).encode(), headers)


def html(status: int = 200) -> Answer:
    return Answer(status, b"<!doctype html><title>Sign in</title>", [("content-type", "text/html")])


HUGE = Answer(200, b'{"a":"' + b"x" * (10 << 20) + b'"}', [("content-type", "application/json")])
BROKEN = Answer(200, b'{"access_token": "x', [("content-type", "application/json")])


def redirect(to: str, status: int = 307) -> Answer:
    return Answer(status, b"", [("location", to)])


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def half_hash(text: str) -> str:
    return b64(sha256(text.encode()).digest()[:16])


def sign_raw(key: SigningKey | None, signing_input: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
    return b""


def encode_jwt(
    header: Mapping[str, object], claims: Mapping[str, object], key: SigningKey | None
) -> str:
    parts = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{parts}.{b64(sign_raw(key, parts.encode()))}"


def public_jwk(key: SigningKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    if isinstance(numbers, ec.EllipticCurvePublicNumbers):
        x, y = b64(numbers.x.to_bytes(32)), b64(numbers.y.to_bytes(32))
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": x,
            "y": y,
            "kid": kid,
            "use": "sig",
            "alg": "ES256",
        }
    n = b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8))
    return {"kty": "RSA", "n": n, "e": "AQAB", "kid": kid, "use": "sig", "alg": "RS256"}


Handler: TypeAlias = Callable[[Received], Answer]


class _Server(ThreadingHTTPServer):
    request_queue_size = 512  # some tests come with hundreds of calls at once
    daemon_threads = True
    block_on_close = False


class Listener:
    """An HTTP server on loopback that notes what it receives and answers by path."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.routes: dict[str, Handler] = {}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.released = threading.Event()
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def paths(self) -> list[str]:
        return [request.path for request in self.received]

    def count(self, path: str) -> int:
        return self.paths().count(path)

    def answer(self, request: Received) -> Answer:
        handler = self.routes.get(request.path)
        return Answer(404, b"") if handler is None else handler(request)

    def hang(self, _: Received) -> Answer:
        """A handler that keeps its caller waiting until the listener closes."""
        self.released.wait()
        return Answer(503, b"")

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handle(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def _answer(self) -> None:
                body = self._body()
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(self.command, self.path, headers, body)
                listener.received.append(request)
                answer = listener.answer(request)
                with suppress(OSError):  # the other side has had enough
                    self.send_response(answer.status)
                    for name, value in answer.headers:
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                parts: list[bytes] = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handle


@dataclass
class Grant:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    auth_time: int = field(default_factory=lambda: int(time.time()))


@dataclass(frozen=True)
class Lie:
    """Changes to a mapping: `None` takes a member out."""

    members: dict[str, object] = field(default_factory=dict)

    def __call__(self, truth: Mapping[str, object]) -> dict[str, object]:
        return {k: v for k, v in {**truth, **self.members}.items() if v is not None}


class MockProvider(Listener):
    """Bend its `metadata`, `header`, `claims`, `token`, `userinfo`, `callback` and `routes`.

    Refresh tokens are rotated, and one that comes twice is refused; `refreshed` bends the
    answers to refreshes and `refreshed_claims` their ID tokens. With a `client_jwk` the client
    must sign an assertion for `assertion_audience`; `assertions` are those that held.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, path: str = "") -> None:
        super().__init__(tls)
        self.issuer = f"{self.origin}{path}"
        self.base = path
        self.subject = "person-1"
        self.clock: Callable[[], float] = time.time
        self.keys: dict[str, SigningKey] = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.signing_kid = "k1"
        self.metadata, self.header, self.claims = Lie(), Lie(), Lie()
        self.token, self.userinfo, self.callback = Lie(), Lie(), Lie()
        self.refreshed, self.refreshed_claims = Lie(), Lie()
        self.client_jwk: Mapping[str, str] | None = None
        self.assertion_audience = self.issuer
        self.assertions: list[tuple[dict[str, object], dict[str, object]]] = []
        self.make_id_token: Callable[[dict[str, object]], str] = self.sign
        self.grants: dict[str, Grant] = {}
        self.access_tokens: dict[str, str] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.minted: list[str] = []
        self.routes.update(
            {
                f"{path}/.well-known/openid-configuration": lambda _: as_json(self.document()),
                f"{path}/token": self.token_endpoint,
                f"{path}/revoke": self.revocation_endpoint,
                f"{path}/jwks": lambda _: as_json(self.key_set()),
                f"{path}/userinfo": self.userinfo_endpoint,
            }
        )

    def document(self) -> dict[str, object]:
        return self.metadata(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "revocation_endpoint": f"{self.issuer}/revoke",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256", "RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    def key_set(self) -> dict[str, object]:
        return {"keys": [public_jwk(key, kid) for kid, key in self.keys.items()]}

    def authorize(self, url: str) -> str:
        """Play browser and person: return the callback URL that the login ends with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = self._mint()
        self.grants[code] = Grant(
            query["client_id"],
            query["redirect_uri"],
            query.get("scope", ""),
            query.get("nonce"),
            query["code_challenge"],
        )
        answer = self.callback({"code": code, "state": query["state"], "iss": self.issuer})
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token_endpoint(self, request: Received) -> Answer:
        form = request.form
        client_id, secret = self._credentials(request)
        if client_id != CLIENT_ID or secret not in {CLIENT_SECRET, ""}:
            return as_json({"error": "invalid_client"}, 401)
        if form.get("grant_type") == "refresh_token":
            return self.refresh(form)
        grant = self.grants.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.redirect_uri
            or b64(sha256(verifier.encode()).digest()) != grant.code_challenge
        ):
            return as_json({"error": "invalid_grant", "error_description": "no such code"}, 400)
        return as_json(self.token(self.issue(grant, self.claims)))

    def refresh(self, form: Mapping[str, str]) -> Answer:
        grant = self.refresh_tokens.pop(form.get("refresh_token", ""), None)
        if grant is None:
            return as_json({"error": "invalid_grant", "error_description": "no such token"}, 400)
        return as_json(
            self.refreshed(self.issue(replace(grant, nonce=None), self.refreshed_claims))
        )

    def issue(self, grant: Grant, claims: Lie) -> dict[str, object]:
        access_token, refresh_token = self._mint(), self._mint()
        self.access_tokens[access_token] = self.subject
        self.refresh_tokens[refresh_token] = grant
        answer: dict[str, object] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": grant.scope,
            "refresh_token": refresh_token,
        }
        if "openid" in grant.scope.split():
            told = claims(self.id_token_claims(grant, access_token))
            answer["id_token"] = self.make_id_token(told)
            self.minted.append(str(answer["id_token"]))
        return answer

    def revocation_endpoint(self, request: Received) -> Answer:
        client_id, secret = self._credentials(request)
        if client_id != CLIENT_ID or secret not in {CLIENT_SECRET, ""}:
            return as_json({"error": "invalid_client"}, 401)
        self.refresh_tokens.pop(request.form.get("token", ""), None)
        self.access_tokens.pop(request.form.get("token", ""), None)
        return Answer(200, b"")

    def sent(self, grant_type: str) -> list[dict[str, str]]:
        """Return the forms of the token requests with this grant type, as they came."""
        requests = [r for r in list(self.received) if r.path == f"{self.base}/token"]
        return [r.form for r in requests if r.form.get("grant_type") == grant_type]

    def id_token_claims(self, grant: Grant, access_token: str) -> dict[str, object]:
        now = int(self.clock())
        return Lie()(
            {
                "iss": self.issuer,
                "sub": self.subject,
                "aud": grant.client_id,
                "exp": now + 300,
                "iat": now,
                "auth_time": grant.auth_time,
                "nonce": grant.nonce,
                "at_hash": half_hash(access_token),
                "email": "person@example.test",
            }
        )

    def logout_token(self, typ: str | None = "logout+jwt", **changes: object) -> str:
        """Sign a logout token about the person; an ellipsis takes a claim out."""
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT_ID,
            "exp": now + 120,
            "iat": now,
            "jti": self._mint(),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not ...}
        header = {"alg": "ES256", "kid": self.signing_kid, **({"typ": typ} if typ else {})}
        return encode_jwt(self.header(header), kept, self.keys[self.signing_kid])

    def sign(self, claims: dict[str, object]) -> str:
        key = self.keys[self.signing_kid]
        alg = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        header = self.header({"alg": alg, "kid": self.signing_kid, "typ": "JWT"})
        return encode_jwt(header, claims, key)

    def userinfo_endpoint(self, request: Received) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        subject = self.access_tokens.get(token)
        if scheme != "Bearer" or subject is None:
            return as_json({"error": "invalid_token"}, 401)
        return as_json(self.userinfo({"sub": subject, "email": "person@example.test"}))

    def _credentials(self, request: Received) -> tuple[str, str]:
        if self.client_jwk is not None:
            return self._signed_by(request.form, self.client_jwk), ""
        header = request.headers.get("authorization", "")
        if header.startswith("Basic "):
            name, _, secret = b64decode(header[6:]).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        return request.form.get("client_id", ""), request.form.get("client_secret", "")

    def _signed_by(self, form: Mapping[str, str], jwk: Mapping[str, str]) -> str:
        """Return the client that a good assertion is of, or nothing. RFC 7523 §3."""
        raw = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return ""
        try:
            claims = jwt.decode(
                raw,
                jwt.PyJWK(dict(jwk)),
                algorithms=[jwk["alg"]],
                audience=self.assertion_audience,
                options={
                    "require": ["iss", "sub", "jti", "exp", "iat"],
                    "strict_aud": True,
                    "verify_exp": False,  # by the clock of the test, below
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return ""
        is_new = claims["jti"] not in {seen["jti"] for _, seen in self.assertions}
        if not is_new or not claims["iat"] - 1 <= self.clock() < claims["exp"]:
            return ""
        self.assertions.append((jwt.get_unverified_header(raw), claims))
        return str(claims["sub"]) if claims["sub"] == claims["iss"] else ""

    def _mint(self) -> str:
        self.minted.append(token_urlsafe(32))
        return self.minted[-1]


@contextmanager
def running(listener: Listener) -> Iterator[Listener]:
    try:
        yield listener
    finally:
        listener.close()
