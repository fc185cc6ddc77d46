"""Every way to lose the state of a login, in every framework: a code and the right hint for each.

The letters are those of the collected causes; the two that cannot occur are tested in Flask,
whose session they are about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegrant import KeyRing
from codegrant.client import LoginOptions
from codegrant.http import Headers
from tests.support.application import Clock
from tests.support.login_sites import FORM, Reply, SiteBrowser
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeSite

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IN_APP = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS]"
RING, OTHER = KeyRing(["r" * 40]), KeyRing(["o" * 40])


class Shop(NamedTuple):
    """An application with a login, and a browser in front of it."""

    make_site: MakeSite
    browser: SiteBrowser
    provider: MockProvider
    clock: Clock

    def start(self) -> str:
        started = self.get("/login?return_to=/orders")
        assert started.status == 303, started.text
        return self.provider.authorize(started.location)

    def get(self, url: str, browser: SiteBrowser | None = None, agent: str = FIREFOX) -> Reply:
        return (browser or self.browser).get(url, {"User-Agent": agent})

    def stranger(self) -> SiteBrowser:
        return SiteBrowser(self.browser.site)


@pytest.fixture
def shop(make_site: MakeSite, provider: MockProvider, clock: Clock) -> Shop:
    return Shop(make_site, make_site(key_ring=RING), provider, clock)


def host_changed(shop: Shop, callback: str) -> Reply:
    return shop.get(callback.replace("127.0.0.1", "localhost"))


def scheme_changed(shop: Shop, callback: str) -> Reply:
    # No cookie of http is known by its name on https.
    return shop.get(callback.replace("http://", "https://", 1))


def cookie_did_not_come_back(shop: Shop, callback: str) -> Reply:
    return shop.get(callback, shop.stranger())


def jar_has_too_many(shop: Shop, callback: str) -> Reply:
    crowded = shop.stranger()
    crowded.cookies.update({f"other-{number}": "x" for number in range(150)})
    return shop.get(callback, crowded)


def jar_is_too_large(shop: Shop, callback: str) -> Reply:
    crowded = shop.stranger()
    crowded.cookies.update({f"other-{number}": "x" * 3000 for number in range(3)})
    return shop.get(callback, crowded)


def replica_with_another_secret(shop: Shop, callback: str) -> Reply:
    browser = shop.browser.tab(shop.make_site(key_ring=OTHER).site)
    assert shop.get(callback, browser).location == "/login"
    return shop.get(callback, browser)


def posted(shop: Shop, callback: str) -> Reply:
    path, query = callback.split("?")
    return shop.stranger().post(path, {**FORM, "User-Agent": FIREFOX}, query.encode())


def pushed_out_by_other_tabs(shop: Shop, callback: str) -> Reply:
    for _ in range(12):
        shop.clock.ahead += 1
        shop.start()
    return shop.get(callback)


def expired(shop: Shop, callback: str) -> Reply:
    other = shop.start()
    shop.clock.ahead += 601
    assert shop.get(other).location == "/login?return_to=%2Forders"
    return shop.get(callback)


def replayed(shop: Shop, callback: str) -> Reply:
    assert shop.get(callback).location == "/orders"
    shop.clock.ahead += 61
    return shop.get(callback)


def in_another_browser(shop: Shop, callback: str) -> Reply:
    return shop.get(callback, shop.stranger(), IN_APP)


def without_a_state(shop: Shop, callback: str) -> Reply:
    return shop.get(callback.partition("?")[0])


def cut_off(shop: Shop, callback: str) -> Reply:
    state = callback.partition("state=")[2].partition("&")[0]
    return shop.get(callback.replace(state, state[:-5]))


Losing = Callable[[Shop, str], Reply]
CAUSES = [
    pytest.param(host_changed, "state_host_changed", "use one address", id="a: host"),
    pytest.param(scheme_changed, "state_host_changed", "use one address", id="a: scheme"),
    pytest.param(cookie_did_not_come_back, "state_cookie_missing", "cookies are off", id="a: none"),
    pytest.param(jar_has_too_many, "state_cookies_full", "fewer and smaller", id="b: many"),
    pytest.param(jar_is_too_large, "state_cookies_full", "fewer and smaller", id="b: large"),
    pytest.param(replica_with_another_secret, "state_unknown", "the same secret", id="d"),
    pytest.param(posted, "state_posted", "response_mode=form_post", id="e"),
    pytest.param(pushed_out_by_other_tabs, "state_superseded", "keeps 12 logins", id="f"),
    pytest.param(expired, "state_expired", "took longer", id="g"),
    pytest.param(replayed, "state_already_used", "loaded twice", id="h"),
    pytest.param(in_another_browser, "state_other_browser", "another one", id="i"),
    pytest.param(without_a_state, "state_missing", "opened by hand", id="k"),
    pytest.param(cut_off, "state_tampered", "cut or altered", id="l"),
]


@pytest.mark.parametrize(("lose", "code", "hint"), CAUSES)
def test_each_cause_has_its_own_code_and_a_hint_that_is_right(
    shop: Shop, caplog: pytest.LogCaptureFixture, lose: Losing, code: str, hint: str
) -> None:
    callback = shop.start()
    with caplog.at_level(logging.WARNING, "codegrant.web.login"):
        page = lose(shop, callback)
    assert (page.status, page.code) == (400, code)
    line = next(r for r in reversed(caplog.records) if r.name == "codegrant.web.login").getMessage()
    assert code in line
    assert hint in line
    # The way on is a login; where it leads in the end is known from the state, if that opens.
    known = code not in {"state_missing", "state_tampered", "state_unknown", "state_posted"}
    retry = "/login?return_to=%2Forders" if known else "/login"
    assert f'id="retry" href="{retry}"' in page.text
    # The same callback, undisturbed, is what a login is.
    if code not in {"state_expired", "state_already_used", "state_superseded"}:
        assert shop.get(callback).location == "/orders"


def test_no_two_causes_share_a_code() -> None:
    by_letter: dict[str, set[str]] = {}
    for cause in CAUSES:
        by_letter.setdefault(str(cause.id)[0], set()).add(str(cause.values[1]))
    codes = [code for letter in by_letter.values() for code in letter]
    assert set(by_letter) == set("abdefghikl")
    assert len(codes) == len(set(codes))


def test_numbers_are_in_the_log_line(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    callback = shop.start()
    shop.clock.ahead += 700
    shop.get(callback)
    # Between the two a second may have ended.
    assert any(f"the login began {age} s ago, 600 s are" in caplog.text for age in (700, 701))


def test_a_browser_that_says_nothing_of_itself_is_not_accused_of_being_another_one(
    shop: Shop,
) -> None:
    callback = shop.start()
    assert shop.get(callback, shop.stranger(), "").code == "state_cookie_missing"


def test_a_login_that_took_too_long_begins_again_by_itself_and_leads_where_it_should(
    shop: Shop,
) -> None:
    late = shop.start()
    shop.clock.ahead += 601
    again = shop.get(late)
    assert (again.status, again.location) == (303, "/login?return_to=%2Forders")
    started = shop.get(again.location)
    assert shop.get(shop.provider.authorize(started.location)).location == "/orders"
    assert shop.browser.who() == "person-1"
    assert shop.provider.count("/token") == 1
    # It came to its end, so the next one may begin again as well.
    late = shop.start()
    shop.clock.ahead += 601
    assert shop.get(late).status == 303


def test_a_login_begins_again_only_once(shop: Shop) -> None:
    callback = shop.start()
    other = shop.browser.tab(shop.make_site(key_ring=OTHER).site)
    assert shop.get(callback, other).status == 303
    again = shop.get("/login", other)
    back = other.tab(shop.browser.site)
    assert shop.get(shop.provider.authorize(again.location), back).code == "state_unknown"


def test_a_browser_that_keeps_no_cookies_is_not_sent_round(shop: Shop) -> None:
    other = SiteBrowser(shop.make_site(key_ring=OTHER).site)
    assert shop.get(shop.start(), other).code == "state_unknown"


def test_eleven_more_logins_do_not_push_the_first_one_out(shop: Shop) -> None:
    callback = shop.start()
    for _ in range(11):
        shop.clock.ahead += 1
        shop.start()
    assert shop.get(callback).location == "/orders"


def test_after_two_hundred_logins_that_nobody_finished_one_succeeds(shop: Shop) -> None:
    sizes: list[int] = []
    for number in range(200):
        shop.clock.ahead += number % 2
        shop.start()
        sizes.append(sum(len(f"{n}={v}; ") for n, v in shop.browser.cookies.items()))
    assert shop.get(shop.start()).location == "/orders"
    assert shop.browser.who() == "person-1"
    # 12 of at most 222 bytes each; the whole field stays under 4 KB.
    assert max(sizes) <= 12 * 222
    field = "; ".join(f"{n}={v}" for n, v in shop.browser.cookies.items())
    assert len(Headers({"cookie": field}).get("cookie")) < 4096


def test_a_finished_callback_leads_to_the_same_place_for_a_minute(shop: Shop) -> None:
    callback = shop.start()
    assert shop.get(callback).location == "/orders"
    session_only = shop.browser.tab()  # its pending cookie was deleted, the session is there
    for name in list(session_only.cookies):
        if "cg-login-" in name:
            del session_only.cookies[name]
    pending_only = shop.browser.tab()  # two deliveries at once: the other way round
    for name in list(pending_only.cookies):
        if "cg-app-" in name:
            del pending_only.cookies[name]
    shop.clock.ahead += 58
    for browser in (shop.browser, session_only, pending_only):
        assert shop.get(callback, browser).location == "/orders"
        assert browser.who() == "person-1"
    assert shop.get(callback, shop.stranger()).code == "state_cookie_missing"
    shop.clock.ahead += 3
    for browser in (shop.browser, session_only, pending_only):
        assert shop.get(callback, browser).code == "state_already_used"
    assert shop.provider.count("/token") == 1


def test_a_login_that_begins_again_asks_for_what_it_asked_for(
    make_site: MakeSite, provider: MockProvider, clock: Clock
) -> None:
    ask = {"default": LoginOptions(), "strong": LoginOptions(acr_values="phr")}
    browser = make_site(ask=ask)
    late = browser.start(provider, "/login?ask=strong&return_to=/profile")
    denied = browser.start(provider, "/login?ask=strong&return_to=/profile")
    page = browser.get(denied.replace("code=", "error=access_denied&no_code="))
    assert "ask=strong" in page.text
    clock.ahead += 601
    again = browser.get(late)
    assert (again.status, "ask=strong" in again.location) == (303, True)
    asked = dict(parse_qsl(urlsplit(browser.get(again.location).location).query))
    assert asked["acr_values"] == "phr"
