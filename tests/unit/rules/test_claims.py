from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codegrant.errors import TokenRejected
from codegrant.rules.claims import (
    at_stage,
    check_times,
    find_text,
    find_texts,
    find_time,
    read_audience,
    read_text,
    read_time,
    rejected,
)

NOW = 1_800_000_000
LATEST = 253_402_300_799


def refusal(read: Callable[[], object]) -> TokenRejected:
    with pytest.raises(TokenRejected) as refused:
        read()
    return refused.value


@pytest.mark.parametrize("value", ["", None, 1, True, 1.5, ["a"], {"a": 1}])
def test_a_text_is_one_and_not_empty(value: Any) -> None:
    claims = {"sub": value}
    assert read_text({"sub": "a"}, "sub") == find_text({"sub": "a"}, "sub") == "a"
    for read in (read_text, find_text):
        error = refusal(lambda read=read: read(claims, "sub"))  # type: ignore[misc]
        assert error.code == "claim_malformed"
        assert error.facts["claim"] == "sub"
        assert error.facts["expected"] == "a text"
    assert find_text({}, "sub") is None
    assert refusal(lambda: read_text({}, "sub")).code == "claim_missing"


@pytest.mark.parametrize("value", [None, "a", 1, {}, [1], ["a", None], [["a"]]])
def test_a_list_of_texts_has_nothing_else(value: Any) -> None:
    assert find_texts({"amr": ["pwd", ""]}, "amr") == ("pwd", "")
    assert find_texts({"amr": []}, "amr") == find_texts({}, "amr") == ()
    assert refusal(lambda: find_texts({"amr": value}, "amr")).code == "claim_malformed"


@pytest.mark.requirement("CL-IDT-03")
@pytest.mark.parametrize(
    "value",
    [
        None, "", "1800000000", True, False, -1, -0.5, LATEST + 1, 1e308, float("inf"),
        float("nan"), 10**400, [NOW], {"time": NOW},
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_time_is_a_number_of_seconds(value: Any) -> None:
    claims = {"exp": value}
    for read in (read_time, find_time):
        error = refusal(lambda read=read: read(claims, "exp"))  # type: ignore[misc]
        assert error.code == "claim_malformed"
        assert len(str(error.facts["got"])) <= 200
    assert find_time({}, "exp") is None
    assert refusal(lambda: read_time({}, "exp")).code == "claim_missing"


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0), (NOW, NOW), (NOW + 0.9, NOW), (LATEST, LATEST), (1e9, 10**9)]
)
def test_a_fraction_of_a_second_is_cut_off(value: Any, seconds: int) -> None:
    assert read_time({"exp": value}, "exp") == seconds
    assert type(read_time({"exp": value}, "exp")) is int


@pytest.mark.parametrize(
    "value", ["", [], [""], ["a", ""], ["a", 1], None, 1, True, {"a": 1}, [["a"]]]
)
def test_an_audience_is_a_text_or_a_list_of_some(value: Any) -> None:
    assert read_audience({"aud": "a"}) == ("a",)
    assert read_audience({"aud": ["b", "a"]}) == ("b", "a")
    assert refusal(lambda: read_audience({"aud": value})).code == "claim_malformed"
    assert refusal(lambda: read_audience({})).code == "claim_missing"


@pytest.mark.requirement("CL-IDT-03", "CO-SEC-03")
@pytest.mark.parametrize(
    ("changes", "code", "claim"),
    [
        pytest.param({"exp": NOW - 60}, "token_expired", "exp", id="expired"),
        pytest.param({"exp": 0}, "token_expired", "exp", id="expired long ago"),
        pytest.param({"iat": NOW + 61}, "token_from_the_future", "iat", id="of the future"),
        pytest.param({"nbf": NOW + 61}, "token_from_the_future", "nbf", id="not yet valid"),
        pytest.param({"exp": None}, "claim_malformed", "exp", id="no number"),
        pytest.param({"iat": "1"}, "claim_malformed", "iat", id="a text"),
        pytest.param({"nbf": True}, "claim_malformed", "nbf", id="true"),
        pytest.param({"exp": ...}, "claim_missing", "exp", id="no exp"),
        pytest.param({"iat": ...}, "claim_missing", "iat", id="no iat"),
    ],
)
def test_a_token_is_good_for_its_time_and_no_longer(
    changes: dict[str, Any], code: str, claim: str
) -> None:
    claims: dict[str, Any] = {"exp": NOW + 300, "iat": NOW, "nbf": NOW}
    assert check_times(claims, now=NOW, leeway=60) == (NOW, NOW + 300)
    changed = {k: v for k, v in (claims | changes).items() if v is not ...}
    error = refusal(lambda: check_times(changed, now=NOW, leeway=60))
    assert (error.code, error.facts["claim"]) == (code, claim)


@pytest.mark.parametrize("leeway", [0, 10, 60])
def test_the_leeway_counts_on_both_sides(leeway: int) -> None:
    edge: dict[str, Any] = {"exp": NOW - leeway + 1, "iat": NOW + leeway, "nbf": NOW + leeway}
    check_times(edge, now=NOW, leeway=leeway)
    for name, value in (
        ("exp", NOW - leeway),
        ("iat", NOW + leeway + 1),
        ("nbf", NOW + leeway + 1),
    ):
        error = refusal(lambda name=name, value=value: check_times(  # type: ignore[misc]
            edge | {name: value}, now=NOW, leeway=leeway
        ))  # fmt: skip
        assert error.facts["claim"] == name
        assert (error.facts["now"], error.facts["leeway"]) == (NOW, leeway)
        assert "clocks" in error.hint


def test_a_refusal_says_what_was_expected_and_found() -> None:
    error = rejected("iss", "the token is of another issuer", code="x", expected="a", got="b")
    assert error.message == "iss: the token is of another issuer (expected a, got b)"
    assert error.facts == {"claim": "iss", "expected": "a", "got": "b"}
    plain = rejected("nonce", "it is missing", code="x", hint="because")
    assert (plain.message, plain.hint) == ("nonce: it is missing", "because")
    zero = rejected("exp", "late", code="x", got=0, now=0)
    assert zero.facts == {"claim": "exp", "got": 0, "now": 0}


def test_what_was_found_is_cut_and_cleaned() -> None:
    error = rejected("iss", "no", code="x", got='"<\n' + "x" * 500)
    assert error.facts["got"] == "'< " + "x" * 197


def test_a_refusal_knows_the_stage_that_it_happened_in() -> None:
    with pytest.raises(TokenRejected) as refused, at_stage("id_token"):
        raise rejected("iss", "no", code="x")
    assert refused.value.stage == "id_token"
    with pytest.raises(ValueError, match="other"), at_stage("id_token"):
        raise ValueError("other")


@pytest.mark.parametrize(
    ("issued_at", "expires_at", "now", "said"),
    [
        pytest.param(
            NOW + 95, NOW + 300, NOW, "iat is 95 s ahead of this machine's clock", id="iat"
        ),
        pytest.param(
            NOW, NOW + 300, NOW + 420, "exp is 120 s behind this machine's clock", id="exp"
        ),
    ],
)
def test_clocks_that_differ_are_told_in_seconds(
    issued_at: int, expires_at: int, now: int, said: str
) -> None:
    claims: dict[str, Any] = {"iat": issued_at, "exp": expires_at}
    error = refusal(lambda: check_times(claims, now=now, leeway=60))
    assert said in error.hint
    assert "set both by NTP" in error.hint
    assert (error.facts["now"], error.facts["leeway"]) == (now, 60)
