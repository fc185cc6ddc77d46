from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import OAuthError, UsageError
from codegrant.rules.scope import allowed_scope, describe_scope, format_scope, parse_scope

# %x21 / %x23-5B / %x5D-7E
TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E).filter(
    lambda char: char not in '"\\'
), min_size=1)  # fmt: skip


@pytest.mark.requirement("AS-SCP-05")
@given(st.lists(TOKENS, min_size=1, max_size=8))
def test_tokens_keep_their_order_and_are_there_once(tokens: list[str]) -> None:
    assert parse_scope(format_scope(tokens)) == tuple(dict.fromkeys(tokens))
    assert parse_scope("  ".join([*tokens, *tokens])) == tuple(dict.fromkeys(tokens))


@pytest.mark.requirement("AS-SCP-01")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a"b', id="a quote"),
        pytest.param("a\\b", id="a backslash"),
        pytest.param("openid\tprofile", id="a tab"),
        pytest.param("openid\n", id="a line end"),
        pytest.param("openid\u00a0profile", id="another space"),
        pytest.param("ré", id="not ASCII"),
        pytest.param("a\x7f", id="delete"),
        pytest.param("a\x00", id="NUL"),
        pytest.param("", id="nothing"),
        pytest.param("   ", id="spaces alone"),
        pytest.param(" ".join(map(str, range(101))), id="too many"),
    ],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    assert parse_scope("!#[]~ OpenID openid") == ("!#[]~", "OpenID", "openid")
    assert len(parse_scope(" ".join(map(str, range(100))))) == 100
    with pytest.raises(OAuthError) as refused:
        parse_scope(text)
    assert refused.value.error == "invalid_scope"
    with pytest.raises(UsageError):
        parse_scope(text, error=UsageError)


@pytest.mark.requirement("AS-SCP-02", "AS-SCP-03")
@pytest.mark.parametrize(
    ("requested", "allowed", "default", "granted"),
    [
        pytest.param(("a", "b"), {"a", "b", "c"}, (), ("a", "b"), id="all of it"),
        pytest.param(("b", "x", "a"), {"a", "b"}, (), ("b", "a"), id="dropped, order kept"),
        pytest.param(("A",), {"a", "A"}, (), ("A",), id="case counts"),
        pytest.param(None, {"a", "b"}, ("a",), ("a",), id="the default"),
        pytest.param(None, {"a"}, ("a", "b"), ("a",), id="the default within the registration"),
        pytest.param(("b",), {"a", "b"}, ("a",), ("b",), id="no default beside a request"),
    ],
)
def test_no_more_is_granted_than_asked_for_and_allowed(
    requested: tuple[str, ...] | None, allowed: set[str], default: tuple[str, ...],
    granted: tuple[str, ...],
) -> None:  # fmt: skip
    assert allowed_scope(requested, allowed=allowed, default=default) == granted


@pytest.mark.parametrize(
    ("requested", "default", "description"),
    [
        (None, (), "scope is missing, and the client has no default"),
        ((), ("a",), "scope is missing, and the client has no default"),
        (("x",), ("a",), "the client may not have any of this scope"),
        (("A", "a "), ("a",), "the client may not have any of this scope"),
        (None, ("x",), "the client may not have any of this scope"),
    ],
)
def test_a_scope_of_which_nothing_is_left_is_refused(
    requested: tuple[str, ...] | None, default: tuple[str, ...], description: str
) -> None:
    with pytest.raises(OAuthError) as refused:
        allowed_scope(requested, allowed={"a"}, default=default)
    assert (refused.value.error, refused.value.description) == ("invalid_scope", description)


def test_a_scope_is_told_in_words_and_an_unknown_one_shows_itself() -> None:
    assert describe_scope("email") == "See your e-mail address"
    assert describe_scope("reports:read") == "reports:read"
    assert format_scope(()) == ""
