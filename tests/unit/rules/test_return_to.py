from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.rules.return_to import safe_return_to


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/orders?page=2&next=//evil.example", "/orders?page=2&next=//evil.example"),
        ("/a/b#part", "/a/b#part"),
        ("/a%20b", "/a%20b"),
        ("/a b?q=ü", "/a%20b?q=%C3%BC"),
        ("/@user/~home", "/@user/~home"),
        ('/x"y<z>', "/x%22y%3Cz%3E"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a?u=..%2f..", "/a?u=..%2f.."),
        ("/" + "x" * 199, "/" + "x" * 199),
    ],
)
def test_a_path_of_the_own_origin_is_kept(text: str, path: str) -> None:
    assert safe_return_to(text) == path


@pytest.mark.requirement("CL-FLOW-11")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("orders", id="no slash"),
        pytest.param("https://evil.example/", id="an address"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("//evil.example", id="another host"),
        pytest.param("///evil.example", id="three slashes"),
        pytest.param("/\\evil.example", id="a backslash"),
        pytest.param("\\/evil.example", id="a backslash first"),
        pytest.param("/a\\..\\b", id="backslashes later"),
        pytest.param("/%5cevil.example", id="an encoded backslash"),
        pytest.param("/%255cevil.example", id="a backslash encoded twice"),
        pytest.param("/%2fevil.example", id="an encoded slash"),
        pytest.param("/%252fevil.example", id="a slash encoded twice"),
        pytest.param("%2f/evil.example", id="an encoded slash first"),
        pytest.param("/\t/evil.example", id="a tab"),
        pytest.param("/%09/evil.example", id="an encoded tab"),
        pytest.param("/%2509/evil.example", id="a tab encoded twice"),
        pytest.param("/\n/evil.example", id="a line feed"),
        pytest.param("/x\r\nSet-Cookie: a=b", id="another header"),
        pytest.param("/%0d%0aSet-Cookie:a", id="another header, encoded"),
        pytest.param("/a?b=\r\nSet-Cookie: a=b", id="another header in the query"),
        pytest.param("/a#b\\c", id="a backslash in the fragment"),
        pytest.param("/a\x00b", id="NUL"),
        pytest.param("/a\x85b", id="a control beyond ASCII"),
        pytest.param("/%c2%85", id="an encoded control beyond ASCII"),
        pytest.param("/..", id="up"),
        pytest.param("/.//evil.example", id="a dot segment and two slashes"),
        pytest.param("/a/../..//evil.example", id="up and up"),
        pytest.param("/%2e%2e//evil.example", id="up, encoded"),
        pytest.param("/%252e%252e//evil.example", id="up, encoded twice"),
        pytest.param("/.%2e/", id="up, half encoded"),
        pytest.param("/a%", id="a % that starts no escape"),
        pytest.param("/a%zz", id="no hex digits"),
        pytest.param("/\ud800", id="half a surrogate pair"),
        pytest.param(" /a", id="a space first"),
        pytest.param("/" + "x" * 200, id="too long"),
        pytest.param("/" + "ü" * 34, id="too long once encoded"),
    ],
)
def test_what_could_lead_elsewhere_is_dropped(text: str) -> None:
    assert safe_return_to("/a/evil.example") == "/a/evil.example"
    assert safe_return_to(text) is None


@given(st.text(st.sampled_from("/\\.%2fF5cC09aA:@?#\t\n e\u00fc"), max_size=14).map("/".__add__))
def test_what_passes_stays_on_the_origin_however_often_it_is_decoded(text: str) -> None:
    path = safe_return_to(text)
    if path is None:
        return
    assert path.isascii()
    assert safe_return_to(path) == path
    for decoded in (path, unquote(path), unquote(unquote(path))):
        assert urlsplit("https://app.example" + decoded).netloc == "app.example"
        before_query = decoded.partition("?")[0].partition("#")[0]
        assert not before_query.startswith(("//", "/\\"))
