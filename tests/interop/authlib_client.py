"""Authlib's three sessions, by the library that they send with, and its login for Flask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import flask
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.interop.foreign_client import ForeignRefusal, Tokens
from tests.support.colours import Colour
from tests.support.relying_party import RelyingParty

SCOPE = "openid profile email"
SESSIONS = {"requests": OAuth2Session, "httpx2": OAuth2Client, "httpx2 async": AsyncOAuth2Client}


def fetch(url: str) -> dict[str, Any]:
    with requests.get(url, timeout=10) as answer:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
    return found


class AuthlibParty:
    """A registered client with one of Authlib's sessions, which discovers the server itself."""

    def __init__(self, library: str, party: RelyingParty, **changes: Any) -> None:
        self.party = party
        self.colour = Colour("async" if library == "httpx2 async" else "sync")
        self.metadata = fetch(f"{party.issuer}/.well-known/openid-configuration")
        # Authlib has no types.
        self.session: Any = SESSIONS[library](
            **{
                "client_id": party.client_id,
                "client_secret": party.secret or None,
                "token_endpoint_auth_method": party.method,
                "revocation_endpoint_auth_method": party.method,
                "redirect_uri": party.redirect_uri,
                "code_challenge_method": "S256",
                **changes,
            }
        )
        self.verifier = generate_token(48)
        self.nonce = generate_token()

    def start(self, scope: str = SCOPE, **parameters: str) -> str:
        """Return the authorization URL of a login."""
        self.session.scope = scope
        url, self.session.state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"],
            code_verifier=self.verifier,
            nonce=self.nonce,
            **parameters,
        )
        return str(url)

    def redeem(self, callback_url: str, **changes: str) -> dict[str, Any]:
        """Redeem the code of a callback, whose state Authlib compares."""
        fetching = self.session.fetch_token(
            self.metadata["token_endpoint"],
            authorization_response=callback_url,
            state=self.session.state,
            **{"code_verifier": self.verifier, **changes},
        )
        return dict(self.colour.wait(fetching))

    def verify(self, token: Mapping[str, Any], nonce: str | None = "") -> dict[str, Any]:
        """Return the claims of the ID token, verified as Authlib and joserfc do it.

        Args:
            nonce: that of the login by default; None of a refresh.
        """
        decoded = jwt.decode(
            token["id_token"],
            KeySet.import_key_set(fetch(self.metadata["jwks_uri"])),  # type: ignore[arg-type]
            registry=JWSRegistry(algorithms=self.metadata["id_token_signing_alg_values_supported"]),
        )
        expected = {"client_id": self.party.client_id, "access_token": token["access_token"]}
        if nonce is not None:
            expected["nonce"] = nonce or self.nonce
        issuer = {"iss": {"values": [self.metadata["issuer"]]}}
        claims = CodeIDToken(decoded.claims, decoded.header, issuer, expected)
        claims.validate(leeway=0)
        return {**claims, "alg": decoded.header["alg"]}

    def read_userinfo(self, method: str = "GET") -> Any:
        """Return what the session's token opens, or the status of the refusal."""
        sending = self.session.request(method, self.metadata["userinfo_endpoint"])
        answer = self.colour.wait(sending)
        return answer.json() if answer.status_code == 200 else answer.status_code

    def close(self) -> None:
        if self.colour.is_async:
            self.colour.finish(self.session.aclose())
        else:
            self.session.close()
        self.colour.close()


class AuthlibClient(AuthlibParty):
    """As the other libraries are asked: see `ForeignClient`."""

    def finish(self, callback_url: str) -> Tokens:
        # Its sessions leave this to the application; its Flask integration does it.
        said = dict(parse_qsl(urlsplit(callback_url).query))
        if "error" in said:
            raise ForeignRefusal(said["error"])
        try:
            token = self.redeem(callback_url)
        except OAuthError as error:
            raise ForeignRefusal(error.error, error) from None
        return {**token, "claims": self.verify(token)}

    def userinfo(self, access_token: str, sub: str, method: str = "GET") -> Mapping[str, Any]:
        self.session.token = {"access_token": access_token, "token_type": "Bearer"}
        info = self.read_userinfo(method)
        if isinstance(info, int):
            raise ForeignRefusal("", info)
        assert info["sub"] == sub
        return dict(info)

    def refresh(self, refresh_token: str) -> Tokens:
        token = self._fetch("refresh_token", refresh_token=refresh_token)
        return {**token, "claims": self.verify(token, nonce=None)}

    def revoke(self, token: str, hint: str) -> None:
        self._ask("revoke_token", "revocation_endpoint", token, token_type_hint=hint)

    def introspect(self, token: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask(
            "introspect_token", "introspection_endpoint", token
        ).json()
        return answer

    def client_credentials(self, scope: str, resource: str) -> Tokens:
        asked = {"grant_type": "client_credentials", "scope": scope, "resource": resource}
        return self._fetch("fetch_token", **asked)

    def _fetch(self, method: str, **parameters: str) -> dict[str, Any]:
        try:
            fetching = getattr(self.session, method)(self.metadata["token_endpoint"], **parameters)
            return dict(self.colour.wait(fetching))
        except OAuthError as error:
            raise ForeignRefusal(error.error, error) from None

    def _ask(self, method: str, endpoint: str, token: str, **parameters: str) -> Any:
        url = self.metadata[endpoint]
        asking = getattr(self.session, method)(url, token=token, **parameters)
        answer = self.colour.wait(asking)
        if answer.status_code != 200:
            raise ForeignRefusal(answer.json()["error"], answer.status_code)
        return answer


class FlaskApp:
    """An application as Authlib's documentation writes it, at one provider by discovery."""

    def __init__(self, party: RelyingParty, **client_kwargs: str) -> None:
        app = flask.Flask("authlib-app")
        app.secret_key = "s" * 32
        self.oauth = OAuth(app)
        self.oauth.register(
            "codegrant",
            client_id=party.client_id,
            client_secret=party.secret or None,
            server_metadata_url=f"{party.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **client_kwargs},
        )

        def login() -> Any:
            return self.oauth.codegrant.authorize_redirect(party.redirect_uri)

        def callback() -> dict[str, Any]:
            try:
                token = self.oauth.codegrant.authorize_access_token()
            except OAuthError as error:
                return {"error": error.error}
            info = self.oauth.codegrant.userinfo(token=token)
            return {"claims": token["userinfo"], "userinfo": info}

        app.add_url_rule("/login", "login", login)
        app.add_url_rule("/callback", "callback", callback)
        self.browser = app.test_client()

    def start(self) -> str:
        return str(self.browser.get("/login").headers["Location"])

    def finish(self, callback_url: str) -> dict[str, Any]:
        answer = self.browser.get(f"/callback?{urlsplit(callback_url).query}")
        said: dict[str, Any] = answer.get_json()
        return said
