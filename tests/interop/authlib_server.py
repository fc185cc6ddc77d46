"""A server of Authlib's parts in Flask, about as small as its documentation allows."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode, UserInfo, UserInfoEndpoint
from joserfc.jwk import ECKey, Key, KeySet

from tests.interop.foreign_server import (
    API_ID,
    API_SECRET,
    AUDIENCE,
    AWKWARD_SECRET,
    EMAIL,
    METHODS,
    NAME,
    Served,
    Visitor,
)
from tests.support.application import REDIRECT_URI

_PAGE = (
    '<form method="post"><button id="allow" name="decision" value="allow">Allow</button>'
    '<button id="deny" name="decision" value="deny">Deny</button></form>'
)


@dataclass
class _Client(ClientMixin):  # type: ignore[misc]
    client_id: str
    secret: str
    method: str
    id_token_signed_response_alg: str = "ES256"
    client_metadata: Mapping[str, str] = field(default_factory=dict)

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return REDIRECT_URI

    def get_allowed_scope(self, scope: Any) -> Any:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT_URI

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]
    client_id: str
    asked: Mapping[str, str]
    scope: str
    auth_time: int = field(default_factory=lambda: int(time.time()))

    @property
    def code_challenge(self) -> str | None:
        return self.asked.get("code_challenge")

    @property
    def code_challenge_method(self) -> str | None:
        return self.asked.get("code_challenge_method")

    def get_redirect_uri(self) -> Any:
        return self.asked.get("redirect_uri")

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.asked.get("nonce")

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> Any:
        return None

    def get_amr(self) -> Any:
        return None


@dataclass
class _Token(TokenMixin):  # type: ignore[misc]
    client: _Client
    scope: str
    access_token: str
    refresh_token: str
    expires_at: int
    revoked: bool = False
    spent: bool = False

    def check_client(self, client: _Client) -> bool:
        return self.client is client

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_at - int(time.time())

    def is_expired(self) -> bool:
        return self.get_expires_in() <= 0

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return "alice"

    def get_client(self) -> _Client:
        return self.client


class AuthlibServer:
    """See `ForeignServer`. Codes and tokens live in this process, refresh tokens rotate."""

    secret = AWKWARD_SECRET
    resource = ""
    audience = AUDIENCE
    spent = "invalid_grant"
    tells_kinds = True

    def __init__(self) -> None:
        # At DEBUG it tells its log the tokens.
        logging.getLogger("authlib").setLevel(logging.INFO)
        self.clients = {name: _Client(name, self.secret, name) for name in METHODS}
        self.clients[API_ID] = _Client(API_ID, API_SECRET, "client_secret_basic")
        self.codes: dict[str, _Code] = {}
        self.tokens: list[_Token] = []
        self.keys: list[Key] = [ECKey.generate_key("P-256", auto_kid=True)]
        app = flask.Flask("authlib-server")
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        server = AuthorizationServer(app, self.clients.get, self._save_token)
        self._register(server)
        self._route(app, server)
        self._served = Served(app)
        self.issuer = self._served.issuer

    def visitor(self, *, denies: bool = False) -> Visitor:
        return Visitor(self.issuer, "deny" if denies else "allow")

    def rotate_keys(self) -> None:
        self.keys.insert(0, ECKey.generate_key("P-256", auto_kid=True))

    def close(self) -> None:
        self._served.close()

    def find(self, token: str) -> _Token | None:
        """Return what a token belongs to, whichever of the two it is."""
        return self.find_access(token) or self.find_refresh(token)

    def find_access(self, token: str) -> _Token | None:
        return next((t for t in self.tokens if t.access_token == token), None)

    def find_refresh(self, token: str) -> _Token | None:
        return next((t for t in self.tokens if t.refresh_token == token), None)

    def _save_token(self, token: Mapping[str, Any], request: Any) -> None:
        expires_at = int(time.time()) + token["expires_in"]
        pair = (token["access_token"], token["refresh_token"])
        self.tokens.append(_Token(request.client, token["scope"], *pair, expires_at))

    def _register(self, server: Any) -> None:
        bound = {"house": self}
        server.register_grant(
            type("Codes", (_CodeGrant,), bound),
            [CodeChallenge(required=True), type("IdTokens", (_IdTokens,), bound)()],
        )
        server.register_grant(
            type("Refreshes", (_RefreshGrant,), bound), [type("IdTokens", (_IdTokens,), bound)()]
        )
        server.register_endpoint(type("Revocation", (_Revocation,), bound))
        server.register_endpoint(type("Introspection", (_Introspection,), bound))
        server.register_extension(type("Issuer", (_Issuer,), bound)())
        protect = ResourceProtector()
        protect.register_token_validator(type("Bearer", (_Bearer,), bound)())
        server.register_endpoint(_UserInfo(resource_protector=protect))

    def _route(self, app: flask.Flask, server: Any) -> None:
        @app.route("/authorize", methods=["GET", "POST"])
        def authorize() -> Any:
            user = "alice" if flask.request.form.get("decision") == "allow" else None
            try:
                grant = server.get_consent_grant(end_user=user)
            except OAuth2Error as error:
                return server.handle_error_response(None, error)
            if flask.request.method == "GET":
                return _PAGE
            return server.create_authorization_response(grant_user=user, grant=grant)

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @app.route("/<any(revocation, introspection, userinfo):name>", methods=["GET", "POST"])
        def endpoint(name: str) -> Any:
            return server.create_endpoint_response(name)

        @app.get("/jwks")
        def jwks() -> Any:
            return KeySet(self.keys).as_dict(private=False)

        @app.get("/.well-known/openid-configuration")
        def metadata() -> Any:
            methods = list(METHODS)
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "revocation_endpoint": f"{self.issuer}/revocation",
                "introspection_endpoint": f"{self.issuer}/introspection",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": methods,
                "revocation_endpoint_auth_methods_supported": methods,
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
            }


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    house: AuthlibServer
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = dict(request.payload.data)
        self.house.codes[code] = _Code(request.client.client_id, asked, request.payload.scope)

    def query_authorization_code(self, code: str, client: Any) -> _Code | None:
        found = self.house.codes.get(code)
        return found if found is not None and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        codes = self.house.codes
        self.house.codes = {k: v for k, v in codes.items() if v is not authorization_code}

    def authenticate_user(self, authorization_code: _Code) -> str:
        return "alice"


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    house: AuthlibServer
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        token = self.house.find_refresh(refresh_token)
        usable = token is not None and not token.revoked and not token.spent
        return token if usable else None

    def authenticate_user(self, refresh_token: _Token) -> str:
        return "alice"

    def revoke_old_credential(self, refresh_token: Any) -> None:
        refresh_token.spent = True


class _IdTokens(OpenIDCode):  # type: ignore[misc]
    house: AuthlibServer

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: _Client) -> Any:
        return self.house.keys[0]

    def get_encode_header(self, client: _Client) -> dict[str, str]:
        return {"alg": "ES256", "kid": str(self.house.keys[0].kid)}

    def get_client_claims(self, client: _Client) -> dict[str, Any]:
        return {"iss": self.house.issuer, "aud": [client.client_id]}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        # Typeshed's stubs of Authlib do not know it yet.
        claims: dict[str, Any] = super().get_compatible_claims(request)  # pyright: ignore[reportAttributeAccessIssue]
        if not request.authorization_code:
            # It would be that of the refresh, against OpenID Connect Core §12.2.
            del claims["auth_time"]
        return claims

    def generate_user_info(self, user: str, scope: str) -> UserInfo:
        return UserInfo(sub=user)


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    house: AuthlibServer
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string: str, token_type_hint: str) -> _Token | None:
        return self.house.find(token_string)

    def revoke_token(self, token: _Token, request: Any) -> None:
        token.revoked = True


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    house: AuthlibServer
    CLIENT_AUTH_METHODS = METHODS[:2]

    def check_permission(self, token: _Token, client: _Client, request: Any) -> bool:
        return client.client_id == API_ID

    def query_token(self, token_string: str, token_type_hint: str) -> _Token | None:
        return self.house.find_access(token_string)

    def introspect_token(self, token: _Token) -> dict[str, Any]:
        return {
            "active": True,
            "client_id": token.client.client_id,
            "token_type": "Bearer",
            "scope": token.scope,
            "sub": "alice",
            "aud": AUDIENCE,
            "iss": self.house.issuer,
            "exp": token.expires_at,
        }


class _Issuer(IssuerParameter):  # type: ignore[misc]
    house: AuthlibServer

    def get_issuer(self) -> str:
        return self.house.issuer


class _Bearer(BearerTokenValidator):  # type: ignore[misc]
    house: AuthlibServer

    def authenticate_token(self, token_string: str) -> _Token | None:
        return self.house.find_access(token_string)


class _UserInfo(UserInfoEndpoint):  # type: ignore[misc]
    def generate_user_info(self, user: str, scope: str) -> UserInfo:
        return UserInfo(sub=user, name=NAME, email=EMAIL, email_verified=True).filter(scope)
