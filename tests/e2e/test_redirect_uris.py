"""Redirect URIs: what may be registered, and what a request may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.support.browser import Browser
from tests.support.relying_party import (
    RelyingParty,
    administer,
    administration_error,
    read_callback,
    register,
)
from tests.support.serving import Serving

REGISTERED = "https://app.example/oauth/callback?from=codegrant"
SECOND = "https://app.example/second"


class World(NamedTuple):
    """One server and the browser in which alice is logged in; nobody is asked for consent."""

    server: Serving
    alice: Browser
    web: RelyingParty


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    web = register(
        shared_server,
        *("web", "--skip-consent", "--redirect-uri", SECOND),
        redirect_uri=REGISTERED,
    )
    alice = web.new_browser()
    web.authorize(alice)
    return World(shared_server, alice, web)


def is_taken(world: World, party: RelyingParty, redirect_uri: str | None, **more: str) -> bool:
    """Return whether a request is answered there; else it must be a page that leads nowhere."""
    page = party.open(world.alice, redirect_uri=redirect_uri, **more)
    if page.status == 303:
        assert page.location.startswith(redirect_uri or party.redirect_uri)
        assert "code" in read_callback(page.location)
        return True
    assert (page.status, page.header("location")) == (400, "")
    assert page.text_of("error-code") == "invalid_request"
    return False


@pytest.mark.requirement("AS-RED-01")
def test_the_code_grant_needs_a_redirect_uri(world: World) -> None:
    error = administration_error(world.server, "clients", "add", "none-at-all")
    assert error.startswith("redirect-uri: ")
    made = administer(
        world.server, "clients", "add", "one", "--redirect-uri", "https://one.example/cb"
    )
    assert made["redirect_uris"] == ["https://one.example/cb"]


@pytest.mark.requirement("AS-RED-01")
@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param("/callback", id="path only"),
        pytest.param("//app.example/callback", id="no scheme"),
        pytest.param("app.example/callback", id="host and path"),
        pytest.param("https:///callback", id="no host"),
        pytest.param("https://*.app.example/callback", id="any subdomain"),
        pytest.param("https://user:password@app.example/callback", id="user information"),
        pytest.param("https://app.example/a/../callback", id="dot segment"),
        pytest.param("https://app.example/%2e%2e/callback", id="encoded dot segment"),
        pytest.param("https://app.example/call back", id="space"),
        pytest.param("https://app.example/callback?code=1", id="parameter of the response"),
        pytest.param("https://app.example\\@evil.example/", id="backslash"),
    ],
)
def test_a_redirect_uri_that_is_not_whole_is_not_registered(world: World, uri: str) -> None:
    arguments = ("clients", "update", "web", "--redirect-uri", uri)
    assert administration_error(world.server, *arguments).startswith("redirect-uri: ")
    assert is_taken(world, world.web, REGISTERED)


VARIANTS = [
    pytest.param("https://APP.example/oauth/callback?from=codegrant", id="host in other case"),
    pytest.param("HTTPS://app.example/oauth/callback?from=codegrant", id="scheme in other case"),
    pytest.param("https://app.example/oauth/Callback?from=codegrant", id="path in other case"),
    pytest.param("http://app.example/oauth/callback?from=codegrant", id="http"),
    pytest.param("https://app.example/oauth/callback/?from=codegrant", id="slash at the end"),
    pytest.param("https://app.example/oauth/callback", id="no query"),
    pytest.param("https://app.example/oauth/callback?", id="empty query"),
    pytest.param("https://app.example/oauth/callback?from=codegrant&x=1", id="more query"),
    pytest.param("https://app.example/oauth/callback?x=1&from=codegrant", id="query before"),
    pytest.param("https://app.example/oauth/callback?from=evil", id="other query"),
    pytest.param("https://app.example/oauth/callback/more?from=codegrant", id="longer path"),
    pytest.param("https://app.example/oauth?from=codegrant", id="shorter path"),
    pytest.param("https://app.example/oauth/../oauth/callback?from=codegrant", id="dots"),
    pytest.param("https://app.example/oauth/./callback?from=codegrant", id="dot"),
    pytest.param("https://app.example/oauth/%63allback?from=codegrant", id="encoded letter"),
    pytest.param("https://app.example/oauth%2fcallback?from=codegrant", id="encoded slash"),
    pytest.param("https://app.example/oauth/%2e%2e/callback?from=codegrant", id="encoded dots"),
    pytest.param("https://app.example//oauth/callback?from=codegrant", id="two slashes"),
    pytest.param("https://app.example:443/oauth/callback?from=codegrant", id="default port"),
    pytest.param("https://app.example:8443/oauth/callback?from=codegrant", id="other port"),
    pytest.param("https://app.example./oauth/callback?from=codegrant", id="dot after the host"),
    pytest.param("https://www.app.example/oauth/callback?from=codegrant", id="subdomain"),
    pytest.param("https://app.example.evil.example/oauth/callback?from=codegrant", id="suffix"),
    pytest.param("https://evil.example/oauth/callback?from=codegrant", id="other host"),
    pytest.param("https://a@app.example/oauth/callback?from=codegrant", id="user information"),
    pytest.param("https://app.example@evil.example/oauth/callback?from=codegrant", id="at sign"),
    pytest.param("https://evil.example\\@app.example/oauth/callback", id="backslash"),
    pytest.param(" https://app.example/oauth/callback?from=codegrant", id="space before"),
    pytest.param("https://app.example/oauth/callback?from=codegrant ", id="space after"),
    pytest.param("https://app.example/oauth/callback?from=codegrant\t", id="tab after"),
    pytest.param("https://app.example/oauth/callback?from=codegrant%00", id="encoded NUL after"),
    pytest.param("https://app.example/oauth/callback?from=codegrant#", id="empty fragment"),
    pytest.param("https://app.example/oauth/callback?from=codegrant#x", id="fragment"),
    pytest.param("//app.example/oauth/callback?from=codegrant", id="no scheme"),
    pytest.param("/oauth/callback?from=codegrant", id="path only"),
    pytest.param(f"{REGISTERED} {SECOND}", id="both"),
]


@pytest.mark.requirement("AS-RED-02", "AS-RED-05")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_redirect_uri_is_compared_letter_for_letter(world: World, variant: str) -> None:
    assert not is_taken(world, world.web, variant)
    assert is_taken(world, world.web, REGISTERED)
    assert is_taken(world, world.web, SECOND)


NATIVE: Mapping[str, str] = {
    "v4": "http://127.0.0.1/cb",
    "v6": "http://[::1]/cb?x=1",
    "name": "http://localhost:3000/cb",
}


@pytest.fixture(scope="module")
def native(world: World) -> Mapping[str, RelyingParty]:
    """Return native clients, each with one loopback redirect URI."""
    return {
        name: register(
            world.server,
            *(f"native-{name}", "--public", "--native", "--skip-consent"),
            redirect_uri=uri,
        )
        for name, uri in NATIVE.items()
    }


@pytest.mark.requirement("AS-RED-03", "AS-RED-04")
@pytest.mark.parametrize(
    ("client", "uri"),
    [
        pytest.param("v4", "http://127.0.0.1/cb", id="as registered"),
        pytest.param("v4", "http://127.0.0.1:51004/cb", id="a port"),
        pytest.param("v4", "http://127.0.0.1:65535/cb", id="the last port"),
        pytest.param("v6", "http://[::1]:51004/cb?x=1", id="a port of v6"),
        pytest.param("name", "http://localhost:51004/cb", id="another port of localhost"),
        pytest.param("name", "http://localhost/cb", id="no port of localhost"),
    ],
)
def test_a_native_client_may_vary_the_port(
    world: World, native: Mapping[str, RelyingParty], client: str, uri: str
) -> None:
    party = native[client]
    callback = party.authorize(world.alice, redirect_uri=uri)
    assert party.token(callback["code"], redirect_uri=uri).status == 200


@pytest.mark.requirement("AS-RED-03", "AS-RED-04")
@pytest.mark.parametrize(
    ("client", "uri"),
    [
        pytest.param("v4", "http://127.0.0.1:51004/other", id="other path"),
        pytest.param("v4", "http://127.0.0.1:51004/cb/", id="slash at the end"),
        pytest.param("v4", "http://127.0.0.1:51004/cb?x=1", id="a query"),
        pytest.param("v4", "http://127.0.0.1:51004/", id="no path"),
        pytest.param("v4", "http://127.0.0.1:51004", id="nothing after the port"),
        pytest.param("v4", "https://127.0.0.1:51004/cb", id="https"),
        pytest.param("v4", "http://127.0.0.1:0/cb", id="port 0"),
        pytest.param("v4", "http://127.0.0.1:65536/cb", id="too high a port"),
        pytest.param("v4", "http://127.0.0.1:051004/cb", id="port with a zero before"),
        pytest.param("v4", "http://127.0.0.1:/cb", id="empty port"),
        pytest.param("v4", "http://127.0.0.1:51004@evil.example/cb", id="user information"),
        pytest.param("v4", "http://127.0.0.1.evil.example:51004/cb", id="suffix"),
        pytest.param("v4", "http://127.0.0.2:51004/cb", id="another loopback address"),
        pytest.param("v4", "http://127.1:51004/cb", id="short form"),
        pytest.param("v4", "http://2130706433:51004/cb", id="number"),
        pytest.param("v4", "http://0.0.0.0:51004/cb", id="any address"),
        pytest.param("v4", "http://localhost:9/cb", id="localhost for v4"),
        pytest.param("v4", "http://localhost/cb", id="localhost for v4, no port"),
        pytest.param("v4", "http://[::1]:9/cb", id="v6 for v4"),
        pytest.param("v6", "http://127.0.0.1:9/cb?x=1", id="v4 for v6"),
        pytest.param("v6", "http://localhost:9/cb?x=1", id="localhost for v6"),
        pytest.param("v6", "http://[::1]:9/cb", id="v6 without its query"),
        pytest.param("v6", "http://[::1]:9/cb?x=2", id="v6 with another query"),
        pytest.param("v6", "http://[0:0:0:0:0:0:0:1]:9/cb?x=1", id="long form of v6"),
        pytest.param("name", "http://127.0.0.1:3000/cb", id="v4 for localhost"),
        pytest.param("name", "http://[::1]:3000/cb", id="v6 for localhost"),
        pytest.param("name", "http://LOCALHOST:3000/cb", id="localhost in other case"),
        pytest.param("name", "http://app.localhost:3000/cb", id="below localhost"),
    ],
)
def test_a_native_client_varies_nothing_but_the_port(
    world: World, native: Mapping[str, RelyingParty], client: str, uri: str
) -> None:
    assert not is_taken(world, native[client], uri)
    assert is_taken(world, native[client], NATIVE[client])


@pytest.mark.requirement("AS-RED-03")
def test_a_web_client_does_not_vary_even_the_port(world: World) -> None:
    party = register(
        world.server,
        *("web-on-loopback", "--skip-consent"),
        redirect_uri="http://127.0.0.1:8000/cb",
    )
    for uri in ("http://127.0.0.1:8001/cb", "http://127.0.0.1/cb"):
        assert not is_taken(world, party, uri)
    assert is_taken(world, party, "http://127.0.0.1:8000/cb")


@pytest.mark.requirement("AS-RED-03")
def test_the_port_of_another_native_redirect_uri_is_fixed(world: World) -> None:
    party = register(
        world.server,
        *("native-https", "--native", "--skip-consent"),
        redirect_uri="https://app.example/cb",
    )
    assert not is_taken(world, party, "https://app.example:8443/cb")
    assert is_taken(world, party, "https://app.example/cb")


@pytest.mark.requirement("AS-RED-05", "AS-RED-06")
@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example/cb#x", id="fragment"),
        pytest.param("https://app.example/cb#", id="empty fragment"),
        pytest.param("http://example.com/cb", id="http"),
        pytest.param("http://localhost.example.com/cb", id="http, looks like localhost"),
        pytest.param("http://127.0.0.1.example.com/cb", id="http, looks like loopback"),
        pytest.param("http://10.0.0.1/cb", id="http, private address"),
        pytest.param("http://0.0.0.0/cb", id="http, any address"),
        pytest.param("HTTP://example.com/cb", id="HTTP"),
        pytest.param("ftp://app.example/cb", id="ftp"),
        pytest.param("ws://app.example/cb", id="ws"),
    ],
)
@pytest.mark.parametrize("kind", ["--web", "--native"])
def test_fragments_and_http_are_not_registered(world: World, uri: str, kind: str) -> None:
    arguments = ("clients", "add", "refused", kind, "--redirect-uri")
    assert administration_error(world.server, *arguments, uri).startswith("redirect-uri: ")


@pytest.mark.requirement("AS-RED-06")
@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1/cb", "http://[::1]:8000/cb", "http://localhost:8000/cb"]
)
def test_http_on_loopback_is_registered(world: World, uri: str) -> None:
    name = f"loopback-{uri.split('/')[2]}"
    made = administer(world.server, "clients", "add", name, "--redirect-uri", uri)
    assert made["redirect_uris"] == [uri]


@pytest.mark.requirement("AS-RED-08")
@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"),
        *("myapp:/callback", "myapp://callback", "about:blank", "blob:https://app.example/x"),
        *("JavaScript:alert(1)", "mailto:a@app.example"),
    ],
)
def test_a_scheme_without_a_dot_is_not_registered(world: World, uri: str) -> None:
    arguments = ("clients", "add", "refused", "--native", "--redirect-uri", uri)
    assert administration_error(world.server, *arguments).startswith("redirect-uri: ")


@pytest.mark.requirement("AS-RED-08")
def test_a_private_scheme_with_a_dot_is_for_native_clients(world: World) -> None:
    uri = "com.example.app:/callback"
    arguments = ("clients", "add", "refused", "--web", "--redirect-uri", uri)
    assert administration_error(world.server, *arguments).startswith("redirect-uri: ")
    party = register(
        world.server, "private", "--public", "--native", "--skip-consent", redirect_uri=uri
    )
    page = party.open(world.alice)
    assert page.header("location").startswith(f"{uri}?code=")
    assert not is_taken(world, party, "com.example.app:/other")
    assert not is_taken(world, party, "com.example.evil:/callback")


@pytest.mark.requirement("AS-RED-07")
def test_with_two_registered_one_must_be_named(world: World) -> None:
    for scope in ("openid", "email"):
        assert not is_taken(world, world.web, None, scope=scope)
    assert is_taken(world, world.web, SECOND, scope="email")


@pytest.mark.requirement("AS-RED-07")
def test_the_only_one_may_be_left_out_but_not_for_openid(world: World) -> None:
    party = register(world.server, "only", "--skip-consent", "--default-scope", "openid")
    assert not is_taken(world, party, None, scope="openid")
    assert not is_taken(world, party, None, scope="email openid")
    assert not is_taken(world, party, None, scope="")
    assert is_taken(world, party, None, scope="email")
    assert is_taken(world, party, "https://app.example/callback", scope="openid")


@pytest.mark.requirement("AS-RED-09")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(SECOND, id="another registered one"),
        pytest.param("https://evil.example/", id="a foreign one"),
        pytest.param(f"{REGISTERED}/", id="slash at the end"),
        pytest.param(REGISTERED.upper(), id="other case"),
        pytest.param(f"{REGISTERED}&state=x", id="more query"),
    ],
)
def test_another_redirect_uri_does_not_redeem_the_code(world: World, sent: str) -> None:
    code = world.web.authorize(world.alice)["code"]
    refused = world.web.token(code, redirect_uri=sent)
    assert (refused.status, refused.error) == (400, "invalid_grant")
    # D7: it does not use the code up either.
    assert world.web.token(code).status == 200


@pytest.mark.requirement("AS-RED-09")
def test_the_redirect_uri_may_be_left_out_where_pkce_was_used(world: World) -> None:
    code = world.web.authorize(world.alice)["code"]
    assert world.web.token(code, redirect_uri=None).status == 200
    plain = register(world.server, "plain", "--skip-consent", "--no-require-pkce")
    without = {"code_challenge": None, "code_challenge_method": None}
    code = plain.authorize(world.alice, **without)["code"]
    refused = plain.token(code, redirect_uri=None, code_verifier=None)
    assert (refused.status, refused.error) == (400, "invalid_grant")
    assert plain.token(code, code_verifier=None).status == 200


@pytest.mark.requirement("AS-RED-09")
def test_a_native_client_names_the_port_that_it_used(
    world: World, native: Mapping[str, RelyingParty]
) -> None:
    used = "http://127.0.0.1:51004/cb"
    code = native["v4"].authorize(world.alice, redirect_uri=used)["code"]
    for sent in ("http://127.0.0.1:51005/cb", "http://127.0.0.1/cb"):
        refused = native["v4"].token(code, redirect_uri=sent)
        assert (refused.status, refused.error) == (400, "invalid_grant")
    assert native["v4"].token(code, redirect_uri=used).status == 200
