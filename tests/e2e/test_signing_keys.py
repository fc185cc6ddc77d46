"""The key set: what it publishes, that tokens hold against it, and that keys go in good order."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import jwt as pyjwt
import pytest

from codegrant.server.keys import rotate_key
from tests.e2e.conftest import Start
from tests.flows.authorization_server import KEY_RING
from tests.flows.house import Browser as HouseBrowser
from tests.flows.house import House
from tests.support.browser import Browser
from tests.support.relying_party import administer, register, send
from tests.support.serving import Serving
from tests.support.waiting import wait_until

ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

# PyJWT warns of what its authors like less.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def key_set(issuer: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the published keys by `kid`, each of which is there once."""
    keys = send("GET", f"{issuer}/jwks").json["keys"]
    by_kid = {key["kid"]: key for key in keys}
    assert len(by_kid) == len(keys)
    return by_kid


def kid_of(token: str) -> str:
    return str(pyjwt.get_unverified_header(token)["kid"])


def verified(token: str, keys: Mapping[str, Mapping[str, Any]], audience: str) -> Mapping[str, Any]:
    """Return the claims, as another library verifies them."""
    header = pyjwt.get_unverified_header(token)
    key = pyjwt.PyJWK(dict(keys[header["kid"]]))
    claims: Mapping[str, Any] = pyjwt.decode(token, key, [header["alg"]], audience=audience)
    return claims


@pytest.fixture(scope="module")
def browser(shared_server: Serving) -> Browser:
    """Alice's browser, in which she has logged in."""
    app = register(shared_server, "app")
    browser = app.new_browser()
    app.authorize(browser)
    return browser


@pytest.fixture(scope="module")
def tokens(shared_server: Serving, browser: Browser) -> Mapping[str, Mapping[str, str]]:
    """Return token responses by the algorithm of their ID token: now every key exists."""
    found: dict[str, Mapping[str, str]] = {}
    for alg in ALGORITHMS:
        client = register(shared_server, alg, "--id-token-alg", alg, "--skip-consent")
        found[alg] = client.log_in(browser).json
    return found


def number(text: str) -> int:
    """Return an integer of a JWK. RFC 7518 §2."""
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.mark.requirement("AS-JWK-01", "AS-JWK-04", "AS-JWK-05")
def test_the_key_set_is_public_strong_and_may_be_kept(
    shared_server: Serving, tokens: Mapping[str, Mapping[str, str]]
) -> None:
    assert tokens.keys() == set(ALGORITHMS)
    configuration = send("GET", f"{shared_server.issuer}/.well-known/openid-configuration").json
    answer = send("GET", configuration["jwks_uri"])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = {key["alg"]: key for key in answer.json["keys"]}
    assert keys.keys() == set(ALGORITHMS)
    for key in keys.values():
        assert not PRIVATE & key.keys()
        assert key["use"] == "sig"
        assert key["kid"]
    for alg in ("RS256", "PS256"):
        assert keys[alg]["kty"] == "RSA"
        assert number(keys[alg]["n"]).bit_length() >= 2048
        assert number(keys[alg]["e"]) == 65_537
    assert (keys["ES256"]["kty"], keys["ES256"]["crv"]) == ("EC", "P-256")
    assert (keys["EdDSA"]["kty"], keys["EdDSA"]["crv"]) == ("OKP", "Ed25519")
    # It is read only, and what is private is not kept by anybody.
    assert send("POST", configuration["jwks_uri"], "{}").status == 405
    assert send("POST", configuration["token_endpoint"]).headers["cache-control"] == "no-store"


@pytest.mark.requirement("AS-JWK-02")
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_token_holds_against_the_key_that_it_names(
    shared_server: Serving, tokens: Mapping[str, Mapping[str, str]], alg: str
) -> None:
    issuer, keys = shared_server.issuer, key_set(shared_server.issuer)
    id_token, access_token = tokens[alg]["id_token"], tokens[alg]["access_token"]
    identity = verified(id_token, keys, audience=alg)
    access = verified(access_token, keys, audience=issuer)
    assert (identity["iss"], access["iss"]) == (issuer, issuer)
    assert (keys[kid_of(id_token)]["alg"], keys[kid_of(access_token)]["alg"]) == (alg, "ES256")
    # Against the key of another token it does not hold.
    other = keys[kid_of(tokens["RS256" if alg != "RS256" else "PS256"]["id_token"])]
    with pytest.raises(pyjwt.PyJWTError):
        pyjwt.decode(id_token, pyjwt.PyJWK(dict(other)), [alg], audience=alg)


@pytest.mark.requirement("AS-JWK-03")
def test_a_rotation_reaches_a_running_server_and_old_tokens_still_hold(
    shared_server: Serving, browser: Browser
) -> None:
    app = register(shared_server, "rotating", "--skip-consent")
    before = app.log_in(browser).json
    old = kid_of(before["access_token"])
    rotated = administer(shared_server, "keys", "rotate", "--now", "--json")
    (new,) = (k["kid"] for k in rotated if (k["alg"], k["status"]) == ("ES256", "active"))
    assert new != old

    after: dict[str, str] = {}

    def signs_anew() -> bool:
        after.update(app.log_in(browser).json)
        return kid_of(after["access_token"]) == str(new)

    wait_until(signs_anew)
    keys = key_set(app.issuer)
    assert {old, new} <= keys.keys()
    for tokens in (before, after):
        claims = verified(tokens["access_token"], keys, audience=app.issuer)
        assert claims["client_id"] == "rotating"
        assert verified(tokens["id_token"], keys, audience="rotating")["sub"] == claims["sub"]
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        assert send("GET", f"{app.issuer}/userinfo", headers=headers).status == 200


@pytest.fixture
def house() -> Iterator[House]:
    """A server in this process, whose clock the test sets."""
    with closing(House(keys_activate_after=3600)) as house:
        yield house


@pytest.mark.requirement("AS-JWK-03")
def test_a_key_is_published_before_it_signs_and_kept_as_long_as_its_tokens(house: House) -> None:
    def published() -> set[str]:
        answer = HouseBrowser(house).send("GET", "/jwks")
        return {key["kid"] for key in json.loads(answer.body)["keys"] if key["alg"] == "ES256"}

    def signer() -> str:
        found = house.run(house.site.server.keys.published(house.now))
        return str(found.find_signer("ES256", house.now).kid)

    (old,) = published()
    rotated_at = house.now
    house.run(rotate_key(house.policy, KEY_RING, "ES256", house.now))
    house.now += 5
    (new,) = published() - {old}
    assert signer() == old
    house.now = rotated_at + 3599
    assert signer() == old
    house.now = rotated_at + 3600
    house.now += 5
    assert signer() == new
    # As long as the longest token of the old key lives.
    house.now = rotated_at + 3600 + house.policy.longest_token_lifetime
    assert published() == {old, new}
    house.now += 86_400
    assert published() == {new}


@pytest.mark.requirement("AS-JWK-02")
def test_every_process_knows_a_key_as_soon_as_one_signs_with_it(start: Start) -> None:
    # The key of an algorithm that nobody needed yet is made by the process that needs it.
    server = start("--workers", "2", environment={"CODEGRANT_TOKENS_ACCESS_ALG": "EdDSA"})
    server.add_user()
    app = register(server, "app", "--skip-consent", "--id-token-alg", "PS256")
    browser = app.new_browser()
    assert {key["alg"] for key in key_set(app.issuer).values()} == {"RS256", "ES256"}
    tokens = app.log_in(browser).json
    wanted = {kid_of(tokens["access_token"]), kid_of(tokens["id_token"])}
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    asked = [send("GET", f"{app.issuer}/userinfo", headers=headers).status for _ in range(12)]
    assert asked == [200] * 12
    assert all(wanted <= key_set(app.issuer).keys() for _ in range(12))
    hint = {"id_token_hint": tokens["id_token"], "prompt": "none"}
    assert all("code" in app.authorize(browser, **hint) for _ in range(12))
