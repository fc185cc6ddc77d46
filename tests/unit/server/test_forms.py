from __future__ import annotations

import pytest

from codegrant.errors import MessageError, OAuthError
from codegrant.http import Headers, Request
from codegrant.messages.parameters import Parameters
from codegrant.server.forms import check_repeated, parse_form, parse_query

FORM = "application/x-www-form-urlencoded"


def posted(body: bytes, *content_types: str, query: str = "") -> Request:
    headers = Headers([("content-type", value) for value in content_types])
    url = "https://h.test/token"
    return Request(method="POST", url=url, query=query, headers=headers, body=body)


def test_a_form_is_read() -> None:
    assert parse_form(posted(b"a=1&b=%C3%A4", FORM), max_bytes=100).single("b") == "ä"


@pytest.mark.parametrize(
    "request_",
    [
        posted(b"a=1"),
        posted(b"a=1", FORM, FORM),
        posted(b"a=1", f"{FORM}; charset=utf-16"),
        posted(b"a=1", f"{FORM}-extra"),
        posted(b'{"a": 1}', "application/json"),
        posted(b"a=1", FORM, query="b=2"),
    ],
    ids=["no type", "two types", "other charset", "other type", "json", "query as well"],
)
def test_anything_else_is_refused(request_: Request) -> None:
    with pytest.raises(OAuthError) as caught:
        parse_form(request_, max_bytes=100)
    assert caught.value.error == "invalid_request"


def test_size_is_bounded() -> None:
    with pytest.raises(MessageError) as caught:
        parse_form(posted(b"a=" + b"x" * 100, FORM), max_bytes=100)
    assert caught.value.code == "too_large"
    with pytest.raises(MessageError):
        parse_query(Request(method="GET", url="https://h.test/", query="x" * 101), max_bytes=100)


def test_a_parameter_stands_once() -> None:
    check_repeated(Parameters([("a", "1"), ("resource", "x"), ("resource", "y")]))
    for value in ("1", "2", ""):
        with pytest.raises(OAuthError) as caught:
            check_repeated(Parameters([("a", "1"), ("b", "1"), ("a", value)]))
        assert caught.value.error == "invalid_request"
        assert caught.value.reason == "repeated_parameter"
