from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codegrant.errors import MessageError, UsageError
from codegrant.messages.json import JsonValue, build_json, parse_json, parse_object

SCALARS: st.SearchStrategy[JsonValue] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_was_built_parses_to_itself(value: JsonValue) -> None:
    assert parse_json(build_json(value)) == value


@given(VALUES)
def test_what_another_writer_escaped_parses_to_the_same(value: JsonValue) -> None:
    assert parse_json(json.dumps(value, indent=1)) == value


def _refusal(text: bytes | str, max_bytes: int = 65536) -> str:
    with pytest.raises(MessageError) as refused:
        parse_json(text, max_bytes=max_bytes)
    return refused.value.code


@pytest.mark.requirement("CO-JOSE-03")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":1}', id="twice the same"),
        pytest.param(b'{"a":1,"b":2,"a":3}', id="apart"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="one of them escaped"),
        pytest.param(b'{"b":{"a":1,"a":2}}', id="nested"),
        pytest.param(b'[[{"":1,"":2}]]', id="empty names in a list"),
    ],
)
def test_members_of_one_name_are_refused(text: bytes) -> None:
    assert parse_json(b'{"a":1,"A":2,"b":{"a":3}}') == {"a": 1, "A": 2, "b": {"a": 3}}
    assert _refusal(text) == "repeated_member"


@pytest.mark.requirement("CO-JOSE-03")
@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "[1e309]",
        '{"exp":1e9999}',
        "9" * 400 + ".0",
    ],
)
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    assert parse_json("1.7976931348623157e308") == 1.7976931348623157e308
    assert _refusal(text) == "malformed_json"


def test_an_integer_keeps_its_digits() -> None:
    assert parse_json("18446744073709551617") == 18446744073709551617
    assert _refusal("9" * 5000) == "malformed_json"


def test_thirty_two_levels_are_read_and_no_more() -> None:
    assert parse_json("[" * 32 + "]" * 32)
    assert parse_json('{"a":' * 31 + "[]" + "}" * 31)
    assert _refusal("[" * 33 + "]" * 33) == "too_deep"
    assert _refusal('{"a":' * 32 + "[]" + "}" * 32) == "too_deep"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 60000, id="opened only"),
        pytest.param('{"a":' * 10000, id="objects"),
        pytest.param('["\\"",' + "[" * 50, id="after an escaped quote"),
        pytest.param('"[[[[",' + "[" * 50, id="after a string with brackets"),
    ],
)
def test_deep_nesting_is_refused_before_anything_recurses(text: str) -> None:
    assert _refusal(text) == "too_deep"


def test_brackets_in_strings_do_not_nest() -> None:
    assert parse_json('["' + "[{" * 500 + '", "\\"[[[[[", {}]')
    assert parse_json("[" + "[]," * 500 + "{}]")
    assert _refusal('"' + "[" * 500) == "too_deep"


def test_a_text_of_the_size_allowed_is_read_and_a_longer_one_is_not() -> None:
    assert parse_json(b'"' + b"a" * 98 + b'"', max_bytes=100) == "a" * 98
    assert _refusal(b'"' + b"a" * 99 + b'"', max_bytes=100) == "too_large"
    assert _refusal('"' + "ä" * 50 + '"', max_bytes=100) == "too_large"
    assert _refusal(b" " * 65537) == "too_large"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b'"\xc0\xaf"', id="overlong"),
        pytest.param(b'"\xed\xa0\x80"', id="surrogate in octets"),
        pytest.param('"{}"'.encode("utf-16"), id="UTF-16"),
        pytest.param('"\ud800"', id="surrogate in a text"),
    ],
)
def test_other_encodings_are_refused(text: bytes | str) -> None:
    assert _refusal(text) == "malformed_encoding"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(" ", id="space"),
        pytest.param("\ufeff{}", id="byte order mark"),
        pytest.param("{} {}", id="two values"),
        pytest.param("{}\x00", id="NUL behind"),
        pytest.param("{'a':1}", id="single quotes"),
        pytest.param("{a:1}", id="bare name"),
        pytest.param('{"a":1,}', id="comma behind"),
        pytest.param("[1,]", id="comma behind in a list"),
        pytest.param("// x\n{}", id="comment"),
        pytest.param('"a\nb"', id="line feed in a string"),
        pytest.param('"\t"', id="tab in a string"),
        pytest.param('"\\x41"', id="unknown escape"),
        pytest.param("01", id="leading zero"),
        pytest.param("+1", id="plus"),
        pytest.param(".5", id="no digit before the point"),
        pytest.param("5.", id="no digit behind the point"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("1_000", id="underscore"),
        pytest.param("\u0661", id="another script's digit"),
        pytest.param("True", id="capital"),
        pytest.param("undefined", id="undefined"),
        pytest.param("\u00a0{}", id="no-break space"),
        pytest.param('"\\ud800"', id="half a pair"),
        pytest.param('"\\udc00\\ud800"', id="pair turned round"),
        pytest.param('{"\\udfff":1}', id="half a pair in a name"),
        pytest.param('[{"a":["\\uD83D"]}]', id="half a pair, nested"),
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    assert _refusal(text) == "malformed_json"


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"
    assert parse_json('"\\\\ud800"') == "\\ud800"


@given(st.text(max_size=60) | st.binary(max_size=60) | st.text('[]{}",:\\u01aeE+-. ', max_size=80))
def test_no_text_raises_anything_else(text: str | bytes) -> None:
    with suppress(MessageError):
        parse_json(text)


@pytest.mark.parametrize("text", ["[]", '"a"', "1", "null", "true", '[{"a":1}]'])
def test_an_object_is_an_object(text: str) -> None:
    assert parse_object('{"a":[1]}') == {"a": [1]}
    with pytest.raises(MessageError) as refused:
        parse_object(text)
    assert refused.value.code == "malformed_json"


def test_json_is_built_compact_in_utf_8_and_in_order() -> None:
    value = {"z": 1, "a": ("é", None), "m": MappingProxyType({"b": True})}
    assert build_json(value) == '{"z":1,"a":["é",null],"m":{"b":true}}'.encode()
    assert build_json(MappingProxyType({"a": 1})) == b'{"a":1}'


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="NaN"),
        pytest.param({"a": [math.inf]}, id="infinity"),
        pytest.param({"a": "\ud800"}, id="half a pair"),
        pytest.param(b"octets", id="octets"),
        pytest.param({"a": {1, 2}}, id="set"),
        pytest.param(object(), id="object"),
    ],
)
def test_what_json_has_not_is_not_built(value: object) -> None:
    with pytest.raises(UsageError) as refused:
        build_json(value)
    assert refused.value.code == "not_json"


def test_a_cycle_is_not_built() -> None:
    cycle: dict[str, object] = {}
    cycle["self"] = cycle
    deep: Mapping[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for value in (cycle, deep):
        with pytest.raises(UsageError):
            build_json(value)


# Objects without nesting are read on a way of their own.

FLAT_TEXT = st.text(st.sampled_from('ab:,{}[]é \\"\n\u2028'), max_size=4)
FLAT_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | FLAT_TEXT
SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])


@pytest.mark.requirement("CO-JOSE-03")
@given(
    st.lists(st.tuples(FLAT_TEXT, FLAT_VALUES | st.just([1])), max_size=5),
    st.booleans(),
    SPACE,
    SPACE,
)
def test_a_name_that_comes_twice_is_seen_whatever_else_there_is(
    members: list[tuple[str, JsonValue]], ascii_only: bool, before: str, between: str
) -> None:
    assume(not any(isinstance(value, float) and math.isinf(value) for _, value in members))
    written = f"{between},{before}".join(
        f"{json.dumps(name, ensure_ascii=ascii_only)}{between}:{before}"
        f"{json.dumps(value, ensure_ascii=ascii_only)}"
        for name, value in members
    )
    text = f"{before}{{{between}{written}{before}}}{between}"
    if len(dict(members)) == len(members):
        assert parse_object(text) == parse_object(text.encode()) == dict(members)
        assert list(parse_object(text)) == [name for name, _ in members]
    else:
        for form in (text, text.encode()):
            with pytest.raises(MessageError) as refused:
                parse_object(form)
            assert refused.value.code == "repeated_member"


@given(st.text(st.sampled_from('{}":,a1 \\e.-[]\n'), max_size=14))
def test_an_object_is_read_as_any_value_is(text: str) -> None:
    value, code = None, ""
    try:
        value = parse_json(text)
    except MessageError as error:
        code = error.code
    if isinstance(value, dict):
        assert parse_object(text) == value
    else:
        with pytest.raises(MessageError) as refused:
            parse_object(text)
        assert refused.value.code == (code or "malformed_json")
