from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import OAuthError, UsageError
from codegrant.rules.redirect_uri import (
    _RESPONSE_PARAMETERS,
    add_to_query,
    check_redirect_uri_registration,
    match_redirect_uri,
)

WEB = [
    "https://app.example/callback",
    "https://app.example",
    "https://app.example:8443/cb?tenant=1&x=",
    "http://127.0.0.1:3000/cb",
    "http://[::1]/cb",
    "http://localhost:1/",
]
NATIVE = [*WEB, "com.example.app:/cb", "com.example.app://host/cb", "app.example:///cb"]


@pytest.mark.parametrize("uri", WEB)
def test_a_web_application_registers_https_or_loopback(uri: str) -> None:
    check_redirect_uri_registration(uri, native=False)


@pytest.mark.parametrize("uri", NATIVE)
def test_a_native_application_may_have_a_scheme_of_its_own(uri: str) -> None:
    check_redirect_uri_registration(uri, native=True)


def refusal(uri: str, *, native: bool) -> str:
    with pytest.raises(OAuthError) as refused:
        check_redirect_uri_registration(uri, native=native)
    assert refused.value.error == "invalid_redirect_uri"
    assert not refused.value.redirectable
    prefix = "the redirect URI is not allowed: "
    assert refused.value.description.startswith(prefix)
    return refused.value.description.removeprefix(prefix)


@pytest.mark.requirement("AS-RED-05", "AS-RED-06", "AS-RED-08")
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("", "a character"),
        ("/cb", "no absolute URI"),
        ("app.example/cb", "no absolute URI"),
        ("https://app.example/cb#", "a fragment"),
        ("https://app.example/cb#x", "a fragment"),
        ("http://app.example/cb", "http, which is allowed on loopback only"),
        ("http://127.0.0.1.example/cb", "http, which is allowed on loopback only"),
        ("http://localhost.example/cb", "http, which is allowed on loopback only"),
        ("http://10.0.0.1/cb", "http, which is allowed on loopback only"),
        ("https:/cb", "no host"),
        ("https:///cb", "no host"),
        ("https://u:p@app.example/cb", "user information"),
        ("https://app.example@evil.example/", "user information"),
        ("https://app.example\\@evil.example/", "a character"),
        ("https://*.app.example/cb", "the host or the port"),
        ("https://app.example/a/../cb", "a dot segment"),
        ("https://app.example/a/%2e%2E/cb", "a dot segment"),
        ("https://app.example/./cb", "a dot segment"),
        ("https://app.example/..", "a dot segment"),
        ("https://app.example/cb?a=%zz", "a character"),
        ("https://app.example/cb?a=%00", "parameters: a control character"),
        ("https://app.example/cb?a=%ff", "parameters: not UTF-8"),
        ("javascript:alert(1)", "the scheme"),
        ("data:text/html,x", "the scheme"),
        ("file:///etc/passwd", "the scheme"),
        ("vbscript:x", "the scheme"),
        ("myapp:/cb", "the scheme"),
        ("urn:ietf:wg:oauth:2.0:oob", "the scheme"),
        ("https://app.example/" + "x" * 2048, "longer than 2048"),
    ],
)
def test_what_nobody_may_register(uri: str, what: str, native: bool) -> None:
    assert refusal(uri, native=native).startswith(what)


@pytest.mark.requirement("AS-RED-08")
@pytest.mark.parametrize("uri", ["com.example.app:/cb", "app.example:///cb"])
def test_a_private_use_scheme_is_for_native_applications(uri: str) -> None:
    check_redirect_uri_registration(uri, native=True)
    assert refusal(uri, native=False).startswith("a private-use scheme")


def test_a_private_use_uri_has_a_path() -> None:
    assert refusal("com.example.app:cb", native=True).startswith("no path")


@pytest.mark.parametrize("name", sorted(_RESPONSE_PARAMETERS))
def test_a_parameter_of_the_response_is_not_in_the_query(name: str) -> None:
    check_redirect_uri_registration(f"https://app.example/cb?x{name}=1", native=False)
    for query in (f"{name}=1", f"a=b&{name}=", name, f"%{ord(name[0]):x}{name[1:]}=1"):
        found = refusal(f"https://app.example/cb?{query}", native=False)
        assert found == f"{name} in the query, which belongs to the response"


REGISTERED = ["https://app.example/cb", "https://app.example/cb?x=1"]


@pytest.mark.requirement("AS-RED-02")
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    "requested",
    [
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "http://app.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb/more",
        "https://app.example/c",
        "https://app.example/cb?",
        "https://app.example/cb?x=2",
        "https://app.example/cb?x=1&y=2",
        "https://app.example/cb#",
        "https://app.example:443/cb",
        "https://app.example/%63b",
        "https://app.example/./cb",
        "https://app.example/a/../cb",
        "https://app.example/cb ",
        "https://app.example/cb\n",
        "https://app.example.evil.example/cb",
        "https://evil.example/?https://app.example/cb",
        "https://app.example@evil.example/cb",
        "",
    ],
)
def test_a_redirect_uri_is_compared_character_by_character(requested: str, native: bool) -> None:
    assert all(match_redirect_uri(uri, REGISTERED, native=native) for uri in REGISTERED)
    assert not match_redirect_uri(requested, REGISTERED, native=native)
    assert not match_redirect_uri(REGISTERED[0], [], native=native)


HOSTS = ["127.0.0.1", "[::1]", "localhost"]


@pytest.mark.requirement("AS-RED-03", "AS-RED-04")
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("registered_port", ["", ":3000"])
def test_only_the_port_of_a_native_loopback_uri_varies(host: str, registered_port: str) -> None:
    registered = [f"http://{host}{registered_port}/cb?x=1"]

    def matches(requested: str, *, native: bool = True) -> bool:
        return match_redirect_uri(requested, registered, native=native)

    for port in ("", ":1", ":3000", ":65535"):
        assert matches(f"http://{host}{port}/cb?x=1")
    assert not matches(f"http://{host}:1/cb?x=1", native=False)
    for other in HOSTS:
        assert matches(f"http://{other}:9/cb?x=1") == (other == host)
    for requested in (
        f"https://{host}:9/cb?x=1",
        f"HTTP://{host}:9/cb?x=1",
        f"http://{host}:9/cb",
        f"http://{host}:9/cb?x=2",
        f"http://{host}:9/cb?x=1#",
        f"http://{host}:9/cb?x=1\n",
        f"http://{host}:9/CB?x=1",
        f"http://{host}:9/cb/?x=1",
        f"http://{host}:9",
        f"http://{host}:/cb?x=1",
        f"http://{host}:0/cb?x=1",
        f"http://{host}:09/cb?x=1",
        f"http://{host}:65536/cb?x=1",
        f"http://{host}:99999/cb?x=1",
        f"http://{host}:100000/cb?x=1",
        f"http://{host}:9:9/cb?x=1",
        f"http://{host}:+9/cb?x=1",
        f"http://{host}:٣/cb?x=1",
        f"http://{host}:9@evil.example/cb?x=1",
        f"http://{host}.evil.example:9/cb?x=1",
        f"http://evil.example/http://{host}:9/cb?x=1",
        "http://127.0.0.2:9/cb?x=1",
        "http://127.1:9/cb?x=1",
        "http://[0:0:0:0:0:0:0:1]:9/cb?x=1",
        "http://LOCALHOST:9/cb?x=1",
    ):
        assert not matches(requested)


def test_a_port_varies_for_no_other_host() -> None:
    for registered in ("https://app.example/cb", "com.example.app://host/cb"):
        assert match_redirect_uri(registered, [registered], native=True)
        with_port = registered.replace("/cb", ":9/cb")
        assert not match_redirect_uri(with_port, [registered], native=True)


@pytest.mark.parametrize(
    ("uri", "added"),
    [
        ("https://a/cb", "https://a/cb?code=c+d&state=%26"),
        ("https://a/cb?x=%20y", "https://a/cb?x=%20y&code=c+d&state=%26"),
        ("https://a/cb?", "https://a/cb?code=c+d&state=%26"),
        ("https://a/cb?x=1&", "https://a/cb?x=1&code=c+d&state=%26"),
        ("https://a", "https://a?code=c+d&state=%26"),
        ("https://a/cb?x#f?g", "https://a/cb?x&code=c+d&state=%26#f?g"),
        ("com.example.app:/cb", "com.example.app:/cb?code=c+d&state=%26"),
    ],
)
def test_parameters_are_added_and_the_query_is_kept(uri: str, added: str) -> None:
    assert add_to_query(uri, [("code", "c d"), ("state", "&")]) == added
    assert add_to_query(uri, []) == uri


@pytest.mark.requirement("AS-AZ-10", "AS-AZ-12")
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_state_comes_out_as_it_went_in(state: str) -> None:
    added = add_to_query("https://a/cb?x=1", [("state", state), ("iss", "https://as.example")])
    assert added.isascii()
    pairs = parse_qsl(urlsplit(added).query, keep_blank_values=True)
    assert pairs == [("x", "1"), ("state", state), ("iss", "https://as.example")]


def test_half_a_character_cannot_be_added() -> None:
    with pytest.raises(UsageError):
        add_to_query("https://a/cb", [("state", "\ud800")])
