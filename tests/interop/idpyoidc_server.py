"""A server of idpyoidc's endpoints under Flask: what its own examples wire by hand."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

import flask
from cryptojwt.key_bundle import build_key_bundle  # type: ignore[import-untyped]
from idpyoidc.server import Server  # type: ignore[import-untyped]
from idpyoidc.server.configure import OPConfiguration  # type: ignore[import-untyped]
from idpyoidc.server.exception import ClientAuthenticationError, UnAuthorizedClient  # type: ignore[import-untyped]

from tests.interop.foreign_server import (
    API_ID,
    API_SECRET,
    EMAIL,
    METHODS,
    NAME,
    Served,
    Visitor,
)
from tests.support.application import REDIRECT_URI

_OIDC, _OAUTH = "idpyoidc.server.oidc", "idpyoidc.server.oauth2"
_SECRETS = ["client_secret_basic", "client_secret_post"]
_KEYS = [{"type": "RSA", "use": ["sig"]}]
_ENDPOINTS = {
    "provider_config": (
        ".well-known/openid-configuration",
        f"{_OIDC}.provider_config.ProviderConfiguration",
        {"client_authn_method": None},
    ),
    "authorization": (
        "authorization",
        f"{_OIDC}.authorization.Authorization",
        {"client_authn_method": None, "response_types_supported": ["code"]},
    ),
    "token": (
        "token",
        f"{_OIDC}.token.Token",
        {"client_authn_method": [*_SECRETS, "public"], "revoke_refresh_on_issue": True},
    ),
    "userinfo": ("userinfo", f"{_OIDC}.userinfo.UserInfo", {}),
    "introspection": (
        "introspection",
        f"{_OAUTH}.introspection.Introspection",
        {"client_authn_method": _SECRETS, "enforce_audience_restriction": False},
    ),
    "token_revocation": (
        "revocation",
        f"{_OAUTH}.token_revocation.TokenRevocation",
        {"client_authn_method": [*_SECRETS, "public"]},
    ),
}


class IdpyoidcServer:
    """See `ForeignServer`. Its subject for alice is a digest; refresh tokens rotate."""

    # It takes a secret in Basic as it comes, without decoding it.
    secret = "s" * 32
    resource = ""
    # Whom it was issued to.
    audience = "client_secret_basic"
    spent = "invalid_request"
    tells_kinds = False

    def __init__(self, folder: str) -> None:
        logging.getLogger("idpyoidc").setLevel(logging.CRITICAL)
        app = flask.Flask("idpyoidc-server")
        self._served = Served(app)
        self.issuer = self._served.issuer
        configuration = OPConfiguration(_configuration(self.issuer), base_path=folder)
        # idpyoidc has no types.
        self._server: Any = Server(configuration, cwd=folder)
        self._register(self._server.get_context().cdb)
        for name, (path, _, _) in _ENDPOINTS.items():
            app.add_url_rule(
                f"/{path}", name, self._answer, methods=["GET", "POST"], defaults={"name": name}
            )
        app.add_url_rule("/jwks", "jwks", self._server.keyjar.export_jwks)

    def visitor(self, *, denies: bool = False) -> Visitor:
        return Visitor(self.issuer, "deny" if denies else "allow")

    def rotate_keys(self) -> None:
        keys = build_key_bundle(_KEYS)
        # It publishes those under the empty name, and signs with those under its own.
        for owner in ("", self.issuer):
            self._server.keyjar[owner].set([keys])

    def close(self) -> None:
        self._served.close()

    def _register(self, clients: dict[str, Any]) -> None:
        for name in METHODS:
            method = ["public" if name == "none" else name]
            clients[name] = {
                "client_id": name,
                "client_secret": self.secret,
                "redirect_uris": [(REDIRECT_URI, {})],
                "response_types_supported": ["code"],
                "token_endpoint_client_authn_method": method,
                "revocation_endpoint_client_authn_method": method,
                "allowed_scopes": ["openid", "profile", "email", "offline_access", "read"],
            }
        clients[API_ID] = {"client_id": API_ID, "client_secret": API_SECRET}

    def _answer(self, name: str) -> Any:
        """Let an endpoint answer; what it raises is rendered here, as its examples do."""
        endpoint = self._server.get_endpoint(name)
        request = flask.request
        asked = (request.form if request.method == "POST" else request.args).to_dict()
        if name == "authorization":
            if request.method == "GET":
                return _page(asked)
            if asked.pop("decision") == "deny":
                return self._denial(asked)
        headers = {key.lower(): value for key, value in request.headers.items()}
        info = {"headers": headers, "method": request.method, "url": request.url, "cookie": []}
        try:
            parsed = endpoint.parse_request(asked, http_info=info)
        except (ClientAuthenticationError, UnAuthorizedClient):
            return {"error": "invalid_client"}, 401
        answer = parsed if "error" in parsed else endpoint.process_request(parsed, http_info=info)
        if "error" in answer:
            return flask.Response(answer.to_json(), 400, content_type="application/json")
        made = endpoint.do_response(request=parsed, **answer)
        if name == "authorization":
            return flask.redirect(made["response"], 303)
        return flask.Response(made["response"], headers=made["http_headers"])

    def _denial(self, asked: dict[str, str]) -> Any:
        said = {"error": "access_denied", "state": asked["state"], "iss": self.issuer}
        return flask.redirect(f"{asked['redirect_uri']}?{urlencode(said)}", 303)


def _page(asked: dict[str, str]) -> str:
    """Return the page for the person: idpyoidc leaves it to the application."""
    fields = "".join(
        flask.render_template_string('<input name="{{ n }}" value="{{ v }}">', n=name, v=value)
        for name, value in asked.items()
    )
    buttons = "".join(
        f'<button id="{what}" name="decision" value="{what}">{what}</button>'
        for what in ("allow", "deny")
    )
    return f'<form method="post" action="/authorization">{fields}{buttons}</form>'


def _configuration(issuer: str) -> dict[str, Any]:
    def token_key(kid: str) -> dict[str, Any]:
        return {"type": "oct", "bytes": "24", "use": ["enc"], "kid": kid}

    return {
        "issuer": issuer,
        "base_url": issuer,
        "key_conf": {"key_defs": _KEYS, "uri_path": "jwks"},
        "preference": {"grant_types_supported": ["authorization_code", "refresh_token"]},
        "token_handler_args": {
            "key_conf": {"key_defs": [token_key(kid) for kid in ("code", "token", "refresh")]},
            "code": {"kwargs": {"lifetime": 60}},
            "token": {"kwargs": {"lifetime": 300}},
            "refresh": {"kwargs": {"lifetime": 3600}},
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}},
        },
        "endpoint": {
            name: {"path": path, "class": where, "kwargs": options}
            for name, (path, where, options) in _ENDPOINTS.items()
        },
        "authentication": {
            "anybody": {
                "acr": "urn:example:anybody",
                "class": "idpyoidc.server.user_authn.user.NoAuthn",
                "kwargs": {"user": "alice"},
            }
        },
        "userinfo": {
            "class": "idpyoidc.server.user_info.UserInfo",
            "kwargs": {
                "db": {"alice": {"name": NAME, "email": EMAIL, "email_verified": True}},
            },
        },
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_methods": {"S256": None}},
            }
        },
        "session_params": {"encrypter": {"kwargs": {}}},
    }
