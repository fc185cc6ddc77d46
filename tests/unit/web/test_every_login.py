"""The login in every framework: one suite, the same answers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from codegrant import StoreError
from codegrant.client import LoginOptions
from codegrant.client.effects import FindSession
from codegrant.client.memory import MemoryTokenStore
from codegrant.flow import Effect
from tests.support.application import Clock
from tests.support.login_sites import BASE, FORM, Reply, SiteBrowser
from tests.support.mock_provider import Answer, Lie, Listener, MockProvider, Received, as_json
from tests.unit.web.conftest import MakeSite


@pytest.fixture
def api(provider: MockProvider, browser: SiteBrowser) -> Iterator[Listener]:
    """An API that knows the provider's tokens; `/call` calls it."""
    api = Listener()

    def me(request: Received) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return as_json({}, 200 if token in provider.access_tokens else 401)

    api.routes["/me"] = me
    browser.site.api_url = f"{api.origin}/me"
    yield api
    api.close()


# --- login, callback, logout ---


def test_a_person_logs_in_is_known_and_signs_out(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    asked = browser.get("/profile?a=b")
    assert (asked.status, asked.location) == (303, "/login?return_to=%2Fprofile%3Fa%3Db")
    back = browser.log_in(provider, asked.location)
    assert (back.status, back.location) == (303, "/profile?a=b")
    assert browser.get("/profile").json == {"subject": "person-1", "provider": provider.issuer}
    assert browser.get("/tokens").json == {"scope": ["email", "openid", "profile"]}
    stolen = browser.tab()
    assert browser.post("/logout").location == "/"
    assert browser.get("/profile").status == 303
    assert stolen.get("/profile").status == 303


# --- what a login asks for ---


def asked_at(browser: SiteBrowser, url: str) -> dict[str, str]:
    """Return what the provider is asked for by a login that starts at `url`."""
    started = browser.get(url)
    assert started.status == 303, started.text
    return dict(parse_qsl(urlsplit(started.location).query))


def link_to(browser: SiteBrowser, query: str) -> str:
    """Return the address of a login that a page of the site shows."""
    shown = browser.get(f"/link?{query}")
    assert shown.status == 200
    return shown.text.strip('"')


def test_a_program_says_what_its_logins_ask_for(
    make_site: MakeSite, provider: MockProvider
) -> None:
    ask = LoginOptions(
        prompt="select_account",
        ui_locales=["de", "en"],
        claims={"id_token": {"email": None}},
        acr_values="phr",
        resource="https://api.example",
    )
    browser = make_site(ask=ask)
    asked = asked_at(browser, "/login")
    assert (asked["prompt"], asked["ui_locales"]) == ("select_account", "de en")
    assert (asked["claims"], asked["acr_values"]) == ('{"id_token":{"email":null}}', "phr")
    assert asked["resource"] == "https://api.example"
    assert browser.log_in(provider).location == "/"
    assert browser.who() == "person-1"
    assert provider.sent("authorization_code")[-1]["resource"] == "https://api.example"


@pytest.mark.parametrize(
    "query",
    [
        "prompt=none",
        "max_age=0",
        "login_hint=mallory",
        "ui_locales=xx",
        "acr_values=phr",
        "scope=admin",
        "resource=https%3A%2F%2Fevil.test",
        "claims=%7B%7D",
        "ask=unknown",
        "ask=",
        "ask=fresh&ask=other",
        "hint=mallory",
        "hint=a&hint=b",
    ],
)
def test_the_browsers_own_query_asks_for_nothing(make_site: MakeSite, query: str) -> None:
    browser = make_site(ask={"default": LoginOptions(prompt="login"), "fresh": LoginOptions()})
    usual, asked = asked_at(browser, "/login"), asked_at(browser, f"/login?{query}")
    changing = {"state", "nonce", "code_challenge"}
    assert {k: v for k, v in asked.items() if k not in changing} == {
        k: v for k, v in usual.items() if k not in changing
    }
    assert asked["prompt"] == "login"


def test_a_link_names_the_options_of_its_login_and_they_are_checked_at_the_end(
    make_site: MakeSite, provider: MockProvider
) -> None:
    strong = LoginOptions(
        acr_values="phr", acr_essential=True, max_age=60, scope="openid write", prompt="login"
    )
    browser = make_site(ask={"strong": strong})
    assert "acr_values" not in asked_at(browser, "/login")
    link = link_to(browser, "ask=strong")
    assert link == "/login?return_to=%2Fprofile&ask=strong"
    asked = asked_at(browser, link)
    assert (asked["acr_values"], asked["max_age"], asked["prompt"]) == ("phr", "60", "login")
    assert asked["scope"] == "openid write"

    lies: list[tuple[dict[str, object], str]] = [
        ({}, "acr_not_met"),
        ({"acr": "1"}, "acr_not_met"),
        ({"acr": "phr", "auth_time": None}, "claim_missing"),
        ({"acr": "phr", "auth_time": 1}, "login_too_old"),
    ]
    for lie, code in lies:
        provider.claims = Lie(lie)
        assert browser.log_in(provider, link).code == code
        assert browser.who() is None
    provider.claims = Lie({"acr": "phr"})
    assert browser.log_in(provider, link).location == "/profile"
    assert browser.get("/tokens").json == {"scope": ["openid", "write"]}
    # The usual login does not insist.
    provider.claims = Lie()
    assert browser.log_in(provider).location == "/"


def test_a_login_hint_stands_in_the_link_sealed(
    make_site: MakeSite, provider: MockProvider
) -> None:
    browser = make_site(ask={"fresh": LoginOptions(prompt="login", login_hint="somebody")})
    link = link_to(browser, "ask=fresh&login_hint=alice%40example.test")
    assert "alice" not in link
    asked = asked_at(browser, link)
    assert (asked["login_hint"], asked["prompt"]) == ("alice@example.test", "login")
    assert asked_at(browser, "/login?ask=fresh")["login_hint"] == "somebody"
    broken = f"{link[:-3]}{'AAA' if not link.endswith('AAA') else 'BBB'}"
    assert asked_at(browser, broken)["login_hint"] == "somebody"
    assert browser.log_in(provider, link).location == "/profile"


def test_a_link_to_options_that_are_not_there_is_the_programs_mistake(
    make_site: MakeSite,
) -> None:
    browser = make_site(ask={"fresh": LoginOptions()})
    for query in ("ask=other", "login_hint=" + "a" * 255):
        assert browser.get(f"/link?{query}").status == 500
    assert link_to(browser, "ask=default") == "/login?return_to=%2Fprofile"


def test_a_login_whose_options_are_gone_is_not_finished(
    make_site: MakeSite, provider: MockProvider
) -> None:
    before = make_site(ask={"strong": LoginOptions(acr_values="phr", acr_essential=True)})
    callback = before.start(provider, "/login?ask=strong")
    after = before.tab(make_site().site)
    reply = after.get(callback)
    assert (reply.status, reply.code) == (400, "state_other_provider")
    assert provider.sent("authorization_code") == []


def test_of_several_providers_each_is_asked_alike(
    make_site: MakeSite, provider: MockProvider
) -> None:
    other = MockProvider(path="/other")
    browser = make_site(other, ask={"fresh": LoginOptions(prompt="login")})
    page = browser.get("/login?ask=fresh&return_to=%2Fprofile").text
    for name in ("one", "two"):
        assert f"/login/{name}?return_to=%2Fprofile&amp;ask=fresh" in page
        assert asked_at(browser, f"/login/{name}?ask=fresh")["prompt"] == "login"
    other.close()


def test_who_is_not_signed_in_is_sent_to_log_in_or_told_so(browser: SiteBrowser) -> None:
    assert browser.who() is None
    assert browser.get("/profile", {"Sec-Fetch-Mode": "cors"}).status == 401
    assert browser.get("/profile", {"Sec-Fetch-Mode": "navigate"}).status == 303
    assert browser.get("/call").location == "/login?return_to=%2Fcall"
    assert browser.post("/call").status == 401
    assert browser.get("/tokens").location == "/login?return_to=%2Ftokens"
    assert browser.post("/tokens").status == 401


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "/login", "/callback"]
)
def test_a_login_leads_to_no_foreign_place(
    browser: SiteBrowser, provider: MockProvider, target: str
) -> None:
    assert browser.log_in(provider, f"/login?return_to={target}").location == "/"
    assert browser.log_in(provider, "/login?return_to=/profile").location == "/profile"


def test_a_page_of_the_login_comes_out_as_it_was_made(browser: SiteBrowser) -> None:
    page = browser.get("/callback?code=x&state=y")
    assert (page.status, page.code) == (400, "state_tampered")
    assert page.headers.get_all("content-type") == ("text/html; charset=utf-8",)
    assert page.headers.get_all("cache-control") == ("no-store",)
    assert "default-src 'none'" in page.headers.get("content-security-policy")


def test_a_foreign_link_signs_nobody_out(browser: SiteBrowser, provider: MockProvider) -> None:
    browser.log_in(provider)
    asked = browser.get("/logout", {"Sec-Fetch-Site": "cross-site"})
    assert 'id="logout-yes"' in asked.text
    assert 'id="logout-yes"' in browser.post("/logout", {"Origin": "https://evil.example"}).text
    assert browser.who() == "person-1"
    assert browser.get("/logout", {"Sec-Fetch-Site": "same-origin"}).location == "/"
    assert browser.who() is None


def test_an_image_with_the_address_of_the_logout_signs_nobody_out(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    """Somebody has written it into a page of the application, as a picture of theirs."""
    browser.log_in(provider)
    own = {"Sec-Fetch-Site": "same-origin"}
    asked = browser.get("/logout", {**own, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"})
    assert 'id="logout-yes"' in asked.text
    assert browser.who() == "person-1"
    assert browser.get("/logout", {**own, "Sec-Fetch-Mode": "navigate"}).location == "/"
    assert browser.who() is None


@pytest.mark.parametrize(
    "early",
    [
        pytest.param({"Sec-Purpose": "prefetch"}, id="prefetch"),
        pytest.param({"Sec-Purpose": "prefetch;prerender"}, id="prerender"),
        pytest.param({"Purpose": "prefetch"}, id="an older browser"),
    ],
)
def test_what_a_browser_fetches_ahead_of_time_changes_nothing(
    browser: SiteBrowser, provider: MockProvider, early: dict[str, str]
) -> None:
    callback = browser.start(provider, "/login?return_to=/profile")
    for path in ("/login", callback):
        answer = browser.get(path, early)
        assert (answer.status, answer.headers.get_all("set-cookie")) == (503, ())
        assert answer.headers.get("cache-control") == "no-store"
    assert provider.count("/token") == 0
    assert browser.get(callback).location == "/profile"
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    assert browser.get("/logout", {**own, **early}).status == 503
    assert browser.who() == "person-1"
    assert browser.get("/logout", own).status == 303
    assert browser.who() is None


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_another_method_starts_finishes_and_ends_no_login(
    browser: SiteBrowser, provider: MockProvider, method: str
) -> None:
    callback = browser.start(provider, "/login?return_to=/profile")
    for path in ("/login", callback, "/logout", "/logout/done", "/logout/backchannel"):
        answer = browser.send(method, path, {"Sec-Fetch-Site": "same-origin"})
        assert not answer.headers.get_all("set-cookie")
        assert (answer.status, answer.location) in {(405, ""), (200, "")}
        assert answer.status == 405 or method == "OPTIONS"
    assert provider.count("/token") == 0
    assert browser.get(callback).location == "/profile"
    assert browser.send(method, "/logout", {"Sec-Fetch-Site": "same-origin"}).location == ""
    assert browser.who() == "person-1"


def test_a_foreign_form_of_a_browser_that_tells_nothing_signs_nobody_out(
    make_site: MakeSite, provider: MockProvider
) -> None:
    """It comes without the session, since that is `Lax`, and drops none from the browser."""
    browser = make_site(client={"response_mode": "form_post"})
    begun = browser.start(provider)
    browser.post_from_provider(begun)
    answer = browser.send("POST", "/logout", FORM, b"", foreign=True)
    assert (answer.status, answer.location) == (303, "/")
    assert not answer.headers.get_all("set-cookie")
    assert browser.who() == "person-1"
    assert browser.post("/logout").headers.get_all("set-cookie")
    assert browser.who() is None


@pytest.mark.requirement("CL-LO-01")
def test_signing_out_leads_through_the_logout_of_the_provider_and_home(
    make_site: MakeSite, provider: MockProvider
) -> None:
    url = f"{provider.issuer}/end-session"
    provider.metadata = Lie({"end_session_endpoint": url})
    browser = make_site(logout="provider")
    browser.log_in(provider)
    stolen = browser.tab()
    left = browser.post("/logout")
    address, _, query = left.location.partition("?")
    sent = dict(parse_qsl(query))
    assert (left.status, address) == (303, url)
    assert sent["id_token_hint"] in provider.minted
    assert sent["post_logout_redirect_uri"] == f"{BASE}/logout/done"
    assert stolen.who() is None  # before the provider has answered anything
    back = f"{sent['post_logout_redirect_uri']}?{urlencode({'state': sent['state']})}"
    assert (browser.get(back).status, browser.get(back).location) == (303, "/")
    for wrong in ("/logout/done", f"{back[:-4]}AAAA"):
        assert (browser.get(wrong).status, browser.get(wrong).code) == (
            400,
            "logout_state_unknown",
        )


def _deliver(browser: SiteBrowser, token: str) -> Reply:
    """Deliver a logout token as a provider does: without a browser."""
    body = urlencode({"logout_token": token}).encode()
    return SiteBrowser(browser.site).post("/logout/backchannel", FORM, body)


@pytest.mark.requirement("CL-LO-02")
def test_a_logout_token_ends_the_session_and_a_forged_one_does_not(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    provider.claims = Lie({"sid": "session-1"})
    browser.log_in(provider)
    token = provider.logout_token()
    head, _, signature = token.rpartition(".")
    forged = [
        f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        provider.logout_token("at+jwt"),
        provider.logout_token(iss="https://evil.example"),
        provider.logout_token(aud="another"),
        provider.logout_token(iat=99_999_999_999),
        provider.logout_token(exp=1_000_000_000),
        provider.logout_token(jti=...),
        provider.logout_token(events={}),
        provider.logout_token(nonce="n"),
        provider.logout_token(sub=...),
        "",
    ]
    for one in forged:
        answer = _deliver(browser, one)
        assert (answer.status, answer.headers.get("cache-control")) == (400, "no-store")
        assert answer.json["error"] == "invalid_request"
    for harmless in ({"sub": "person-2"}, {"sid": "session-2"}):
        assert _deliver(browser, provider.logout_token(**harmless)).status == 200
    assert browser.who() == "person-1"
    answer = _deliver(browser, token)
    assert (answer.status, answer.text) == (200, "")
    assert answer.headers.get("cache-control") == "no-store"
    assert browser.who() is None
    browser.log_in(provider)
    assert _deliver(browser, token).status == 200  # delivered again: it has been obeyed
    assert browser.who() == "person-1"
    assert _deliver(browser, provider.logout_token(sub=..., sid="session-1")).status == 200
    assert browser.who() is None


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        pytest.param({"Content-Type": "application/json"}, 0, id="another kind"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, 0, id="multipart"),
        pytest.param({}, 0, id="no kind"),
        pytest.param(FORM, 65_536, id="more than 64 KiB"),
    ],
)
def test_what_is_no_short_form_ends_nothing(
    browser: SiteBrowser, provider: MockProvider, headers: dict[str, str], size: int
) -> None:
    browser.log_in(provider)
    body = urlencode({"logout_token": provider.logout_token(), "x": "x" * size}).encode()
    answer = SiteBrowser(browser.site).post("/logout/backchannel", headers, body)
    assert (answer.status, answer.json["error_description"]) == (400, "logout_token_missing")
    assert browser.who() == "person-1"
    assert browser.get("/logout/backchannel").status == 405


def test_reload_and_back_button_lead_to_the_same_page(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    callback = browser.start(provider, "/login?return_to=/profile")
    for _ in range(3):
        assert browser.get(callback).location == "/profile"
    assert SiteBrowser(browser.site).get(callback).code == "state_cookie_missing"
    assert provider.count("/token") == 1


@pytest.mark.parametrize("client", [{}, {"response_mode": "form_post"}], ids=["query", "form"])
def test_a_repeat_brings_back_no_session_that_was_ended_or_replaced(
    make_site: MakeSite, provider: MockProvider, client: dict[str, str]
) -> None:
    browser = make_site(client=client)
    deliver = browser.post_from_provider if client else browser.get
    first = browser.start(provider, "/login?return_to=/profile")
    assert deliver(first).location == "/profile"
    provider.subject = "person-2"
    second = browser.start(provider, "/login?return_to=/tokens")
    assert deliver(second).location == "/tokens"
    assert (deliver(first).location, browser.who()) == ("/profile", "person-2")
    assert (deliver(second).location, browser.who()) == ("/tokens", "person-2")
    browser.post("/logout")
    for callback, place in ((first, "/profile"), (second, "/tokens")):
        assert (deliver(callback).location, browser.who()) == (place, None)


def test_ten_tabs_each_finish_their_login(browser: SiteBrowser, provider: MockProvider) -> None:
    callbacks = [browser.start(provider, f"/login?return_to=/profile?{n}") for n in range(10)]
    for number, callback in reversed(list(enumerate(callbacks))):
        assert browser.get(callback).location == f"/profile?{number}"
    assert browser.who() == "person-1"


# --- a callback that comes as a form ---

BY_FORM = {"response_mode": "form_post"}


def _attributes(line: str) -> set[str]:
    return set(line.split("; ")[1:])


def test_a_callback_comes_as_a_form_of_another_site(
    make_site: MakeSite, provider: MockProvider
) -> None:
    browser = make_site(client=BY_FORM)
    started = browser.get("/login?return_to=/profile")
    assert dict(parse_qsl(urlsplit(started.location).query))["response_mode"] == "form_post"
    (line,) = started.headers.get_all("set-cookie")
    assert _attributes(line) == {"Max-Age=600", "Path=/", "HttpOnly", "SameSite=None", "Secure"}
    callback = provider.authorize(started.location)
    foreign = SiteBrowser(browser.site)
    assert (foreign.post_from_provider(callback).code) == "state_form_alone"
    assert provider.count("/token") == 0
    back = browser.post_from_provider(callback)
    assert (back.status, back.location) == (303, "/profile")
    assert browser.get("/profile").json["subject"] == "person-1"
    session, pending = back.headers.get_all("set-cookie")
    assert _attributes(session) > {"Path=/", "HttpOnly", "SameSite=Lax"}
    assert _attributes(pending) == {"Max-Age=60", "Path=/", "HttpOnly", "SameSite=None", "Secure"}


def test_a_form_that_is_sent_again_leads_to_the_same_place(
    make_site: MakeSite, provider: MockProvider, clock: Clock
) -> None:
    browser = make_site(client=BY_FORM)
    callback = browser.start(provider, "/login?return_to=/profile")
    for _ in range(3):
        assert browser.post_from_provider(callback).location == "/profile"
    clock.ahead += 58
    assert browser.post_from_provider(callback).location == "/profile"
    clock.ahead += 3
    assert browser.post_from_provider(callback).code == "state_already_used"
    assert provider.count("/token") == 1
    # A provider may answer in the address all the same.
    assert browser.log_in(provider, "/login?return_to=/profile").location == "/profile"


def test_on_https_the_cookie_of_a_form_is_held_to_its_host(
    make_site: MakeSite, provider: MockProvider
) -> None:
    browser = make_site(client=BY_FORM, public_url="https://app.example")
    (line,) = browser.get("/login").headers.get_all("set-cookie")
    assert line.startswith("__Host-cg-login-")
    assert _attributes(line) == {"Max-Age=600", "Path=/", "HttpOnly", "SameSite=None", "Secure"}


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        pytest.param(FORM, "{0}&x=" + "x" * 65_536, "callback_no_form", id="64 KiB"),
        pytest.param({"Content-Type": "text/plain"}, "{0}", "callback_no_form", id="text"),
        pytest.param(
            {"Content-Type": "application/json"}, '{{"a": 1}}', "callback_no_form", id="JSON"
        ),
        pytest.param({}, "{0}", "callback_no_form", id="no kind"),
        pytest.param(FORM, "", "callback_no_form", id="empty"),
        pytest.param(FORM, "code=x", "state_missing", id="no state"),
        pytest.param(FORM, "{0}&{0}", "repeated_parameter", id="twice"),
        pytest.param(FORM, "{0}%ff", "malformed_encoding", id="no UTF-8"),
        pytest.param(FORM, "code=x&state=y", "state_tampered", id="another state"),
    ],
)
def test_a_form_that_is_no_callback_is_refused_and_the_login_goes_on(
    make_site: MakeSite, provider: MockProvider, headers: dict[str, str], body: str, code: str
) -> None:
    browser = make_site(client=BY_FORM)
    callback = browser.start(provider, "/login?return_to=/profile")
    path, _, query = callback.partition("?")
    page = browser.send("POST", path, headers, body.format(query).encode(), foreign=True)
    assert page.status == 400
    assert page.code == code, page.text
    assert provider.count("/token") == 0
    assert browser.post_from_provider(callback).location == "/profile"


# --- providers, places, addresses ---


def test_several_providers_have_a_page_to_choose(
    make_site: MakeSite, provider: MockProvider, other_provider: MockProvider
) -> None:
    browser = make_site(other_provider)
    chooser = browser.get("/login?return_to=/profile")
    assert 'href="/login/two?return_to=%2Fprofile"' in chooser.text
    for name, asked in (("one", provider), ("two", other_provider)):
        answer = browser.log_in(asked, f"/login/{name}?return_to=/profile")
        assert answer.location == "/profile", answer.text
        assert browser.get("/profile").json["provider"] == asked.issuer


def test_a_session_survives_a_restart_and_is_there_for_a_second_worker(
    make_site: MakeSite, provider: MockProvider
) -> None:
    one, second, foreign = make_site(), make_site(), make_site(folder="elsewhere")
    callback = one.start(provider, "/login?return_to=/profile")
    two = one.tab(second.site)
    assert two.get(callback).location == "/profile"
    assert two.tab(one.site).get("/profile").status == 200
    assert two.tab(foreign.site).get("/profile").status == 303
    assert provider.count("/token") == 1
    kept = second.site.kept()
    for secret in [*provider.minted, *two.cookies.values()]:
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    "framework", ["asgi", "fastapi", "flask", "starlette", "wsgi"], indirect=True
)
def test_nobody_else_reads_the_files_of_an_application(
    browser: SiteBrowser, provider: MockProvider, tmp_path: Path
) -> None:
    browser.log_in(provider)
    folder = tmp_path / "instance"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {"codegrant.db", "codegrant.db.key"} <= {path.name for path in folder.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_making_it_sends_nothing_and_writes_nothing(
    browser: SiteBrowser, provider: MockProvider, tmp_path: Path
) -> None:
    assert provider.received == []
    assert list(tmp_path.iterdir()) == []


def test_behind_a_proxy_the_public_url_decides(make_site: MakeSite, provider: MockProvider) -> None:
    browser = make_site(public_url="https://app.example/shop")
    started = browser.get("/login", {"X-Forwarded-Host": "evil.example"})
    assert "redirect_uri=https%3A%2F%2Fapp.example%2Fshop%2Fcallback" in started.location
    assert started.headers.get("set-cookie").startswith("__Host-cg-login-")
    assert browser.get("/profile").location == "/shop/login?return_to=%2Fshop%2Fprofile"


def test_what_an_untrusted_proxy_says_counts_for_nothing(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    said = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    started = browser.get("/login", {**said, "Forwarded": "host=evil.example;proto=https"})
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback" in started.location


def test_a_mounted_application_keeps_its_path(browser: SiteBrowser, provider: MockProvider) -> None:
    mount = "/shop%20one"
    asked = browser.get(f"{mount}/profile", mount=mount)
    assert asked.location == "/shop%20one/login?return_to=%2Fshop%2520one%2Fprofile"
    started = browser.get(f"{mount}/login?return_to=/shop%20one/profile", mount=mount)
    callback = provider.authorize(started.location)
    assert callback.startswith(f"{BASE}{mount}/callback?")
    answer = browser.get(callback, mount=mount)
    assert (answer.status, answer.location) == (303, "/shop%20one/profile")


@pytest.mark.parametrize("host", ["bad host", "[::1", "a@b", "evil.example"])
def test_a_host_that_is_none_gets_a_page(browser: SiteBrowser, host: str) -> None:
    for path in ("/login", "/callback?state=x", "/profile", "/", "/logout"):
        response = browser.get(path, {"Host": host})
        assert response.status in {200, 303, 400}
        assert "evil" not in response.location


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/login", {"X(Y)": "1"}, id="a name that is no field name"),
        pytest.param("/login", {"Cookie": "\x85cg-login-000000-00000000=x; =; ;"}, id="cookies"),
        pytest.param("/callback?state=%ff&code=%00", {}, id="a query that is no UTF-8"),
        pytest.param("/login?return_to=%ff", {}, id="a target that is no UTF-8"),
        pytest.param("/profile/%ff", {}, id="a path that is no UTF-8"),
    ],
)
def test_an_odd_request_is_no_error_of_ours(
    browser: SiteBrowser, path: str, headers: dict[str, str]
) -> None:
    assert browser.get(path, headers).status in {303, 400, 404}


def test_no_cache_gives_the_page_of_one_person_to_another(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    browser.log_in(provider)
    for path, said, differs in (
        ("/profile", "private, no-store", "Cookie"),
        ("/kept", "private, max-age=60", "Cookie"),
        ("/", "", "Cookie"),
        ("/for-all", "", ""),
    ):
        answer = browser.get(path)
        assert (answer.status, answer.headers.get("cache-control")) == (200, said)
        assert answer.headers.get("vary") == differs


class _Full(MemoryTokenStore):
    """Cannot say any more who is signed in, once it `is_full`."""

    is_full = False

    def perform(self, effect: Effect[Any]) -> Any:
        if self.is_full and isinstance(effect, FindSession):
            raise StoreError("the disk is full", code="store_full")
        return super().perform(effect)


@pytest.mark.parametrize("path", ["/", "/profile", "/tokens"])
def test_a_store_that_cannot_say_who_is_signed_in_is_a_page_and_no_traceback(
    make_site: MakeSite, provider: MockProvider, path: str
) -> None:
    store = _Full()
    browser = make_site(store=store)
    browser.log_in(provider)
    store.is_full = True
    page = browser.get(f"{path}?a=b")
    assert (page.status, page.code) == (503, "store_full")
    assert f'href="{path}?a=b"' in page.text
    assert "the disk is full" not in page.text


def test_two_deliveries_in_two_workers_make_one_token_request(
    make_site: MakeSite, provider: MockProvider
) -> None:
    one, other = make_site(), make_site()
    callback = one.start(provider, "/login?return_to=/profile")
    two = one.tab(other.site)
    asked, release, answer = Event(), Event(), provider.token_endpoint

    def held(request: Received) -> Answer:
        asked.set()
        assert release.wait(20)
        return answer(request)

    provider.routes["/token"] = held
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.get, callback)
        assert asked.wait(20)
        second = pool.submit(two.get, callback)
        release.set()
        answers = [first.result(), second.result()]
    assert [(x.status, x.location) for x in answers] == [(303, "/profile")] * 2
    assert provider.count("/token") == 1


# --- tokens over time ---


def test_new_tokens_are_kept_with_the_session(
    make_site: MakeSite, browser: SiteBrowser, provider: MockProvider, api: Listener, clock: Clock
) -> None:
    browser.log_in(provider)
    assert browser.get("/call").json == {"status": [200, 200], "changed": False}
    clock.ahead += 301
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}
    elsewhere = browser.tab(make_site().site)
    elsewhere.site.api_url = browser.site.api_url
    assert elsewhere.get("/call").json == {"status": [200, 200], "changed": False}
    assert len(provider.sent("refresh_token")) == 1


def test_requests_at_the_same_time_make_one_refresh(
    browser: SiteBrowser, provider: MockProvider, api: Listener, clock: Clock
) -> None:
    browser.log_in(provider)
    clock.ahead += 301
    with ThreadPoolExecutor(10) as pool:
        tabs = [browser.tab() for _ in range(10)]
        replies = list(pool.map(lambda tab: tab.get("/call").json["status"], tabs))
    assert replies == [[200, 200]] * 10
    assert len(provider.sent("refresh_token")) == 1


def test_tokens_that_are_dead_end_the_session_and_lead_through_a_login_and_back(
    browser: SiteBrowser, provider: MockProvider, api: Listener, clock: Clock
) -> None:
    browser.log_in(provider)
    clock.ahead += 301
    provider.refresh_tokens.clear()
    form = browser.tab()
    assert browser.get("/call?a=b").location == "/login?return_to=%2Fcall%3Fa%3Db"
    assert browser.who() is None
    assert form.post("/call").status == 401
    assert browser.log_in(provider, "/login?return_to=/call?a=b").location == "/call?a=b"
    assert browser.get("/call?a=b").json == {"status": [200, 200], "changed": False}


def test_tokens_that_are_of_no_use_after_a_login_do_not_send_the_browser_round(
    browser: SiteBrowser, provider: MockProvider, clock: Clock
) -> None:
    provider.token = Lie({"expires_in": 1, "refresh_token": None})
    browser.log_in(provider)
    clock.ahead += 1
    page = browser.get("/tokens?a=b")
    assert (page.status, page.location, page.code) == (502, "", "invalid_token")
    assert 'href="/login?return_to=%2Ftokens%3Fa%3Db"' in page.text
    clock.ahead += 31
    assert browser.get("/tokens").location == "/login?return_to=%2Ftokens"


def test_a_provider_in_trouble_costs_no_session(
    browser: SiteBrowser, provider: MockProvider, api: Listener, clock: Clock
) -> None:
    browser.log_in(provider)
    clock.ahead += 301
    truth = provider.routes["/token"]
    provider.routes["/token"] = lambda _: Answer(503, b"")
    assert browser.get("/call").status == 500
    assert browser.who() == "person-1"
    provider.routes["/token"] = truth
    assert browser.get("/call").json == {"status": [200, 200], "changed": True}


def test_signing_out_revokes_the_tokens_of_the_session(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    browser.log_in(provider)
    (token,) = provider.refresh_tokens
    assert browser.post("/logout").location == "/"
    assert [r.form["token"] for r in provider.received if r.path == "/revoke"] == [token]
    assert provider.refresh_tokens == {}


def test_a_provider_that_hangs_keeps_nobody_signed_in(
    make_site: MakeSite, provider: MockProvider
) -> None:
    browser = make_site(client={"timeout": 0.3})
    browser.log_in(provider)
    provider.routes["/revoke"] = provider.hang
    assert browser.post("/logout").location == "/"
    assert browser.who() is None
