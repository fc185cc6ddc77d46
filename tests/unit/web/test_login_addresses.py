"""`web.login_addresses`: where logins start, arrive and end, as browsers see it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from codegrant import ConfigurationError, UsageError
from tests.support.mock_provider import MockProvider
from tests.support.website import ORIGIN, Visitor, Website, code_of
from tests.unit.web.conftest import MakeClient


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize(
    "root",
    [
        pytest.param("http://192.168.1.5:5000", id="another machine"),
        pytest.param("http://app.example", id="a proxy that nobody mentioned"),
        pytest.param("http://", id="no host"),
        pytest.param("http://a b", id="no possible host"),
        pytest.param("http://<b>", id="markup"),
    ],
)
def test_plain_http_to_another_machine_is_refused_with_the_setting_that_helps(
    site: Website, provider: MockProvider, caplog: pytest.LogCaptureFixture, root: str
) -> None:
    request = site.request("GET", f"{ORIGIN}/login")
    host = type(request)(method="GET", url=f"{root}/login", path="/login")
    response = site.respond(host)
    assert (response.status, code_of(response)) == (400, "no_public_url")
    assert not response.headers.get_all("set-cookie")
    assert "set public_url to the https address" in caplog.text
    assert "<b>" not in response.body.decode()
    assert provider.count("/authorize") == 0
    assert site.respond(request).status == 303


def test_what_a_proxy_says_counts_for_nothing(visitor: Visitor) -> None:
    url = visitor.get(
        "/login",
        {
            "x-forwarded-host": "evil.example",
            "x-forwarded-proto": "https",
            "x-forwarded-prefix": "/evil",
            "forwarded": "host=evil.example;proto=https",
        },
    ).headers.get("location")
    assert query_of(url)["redirect_uri"] == f"{ORIGIN}/callback"


OFF_ORIGIN = [
    pytest.param("//evil.example", id="no scheme"),
    pytest.param("/\\evil.example", id="backslash"),
    pytest.param("/\t/evil.example", id="tab"),
    pytest.param("/%09/evil.example", id="encoded tab"),
    pytest.param("/%2F/evil.example", id="encoded slash"),
    pytest.param("/%5Cevil.example", id="encoded backslash"),
    pytest.param("/%252F%252Fevil.example/..", id="encoded twice"),
    pytest.param("https://evil.example/", id="absolute"),
    pytest.param("javascript:alert(1)", id="script"),
    pytest.param("evil.example", id="no path"),
    pytest.param("/..//evil.example", id="dots"),
    pytest.param("/x\r\nset-cookie: a=b", id="line end"),
    pytest.param("/" + "x" * 200, id="201 bytes"),
    pytest.param("/login", id="the login itself"),
    pytest.param("/login?return_to=/login", id="the login, with a query"),
    pytest.param("/callback#x", id="the callback"),
    pytest.param("/logout", id="the logout"),
    pytest.param("", id="empty"),
]


@pytest.mark.requirement("CL-FLOW-11")
@pytest.mark.parametrize("evil", OFF_ORIGIN)
def test_a_target_off_the_own_origin_is_ignored(
    visitor: Visitor, provider: MockProvider, evil: str
) -> None:
    response = visitor.log_in(provider, "/login?" + urlencode({"return_to": evil}))
    assert (response.status, response.headers.get("location")) == (303, "/")
    assert "return_to" not in visitor.site.web.login_url(visitor.request("GET", "/"), "//evil")
    # Nor does the callback's own query say where to go.
    callback = provider.authorize(visitor.start())
    response = visitor.get(f"{callback}&{urlencode({'return_to': evil})}")
    assert response.headers.get("location") == "/"
    good = visitor.log_in(provider, "/login?return_to=%2Forders%3Fpage%3D2")
    assert good.headers.get("location") == "/orders?page=2"


def test_a_target_that_is_given_twice_is_none(visitor: Visitor, provider: MockProvider) -> None:
    response = visitor.log_in(provider, "/login?return_to=/a&return_to=/b")
    assert response.headers.get("location") == "/"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/orders?page=2&q=%C3%BC", id="a query"),
        pytest.param("/a:b;c=d@,(e)*!$&'", id="what may stand as it is"),
        pytest.param("/100%25", id="a percent sign"),
        pytest.param("/a%3Fb%23c", id="a question mark and a hash in the path"),
        pytest.param("/%C3%BC%20x", id="beyond ASCII"),
    ],
)
def test_a_page_that_needs_a_login_is_where_it_ends(
    visitor: Visitor, provider: MockProvider, path: str
) -> None:
    response = visitor.site.web.ask_to_log_in(visitor.request("GET", path))
    assert response.status == 303
    end = visitor.log_in(provider, response.headers.get("location")).headers.get("location")
    assert end == path


@pytest.mark.parametrize("public_url", [None, f"{ORIGIN}/shop", f"{ORIGIN}/shop/"])
def test_an_application_below_a_path_stays_there(
    client_of: MakeClient, provider: MockProvider, public_url: str | None
) -> None:
    site = Website({"default": client_of(provider)}, mount="/shop", public_url=public_url)
    visitor = Visitor(site)
    asked = site.web.ask_to_log_in(visitor.request("GET", "/shop/orders"))
    assert asked.headers.get("location") == "/shop/login?return_to=%2Fshop%2Forders"
    url = visitor.start("/shop/login?return_to=/shop/orders")
    assert query_of(url)["redirect_uri"] == f"{ORIGIN}/shop/callback"
    assert visitor.get(provider.authorize(url)).headers.get("location") == "/shop/orders"
    assert visitor.log_in(provider, "/shop/login").headers.get("location") == "/shop/"
    assert visitor.send("POST", "/shop/logout").headers.get("location") == "/shop/"


@pytest.mark.parametrize(
    ("name", "client", "arguments", "said"),
    [
        pytest.param("a b", {}, {}, "'a b' is no name of a provider", id="a space"),
        pytest.param("a/b", {}, {}, "no name of a provider", id="a slash"),
        pytest.param("", {}, {}, "no name of a provider", id="an empty name"),
        pytest.param("x" * 41, {}, {}, "no name of a provider", id="a long name"),
        pytest.param("<int:x>", {}, {}, "no name of a provider", id="a converter of Flask"),
        pytest.param("a", {}, {"public_url": "app.example"}, "public_url", id="no scheme"),
        pytest.param("a", {}, {"public_url": "http://app.example"}, "public_url", id="http"),
        pytest.param("a", {}, {"public_url": f"{ORIGIN}/?a"}, "public_url", id="a query"),
        pytest.param("a", {}, {"session_lifetime": 0}, "session_lifetime", id="no session"),
        pytest.param(
            "a",
            {"redirect_uri": f"{ORIGIN}/auth/cb"},
            {},
            "does not lead to /callback",
            id="a redirect URI that leads elsewhere",
        ),
    ],
)
def test_a_wrong_setting_is_refused_before_anybody_logs_in(
    provider: MockProvider,
    client_of: MakeClient,
    name: str,
    client: dict[str, Any],
    arguments: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Website({name: client_of(provider, **client)}, **arguments)
    assert provider.received == []


def test_a_redirect_uri_of_the_client_that_leads_to_the_callback_is_used(
    provider: MockProvider, client_of: MakeClient
) -> None:
    client = client_of(provider, redirect_uri="https://app.example/shop/auth/cb")
    visitor = Visitor(Website({"a": client}, callback_path="/auth/cb"))
    assert query_of(visitor.start())["redirect_uri"] == "https://app.example/shop/auth/cb"
    with pytest.raises(ConfigurationError):
        Website({"a": client, "b": client_of(provider)}, callback_path="/auth/cb")
