"""Usernames and passwords: what is the same, what is not, what nobody can have."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.accounts.credentials import (
    MAX_PASSWORD_BYTES,
    MAX_USERNAME_LENGTH,
    read_password,
    read_username,
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ALICE", id="upper case"),
        pytest.param("Alice", id="mixed case"),
        pytest.param("ａｌｉｃｅ", id="full width"),  # noqa: RUF001
        pytest.param("alic\N{MATHEMATICAL BOLD SMALL E}", id="mathematical letter"),
    ],
)
def test_spellings_of_one_username_are_one_person(text: str) -> None:
    assert read_username(text) == "alice"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("al\N{LATIN SMALL LETTER DOTLESS I}ce", id="dotless i"),
        pytest.param("AL\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}CE", id="dot above"),
        pytest.param("al\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}ce", id="cyrillic i"),
        pytest.param("alicé", id="accent"),
        pytest.param("ali ce", id="a space inside"),
        pytest.param("alice@example.com", id="an address"),
        pytest.param("alice.", id="a full stop"),
    ],
)
def test_what_only_looks_alike_is_another_person(text: str) -> None:
    assert read_username(text) not in {None, "alice"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("alice ", id="a space after"),
        pytest.param(" alice", id="a space before"),
        pytest.param("alice\N{NO-BREAK SPACE}", id="a no-break space after"),
        pytest.param("alice\n", id="a line end"),
        pytest.param("alice\0", id="NUL"),
        pytest.param("al\N{ZERO WIDTH SPACE}ice", id="zero width space"),
        pytest.param("al\N{SOFT HYPHEN}ice", id="soft hyphen"),
        pytest.param("\N{RIGHT-TO-LEFT OVERRIDE}alice", id="bidi override"),
        pytest.param("al\ud800ice", id="half a character"),
        pytest.param("\ue000", id="private use"),
        pytest.param("a" * (MAX_USERNAME_LENGTH + 1), id="too long"),
        pytest.param("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 20, id="grows too long"),
    ],
)
def test_some_usernames_are_nobodys(text: str) -> None:
    assert read_username(text) is None


@given(st.text(max_size=30))
def test_the_form_of_a_username_is_its_own_form(text: str) -> None:
    key = read_username(text)
    assert key is None or read_username(key) == key


def test_the_longest_username_is_taken() -> None:
    assert read_username("a" * MAX_USERNAME_LENGTH) is not None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x", id="one character"),
        pytest.param("  two spaces around  ", id="spaces count"),
        pytest.param("a" * MAX_PASSWORD_BYTES, id="the longest"),
        pytest.param("a" * 100, id="more than 72 bytes"),
        pytest.param("\N{GRINNING FACE}" * 10, id="beyond the basic plane"),
    ],
)
def test_a_password_is_kept_whole(text: str) -> None:
    password = read_password(text)
    assert password is not None
    assert password.reveal() == text


def test_a_password_typed_in_two_ways_is_one_password() -> None:
    composed, decomposed = normalize("NFC", "pässwörd"), normalize("NFD", "pässwörd")
    assert composed != decomposed
    assert read_password(composed) == read_password(decomposed)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("pw\0x", id="NUL, where C strings end"),
        pytest.param("pw\n", id="a line end"),
        pytest.param("pw\x7f", id="delete"),
        pytest.param("pw\x85", id="a control beyond ASCII"),
        pytest.param("pw\udc80", id="half a character"),
        pytest.param("a" * (MAX_PASSWORD_BYTES + 1), id="one byte too long"),
        pytest.param("ä" * (MAX_PASSWORD_BYTES // 2 + 1), id="too many bytes in fewer characters"),
        pytest.param("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 60, id="grows too long"),
        pytest.param("a" * 2**20, id="1 MiB"),
    ],
)
def test_some_passwords_are_nobodys(text: str) -> None:
    assert read_password(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("password", "Password", id="case"),
        pytest.param("password", "password ", id="a space after"),
        pytest.param("a" * 72 + "b", "a" * 72 + "c", id="byte 73"),
        pytest.param("password", "passw\N{LATIN SMALL LETTER DOTLESS I}rd", id="another letter"),
    ],
)
def test_different_passwords_stay_different(one: str, other: str) -> None:
    assert read_password(one) != read_password(other)
