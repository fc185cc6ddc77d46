"""The places that take a JWT, each with the key that it trusts, for forged ones to be tried at."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from codegrant import PeerError
from codegrant.client.configuration import ClientConfig
from codegrant.client.flows import ClientFlows
from codegrant.client.login import LoginRequest
from codegrant.errors import MessageError, OAuthError
from codegrant.jose import PrivateKey, parse_jwt
from codegrant.jose.base64url import decode
from codegrant.secret import Secret
from tests.attacks.steps import R, ask, code_of, document, post, redeem, send, userinfo
from tests.flows.house import Browser
from tests.support.access_tokens import HEADER, NOW, PaperApi, PaperIssuer, access_token_claims
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, b64, half_hash, sign_raw
from tests.support.scripted import Script, json_response

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Sign: TypeAlias = Callable[[bytes], bytes]
Claims: TypeAlias = dict[str, object]


def forge(header: Mapping[str, object] | bytes, claims: object, sign: Sign) -> str:
    """Put a compact JWS together, whatever stands in it; bytes are taken as they are."""
    head, body = (
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)
    )
    signing_input = f"{b64(head)}.{b64(body)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


Make: TypeAlias = Callable[["Place", Claims], str]


class Place(Protocol):
    """Somewhere that takes a JWT.

    Attributes:
        header: of a token that is taken here.
        published: each public key of the issuer, as pyca objects.
    """

    header: Mapping[str, object]

    @property
    @abstractmethod
    def published(self) -> list[PublicKey]: ...

    def sign(self, signing_input: bytes) -> bytes:
        """Sign with the issuer's own ES256 key."""
        ...

    def takes(self, make: Make) -> bool:
        """Return whether the token that is made of good claims is taken; anything else raises."""
        ...

    def good(self, claims: Claims) -> str:
        """Return the token of good claims that the issuer itself would make."""
        return forge(self.header, claims, self.sign)


class AtClient(Place):
    """The client, which takes an ID token; a script is the rest of the world."""

    def __init__(self) -> None:
        self.script = Script()
        self.issuer = PaperIssuer(self.script)
        self.issuer.keys["rsa"] = _rsa()
        self.flows = ClientFlows(
            ClientConfig(
                server=self.issuer.issuer,
                client_id=CLIENT_ID,
                client_secret=Secret(CLIENT_SECRET),
                redirect_uri=R,
                require_s256=False,
            )
        )
        self.now = NOW
        # Each login on an hour of its own: the pause between two fetches of keys is over.
        self.pause = 3600
        self.header = {"alg": "ES256", "kid": "k1", "typ": "JWT"}

    @property
    def published(self) -> list[PublicKey]:
        return [key.public_key() for key in self.issuer.keys.values()]

    def sign(self, signing_input: bytes) -> bytes:
        return sign_raw(self.issuer.keys["k1"], signing_input)

    def takes(self, make: Make) -> bool:
        login = self.script.run(self.flows.start_login(LoginRequest(), self.now))
        claims: Claims = {
            "iss": self.issuer.issuer,
            "sub": "person-1",
            "aud": CLIENT_ID,
            "exp": self.now + 300,
            "iat": self.now,
            "nonce": login.nonce,
            "at_hash": half_hash("an-access-token"),
        }
        answer = {
            "access_token": "an-access-token",
            "token_type": "Bearer",
            "id_token": make(self, claims),
        }
        self.script.answers[f"{self.issuer.issuer}/token"] = json_response(answer)
        now, self.now = self.now, self.now + self.pause
        callback = f"{R}?code=c&state={login.state}"
        try:
            tokens = self.script.run(self.flows.finish_login(callback, login, now))
        except PeerError:
            return False
        return bool(tokens.verified_identity().subject)


class AtApi(Place):
    """The resource server, which takes an access token."""

    def __init__(self, api: PaperApi) -> None:
        self.api, self.issuer = api, api.issuer
        api.issuer.keys["rsa"] = _rsa()
        self.header = HEADER

    @property
    def published(self) -> list[PublicKey]:
        return [key.public_key() for key in self.api.issuer.keys.values()]

    def sign(self, signing_input: bytes) -> bytes:
        return sign_raw(self.api.issuer.keys["k1"], signing_input)

    def takes(self, make: Make) -> bool:
        token = make(self, access_token_claims(self.api.issuer.issuer, NOW))
        try:
            self.api.verify(token)
        except OAuthError as error:
            if (error.error, error.status) != ("invalid_token", 401):
                raise
            return False
        return True


class _AtServer(Place):
    """An endpoint of the server, which takes a token of its own."""

    typ = "JWT"
    member = "id_token"

    def __init__(self, alice: Browser) -> None:
        self.alice, self.house = alice, alice.house
        self._key: PrivateKey = self.house.run(
            self.house.site.server.keys.signer("ES256", self.house.now)
        )
        self.header = {"alg": "ES256", "kid": self._key.kid, "typ": self.typ}
        answer = document(redeem(self.house, code_of(ask(alice, scope="openid email"))))
        self.claims: Mapping[str, Any] = parse_jwt(answer[self.member]).claimed

    @property
    def published(self) -> list[PublicKey]:
        keys = json.loads(post(self.house, "/jwks", "", method="GET").body)["keys"]
        return [_load(jwk) for jwk in keys]

    def sign(self, signing_input: bytes) -> bytes:
        return self._key.sign(signing_input)


class AtUserinfo(_AtServer):
    """The userinfo endpoint, which takes an access token."""

    typ = "at+jwt"
    member = "access_token"

    def takes(self, make: Make) -> bool:
        try:
            answer = userinfo(self.house, make(self, dict(self.claims)))
        except MessageError:  # no header can hold it
            return False
        assert answer.status in {200, 400, 401}, answer
        assert "request_failed" not in self.house.event_names()
        return answer.status == 200


class AtHint(_AtServer):
    """The authorization endpoint, which takes an ID token as `id_token_hint`."""

    def takes(self, make: Make) -> bool:
        token = make(self, dict(self.claims))
        answer = send(self.alice, id_token_hint=token, prompt="none")
        assert "request_failed" not in self.house.event_names()
        if answer.status == 413:
            return False
        where = answer.headers.get("location")
        assert ("code=" in where) != ("error=invalid_request" in where), where
        return "code=" in where


def _load(jwk: Mapping[str, str]) -> PublicKey:
    numbers = {
        name: int.from_bytes(decode(jwk[name])) for name in ("x", "y", "n", "e") if name in jwk
    }
    if jwk["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(
            numbers["x"], numbers["y"], ec.SECP256R1()
        ).public_key()
    return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


PLACES = ("client", "api", "userinfo", "hint")


def refuse(place: Place, cases: Mapping[str, Make]) -> None:
    """Check that each forged token is refused here, and that a good one still is taken."""
    assert place.takes(Place.good)
    for name, make in cases.items():
        assert not place.takes(make), name
    assert place.takes(Place.good)
