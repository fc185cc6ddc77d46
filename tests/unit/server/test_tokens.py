from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest

from codegrant.jose import half_hash, parse_jwt
from codegrant.secret import digest_of
from codegrant.server.records import GrantRecord, ResourceRecord
from codegrant.server.tokens import mint_access_token
from tests.flows.authorization_server import ALICE, ISSUER, NOW, Bench, document

GRANT = GrantRecord(
    grant_id="g-1",
    client_id="a",
    subject=ALICE.subject,
    scope=("openid", "read"),
    audience=ISSUER,
    auth_time=NOW - 50,
    amr=("pwd",),
    acr="",
    sid="sid-1",
    created_at=NOW,
)


def mint(bench: Bench, grant: GrantRecord = GRANT) -> str:
    token: str = bench.run(mint_access_token(bench.server, grant, grant.scope, NOW))
    return token


@pytest.mark.requirement("AS-JAT-01")
def test_an_access_token_says_what_it_is_and_for_whom() -> None:
    bench = Bench(access_token_lifetime=120)
    jwt = parse_jwt(mint(bench))
    assert jwt.typ == "at+jwt"
    assert jwt.alg == "ES256"
    jti = jwt.claimed["jti"]
    assert isinstance(jti, str)
    assert len(urlsafe_b64decode(jti + "==")) == 16
    assert jwt.claimed == {
        "iss": ISSUER,
        "sub": ALICE.subject,
        "aud": ISSUER,
        "client_id": "a",
        "exp": NOW + 120,
        "iat": NOW,
        "jti": jti,
        "scope": "openid read",
        "auth_time": NOW - 50,
        "grant_id": "g-1",
        "amr": ["pwd"],
    }
    assert parse_jwt(mint(bench)).claimed["jti"] != jti


def test_what_is_not_known_of_the_login_is_not_said() -> None:
    bench = Bench()
    told = parse_jwt(mint(bench, replace(GRANT, acr="gold"))).claimed
    assert (told["acr"], told["amr"]) == ("gold", ["pwd"])
    silent = parse_jwt(mint(bench, replace(GRANT, amr=()))).claimed
    assert not {"acr", "amr"} & silent.keys()


@pytest.mark.parametrize(
    ("server_format", "own_format", "opaque"),
    [
        ("jwt", "", False),
        ("jwt", "opaque", True),
        ("opaque", "", True),
        ("opaque", "jwt", False),
        ("opaque", None, True),
        ("jwt", None, False),
    ],
)
def test_a_resource_has_the_last_word_else_the_server(
    server_format: str, own_format: str | None, opaque: bool
) -> None:
    bench = Bench(access_format=server_format)
    api = "https://api.test"
    if own_format is not None:
        record = ResourceRecord(audience=api, resource_id="r", access_format=own_format)  # type: ignore[arg-type]
        bench.store.resources[api] = record
    bench.store.grants["g-1"] = grant = replace(GRANT, audience=api)
    token = mint(bench, grant)
    assert ("." not in token) == opaque
    if opaque:
        assert len(urlsafe_b64decode(token + "=")) == 32
        (record_,) = bench.store.access_tokens.values()
        assert (record_.digest, record_.audience) == (digest_of(token), api)
        assert token not in repr(record_)
    else:
        assert not bench.store.access_tokens


def test_an_id_token_of_a_bare_grant_has_nothing_empty() -> None:
    bench = Bench()
    assert bench.authentication is not None
    bench.authentication = replace(bench.authentication, sid="", amr=())
    answer = document(bench.token(bench.code(nonce=None)))
    claims = parse_jwt(answer["id_token"]).claimed
    assert claims == {
        "iss": ISSUER,
        "sub": ALICE.subject,
        "aud": "a",
        "exp": NOW + 300,
        "iat": NOW,
        "auth_time": NOW - 50,
        "at_hash": half_hash("RS256", answer["access_token"]),
    }
