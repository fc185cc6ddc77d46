"""Subjects: random, telling nothing, never a client's id."""

from __future__ import annotations

import re

import pytest

from codegrant.accounts.subjects import SUBJECT_PREFIX, check_client_id, new_subject
from codegrant.errors import ConfigurationError
from codegrant.flow import Effect, RandomBytes


def subject_from(entropy: bytes) -> str:
    """Return the subject that is made of these bytes."""
    flow = new_subject()
    effect: Effect[bytes] = next(flow)
    assert isinstance(effect, RandomBytes)
    assert effect.size == len(entropy)
    with pytest.raises(StopIteration) as stop:
        flow.send(entropy)
    return str(stop.value.value)


def test_a_subject_is_made_of_128_random_bits_and_nothing_else() -> None:
    one, other = subject_from(bytes(16)), subject_from(bytes(15) + b"\x01")
    assert one != other
    for subject in (one, other):
        assert re.fullmatch(r"person-[a-z2-7]{26}", subject)


@pytest.mark.requirement("AS-CA-10")
@pytest.mark.parametrize(
    ("client_id", "allowed"),
    [
        pytest.param("person-aaaaaaaaaaaaaaaaaaaaaaaaaa", False, id="a subject"),
        pytest.param(SUBJECT_PREFIX, False, id="the prefix alone"),
        pytest.param("Person-1", False, id="in another case"),
        pytest.param("PER\N{LATIN SMALL LETTER LONG S}ON-1", False, id="a letter that folds"),
        pytest.param("personal-site", True, id="a word that starts alike"),
        pytest.param("my-person-1", True, id="the prefix later on"),
        pytest.param("notes", True, id="any other"),
    ],
)
def test_no_client_id_can_be_taken_for_a_person(client_id: str, *, allowed: bool) -> None:
    if allowed:
        check_client_id(client_id)
    else:
        with pytest.raises(ConfigurationError, match="belong to people"):
            check_client_id(client_id)
