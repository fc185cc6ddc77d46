"""An issuer that exists on paper, and an API that trusts it: a `Script` answers for both."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant.errors import OAuthError
from codegrant.resource import AccessToken, ResourceFlows
from codegrant.resource.verification import ResourceConfig
from tests.support.mock_provider import SigningKey, encode_jwt, public_jwk
from tests.support.scripted import Script, json_response

AUDIENCE = "https://api.example"
NOW = 1_800_000_000
HEADER: Mapping[str, object] = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}


def access_token_claims(issuer: str, now: int, **changes: object) -> dict[str, object]:
    """Return the claims of a good access token, with changes; None leaves one out."""
    good: dict[str, object] = {
        "iss": issuer,
        "sub": "person-1",
        "aud": AUDIENCE,
        "client_id": "app",
        "exp": now + 300,
        "iat": now,
        "jti": "token-1",
        "scope": "profile read",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def access_token(
    issuer: str,
    key: SigningKey | None,
    now: int,
    *,
    header: Mapping[str, object] | None = None,
    **claims: object,
) -> str:
    """Sign an access token; `header` changes its header, None leaves a member out."""
    members = {n: v for n, v in {**HEADER, **(header or {})}.items() if v is not None}
    return encode_jwt(members, access_token_claims(issuer, now, **claims), key)


class PaperIssuer:
    """Its metadata and keys are answers of `script`; `keys` may be changed at any time."""

    def __init__(self, script: Script, issuer: str = "https://issuer.example") -> None:
        self.issuer = issuer
        self.script = script
        self.keys: dict[str, SigningKey] = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.jwks_uri = f"{issuer}/jwks"
        script.answers[f"{issuer}/.well-known/openid-configuration"] = lambda _: json_response(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": self.jwks_uri,
                "response_types_supported": ["code"],
            }
        )
        self.publish_at(self.jwks_uri)

    def publish_at(self, jwks_uri: str) -> None:
        """Move the key set."""
        self.script.answers.pop(self.jwks_uri, None)
        self.jwks_uri = jwks_uri
        self.script.answers[jwks_uri] = lambda _: json_response(
            {"keys": [public_jwk(key, kid) for kid, key in self.keys.items()]}
        )

    def mint(
        self,
        now: int,
        *,
        header: Mapping[str, object] | None = None,
        key: SigningKey | None = None,
        **claims: object,
    ) -> str:
        """Sign an access token, by default with the key that the header names."""
        named = str({**HEADER, **(header or {})}.get("kid") or "k1")
        return access_token(self.issuer, key or self.keys[named], now, header=header, **claims)

    @property
    def key_fetches(self) -> int:
        """How often the key set was asked for, where it is now."""
        return self.script.urls.count(self.jwks_uri)


class PaperApi:
    """A resource server of which every effect is answered by a script."""

    def __init__(self, *issuers: str, leeway: int = 60) -> None:
        self.script = Script()
        names = issuers or ("https://issuer.example",)
        self.issuers = [PaperIssuer(self.script, name) for name in names]
        self.issuer = self.issuers[0]
        self.flows = ResourceFlows(ResourceConfig(issuers=names, audience=AUDIENCE, leeway=leeway))

    def verify(self, token: str, now: int = NOW, *scope: str, person: bool = False) -> AccessToken:
        at_once = self.flows.verify_at_once(token, now, scope, person=person)
        if at_once is not None:
            return at_once
        return self.script.run(self.flows.verify_token(token, now, scope, person=person))

    def refuse(self, token: str, now: int = NOW, *scope: str, person: bool = False) -> OAuthError:
        with pytest.raises(OAuthError) as caught:
            self.verify(token, now, *scope, person=person)
        return caught.value

    def refuse_as_invalid(self, token: str, code: str, now: int = NOW) -> None:
        error = self.refuse(token, now)
        assert (error.error, error.status) == ("invalid_token", 401)
        assert error.description == (
            "the access token is malformed, expired, or not for this resource"
        )
        assert error.facts["code"] == code, error.reason
        assert error.reason.startswith(f"{code}: ")

    def is_remembered(self, token: str, now: int = NOW) -> bool:
        return self.flows.find_verified(token, now) is not None
