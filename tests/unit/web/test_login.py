"""`web.login`: where a login starts, who is signed in, and how they sign out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from codegrant import StoreError, UsageError
from codegrant.client.effects import DeleteSession
from codegrant.flow import Effect, run
from codegrant.web.login import WebLogin
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, Lie, MockProvider
from tests.support.website import ORIGIN, RING, Visitor, Website, code_of, retry_of
from tests.unit.web.conftest import MakeClient


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_login_starts_with_a_redirect_and_one_small_cookie(
    visitor: Visitor, provider: MockProvider
) -> None:
    response = visitor.get("/login?" + urlencode({"return_to": "/" + "ü" * 33}))
    location = response.headers.get("location")
    query = query_of(location)
    assert response.status == 303
    assert location.startswith(f"{provider.issuer}/authorize?")
    assert query["redirect_uri"] == f"{ORIGIN}/callback"
    assert query["scope"] == "openid profile email"
    assert len(query["state"]) < 480
    (line,) = response.headers.get_all("set-cookie")
    assert len(line.partition(";")[0]) <= 220
    assert line.endswith("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax")
    assert response.headers.get("cache-control") == "no-store"
    assert response.headers.get("referrer-policy") == "no-referrer"


def test_offline_access_is_asked_for_when_it_is_listed(
    visitor: Visitor, provider: MockProvider
) -> None:
    provider.metadata = Lie({"scopes_supported": ["openid", "email", "offline_access"]})
    assert query_of(visitor.start())["scope"] == "openid email offline_access"


def test_on_https_the_cookies_are_held_to_their_host(
    client_of: MakeClient, provider: MockProvider
) -> None:
    site = Website({"default": client_of(provider)}, public_url="https://app.example/")
    # The proxy in front speaks http to the application.
    visitor = Visitor(site)
    url = visitor.start()
    assert query_of(url)["redirect_uri"] == "https://app.example/callback"
    (name,) = visitor.pending
    assert name.startswith("__Host-cg-login-")
    assert len(f"{name}={visitor.cookies[name]}") <= 220
    response = visitor.get(f"/callback?{urlsplit(provider.authorize(url)).query}")
    lines = response.headers.get_all("set-cookie")
    assert response.status == 303
    assert len(lines) == 2
    assert all(line.startswith("__Host-cg-") for line in lines)
    assert all(line.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure") for line in lines)


@pytest.mark.requirement("CL-FLOW-12")
def test_a_thousand_starts_in_one_browser_leave_twelve_pending_logins(
    visitor: Visitor, provider: MockProvider
) -> None:
    started = visitor.site.now
    urls: list[str] = []
    for number in range(1000):
        visitor.site.now = started - 600 + number // 2
        urls.append(visitor.start())
        assert len(visitor.pending) == min(number + 1, 12)
        assert sum(len(f"{n}={v}; ") for n, v in visitor.cookies.items()) <= 12 * 222
    # One of the twelve newest still works, the thirteenth is refused, and so is the first.
    visitor.site.now = started
    for url, status, code in [
        (urls[0], 400, "state_superseded"),
        (urls[-20], 400, "state_superseded"),
        (urls[-1], 303, ""),
    ]:
        response = visitor.get(provider.authorize(url))
        assert (response.status, code_of(response)) == (status, code)
    assert provider.count("/token") == 1


def test_a_login_cannot_be_posted(visitor: Visitor, provider: MockProvider) -> None:
    for path, methods in (("/login", ("POST", "HEAD", "PUT")), ("/callback", ("HEAD", "PUT"))):
        for method in methods:
            response = visitor.send(method, path)
            assert (response.status, response.headers.get("allow")) == (405, "GET")
    # A provider that answers with a form is no stranger to be turned away, but explained.
    assert code_of(visitor.send("POST", "/callback")) == "state_posted"
    assert not visitor.cookies
    assert provider.received == []


def test_a_provider_that_is_down_gets_a_page_and_the_deep_link_stays(
    visitor: Visitor, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.close()
    response = visitor.get("/login?return_to=/orders")
    assert (response.status, code_of(response)) == (503, "connect_failed")
    assert retry_of(response) == "/login?return_to=%2Forders"
    assert "connect_failed" in caplog.text
    assert not visitor.cookies


def test_what_is_no_page_is_answered_with_401(visitor: Visitor) -> None:
    ask = visitor.site.web.ask_to_log_in
    for request in (
        visitor.request("POST", "/orders"),
        visitor.request("DELETE", "/orders"),
        visitor.request("GET", "/orders", {"sec-fetch-mode": "cors"}),
        visitor.request("GET", "/orders", {"sec-fetch-mode": "no-cors"}),
    ):
        response = ask(request)
        assert (response.status, response.headers.get("cache-control")) == (401, "no-store")
    assert ask(visitor.request("GET", "/", {"sec-fetch-mode": "navigate"})).status == 303
    assert ask(visitor.request("HEAD", "/")).status == 303


@pytest.fixture
def two(provider: MockProvider, other_provider: MockProvider, client_of: MakeClient) -> Visitor:
    clients = {"one": client_of(provider), "two": client_of(other_provider)}
    return Visitor(Website(clients))


def test_several_providers_are_offered_and_each_is_asked_by_its_own_client(
    two: Visitor, provider: MockProvider, other_provider: MockProvider
) -> None:
    page = two.get("/login?return_to=/a%26b")
    links = re.findall(r'href="([^"]*)"', page.body.decode())
    assert page.status == 200
    assert links == ["/login/one?return_to=%2Fa%26b", "/login/two?return_to=%2Fa%26b"]
    for name, asked in (("one", provider), ("two", other_provider)):
        two.site.asked.clear()
        url = two.start(f"/login/{name}")
        assert url.startswith(f"{asked.issuer}/authorize?")
        assert query_of(url)["redirect_uri"] == f"{ORIGIN}/callback/{name}"
        assert two.get(asked.authorize(url)).status == 303
        assert set(two.site.asked) == {name}
        who = two.who()
        assert who is not None
        assert (who.provider, who.identity.issuer) == (name, asked.issuer)


def test_dots_and_unsafe_return_to_do_not_reach_the_chooser(two: Visitor) -> None:
    text = two.get("/login?return_to=//evil.example").body.decode()
    assert "evil" not in text
    text = two.get("/login?" + urlencode({"return_to": '/"><script>'})).body.decode()
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("method", "headers", "ends"),
    [
        pytest.param("GET", {}, False, id="a link, older browser"),
        pytest.param("GET", {"sec-fetch-site": "cross-site"}, False, id="a foreign link"),
        pytest.param("GET", {"sec-fetch-site": "same-site"}, False, id="a sibling's link"),
        pytest.param("GET", {"sec-fetch-site": "none"}, False, id="a typed address"),
        pytest.param("POST", {"sec-fetch-site": "cross-site"}, False, id="a foreign form"),
        pytest.param("POST", {"sec-fetch-site": "same-site"}, False, id="a sibling's form"),
        pytest.param("POST", {"origin": "https://evil.example"}, False, id="a foreign origin"),
        pytest.param("POST", {"origin": "null"}, False, id="an origin that hides"),
        pytest.param(
            "POST",
            {"sec-fetch-site": "cross-site", "origin": ORIGIN},
            False,
            id="the browser knows better",
        ),
        pytest.param("GET", {"sec-fetch-site": "same-origin"}, True, id="an own link"),
        pytest.param("POST", {"sec-fetch-site": "same-origin"}, True, id="an own form"),
        pytest.param("POST", {"sec-fetch-site": "none"}, True, id="an own form, loaded again"),
        pytest.param("POST", {"origin": ORIGIN}, True, id="an own form, older browser"),
        pytest.param("POST", {}, True, id="a program"),
    ],
)
def test_signing_out_takes_a_page_of_the_own_origin(
    visitor: Visitor,
    provider: MockProvider,
    method: str,
    headers: Mapping[str, str],
    ends: bool,
) -> None:
    visitor.log_in(provider)
    response = visitor.send(method, "/logout", headers)
    assert (visitor.who() is None) is ends
    if ends:
        assert (response.status, response.headers.get("location")) == (303, "/")
        assert visitor.session is None
        assert not visitor.site.store._sessions
    else:
        assert response.status == 200
        assert 'id="logout-yes"' in response.body.decode()
        assert not response.headers.get_all("set-cookie")


@pytest.mark.parametrize(
    ("method", "url", "retry"),
    [
        ("GET", "/orders?a=b", "/orders?a=b"),
        ("HEAD", "/orders", "/orders"),
        ("POST", "/orders", "/"),
        ("GET", f"{ORIGIN}//evil.example/", "/"),
        ("GET", "/%5Cevil.example", "/"),
        ("GET", "/callback?code=x&state=y", "/"),
    ],
)
def test_the_page_of_a_failed_store_leads_back_and_nowhere_else(
    site: Website, method: str, url: str, retry: str
) -> None:
    request = Visitor(site).request(method, url)
    response = run(site.web.explain(request, StoreError("the disk is full")), site.perform)
    assert (response.status, retry_of(response)) == (503, retry)


def test_signing_out_while_the_store_fails_is_a_page_and_can_be_tried_again(
    visitor: Visitor, provider: MockProvider
) -> None:
    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, DeleteSession):
            raise StoreError("the disk is full")

    visitor.log_in(provider)
    visitor.site.before = fail
    response = visitor.send("POST", "/logout")
    assert (response.status, code_of(response)) == (503, "store_failed")
    assert retry_of(response) == "/logout"
    assert visitor.session is not None
    visitor.site.before = lambda _: None
    assert visitor.send("POST", "/logout").status == 303
    assert not visitor.site.store._sessions


def test_signing_out_twice_and_by_other_methods_does_no_harm(visitor: Visitor) -> None:
    assert visitor.send("POST", "/logout").status == 303
    response = visitor.send("PUT", "/logout")
    assert (response.status, response.headers.get("allow")) == (405, "GET, POST")


def test_no_client_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        WebLogin({}, lambda: RING)


def test_no_secret_of_a_login_is_in_an_address_or_a_log(
    visitor: Visitor, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = visitor.start()
    visitor.get(provider.authorize(url))
    (pending,) = visitor.pending
    secrets = [CLIENT_SECRET, visitor.cookies[pending], visitor.session or "", *provider.minted]
    told = [url, caplog.text, *(r.target for r in provider.received)]
    for secret in secrets:
        assert not any(secret in text or quote(secret, safe="") in text for text in told)
    assert CLIENT_ID in url
