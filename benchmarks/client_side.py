"""The client's side of one login, the network taken out: from the first address to the tokens.

Each contestant starts a login and finishes it with a callback and a token response that are
made for this very login, since both depend on its state and nonce; making them is not
counted. The floor does what any client must do, by hand: draw state, nonce and verifier,
build the address, read the callback, build the token request, read the answer, choose the
key, verify the ID token, and return the tokens with what was verified.

Everything runs in turns, in small portions, so that a slow moment of the machine falls on all
alike; a few logins before each portion are not counted, so that nobody pays for the caches that
another has filled. Nor is what a program pays once: making the client, fetching the keys.

    .venv/bin/python -m benchmarks.client_side
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.driver import Json, base64url, decode_base64url, der_of
from codegrant import Client, ServerMetadata
from codegrant.http import Headers, Request, Response
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings

if TYPE_CHECKING:
    import requests

__all__ = [
    "Contestant",
    "canned_answer",
    "canned_session",
    "contestants",
    "measure",
    "quickest",
    "token_response",
]

ISSUER = "https://issuer.example"
CLIENT_ID, CLIENT_SECRET = "app", "s" * 43
REDIRECT_URI = "https://app.example/callback"
SCOPE = "openid profile email"
LEEWAY = 60
WARMING, PORTION = 5, 20
TURNS = 100

_KEY = generate_private_key(SECP256R1())
_NUMBERS = _KEY.public_key().public_numbers()
JWK: dict[str, str | list[str]] = {
    "kty": "EC",
    "crv": "P-256",
    "alg": "ES256",
    "use": "sig",
    "kid": "key-1",
    "x": base64url(_NUMBERS.x.to_bytes(32, "big")),
    "y": base64url(_NUMBERS.y.to_bytes(32, "big")),
}
_HEAD = base64url(json.dumps({"alg": "ES256", "kid": "key-1", "typ": "JWT"}).encode())


class Contestant(NamedTuple):
    """A client.

    Attributes:
        start: returns the address to send the browser to, and what it keeps.
        finish: takes the callback, the token response and what was kept; returns `sub`.
    """

    start: Callable[[], tuple[str, Any]]
    finish: Callable[[str, bytes, Any], str]


def measure(turns: int = TURNS) -> dict[str, list[float]]:
    """Return the seconds of one login of each contestant: the mean of each of its portions."""
    known = contestants()
    taken: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(turns):
        for name, contestant in known.items():
            for _ in range(WARMING):
                _one_login(contestant)
            seconds = sum(_one_login(contestant) for _ in range(PORTION))
            taken[name].append(seconds / PORTION)
    return taken


def quickest(seconds: Sequence[float]) -> float:
    """Return the mean of the quickest tenth of many figures: what a quiet machine would take."""
    tenth = sorted(seconds)[: max(1, len(seconds) // 10)]
    return sum(tenth) / len(tenth)


def contestants() -> dict[str, Contestant]:
    """Return ourselves, the floor, and those peers that are installed."""
    known = {"codegrant": _codegrant(), "floor": _floor()}
    if find_spec("authlib") and find_spec("requests"):
        known["Authlib"] = _authlib()
    if find_spec("requests_oauthlib") and find_spec("jwt"):
        known["requests-oauthlib + PyJWT"] = _requests_oauthlib()
    return known


def _one_login(contestant: Contestant) -> float:
    """Return the seconds that a client spends on a login."""
    begin = time.perf_counter()
    url, kept = contestant.start()
    taken = time.perf_counter() - begin
    query = parse_qs(urlsplit(url).query)
    answer = {"code": secrets.token_urlsafe(32), "state": query["state"][0], "iss": ISSUER}
    callback_url = f"{REDIRECT_URI}?{urlencode(answer)}"
    body = token_response(query["nonce"][0])
    begin = time.perf_counter()
    subject = contestant.finish(callback_url, body, kept)
    taken += time.perf_counter() - begin
    if subject != "person-1":
        raise SystemExit(f"a login ended with {subject!r}")
    return taken


def token_response(nonce: str, issuer: str = ISSUER) -> bytes:
    """Return a token endpoint's answer, with an ID token for a login's nonce."""
    now = int(time.time())
    access_token = secrets.token_urlsafe(32)
    claims = {
        "iss": issuer,
        "sub": "person-1",
        "aud": CLIENT_ID,
        "exp": now + 300,
        "iat": now,
        "nonce": nonce,
        "at_hash": base64url(hashlib.sha256(access_token.encode()).digest()[:16]),
    }
    data = f"{_HEAD}.{base64url(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(_KEY.sign(data.encode(), ECDSA(SHA256())))
    answer = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": SCOPE,
        "id_token": f"{data}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}",
    }
    return json.dumps(answer).encode()


def _floor() -> Contestant:
    """Return the least that a client must do."""
    keys = {"key-1": _KEY.public_key()}
    basic = b64encode(f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}".encode()).decode()

    def start() -> tuple[str, tuple[str, str, str]]:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return f"{ISSUER}/authorize?{urlencode(query)}", (state, nonce, verifier)

    def finish(callback_url: str, body: bytes, kept: tuple[str, str, str]) -> str:
        state, nonce, verifier = kept
        query = parse_qs(urlsplit(callback_url).query)
        (given,), (iss,), (code,) = query["state"], query["iss"], query["code"]
        if not hmac.compare_digest(given, state) or iss != ISSUER:
            raise ValueError("the callback is another's")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier,
        }
        headers = {
            "authorization": f"Basic {basic}",
            "content-type": "application/x-www-form-urlencoded",
        }
        _sent(headers, urlencode(form).encode())
        answer = json.loads(body)
        if answer["token_type"].lower() != "bearer":
            raise ValueError("another kind of access token")
        now = int(time.time())
        data, _, signature = answer["id_token"].rpartition(".")
        head, _, payload = data.partition(".")
        header = json.loads(decode_base64url(head))
        if header["alg"] != "ES256":
            raise ValueError("another algorithm")
        der = der_of(decode_base64url(signature))
        keys[header["kid"]].verify(der, data.encode(), ECDSA(SHA256()))
        claims: Json = json.loads(decode_base64url(payload))
        digest = hashlib.sha256(answer["access_token"].encode()).digest()
        if (
            claims["iss"] != ISSUER
            or claims["aud"] not in (CLIENT_ID, [CLIENT_ID])
            or claims.get("azp", CLIENT_ID) != CLIENT_ID
            or claims["exp"] <= now - LEEWAY
            or claims["iat"] > now + LEEWAY
            or not hmac.compare_digest(claims["nonce"], nonce)
            or claims["at_hash"] != base64url(digest[:16])
        ):
            raise ValueError("the ID token is another's")
        tokens = {
            "access_token": answer["access_token"],
            "refresh_token": answer.get("refresh_token"),
            "id_token": answer["id_token"],
            "expires_at": now + int(answer["expires_in"]),
            "scope": frozenset(answer.get("scope", SCOPE).split()),
            "claims": claims,
        }
        return str(tokens["claims"]["sub"])

    return Contestant(start, finish)


def _sent(headers: Mapping[str, str], body: bytes) -> None:
    """Stand where a network would be."""


_HEADERS = Headers([("content-type", "application/json")])


class _CannedDriver(SyncDriver):
    """The client's driver, but that it answers in the network's place."""

    body = b""

    def send(self, request: Request) -> Response:
        is_jwks = request.url.endswith("/jwks")
        body = json.dumps({"keys": [JWK]}).encode() if is_jwks else self.body
        return Response(status=200, headers=_HEADERS, body=body)


def _codegrant() -> Contestant:
    """Return our `Client`, with another driver."""
    server = ServerMetadata(
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        jwks_uri=f"{ISSUER}/jwks",
        code_challenge_methods_supported=("S256",),
        authorization_response_iss_parameter_supported=True,
        id_token_signing_alg_values_supported=("ES256",),
    )
    client = Client(
        server,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        scope=SCOPE,
    )
    driver = _CannedDriver(HttpSettings(logger="codegrant.client"))
    client._driver = driver  # noqa: SLF001 - there is no public place for a network of one's own

    def start() -> tuple[str, Any]:
        login = client.start_login()
        return login.url, login

    def finish(callback_url: str, body: bytes, kept: Any) -> str:  # noqa: ANN401 - what it kept
        driver.body = body
        return str(client.finish_login(callback_url, kept).claims["sub"])

    return Contestant(start, finish)


def canned_session(session: Any) -> Callable[[bytes], None]:  # noqa: ANN401 - of requests
    """Take the network out of a session of requests; return what sets its answer."""
    from requests.adapters import BaseAdapter

    class Adapter(BaseAdapter):
        body = b""

        def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]
            return canned_answer(request, self.body)

        def close(self) -> None:
            pass

    adapter = Adapter()
    session.mount("https://", adapter)

    def answer(body: bytes) -> None:
        adapter.body = body

    return answer


def canned_answer(request: requests.PreparedRequest, body: bytes) -> requests.Response:
    """Return a response of requests that holds JSON."""
    import requests

    response = requests.Response()
    response.status_code, response._content = 200, body  # noqa: SLF001 - it has no setter
    response.headers["content-type"] = "application/json"
    response.request, response.url = request, str(request.url)
    return response


def _authlib() -> Contestant:
    """Return Authlib's session over requests, with joserfc for the ID token."""
    from authlib.integrations.requests_client import OAuth2Session
    from joserfc import jwt
    from joserfc.jwk import ECKey

    key = ECKey.import_key(JWK)

    def start() -> tuple[str, Any]:
        session = OAuth2Session(
            CLIENT_ID,
            CLIENT_SECRET,
            scope=SCOPE,
            redirect_uri=REDIRECT_URI,
            code_challenge_method="S256",
        )
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        url, state = session.create_authorization_url(
            f"{ISSUER}/authorize", nonce=nonce, code_verifier=verifier
        )
        return url, (session, state, nonce, verifier)

    def finish(callback_url: str, body: bytes, kept: Any) -> str:  # noqa: ANN401
        session, state, nonce, verifier = kept
        canned_session(session)(body)
        tokens = session.fetch_token(
            f"{ISSUER}/token",
            authorization_response=callback_url,
            state=state,
            code_verifier=verifier,
        )
        token = jwt.decode(tokens["id_token"], key, algorithms=["ES256"])
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": CLIENT_ID},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
        return str(token.claims["sub"])

    return Contestant(start, finish)


def _requests_oauthlib() -> Contestant:
    """Return requests-oauthlib's session, with PyJWT for the ID token."""
    import jwt

    OAuth2Session = import_module("requests_oauthlib").OAuth2Session  # noqa: N806 - untyped
    key = jwt.PyJWK(JWK).key

    def start() -> tuple[str, Any]:
        session = OAuth2Session(CLIENT_ID, redirect_uri=REDIRECT_URI, scope=SCOPE, pkce="S256")
        nonce = secrets.token_urlsafe(32)
        url, _ = session.authorization_url(f"{ISSUER}/authorize", nonce=nonce)
        return url, (session, nonce)

    def finish(callback_url: str, body: bytes, kept: Any) -> str:  # noqa: ANN401
        session, nonce = kept
        canned_session(session)(body)
        tokens = session.fetch_token(
            f"{ISSUER}/token",
            authorization_response=callback_url,
            client_secret=CLIENT_SECRET,
        )
        claims = jwt.decode(
            tokens["id_token"], key, algorithms=["ES256"], audience=CLIENT_ID, issuer=ISSUER
        )
        if not hmac.compare_digest(claims["nonce"], nonce):
            raise ValueError("the ID token is another's")
        return str(claims["sub"])

    return Contestant(start, finish)


def main() -> None:
    """Print the median portion of each and the quickest ones, also as ratios to the floor's."""
    from statistics import median

    taken = measure()
    floor = taken["floor"]
    print(f"{'':28}{'median':>10}{'to floor':>10}{'quickest':>10}{'to floor':>10}")
    for name, seconds in taken.items():
        middle, least = median(seconds), quickest(seconds)
        print(
            f"{name:28}{middle * 1e6:7.0f} µs{middle / median(floor):10.2f}"
            f"{least * 1e6:7.0f} µs{least / quickest(floor):10.2f}"
        )


if __name__ == "__main__":
    main()
