# pyright: reportIncompatibleMethodOverride=false
# ruff: noqa: ARG002, D102 - Authlib calls these methods, with what it likes to give them
"""Authlib with Flask, gunicorn (one worker, four threads) and SQLite, as its manual has it.

    .venv/bin/python -m benchmarks.peers.authlib_server FOLDER

Access tokens are opaque, as Authlib's are by default; ID tokens are ES256 with a key that is
made once. The database is at `synchronous=FULL`, like ours. The first line on stdout is JSON
and says where it is and how to use it.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import sqlite3
import sys
import time
from importlib import import_module
from pathlib import Path
from threading import local
from typing import Any, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request, session
from joserfc.jwk import ECKey

BaseApplication: Any = import_module("gunicorn.app.base").BaseApplication  # has no types

CLIENT_ID, CLIENT_SECRET = "bench", "s" * 43
REDIRECT_URI = "https://app.example/callback"
SCOPES = {"openid", "profile", "email", "offline_access"}
PERSON = {"sub": "person-1", "name": "Alice L", "email": "alice@example.test"}

SCHEMA = """
CREATE TABLE codes (
    code TEXT PRIMARY KEY, scope TEXT, nonce TEXT, redirect_uri TEXT, code_challenge TEXT,
    code_challenge_method TEXT, auth_time INTEGER, user_id TEXT
);
CREATE TABLE tokens (
    access_token TEXT PRIMARY KEY, refresh_token TEXT UNIQUE, scope TEXT, user_id TEXT,
    issued_at INTEGER, expires_in INTEGER, revoked INTEGER DEFAULT 0
);
"""


class Client(ClientMixin):  # type: ignore[misc]
    """The one client."""

    id_token_signed_response_alg = "ES256"

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return REDIRECT_URI

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(token for token in scope.split() if token in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT_URI

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret, CLIENT_SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


class Row(dict[str, Any]):
    """A row as Authlib's models have it: members and getters."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("get_"):
            return lambda: self.get(name.removeprefix("get_"))
        return self.get(name)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None

    def check_client(self, client: Client) -> bool:
        return client.get_client_id() == CLIENT_ID

    def is_expired(self) -> bool:
        return bool(self["issued_at"] + self["expires_in"] <= time.time())

    def is_revoked(self) -> bool:
        return bool(self["revoked"])


class Database(local):
    """A connection per thread, each statement in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")

    def one(self, sql: str, *parameters: object) -> Row | None:
        """Return the first row."""
        rows = self.connection.execute(sql, parameters).fetchall()
        return Row(rows[0]) if rows else None


def build(issuer: str, folder: Path) -> Flask:
    """Return the application."""
    app = Flask(__name__)
    app.secret_key = secrets.token_hex(32)
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    database = Database(folder / "authlib.db")
    database.connection.executescript(SCHEMA)
    key = ECKey.generate_key("P-256", parameters={"kid": "key-1", "use": "sig", "alg": "ES256"})
    client = Client()

    def save_token(token: dict[str, Any], asked: Any) -> None:  # noqa: ANN401
        database.one(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, 0)",
            *(token["access_token"], token.get("refresh_token"), token["scope"]),
            *(asked.user["sub"], int(time.time()), token["expires_in"]),
        )

    server = AuthorizationServer(
        app, lambda client_id: client if client_id == CLIENT_ID else None, save_token
    )

    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012 - as its base has it

        def save_authorization_code(self, code: str, asked: Any) -> None:  # noqa: ANN401
            data = asked.payload.data
            database.one(
                "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(code, asked.payload.scope, data.get("nonce"), asked.payload.redirect_uri),
                *(data.get("code_challenge"), data.get("code_challenge_method")),
                *(session["auth_time"], asked.user["sub"]),
            )

        def query_authorization_code(self, code: str, client: Client) -> Row | None:
            return database.one("SELECT * FROM codes WHERE code = ?", code)

        def delete_authorization_code(self, authorization_code: Row) -> None:
            code = authorization_code["code"]
            if database.one("DELETE FROM codes WHERE code = ? RETURNING code", code) is None:
                raise RuntimeError("the code was redeemed meanwhile")

        def authenticate_user(self, authorization_code: Row) -> dict[str, str]:
            return PERSON

    class OpenID(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, asked: object) -> bool:
            return False

        def resolve_client_private_key(self, client: Client) -> ECKey:
            return key

        def get_client_claims(self, client: Client) -> dict[str, object]:
            now = int(time.time())
            return {"iss": issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300}

        def get_encode_header(self, client: Client) -> dict[str, str]:
            return {"alg": "ES256", "kid": "key-1"}

        def generate_user_info(self, user: dict[str, str], scope: str) -> UserInfo:
            return UserInfo(sub=user["sub"])

    class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Row | None:
            sql = "SELECT * FROM tokens WHERE refresh_token = ? AND revoked = 0"
            return database.one(sql, refresh_token)

        def authenticate_user(self, refresh_token: Row) -> dict[str, str]:
            return PERSON

        def revoke_old_credential(self, refresh_token: Row) -> None:
            sql = "UPDATE tokens SET revoked = 1 WHERE access_token = ?"
            database.one(sql, refresh_token["access_token"])

    class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
        CLIENT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012

        def query_token(self, token: str, hint: str) -> Row | None:
            return database.one("SELECT * FROM tokens WHERE access_token = ?", token)

        def check_permission(self, token: Row, client: Client, asked: object) -> bool:
            return True

        def introspect_token(self, token: Row) -> dict[str, object]:
            return {
                "active": True,
                "client_id": CLIENT_ID,
                "token_type": "Bearer",
                "scope": token["scope"],
                "sub": token["user_id"],
                "iss": issuer,
                "exp": token["issued_at"] + token["expires_in"],
                "iat": token["issued_at"],
            }

    server.register_grant(CodeGrant, [OpenID(), CodeChallenge(required=True)])
    server.register_grant(RefreshGrant)
    server.register_endpoint(Introspection)

    @app.get("/login")
    def login() -> str:
        session["sub"], session["auth_time"] = PERSON["sub"], int(time.time())
        return "logged in"

    @app.get("/authorize")
    def authorize() -> Response:
        if session.get("sub") != PERSON["sub"]:
            return Response("login", 401)
        grant = server.get_consent_grant(end_user=PERSON)
        return cast(
            "Response", server.create_authorization_response(grant_user=PERSON, grant=grant)
        )

    @app.post("/token")
    def token() -> Response:
        return cast("Response", server.create_token_response())

    @app.post("/introspect")
    def introspect() -> Response:
        return cast("Response", server.create_endpoint_response("introspection"))

    @app.get("/userinfo")
    def userinfo() -> tuple[Response, int]:
        raw_token = request.headers.get("authorization", "").removeprefix("Bearer ")
        sql = "SELECT * FROM tokens WHERE access_token = ?"
        found = database.one(sql, raw_token)
        if found is None or found.is_revoked() or found.is_expired():
            return jsonify(error="invalid_token"), 401
        return jsonify(PERSON), 200

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(keys=[key.as_dict(private=False)])

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/authorize",
            token_endpoint=f"{issuer}/token",
            userinfo_endpoint=f"{issuer}/userinfo",
            introspection_endpoint=f"{issuer}/introspect",
            jwks_uri=f"{issuer}/jwks",
        )

    return app


class Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn around one application and one socket that listens already."""

    def __init__(self, app: Flask, listener: socket.socket) -> None:
        self._app, self._listener = app, listener
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, object] = {
            "bind": [f"fd://{self._listener.fileno()}"],
            "workers": 1,
            "worker_class": "gthread",
            "threads": 4,
            "loglevel": "warning",
            "keepalive": 60,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def main() -> None:
    """Serve until SIGTERM."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP, on loopback
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = build(issuer, Path(sys.argv[1]))
        with app.test_client() as browser:
            (cookie,) = browser.get("/login").headers.getlist("set-cookie")
        ready = {
            "issuer": issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "cookie": cookie.partition(";")[0],
        }
        print(json.dumps(ready), flush=True)
        Gunicorn(app, listener).run()


if __name__ == "__main__":
    main()
