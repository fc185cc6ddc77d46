from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codegrant.rules.error_text import clean_error_text

ALLOWED = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")


@pytest.mark.requirement("AS-AZ-16")
@given(st.text(st.characters()))
@example("".join(map(chr, range(0x180))))
@example("\ud800\U0001f511\u2028")
def test_no_other_character_than_the_allowed_ones_is_left(text: str) -> None:
    cleaned = clean_error_text(text)
    assert ALLOWED.fullmatch(cleaned)
    assert len(cleaned) == min(len(text), 500)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("the code is not valid", "the code is not valid"),
        ('say "yes"', "say 'yes'"),
        ("C:\\x", "C:/x"),
        ("a\tb\r\nc", "a b  c"),
        ("é\x00\x7f", "???"),
        ("~}|{", "~}|{"),
    ],
)
def test_each_character_has_its_stand_in(text: str, cleaned: str) -> None:
    assert clean_error_text(text) == cleaned


def test_a_long_text_is_cut() -> None:
    assert clean_error_text("x" * 500) == "x" * 500
    assert clean_error_text("x" * 501) == "x" * 497 + "..."
