"""JWT access tokens as a resource server sees them: RFC 9068, read by another library."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.conftest import Start
from tests.flows.authorization_server import SECRET, VERIFIER, basic, document
from tests.flows.house import Browser as HouseBrowser
from tests.flows.house import House, parameters_of
from tests.support.browser import Browser
from tests.support.relying_party import RelyingParty, administer, register, send
from tests.support.serving import Serving, codegrant

API = "https://api.example"

# PyJWT warns of what its authors like less.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    """A client that may use one API beside the server itself."""
    administer(shared_server, "resources", "add", API, "--id", "api", "--scope", "read write")
    return register(shared_server, "app", "--scope", "openid profile email read", "--skip-consent")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


def part(token: str, index: int) -> dict[str, Any]:
    """Return the header (0) or the claims (1) of a JWT, unverified."""
    text = token.split(".")[index]
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def encoded(value: Mapping[str, object] | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_public_key_as_secret(header: Mapping[str, object], claims: str, key: bytes) -> str:
    """Return a JWT of `HS256` that takes a public key for the shared one."""
    signed = f"{encoded({**header, 'alg': 'HS256'})}.{claims}"
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), 'sha256'))}"


def spellings(jwk: Mapping[str, Any]) -> list[bytes]:
    """Return a public key in the forms in which somebody may have it."""
    key = pyjwt.PyJWK(dict(jwk)).key
    return [
        json.dumps(jwk).encode(),
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ]


def verified(token: str, issuer: str, audience: str, alg: str = "ES256") -> Mapping[str, Any]:
    """Return the claims, as another library verifies them with the published keys."""
    keys = pyjwt.PyJWKSet.from_dict(send("GET", f"{issuer}/jwks").json)
    key = keys[part(token, 0)["kid"]]
    claims: Mapping[str, Any] = pyjwt.decode(token, key, [alg], audience=audience, issuer=issuer)
    return claims


def userinfo(app: RelyingParty, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return send("GET", f"{app.issuer}/userinfo", headers=headers).status


@pytest.mark.requirement("AS-JAT-01", "AS-JAT-02")
def test_an_access_token_says_what_it_is_and_for_whom(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    tokens = [app.log_in(browser, scope="openid read").json for _ in range(2)]
    for answer in tokens:
        token = answer["access_token"]
        assert part(token, 0).keys() == {"typ", "alg", "kid"}
        assert part(token, 0)["typ"] == "at+jwt"
        claims = verified(token, app.issuer, app.issuer)
        assert claims["iss"] == app.issuer
        assert claims["sub"] == administer(shared_server, "users", "show", "alice")["sub"]
        assert claims["client_id"] == "app"
        assert claims["scope"] == answer["scope"]
        assert all(type(claims[name]) is int for name in ("exp", "iat", "auth_time"))
        assert claims["iat"] < claims["exp"]
    assert len({part(answer["access_token"], 1)["jti"] for answer in tokens}) == 2
    # An ID token is something else, and not taken for it.
    assert part(tokens[0]["id_token"], 0)["typ"] == "JWT"
    assert userinfo(app, tokens[0]["access_token"]) == 200
    assert userinfo(app, tokens[0]["id_token"]) == 401


@pytest.mark.requirement("AS-JAT-03")
@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_an_access_token_is_signed_and_only_our_signature_counts(start: Start, alg: str) -> None:
    server = start(environment={"CODEGRANT_TOKENS_ACCESS_ALG": alg})
    server.add_user()
    app = register(server, "app", "--skip-consent")
    token = app.log_in().json["access_token"]
    assert part(token, 0)["alg"] == alg
    verified(token, app.issuer, app.issuer, alg)
    assert userinfo(app, token) == 200

    header, claims, signature = token.split(".")
    keys = send("GET", f"{app.issuer}/jwks").json["keys"]
    public = next(key for key in keys if key["alg"] == alg)
    forged_header = {"typ": "at+jwt", "kid": public["kid"]}
    other = part(token, 1) | {"sub": "person-somebody-else"}
    forgeries = [
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{encoded(forged_header | {'alg': 'none'})}.{claims}.",
        f"{encoded(forged_header | {'alg': 'NONE'})}.{claims}.{signature}",
        f"{header}.{encoded(other)}.{signature}",
        f"{header}.{claims}.{'A' * len(signature)}",
        f"{header}.{claims}.{signature[::-1]}",
        *(with_public_key_as_secret(forged_header, claims, key) for key in spellings(public)),
    ]
    assert [userinfo(app, forgery) for forgery in forgeries] == [401] * len(forgeries)


@pytest.mark.requirement("AS-JAT-03")
def test_nobody_can_set_an_algorithm_without_a_public_key(tmp_path: Path) -> None:
    config = tmp_path / "codegrant.toml"
    for alg in ("none", "HS256", "RS1", ""):
        config.write_text(f'[tokens]\naccess_alg = "{alg}"\n')
        stopped = codegrant("config", "check", "--config", str(config), folder=tmp_path)
        assert (stopped.status, "access_alg" in stopped.error) == (1, True)
    config.write_text('[tokens]\naccess_alg = "RS256"\n')
    assert codegrant("config", "check", "--config", str(config), folder=tmp_path).status == 0


@pytest.mark.requirement("AS-JAT-04")
def test_the_audience_is_the_api_or_the_issuer_and_never_the_client(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    # Without an API of its own a client gets a token that is good here alone.
    own = app.log_in(browser, scope="openid").json["access_token"]
    assert verified(own, app.issuer, app.issuer)["aud"] == app.issuer
    page = app.open(browser, resource=API)
    assert "error=invalid_target" in page.location

    limited = register(
        shared_server, "caller", "--scope", "openid read", "--audience", API, "--skip-consent"
    )
    for request in ({}, {"resource": API}):
        token = limited.log_in(browser, scope="openid read", **request).json["access_token"]
        assert verified(token, app.issuer, API)["aud"] == API
        with pytest.raises(pyjwt.InvalidAudienceError):
            verified(token, app.issuer, "caller")
    page = limited.open(browser, resource="https://other.example")
    assert "error=invalid_target" in page.location


@pytest.mark.requirement("AS-JAT-06")
def test_an_access_token_lives_five_minutes(
    tmp_path: Path, app: RelyingParty, browser: Browser
) -> None:
    answer = app.log_in(browser).json
    claims = part(answer["access_token"], 1)
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 300
    config = tmp_path / "codegrant.toml"
    for seconds, status in ((3600, 0), (3601, 1), (0, 1)):
        config.write_text(f"[lifetimes]\naccess_token = {seconds}\n")
        checked = codegrant("config", "check", "--config", str(config), folder=tmp_path)
        assert checked.status == status


@pytest.mark.requirement("AS-JAT-06")
def test_an_access_token_ends_when_it_says_so() -> None:
    with closing(House(access_token_lifetime=10)) as house:
        browser = HouseBrowser(house)
        consent = browser.log_in(browser.start())
        code = parameters_of(browser.submit(consent, "consent-allow"))["code"]
        body = f"grant_type=authorization_code&code={code}&code_verifier={VERIFIER}"
        answer = browser.send("POST", "/token", body, dict([basic("a", SECRET)]))
        bearer = {"authorization": f"Bearer {document(answer)['access_token']}"}
        house.now += 9
        assert browser.send("GET", "/userinfo", headers=bearer).status == 200
        house.now += 1
        assert browser.send("GET", "/userinfo", headers=bearer).status == 401
