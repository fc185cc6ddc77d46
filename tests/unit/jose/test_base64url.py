from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.jose.base64url import decode, encode

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.binary(max_size=300))
def test_what_was_encoded_decodes_to_itself(data: bytes) -> None:
    assert decode(encode(data)) == data


def test_the_example_of_rfc_7515_appendix_c_is_spelled_the_same() -> None:
    assert encode(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"


@given(st.text(alphabet=ALPHABET, max_size=8))
def test_every_accepted_text_is_the_one_spelling_of_its_octets(text: str) -> None:
    try:
        data = decode(text)
    except MessageError:
        assert urlsafe_b64encode(_forgiving(text)).rstrip(b"=").decode() != text
    else:
        assert encode(data) == text


def _forgiving(text: str) -> bytes:
    """What a decoder that pads and shrugs makes of `text`."""
    return urlsafe_b64decode(text[: len(text) - (len(text) % 4 == 1)] + "==")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AA==", id="padding"),
        pytest.param("AAA=", id="padding of one"),
        pytest.param("AAAA====", id="padding of nothing"),
        pytest.param("=", id="padding alone"),
        pytest.param("A", id="one character"),
        pytest.param("AAAAA", id="five characters"),
        pytest.param("AB", id="stray bits, two characters"),
        pytest.param("AAB", id="stray bits, three characters"),
        pytest.param("A+AA", id="plus of base64"),
        pytest.param("A/AA", id="slash of base64"),
        pytest.param("AA AA", id="space"),
        pytest.param("AAAA\n", id="line feed at the end"),
        pytest.param("\nAAAA", id="line feed at the start"),
        pytest.param("AA\r\nAA", id="line folding"),
        pytest.param("AA.AA", id="dot"),
        pytest.param("AA\x00A", id="NUL"),
        pytest.param("!!!!", id="no character of the alphabet"),
        pytest.param("AAAä", id="letter outside of ASCII"),
        pytest.param("\uff21\uff21\uff21\uff21", id="fullwidth letters"),
        pytest.param("AA\ud800A", id="half a surrogate pair"),
        pytest.param("AAA%41", id="percent escape"),
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(MessageError) as refused:
        decode(text)
    assert refused.value.code == "malformed_base64url"


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(MessageError):
        decode(text)
