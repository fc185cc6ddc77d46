from __future__ import annotations

import pytest

from codegrant.errors import OAuthError
from codegrant.rules.prompt import PROMPTS, parse_max_age, parse_prompt


@pytest.mark.parametrize(
    ("text", "values"),
    [
        *[(name, {name}) for name in sorted(PROMPTS)],
        ("login consent", {"login", "consent"}),
        ("consent  login", {"login", "consent"}),
        ("login login", {"login"}),
        ("login consent select_account", {"login", "consent", "select_account"}),
    ],
)
def test_known_values_are_read(text: str, values: set[str]) -> None:
    assert parse_prompt(text) == values


@pytest.mark.parametrize(
    "text",
    ["", " ", "create", "Login", "login,consent", "login\tconsent", "login x", "login\n", "NONE"],
)
def test_an_unknown_value_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        parse_prompt(text)
    assert refused.value.error == "invalid_request"
    assert "consent, login, none, select_account" in refused.value.description


@pytest.mark.parametrize("text", ["none login", "consent none", "none none login"])
def test_none_goes_with_no_other_value(text: str) -> None:
    assert parse_prompt("none none") == {"none"}
    with pytest.raises(OAuthError) as refused:
        parse_prompt(text)
    assert refused.value.error == "invalid_request"
    assert refused.value.description == "prompt=none goes with no other value"


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("300", 300), ("007", 7), ("9999999999", 9_999_999_999)]
)
def test_an_age_is_a_number_of_seconds(text: str, seconds: int) -> None:
    assert parse_max_age(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.5", "1e3", " 1", "1\n", "0x10", "٣", "1_0", "10000000000"]
)
def test_any_other_age_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        parse_max_age(text)
    assert refused.value.error == "invalid_request"
