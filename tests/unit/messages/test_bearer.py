from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError, UsageError
from codegrant.messages.bearer import Challenge, parse_challenges

TOKEN_TEXT = st.text("!#$%&'*+.^_`|~09azAZ-", min_size=1, max_size=12)
# What RFC 6750 §3 allows in a value.
VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'), max_size=30
)


@given(TOKEN_TEXT, st.dictionaries(TOKEN_TEXT.map(str.lower), VALUE, max_size=4))
def test_what_is_built_is_parsed_again(scheme: str, params: dict[str, str]) -> None:
    challenge = Challenge(scheme, params)
    assert parse_challenges(challenge.build()) == (challenge,)
    (again,) = parse_challenges(challenge.build())
    assert dict(again.params) == params


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(" , ,", [], id="empty elements"),
        pytest.param("Bearer", [("Bearer", {})], id="no parameters"),
        pytest.param('Bearer realm="a"', [("Bearer", {"realm": "a"})], id="one parameter"),
        pytest.param("Bearer realm=a", [("Bearer", {"realm": "a"})], id="token value"),
        pytest.param('BEARER Realm = "a"', [("BEARER", {"realm": "a"})], id="spaces and case"),
        pytest.param(
            'Bearer realm="a", error="invalid_token"',
            [("Bearer", {"realm": "a", "error": "invalid_token"})],
            id="two parameters",
        ),
        pytest.param(
            'Basic realm="x", Bearer, DPoP algs="ES256 PS256"',
            [("Basic", {"realm": "x"}), ("Bearer", {}), ("DPoP", {"algs": "ES256 PS256"})],
            id="several schemes",
        ),
        pytest.param(
            "Negotiate YWJj==, Bearer error=x",
            [("Negotiate", {}), ("Bearer", {"error": "x"})],
            id="token68 is left out",
        ),
        pytest.param(
            r'Bearer realm="say \"hi\" \\ twice"',
            [("Bearer", {"realm": r'say "hi" \ twice'})],
            id="escapes",
        ),
        pytest.param(
            'Bearer realm="a, Basic realm=b"',
            [("Bearer", {"realm": "a, Basic realm=b"})],
            id="a scheme inside quotes",
        ),
        pytest.param('Bearer realm=""', [("Bearer", {"realm": ""})], id="empty value"),
    ],
)
def test_each_form_of_a_challenge_is_read(
    text: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert [(c.scheme, dict(c.params)) for c in parse_challenges(text)] == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param('realm="a"', "malformed_challenge", id="parameter without scheme"),
        pytest.param('Bearer realm="a', "malformed_challenge", id="open quote"),
        pytest.param('Bearer realm="a\\', "malformed_challenge", id="open escape"),
        pytest.param('Bearer realm="a"error="b"', "malformed_challenge", id="no comma"),
        pytest.param('Bearer realm="a" error="b"', "malformed_challenge", id="space for comma"),
        pytest.param("Bearer a=b, realm=", "malformed_challenge", id="no value"),
        pytest.param('Bearer realm="\x00"', "malformed_challenge", id="NUL"),
        pytest.param('Bearer realm="a\nb"', "malformed_challenge", id="line feed"),
        pytest.param('Bearer a="1", A="2"', "repeated_parameter", id="repeated"),
        pytest.param("Bearer " + "a" * 8192, "malformed_challenge", id="too long"),
        pytest.param('Bearer realm="' + "\\a" * 4000, "malformed_challenge", id="long open quote"),
    ],
)
def test_what_is_no_challenge_is_refused(text: str, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_challenges(text)
    assert caught.value.code == code


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_challenges(text)
    except MessageError:
        return
    assert all(challenge.scheme for challenge in found)


@pytest.mark.requirement("RS-BR-06")
@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(Challenge("Bearer", {"error": 'a"b'}), id="quote"),
        pytest.param(Challenge("Bearer", {"error": "a\\b"}), id="backslash"),
        pytest.param(Challenge("Bearer", {"error": "a\r\nSet-Cookie: x"}), id="line end"),
        pytest.param(Challenge("Bearer", {"error": "\x7f"}), id="delete"),
        pytest.param(Challenge("Bearer", {"error": "ä"}), id="latin-1"),
        pytest.param(Challenge("Bearer", {"er ror": "a"}), id="space in a name"),
        pytest.param(Challenge("Bearer", {"": "a"}), id="no name"),
        pytest.param(Challenge("Bear er", {}), id="space in the scheme"),
        pytest.param(Challenge("", {}), id="no scheme"),
    ],
)
def test_a_challenge_with_another_character_is_not_built(challenge: Challenge) -> None:
    with pytest.raises(UsageError):
        challenge.build()
    assert Challenge("Bearer", {"error": "a b"}).build() == 'Bearer error="a b"'
