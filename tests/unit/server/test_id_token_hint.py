from __future__ import annotations

import pytest

from codegrant.http import Request
from codegrant.jose import PrivateKey, sign_jwt
from codegrant.messages.json import JsonValue
from codegrant.server.interaction import BoundTransaction, bind_transaction
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


def bound(bench: Bench, transaction_id: str) -> BoundTransaction:
    request = Request(method="GET", url=f"{ISSUER}/login")
    found: BoundTransaction = bench.run(
        bind_transaction(bench.server, request, transaction_id, bench.now)
    )
    return found


@pytest.mark.parametrize("subject", [ALICE.subject, "person-2"])
def test_a_request_that_waits_holds_no_token_and_still_knows_who_is_meant(
    bench: Bench, subject: str
) -> None:
    token = hint(sub=subject, name="somebody")
    _, transaction_id = page_of(bench.authorize(id_token_hint=token, prompt="login"))
    (stored,) = bench.store.transactions.values()
    assert not any(part in repr(stored) for part in token.split("."))
    assert "id_token_hint" not in dict(stored.request)
    checked = bound(bench, transaction_id).checked
    assert checked.subject == subject
    assert checked.request.id_token_hint is None
    assert checked.prompt == {"login"}


def test_a_request_without_a_hint_waits_for_anybody(bench: Bench) -> None:
    _, transaction_id = page_of(bench.authorize(prompt="login"))
    assert bound(bench, transaction_id).checked.subject == ""


@pytest.mark.parametrize("name", ["id_token_hint: sub", "hinted_subject", "subject"])
def test_no_parameter_stands_in_for_a_hint(bench: Bench, name: str) -> None:
    _, transaction_id = page_of(bench.authorize(prompt="login", **{name: ALICE.subject}))
    assert bound(bench, transaction_id).checked.subject == ""
