"""idpyoidc's relying party."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from idpyoidc.client.exception import OidcServiceError, ResponseError  # type: ignore[import-untyped]
from idpyoidc.client.oauth2.stand_alone_client import StandAloneClient  # type: ignore[import-untyped]
from idpyoidc.exception import VerificationError  # type: ignore[import-untyped]

from tests.interop.foreign_client import ForeignRefusal, Tokens
from tests.support.relying_party import RelyingParty

_SERVICES = {
    name: {"class": f"idpyoidc.client.{path}"}
    for name, path in {
        "discovery": "oidc.provider_info_discovery.ProviderInfoDiscovery",
        "authorization": "oidc.authorization.Authorization",
        "access_token": "oidc.access_token.AccessToken",
        "refresh_access_token": "oidc.refresh_access_token.RefreshAccessToken",
        "userinfo": "oidc.userinfo.UserInfo",
        "token_revocation": "oauth2.token_revocation.TokenRevocation",
        "introspection": "oauth2.introspection.Introspection",
        "client_credentials": "oauth2.client_credentials.CCAccessTokenRequest",
    }.items()
}
_PKCE = {
    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
}


class IdpyoidcClient:
    """One registered client: see `ForeignClient`. It keeps the keys that it has fetched."""

    def __init__(self, party: RelyingParty) -> None:
        self.party = party
        # At DEBUG it tells its log everything, secrets included.
        logging.getLogger("idpyoidc").setLevel(logging.CRITICAL)
        # idpyoidc has no types.
        self._client: Any = StandAloneClient(
            services=_SERVICES,
            config={
                "client_type": "oidc",
                "issuer": party.issuer,
                "provider_info": {"issuer": party.issuer},
                "base_url": "https://app.example",
                "redirect_uris": [party.redirect_uri],
                "client_id": party.client_id,
                "client_secret": party.secret,
                "client_authn_methods": ["client_secret_basic", "client_secret_post"],
                "token_endpoint_auth_methods_supported": [party.method],
                "response_types_supported": ["code"],
                "add_ons": {"pkce": _PKCE},
            },
        )
        self._client.do_provider_info()
        self._client.do_client_registration()
        # Under this it keeps what it knows of a login.
        self._state = "no login"
        self._client.get_context().cstate.set(self._state, {"iss": party.issuer})

    def start(self, scope: str, **parameters: str) -> str:
        asked = {"scope": scope.split(), **parameters}
        return str(self._client.init_authorization(req_args=asked))

    def finish(self, callback_url: str) -> Tokens:
        query = dict(parse_qsl(urlsplit(callback_url).query))
        try:
            answer = self._client.finalize_auth(query)
        except VerificationError as error:
            raise ForeignRefusal("", error) from None
        if "error" in answer:
            raise ForeignRefusal(answer["error"], answer)
        self._state = answer["state"]
        try:
            return _told(self._client.get_tokens(self._state))
        except OidcServiceError as error:
            raise ForeignRefusal(str(error)) from None

    def userinfo(self, access_token: str, sub: str, method: str = "GET") -> Mapping[str, Any]:
        """Return the claims; it compares `sub` itself."""
        info = self._ask("userinfo", "", method=method, access_token=access_token)
        assert info["sub"] == sub
        return info

    def refresh(self, refresh_token: str) -> Tokens:
        return _told(self._ask("refresh_token", self.party.method, refresh_token=refresh_token))

    def revoke(self, token: str, hint: str) -> None:
        try:
            self._ask("token_revocation", self.party.method, token=token, token_type_hint=hint)
        except ResponseError as error:
            # It reads the body, to which RFC 7009 §2.2 gives no meaning, and finds none.
            assert str(error) == "Missing or faulty response"  # noqa: PT017

    def introspect(self, token: str) -> Mapping[str, Any]:
        return _told(self._ask("introspection", self.party.method, token=token))

    def client_credentials(self, scope: str, resource: str) -> Tokens:
        asked = {"scope": scope, "resource": resource}
        return _told(self._ask("client_credentials", self.party.method, **asked))

    def _ask(
        self, service: str, authn_method: str, method: str = "", **asked: str
    ) -> dict[str, Any]:
        how = {"authn_method": authn_method} if authn_method else {}
        if method:
            how["method"] = method
        answer = self._client.do_request(service, request_args=asked, state=self._state, **how)
        if "error" in answer:
            raise ForeignRefusal(answer["error"], answer)
        return dict(answer.items())

    def close(self) -> None:
        """Do nothing: it opens a connection for each request."""


def _told(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer in the wire's own types, with the verified claims of its ID token."""
    told = dict(answer.items())
    if "scope" in told:
        told["scope"] = " ".join(told["scope"])
    verified = told.pop("__verified_id_token", None)
    return told if verified is None else {**told, "claims": dict(verified.items())}
