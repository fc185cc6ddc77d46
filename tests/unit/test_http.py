"""`codegrant.http`: requests and responses as values that cannot be turned into others."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response, Send, find_cookies, is_loopback_host


def test_header_names_compare_without_case_and_repeats_are_kept_in_order() -> None:
    headers = Headers([("Cookie", "a=1"), ("X-A", "1"), ("cookie", "b=2")])
    assert headers.get("COOKIE") == "a=1"
    assert headers.get_all("Cookie") == ("a=1", "b=2")
    assert "x-a" in headers
    assert "X-A" in headers
    assert headers.pairs() == (("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"))


def test_a_header_that_is_not_there_is_the_default() -> None:
    assert Headers().get("origin") == ""
    assert Headers().get("origin", "null") == "null"
    assert Headers().get_all("origin") == ()
    assert "origin" not in Headers()
    assert 1 not in Headers()


def test_headers_come_from_pairs_and_from_mappings_alike() -> None:
    assert Headers({"A": "1"}) == Headers([("a", "1")])
    assert hash(Headers({"A": "1"})) == hash(Headers([("a", "1")]))
    assert Headers({"A": "1"}) != Headers({"A": "2"})
    assert Headers({"A": "1"}) != {"a": "1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("location", "/a\r\nset-cookie: b=c", id="CR LF in a value"),
        pytest.param("location", "/a\nb", id="LF in a value"),
        pytest.param("location", "/a\rb", id="CR in a value"),
        pytest.param("location", "/a\0b", id="NUL in a value"),
        pytest.param("location", "/a\u560a", id="a value that narrows to LF"),
        pytest.param("location", "https://a.test/\u2603", id="a value beyond Latin-1"),
        pytest.param("a\r\nb", "c", id="CR LF in a name"),
        pytest.param("a\0", "c", id="NUL in a name"),
        pytest.param("a: b", "c", id="colon in a name"),
        pytest.param("a ", "c", id="space in a name"),
        pytest.param("", "c", id="empty name"),
        pytest.param("\u0130", "c", id="a name beyond ASCII"),
    ],
)
def test_a_header_that_could_become_another_is_refused(name: str, value: str) -> None:
    with pytest.raises(MessageError, match="header"):
        Headers([("x-before", "1"), (name, value)])


def test_the_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(MessageError) as caught:
        Headers({"authorization": "Bearer hunter2\n"})
    assert "hunter2" not in str(caught.value)


@given(st.text(st.characters(max_codepoint=0xFF, exclude_characters="\0\r\n")))
def test_every_other_value_is_taken_as_it_is(value: str) -> None:
    assert Headers({"x-a": value}).get("x-a") == value


def test_no_repr_shows_a_value() -> None:
    headers = Headers({"authorization": "Bearer hunter2"})
    request = Request(
        method="POST",
        url="https://a.test/token?code=hunter2",
        query="code=hunter2",
        headers=headers,
        body=b"client_secret=hunter2",
    )
    response = Response(status=200, headers=headers, body=b"hunter2")
    shown = f"{headers!r} {request!r} {response!r} {Send(request)!r}"
    assert "hunter2" not in shown
    assert "Request(POST https://a.test/token, 21 bytes)" in shown


def test_requests_and_responses_are_frozen() -> None:
    for value in (Request(method="GET", url="/"), Response(status=200)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, "body", b"x")  # noqa: B010 - a type checker would refuse the plain form


def test_an_address_is_trusted_unless_the_send_says_otherwise() -> None:
    assert not Send(Request(method="GET", url="https://a.test/")).guarded


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("a=1", ("1",), id="alone"),
        pytest.param("b=2; a=1; c=3", ("1",), id="among others"),
        pytest.param("b=2;a=1", ("1",), id="without a space"),
        pytest.param("a=1; a=2", ("1", "2"), id="repeated"),
        pytest.param('a="1"', ("1",), id="quoted"),
        pytest.param("a=1=2", ("1=2",), id="with an equals sign"),
        pytest.param("a=", ("",), id="empty"),
        pytest.param("a", (), id="without a value"),
        pytest.param("A=1", (), id="another case"),
        pytest.param("aa=1", (), id="a longer name"),
        pytest.param("a =1", (), id="a space before the sign"),
        pytest.param("b=a=1", (), id="inside another value"),
        pytest.param("\xa0a=1", (), id="a no-break space before the name"),
        pytest.param("\x85a=1", (), id="a next-line before the name"),
        pytest.param("\x1ca=1", (), id="a file separator before the name"),
        pytest.param("", (), id="no cookie at all"),
    ],
)
def test_cookies_are_found_by_their_exact_name(line: str, found: tuple[str, ...]) -> None:
    assert find_cookies(Headers({"Cookie": line}), "a") == found


def test_every_value_of_a_tossed_cookie_is_found() -> None:
    headers = Headers([("cookie", "__Host-s=1; x=y"), ("cookie", "__Host-s=2")])
    assert find_cookies(headers, "__Host-s") == ("1", "2")


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.0.0.53", "127.255.255.255", "::1", "[::1]"]
)
def test_a_loopback_host(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "evil.test",
        "localhost.",
        "localhost:80",
        "localho\u017ft",
        "sub.localhost",
        "127.0.0.1:80",
        "127.0.0",
        "127.1",
        "127.0.0.256",
        "127.0.0.01",
        "127.0.0.0x1",
        "127.0.0.-1",
        "127.0.0.+1",
        "127.0.0.1\n",
        " 127.0.0.1",
        "127.0.0.\u0661",
        "128.0.0.1",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 - that it is refused is the point
        "2130706433",
        "::",
        "::2",
        "[::1",
        "::1]",
        "[[::1]]",
        "[localhost]",
        "[127.0.0.1]",
        "::ffff:127.0.0.1",
    ],
)
def test_no_other_host_passes_for_loopback(host: str) -> None:
    assert not is_loopback_host(host)
