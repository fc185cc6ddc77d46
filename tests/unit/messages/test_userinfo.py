from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue
from codegrant.messages.userinfo import UserInfoResponse
from tests.unit.messages.samples import JSON_TEXTS, JSON_VALUES

CLAIMS = st.dictionaries(JSON_TEXTS.filter(lambda name: name != "sub"), JSON_VALUES, max_size=4)


@given(CLAIMS, st.none() | JSON_TEXTS)
def test_what_was_built_parses_to_itself(claims: dict[str, JsonValue], sub: str | None) -> None:
    response = UserInfoResponse(claims=claims if sub is None else {**claims, "sub": sub})
    parsed = UserInfoResponse.parse(response.build())
    assert parsed == response
    assert parsed.sub == (sub or "")


@pytest.mark.requirement("CL-IDT-07")
@pytest.mark.parametrize("sub", [1, 1.5, True, None, ["person"], {"sub": "person"}])
def test_a_subject_is_a_text(sub: object) -> None:
    assert UserInfoResponse.parse(b'{"sub":"person"}').sub == "person"
    with pytest.raises(MessageError) as refused:
        UserInfoResponse.parse(json.dumps({"sub": sub}).encode())
    assert refused.value.code == "malformed_member"


def test_a_subject_of_another_type_is_none_in_a_value_made_by_hand() -> None:
    assert UserInfoResponse(claims={"sub": 1}).sub == ""


def test_size_is_bounded() -> None:
    with pytest.raises(MessageError) as refused:
        UserInfoResponse.parse(b" " * (1 << 20) + b"{}")
    assert refused.value.code == "too_large"


def test_nothing_of_the_person_is_shown() -> None:
    assert "alice" not in repr(UserInfoResponse(claims={"sub": "alice"}))
