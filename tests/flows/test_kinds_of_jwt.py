"""Every kind of JWT at every place that takes one: taken where it belongs, and nowhere else.

All are signed with the issuer's own key, and each carries the claims that the place wants, so
that nothing but the kind can be the reason of a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from codegrant.errors import CodegrantError, OAuthError, TokenRejected
from codegrant.http import Response
from codegrant.jose import KeySet, parse_jwt, sign_jwt, verify_signature
from codegrant.resource import ResourceFlows
from codegrant.resource.verification import ResourceConfig
from codegrant.rules.id_token import accept_id_token, read_id_token
from tests.flows.authorization_server import ISSUER, NOW, Bench, answered, document
from tests.support.scripted import Script

TYPES: Mapping[str, str] = {
    "ID token": "JWT",
    "access token": "at+jwt",
    "logout token": "logout+jwt",
    "client assertion": "client-authentication+jwt",
    "DPoP proof": "dpop+jwt",
    "signed request": "oauth-authz-req+jwt",
    "introspection": "token-introspection+jwt",
    "security event": "secevent+jwt",
}


class Places:
    """One server, and the four places that take a JWT of it."""

    def __init__(self) -> None:
        self.bench = Bench()
        answer = document(self.bench.token(self.bench.code()))
        self.id_token: str = answer["id_token"]
        self.access_token: str = answer["access_token"]
        self.all: dict[str, Callable[[str], None]] = {
            "client": self.client,
            "resource server": self.resource_server,
            "userinfo": self.userinfo,
            "id_token_hint": self.id_token_hint,
        }
        script = Script()
        for path in ("/.well-known/openid-configuration", "/jwks"):
            script.answers[f"{ISSUER}{path}"] = self.bench.send("GET", path)
        self._script = script
        self._api = ResourceFlows(ResourceConfig(issuers=(ISSUER,), audience=ISSUER))

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        key = self.bench.run(self.bench.server.keys.signer("ES256", NOW))
        return sign_jwt(key, claims, typ=typ)

    def token_for(self, place: str, typ: str) -> str:
        """Sign what `place` wants to read, as another kind."""
        wanted = self.access_token if place in {"resource server", "userinfo"} else self.id_token
        claims = dict(parse_jwt(wanted).claimed)
        if place == "client":
            del claims["at_hash"]  # made for another algorithm
        return self.sign(claims, typ)

    def client(self, token: str) -> None:
        keys = KeySet.parse(self.bench.send("GET", "/jwks").body)
        jwt = parse_jwt(token)
        claimed = read_id_token(
            jwt,
            issuer=ISSUER,
            client_id="a",
            nonce="the nonce",
            now=NOW,
            allowed_algs=("ES256", "RS256"),
        )
        accept_id_token(claimed, verify_signature(jwt, keys.find(jwt.kid, jwt.alg)))

    def resource_server(self, token: str) -> None:
        self._script.run(self._api.verify_token(token, NOW))

    def userinfo(self, token: str) -> None:
        header = ("authorization", f"Bearer {token}")
        self._judge(self.bench.send("GET", "/userinfo", headers=[header]))

    def id_token_hint(self, token: str) -> None:
        self.bench.agree()
        parameters = answered(self.bench.authorize(id_token_hint=token, prompt="none"))
        if "error" in parameters:
            raise OAuthError(parameters["error"])

    def _judge(self, answer: Response) -> None:
        if answer.status != 200:
            raise OAuthError(str(json.loads(answer.body)["error"]), status=answer.status)


@pytest.fixture(scope="module")
def places() -> Places:
    return Places()


BELONGS: Mapping[str, str] = {
    "client": "ID token",
    "resource server": "access token",
    "userinfo": "access token",
    "id_token_hint": "ID token",
}
REFUSED: Mapping[str, str] = {
    "client": "wrong_token_type",
    "resource server": "invalid_token",
    "userinfo": "invalid_token",
    "id_token_hint": "invalid_request",
}


@pytest.mark.requirement("CO-JOSE-07", "RS-JAT-01")
@pytest.mark.parametrize("place", BELONGS)
@pytest.mark.parametrize("kind", TYPES)
def test_a_jwt_is_taken_where_its_kind_belongs_and_nowhere_else(
    places: Places, kind: str, place: str
) -> None:
    token = places.token_for(place, TYPES[kind])
    if kind == BELONGS[place]:
        places.all[place](token)
        return
    with pytest.raises(CodegrantError) as caught:
        places.all[place](token)
    assert caught.value.code == REFUSED[place]


@pytest.mark.requirement("CO-JOSE-07")
@pytest.mark.parametrize("place", BELONGS)
def test_what_the_server_issued_is_taken_where_it_belongs_and_nowhere_else(
    places: Places, place: str
) -> None:
    tokens = {"ID token": places.id_token, "access token": places.access_token}
    places.all[place](tokens.pop(BELONGS[place]))
    (other,) = tokens.values()
    with pytest.raises(CodegrantError):
        places.all[place](other)


# Kinds without a type of their own are told by their claims.
@pytest.mark.requirement("CO-JOSE-07")
@pytest.mark.parametrize("place", BELONGS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "a", "sub": "a", "aud": ISSUER}, id="client assertion"),
        pytest.param({"iss": "https://other.test"}, id="of another issuer"),
        pytest.param({"aud": "https://nobody.test"}, id="for another audience"),
        pytest.param({"aud": None}, id="for nobody"),
        pytest.param({"sub": None}, id="without subject"),
    ],
)
def test_a_jwt_of_the_right_type_must_have_its_claims(
    places: Places, place: str, changes: Mapping[str, str | None]
) -> None:
    typ = TYPES[BELONGS[place]]
    good = parse_jwt(places.token_for(place, typ)).claimed
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    if place == "userinfo" and changes.get("aud") == "https://nobody.test":
        places.userinfo(places.sign(claims, typ))  # the issuer takes its own for anybody
        return
    with pytest.raises((OAuthError, TokenRejected)):
        places.all[place](places.sign(claims, typ))
