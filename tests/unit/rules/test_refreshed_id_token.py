from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.errors import TokenRejected
from codegrant.rules.id_token import IdToken
from codegrant.rules.refreshed_id_token import continue_identity

NOW = 1_800_000_000
BEFORE = IdToken(
    issuer="https://as.example",
    subject="person-1",
    audience=("app",),
    nonce="a-nonce",
    auth_time=NOW - 9,
    acr="1",
    amr=("pwd",),
    expires_at=NOW + 300,
    issued_at=NOW,
    claims={"sub": "person-1", "email": "old@person.example"},
)
AFTER = replace(
    BEFORE,
    nonce=None,
    issued_at=NOW + 200,
    expires_at=NOW + 500,
    claims={"sub": "person-1", "email": "new@person.example"},
)


@pytest.mark.requirement("CL-IDT-09")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"issuer": "https://as.example/"}, "issuer_mismatch", id="iss"),
        pytest.param({"subject": "person-2"}, "subject_mismatch", id="sub"),
        pytest.param({"subject": "Person-1"}, "subject_mismatch", id="sub, another case"),
        pytest.param({"audience": ("app", "b")}, "audience_mismatch", id="aud, more"),
        pytest.param({"audience": ("b",)}, "audience_mismatch", id="aud, another"),
        pytest.param({"issued_at": NOW - 61}, "token_outdated", id="iat"),
        pytest.param({"claims": {"azp": "app"}}, "azp_mismatch", id="azp, new"),
        pytest.param({"claims": {"nonce": "b-nonce"}}, "nonce_mismatch", id="nonce"),
        pytest.param({"claims": {"nonce": "A-nonce"}}, "nonce_mismatch", id="nonce, another case"),
        pytest.param({"claims": {"nonce": 5}}, "claim_malformed", id="nonce, no text"),
        pytest.param({"auth_time": NOW - 8}, "auth_time_mismatch", id="auth_time"),
    ],
)
def test_an_id_token_that_does_not_continue_the_login_is_refused(
    change: dict[str, Any], code: str
) -> None:
    assert continue_identity(AFTER, BEFORE).subject == "person-1"
    with pytest.raises(TokenRejected) as refused:
        continue_identity(replace(AFTER, **change), BEFORE)
    assert (refused.value.code, refused.value.stage) == (code, "id_token")
    assert "nonce" not in refused.value.facts


def test_an_azp_stays_as_it_was() -> None:
    before, after = (replace(one, claims={"azp": "app"}) for one in (BEFORE, AFTER))
    assert continue_identity(after, before).claims["azp"] == "app"
    for claims in ({}, {"azp": "b"}):
        with pytest.raises(TokenRejected) as refused:
            continue_identity(replace(AFTER, claims=claims), before)
        assert refused.value.code == "azp_mismatch"


def test_a_nonce_of_a_login_without_one_is_refused() -> None:
    before = replace(BEFORE, nonce=None)
    assert continue_identity(AFTER, before).nonce is None
    with pytest.raises(TokenRejected):
        continue_identity(replace(AFTER, claims={"nonce": "a-nonce"}), before)


def test_what_the_new_token_leaves_out_of_the_login_stays() -> None:
    bare = replace(AFTER, auth_time=None, acr=None, amr=(), claims={"sub": "person-1"})
    told = continue_identity(bare, BEFORE)
    assert (told.nonce, told.auth_time, told.acr, told.amr) == ("a-nonce", NOW - 9, "1", ("pwd",))
    assert "email" not in told.claims
    told = continue_identity(replace(AFTER, acr="2", amr=("otp",)), BEFORE)
    assert (told.acr, told.amr) == ("2", ("otp",))
    assert told.claims["email"] == "new@person.example"
    assert (told.issued_at, told.expires_at) == (NOW + 200, NOW + 500)


def test_an_auth_time_that_is_told_for_the_first_time_holds_from_then_on() -> None:
    first = continue_identity(AFTER, replace(BEFORE, auth_time=None))
    assert first.auth_time == NOW - 9
    with pytest.raises(TokenRejected):
        continue_identity(replace(AFTER, auth_time=NOW), first)


@pytest.mark.parametrize(("back", "fine"), [(0, True), (60, True), (61, False)])
def test_clocks_may_differ_by_the_leeway(back: int, fine: bool) -> None:
    after = replace(AFTER, issued_at=NOW - back)
    if fine:
        continue_identity(after, BEFORE)
    else:
        with pytest.raises(TokenRejected):
            continue_identity(after, BEFORE)
