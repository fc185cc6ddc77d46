from __future__ import annotations

import pytest

from codegrant.jose import PrivateKey, sign_jwt
from codegrant.messages.json import JsonValue
from codegrant.server.keys import open_key
from tests.flows.authorization_server import (
    ALICE,
    ISSUER,
    KEY_RING,
    NOW,
    Bench,
    answered,
    document,
    first_keys,
    page_of,
)


def hint(typ: str = "JWT", **changes: JsonValue) -> str:
    """Return an ID token of our own key with other claims."""
    claims: dict[str, JsonValue] = {"iss": ISSUER, "sub": ALICE.subject, "aud": "a", "exp": 1}
    return sign_jwt(open_key(KEY_RING, first_keys()[0]), claims | changes, typ=typ)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.agree()
    return bench


def test_a_token_that_was_issued_here_is_a_hint_even_when_expired(bench: Bench) -> None:
    token = document(bench.token(bench.code()))["id_token"]
    bench.now += 86_400
    assert "code" in answered(bench.authorize(id_token_hint=token, prompt="none"))
    assert "code" in answered(bench.authorize(id_token_hint=hint(aud=["a", "b"]), prompt="none"))


def test_a_hint_of_another_person_needs_a_login(bench: Bench) -> None:
    other = hint(sub="person-2")
    parameters = answered(bench.authorize(id_token_hint=other, prompt="none"))
    assert parameters["error"] == "login_required"
    assert page_of(bench.authorize(id_token_hint=other))[0] == "login"


def forged(**changes: JsonValue) -> str:
    claims: dict[str, JsonValue] = {"iss": ISSUER, "sub": ALICE.subject, "aud": "a"}
    return sign_jwt(PrivateKey.generate("ES256"), claims | changes, typ="JWT")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("x", id="no JWT"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", id="unsigned"),
        pytest.param("x" * 9000, id="long"),
        pytest.param(forged(), id="foreign key"),
        pytest.param(hint()[:-4] + "AAAA", id="signature altered"),
        pytest.param(hint(iss="https://other.test"), id="another issuer"),
        pytest.param(hint(aud="b"), id="another client"),
        pytest.param(hint(aud=None), id="no audience"),
        pytest.param(hint(sub=""), id="no subject"),
        pytest.param(hint(sub=5), id="subject no text"),
        pytest.param(hint(typ="at+jwt"), id="an access token"),
    ],
)
def test_any_other_text_is_refused(bench: Bench, token: str) -> None:
    parameters = answered(bench.authorize(id_token_hint=token))
    assert parameters["error"] == "invalid_request"
    assert bench.reason().startswith("id_token_hint: ")


def test_hint_and_claims_must_not_contradict(bench: Bench) -> None:
    claims = '{"id_token": {"sub": {"value": "person-2"}}}'
    parameters = answered(bench.authorize(id_token_hint=hint(), claims=claims))
    assert parameters["error"] == "invalid_request"
    agreeing = claims.replace("person-2", ALICE.subject)
    assert "code" in answered(bench.authorize(id_token_hint=hint(), claims=agreeing))


def test_an_access_token_of_the_same_key_is_no_hint(bench: Bench) -> None:
    token = document(bench.token(bench.code()))["access_token"]
    bench.now = NOW
    assert answered(bench.authorize(id_token_hint=token))["error"] == "invalid_request"
