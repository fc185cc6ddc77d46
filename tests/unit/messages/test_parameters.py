from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError, UsageError
from codegrant.messages.parameters import Parameters, build_query, form_encode
from tests.unit.messages.samples import TEXTS

PAIRS = st.lists(st.tuples(TEXTS, TEXTS | st.just("")), max_size=8)


def refusal(raw: bytes | str, **limits: int) -> str:
    with pytest.raises(MessageError) as refused:
        Parameters.parse(raw, **limits)
    return refused.value.code


@given(PAIRS)
def test_what_was_built_parses_to_itself(pairs: list[tuple[str, str]]) -> None:
    assert Parameters.parse(build_query(pairs)) == Parameters(pairs)
    assert Parameters.parse(build_query(pairs).encode()) == Parameters(pairs)


@given(PAIRS)
def test_another_writer_is_read_the_same(pairs: list[tuple[str, str]]) -> None:
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    assert Parameters.parse(text) == Parameters(pairs)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        parameters = Parameters.parse(raw)
    except MessageError:
        return
    assert Parameters.parse(build_query(parameters.pairs)) == parameters


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("&&", (), id="nothing but separators"),
        pytest.param("a", (("a", ""),), id="a name alone"),
        pytest.param("a=", (("a", ""),), id="an empty value"),
        pytest.param("=b", (("", "b"),), id="an empty name"),
        pytest.param("a=b=c", (("a", "b=c"),), id="a second equals sign"),
        pytest.param("a;b=c", (("a;b", "c"),), id="a semicolon separates nothing"),
        pytest.param("a+b=c+d", (("a b", "c d"),), id="plus is a space"),
        pytest.param("a=%2B%26%3d", (("a", "+&="),), id="escapes in either case"),
        pytest.param("a=ü", (("a", "ü"),), id="unencoded text"),
        pytest.param("a=%0D%0A%09", (("a", "\r\n\t"),), id="line ends and tab"),
        pytest.param("b=1&a=2&b=3", (("b", "1"), ("a", "2"), ("b", "3")), id="order is kept"),
    ],
)
def test_pairs_are_decoded_in_their_order(raw: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert Parameters.parse(raw).pairs == pairs
    assert Parameters.parse(raw.encode()).pairs == pairs


@pytest.mark.requirement("AS-TOK-12")
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"a=%", id="a % at the end"),
        pytest.param(b"a=%2", id="half an escape"),
        pytest.param(b"a=%zz", id="no hex digits"),
        pytest.param(b"%u0061=b", id="an escape of JavaScript"),
        pytest.param(b"a=%ff%fe", id="not UTF-8"),
        pytest.param(b"%c0%ae=b", id="an overlong form in the name"),
        pytest.param(b"a=%ed%a0%80", id="half a surrogate pair"),
        pytest.param(b"a=\xff", id="raw bytes that are not UTF-8"),
        pytest.param("a=\ud800", id="half a surrogate pair in text"),
        pytest.param(b"a=%00", id="NUL"),
        pytest.param(b"a=\x00", id="a raw NUL"),
        pytest.param(b"%00=a", id="NUL in the name"),
        pytest.param(b"a=%1b[2J", id="escape"),
        pytest.param(b"a=%7f", id="delete"),
        pytest.param(b"a=%0b", id="vertical tab"),
    ],
)
def test_a_broken_encoding_is_refused(raw: bytes | str) -> None:
    assert Parameters.parse(b"a=%C3%BC%25").single("a") == "ü%"
    assert refusal(raw) == "malformed_encoding"


@pytest.mark.parametrize(
    ("raw", "max_bytes"),
    [
        pytest.param(b"a=" + b"x" * 65_534, 65_536, id="bytes"),
        pytest.param("a=" + "x" * 65_534, 65_536, id="text"),
        pytest.param("a=" + "ü" * 4, 10, id="text whose bytes count"),
    ],
)
def test_size_is_bounded(raw: bytes | str, max_bytes: int) -> None:
    Parameters.parse(raw, max_bytes=max_bytes)
    longer = raw + (b"x" if isinstance(raw, bytes) else "x")  # type: ignore[operator]
    assert refusal(longer, max_bytes=max_bytes) == "too_large"
    assert refusal(raw, max_bytes=max_bytes - 1) == "too_large"


def test_the_number_of_parameters_is_bounded() -> None:
    hundred = "&".join(f"a{number}=" for number in range(100))
    assert len(Parameters.parse(hundred).pairs) == 100
    assert refusal(f"{hundred}&b=") == "too_many_parameters"
    assert refusal("&" * 100) == "too_many_parameters"
    assert refusal("a=1&b=2&c=3", max_fields=2) == "too_many_parameters"


def test_a_single_parameter_is_there_once_or_not_at_all() -> None:
    parameters = Parameters.parse("a=1&b=&c=1&c=1&d=&d=2")
    assert parameters.single("a") == "1"
    assert parameters.single("b") is None
    assert parameters.single("e") is None
    for name in ("c", "d"):
        with pytest.raises(MessageError) as refused:
            parameters.single(name)
        assert refused.value.code == "repeated_parameter"
        assert refused.value.message.startswith(f"{name}:")


def test_a_refusal_repeats_no_more_than_the_start_of_a_name() -> None:
    name = "n" * 100
    with pytest.raises(MessageError) as refused:
        Parameters([(name, "s3cret"), (name, "s3cret")]).single(name)
    assert "s3cret" not in str(refused.value)
    assert "n" * 41 not in str(refused.value)


def test_all_values_of_a_name_come_in_their_order_without_empty_ones() -> None:
    parameters = Parameters.parse("r=b&x=1&r=&r=a&r=b")
    assert parameters.all("r") == ("b", "a", "b")
    assert parameters.all("none") == ()
    assert parameters.names == ("r", "x")


@pytest.mark.requirement("AS-TOK-08")
@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("", None),
        ("a=1&b=2", None),
        ("resource=1&resource=2", None),
        ("resource=1&resource=2&a=1&a=1", "a"),
        ("b=1&a=1&a=&b=2", "b"),
        ("a=&a=", "a"),
        ("a=1&A=1", None),
        ("a=1&%61=1", "a"),
    ],
)
def test_a_repeated_name_is_found_unless_it_may_be(raw: str, found: str | None) -> None:
    assert Parameters.parse(raw).find_repeated() == found


def test_a_callback_allows_no_repetition_at_all() -> None:
    assert Parameters.parse("resource=1&resource=2").find_repeated(frozenset()) == "resource"


def test_parameters_are_values_that_show_names_alone() -> None:
    one, other = Parameters.parse("code=s3cret"), Parameters([("code", "s3cret")])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Parameters.parse("code=other")
    assert one != "code=s3cret"
    assert repr(one) == "Parameters(code)"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_encoded_as_the_standard_library_does(text: str) -> None:
    assert form_encode(text) == quote_plus(text)


def test_each_ascii_character_is_encoded_as_the_standard_library_does() -> None:
    every = "".join(map(chr, range(128)))
    assert form_encode(every) == quote_plus(every)
    assert build_query([(every, every)]) == f"{quote_plus(every)}={quote_plus(every)}"


def test_half_a_surrogate_pair_is_the_programs_fault() -> None:
    assert build_query([("a", "\U0001f511 +&=")]) == "a=%F0%9F%94%91+%2B%26%3D"
    with pytest.raises(UsageError) as refused:
        build_query([("a", "\ud83d")])
    assert refused.value.code == "malformed_encoding"
