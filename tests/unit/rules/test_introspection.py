from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import TokenRejected
from codegrant.messages.introspection import IntrospectionResponse
from codegrant.messages.json import build_json
from codegrant.rules.access_token import AccessToken
from codegrant.rules.introspection import verify_introspection
from tests.support.access_tokens import AUDIENCE, NOW

ISSUER = "https://issuer.example"


def answer(**changes: Any) -> IntrospectionResponse:
    """Return a good answer, with changes; None leaves a member out."""
    good: dict[str, Any] = {
        "active": True,
        "iss": ISSUER,
        "sub": "person-1",
        "aud": AUDIENCE,
        "client_id": "app",
        "token_type": "Bearer",
        "exp": NOW + 300,
        "iat": NOW,
        "jti": "token-1",
        "scope": "profile read",
    }
    members = {name: value for name, value in (good | changes).items() if value is not None}
    return IntrospectionResponse.parse(build_json(members))


def verify(response: IntrospectionResponse, now: int = NOW, **options: Any) -> AccessToken:
    return verify_introspection(response, issuer=ISSUER, audience=AUDIENCE, now=now, **options)


def refusal(response: IntrospectionResponse, now: int = NOW, **options: Any) -> str:
    with pytest.raises(TokenRejected) as caught:
        verify(response, now, **options)
    assert caught.value.stage == "access_token"
    return caught.value.code


def test_a_token_that_is_vouched_for_says_who_may_do_what_where_until_when() -> None:
    token = verify(answer(auth_time=NOW - 9, username="alice"))
    assert token == AccessToken(
        issuer=ISSUER,
        subject="person-1",
        client_id="app",
        audience=(AUDIENCE,),
        scope=frozenset({"profile", "read"}),
        jti="token-1",
        expires_at=NOW + 300,
        issued_at=NOW,
        auth_time=NOW - 9,
        claims=token.claims,
    )
    assert token.claims["username"] == "alice"
    assert "alice" not in repr(token)


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"active": False}, "token_inactive", id="not active"),
        pytest.param({"iss": f"{ISSUER}/"}, "issuer_mismatch", id="another issuer"),
        pytest.param({"aud": "https://b.example"}, "audience_mismatch", id="for another API"),
        pytest.param({"aud": [f"{AUDIENCE}/", "b"]}, "audience_mismatch", id="for others"),
        pytest.param({"aud": None}, "claim_missing", id="for nobody knows what"),
        pytest.param({"exp": NOW - 60}, "token_expired", id="expired"),
        pytest.param({"exp": None}, "claim_missing", id="without an end"),
        pytest.param({"nbf": NOW + 61}, "token_from_the_future", id="not yet"),
        pytest.param({"iat": NOW + 61}, "token_from_the_future", id="issued tomorrow"),
        pytest.param({"token_type": "DPoP"}, "wrong_token_type", id="DPoP"),
        pytest.param({"token_type": "Refresh"}, "wrong_token_type", id="refresh token"),
        pytest.param({"token_type": "N_A"}, "wrong_token_type", id="not applicable"),
        pytest.param({"token_use": "refresh_token"}, "wrong_token_type", id="used to refresh"),
        pytest.param({"token_use": 1}, "wrong_token_type", id="used for a number"),
        pytest.param({"cnf": {"jkt": "x"}}, "token_bound", id="bound by DPoP"),
        pytest.param({"cnf": {"x5t#S256": "x"}}, "token_bound", id="bound by mTLS"),
        pytest.param({"cnf": {}}, "token_bound", id="bound to nothing"),
        pytest.param({"scope": "re\\ad"}, "claim_malformed", id="no scope token"),
        pytest.param({"scope": " "}, "claim_malformed", id="scope of spaces"),
        pytest.param({"sub": None, "client_id": None}, "claim_missing", id="of nobody"),
        pytest.param({"auth_time": "now"}, "claim_malformed", id="auth_time is a text"),
    ],
)
def test_what_does_not_hold_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(answer(**changes)) == code
    assert verify(answer()).subject == "person-1"


@pytest.mark.requirement("RS-INT-01")
def test_what_an_answer_need_not_tell_is_not_missed() -> None:
    for absent in ("iss", "token_type", "iat", "jti", "scope"):
        assert verify(answer(**{absent: None})).subject == "person-1"
    assert verify(answer(scope=None)).scope == frozenset()
    assert verify(answer(scope="")).scope == frozenset()
    bare = verify(answer(iat=None, jti=None))
    assert (bare.issued_at, bare.jti) == (0, "")
    for kind in ("bearer", "BEARER"):
        assert verify(answer(token_type=kind)).subject == "person-1"
    assert verify(answer(token_use="access_token", aud=["b", AUDIENCE])).audience[1] == AUDIENCE


@pytest.mark.requirement("RS-INT-01")
def test_only_who_says_so_takes_an_answer_without_an_audience() -> None:
    assert verify(answer(aud=None), accept_missing_audience=True).audience == ()
    assert refusal(answer(aud="b"), accept_missing_audience=True) == "audience_mismatch"
    assert refusal(answer(aud=None)) == "claim_missing"
    nameless = answer(aud=None, token_type=None)  # as of a refresh token
    assert refusal(nameless, accept_missing_audience=True) == "claim_missing"


@pytest.mark.requirement("RS-JAT-06")
def test_a_clients_own_token_is_told_from_a_persons() -> None:
    assert verify(answer()).is_for_person
    assert not verify(answer(sub="app")).is_for_person
    assert not verify(answer(sub=None)).is_for_person
    assert not verify(answer(client_id=None)).is_for_person, "nobody can know"


@pytest.mark.requirement("RS-INT-01")
def test_the_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    assert verify(answer(exp=NOW), NOW + 59).expires_at == NOW
    assert refusal(answer(exp=NOW), NOW + 60) == "token_expired"
    assert refusal(answer(exp=NOW), NOW + 1, leeway=0) == "token_expired"
