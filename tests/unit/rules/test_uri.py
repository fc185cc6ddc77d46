from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import ConfigurationError, MessageError, UsageError
from codegrant.rules.uri import Uri, check_https_or_loopback, origin_of, parse_uri, short


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "https://Example.COM:8443/a/b?c=d&e#f",
            Uri("https", "Example.COM:8443", "example.com", 8443, "/a/b", "c=d&e", "f"),
        ),
        ("HTTPS://a", Uri("https", "a", "a", None, "", None, None)),
        ("https://a?", Uri("https", "a", "a", None, "", "", None)),
        ("https://a#", Uri("https", "a", "a", None, "", None, "")),
        ("http://[::1]:80/", Uri("http", "[::1]:80", "[::1]", 80, "/", None, None)),
        ("a://[2001:DB8::1]", Uri("a", "[2001:DB8::1]", "[2001:db8::1]", None, "", None, None)),
        ("a://1.0.0.1:1/?a=[b]", Uri("a", "1.0.0.1:1", "1.0.0.1", 1, "/", "a=[b]", None)),
        ("urn:a:b?c", Uri("urn", None, "", None, "a:b", "c", None)),
        ("com.example.app:/cb", Uri("com.example.app", None, "", None, "/cb", None, None)),
        ("app.example:///cb", Uri("app.example", "", "", None, "/cb", None, None)),
        ("https://my_host.xn--mnchen-3ya.example/", Uri(
            "https", "my_host.xn--mnchen-3ya.example", "my_host.xn--mnchen-3ya.example",
            None, "/", None, None,
        )),
        ("a:", Uri("a", None, "", None, "", None, None)),
        ("https://h/%C3%BC#a?b/c", Uri("https", "h", "h", None, "/%C3%BC", None, "a?b/c")),
    ],
)  # fmt: skip
def test_a_uri_is_taken_apart(text: str, parts: Uri) -> None:
    assert parse_uri(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("https://a/" + "x" * 2039, "longer than 2048 characters", id="too long"),
        pytest.param("", "a character", id="nothing"),
        pytest.param("https://a/ b", "a character", id="a space"),
        pytest.param("https://a/\n", "a character", id="a line end"),
        pytest.param("https://a\\@b/", "a character", id="a backslash"),
        pytest.param("https://ä.example/", "a character", id="not ASCII"),
        pytest.param("https://a/%", "a character", id="a % alone"),
        pytest.param("https://a/%0g", "a character", id="no hex digits"),
        pytest.param("https://a/<b>", "a character", id="markup"),
        pytest.param("/path", "no absolute URI", id="a path"),
        pytest.param("//host/path", "no absolute URI", id="no scheme"),
        pytest.param("://host", "no absolute URI", id="an empty scheme"),
        pytest.param("1a://host", "no absolute URI", id="a digit first"),
        pytest.param("a_b://host", "no absolute URI", id="an underscore in the scheme"),
        pytest.param("https://a/#b#c", "no absolute URI", id="two fragments"),
        pytest.param("https://a/[b", "a bracket in the path", id="a bracket"),
        pytest.param("https://a/b]", "a bracket in the path", id="a closing bracket"),
        pytest.param("https://a@b/", "user information", id="a user"),
        pytest.param("https://a:b@c/", "user information", id="user and password"),
        pytest.param("https://a:/", "the host or the port", id="an empty port"),
        pytest.param("https://a:0/", "the host or the port", id="port 0"),
        pytest.param("https://a:080/", "the host or the port", id="a zero first"),
        pytest.param("https://a:65536/", "the port", id="a port too large"),
        pytest.param("https://a:1:2/", "the host or the port", id="two ports"),
        pytest.param("https://:443/", "the host or the port", id="a port alone"),
        pytest.param("https://a..b/", "the host or the port", id="an empty label"),
        pytest.param("https://a./", "the host or the port", id="a dot at the end"),
        pytest.param("https://-a/", "the host or the port", id="a hyphen first"),
        pytest.param("https://a%2eb/", "the host or the port", id="an escape in the host"),
        pytest.param("https://" + "a" * 64, "the host or the port", id="a long label"),
        pytest.param("https://" + "a." * 127 + "a", "the host or the port", id="a long name"),
        pytest.param("https://::1/", "the host or the port", id="IPv6 without brackets"),
        pytest.param("https://[::1/", "the host or the port", id="half a bracket"),
        pytest.param("https://[1::2::3]/", "the IPv6 address", id="no IPv6"),
        pytest.param("https://[::1%25en0]/", "the host or the port", id="a zone"),
        pytest.param("https://[v1.a]/", "the host or the port", id="a future address"),
        pytest.param("https://a,b/", "the host or the port", id="a comma"),
    ],
)
def test_what_a_library_might_repair_is_refused(text: str, message: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse_uri(text)
    assert refused.value.code == "malformed_uri"
    assert refused.value.message.startswith(message)


@given(st.text(max_size=60) | st.text("ahtps:/?#[]@.%0-_", max_size=30))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parts = parse_uri(text)
    except MessageError:
        return
    # The parts make the text again.
    authority = "" if parts.authority is None else f"//{parts.authority}"
    query = "" if parts.query is None else f"?{parts.query}"
    fragment = "" if parts.fragment is None else f"#{parts.fragment}"
    assert f"{text[: len(parts.scheme)]}:{authority}{parts.path}{query}{fragment}" == text


def test_a_long_name_of_labels_is_refused_in_no_time() -> None:
    with pytest.raises(MessageError):
        parse_uri("https://" + "a." * 1000 + "!")


@pytest.mark.requirement("CL-META-02")
@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://api.example/", "neither https nor http on loopback"),
        ("http://127.0.0.1.example/", "neither https nor http on loopback"),
        ("http://localhost.example/", "neither https nor http on loopback"),
        ("http://0.0.0.0/", "neither https nor http on loopback"),
        ("http://[::2]/", "neither https nor http on loopback"),
        ("ftp://127.0.0.1/", "neither https nor http on loopback"),
        ("javascript:alert(1)", "has no host"),
        ("file:///etc/passwd", "has no host"),
        ("https:/a", "has no host"),
        ("https://", "has no host"),
        ("https://a/#x", "has a fragment"),
        ("https://u@a/", "is no URL"),
        ("not a url", "is no URL"),
        ("", "is no URL"),
    ],
)
def test_tokens_go_to_https_or_loopback_alone(url: str, what: str) -> None:
    for fine in ("https://a/b?c=d", "http://127.0.0.9:1", "http://localhost/", "HTTP://[::1]:2/"):
        check_https_or_loopback(fine, name="token_endpoint")
    with pytest.raises(UsageError) as refused:
        check_https_or_loopback(url, name="token_endpoint")
    assert refused.value.message.startswith("token_endpoint: ")
    assert what in refused.value.message
    with pytest.raises(ConfigurationError):
        check_https_or_loopback(url, name="x", error=ConfigurationError)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/path?q#f", "https://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("HTTPS://a.example:8443/", "https://a.example:8443"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["ftp://a/", "urn:a", "https:a", "a", "https://u@a/", "file:///a"])
def test_what_has_no_origin_is_the_programs_fault(url: str) -> None:
    with pytest.raises(UsageError):
        origin_of(url)


def test_a_text_is_quoted_for_a_message_on_one_line() -> None:
    assert short("a\nb") == "'a\\nb'"
    assert short("x" * 100) == f"'{'x' * 100}'"
    assert short("x" * 101) == f"'{'x' * 97}'..."
