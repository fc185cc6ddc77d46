"""Whatever stands in a cookie, a query or a form: a page or a way on, in every framework."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import product

import pytest

from tests.support.login_sites import FORM, SiteBrowser
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeSite

ADDRESSES = ("/login", "/callback", "/logout", "/logout/done", "/logout/backchannel", "/profile")
PARAMETERS = ("return_to", "ask", "hint", "consent", "next", "state", "code", "iss", "error")

VALUES = {
    "empty": "",
    "a NUL": "%00",
    "no UTF-8": "%ff",
    "half an escape": "%f",
    "a new line": "%0d%0aSet-Cookie:%20planted=1",
    "very long": "x" * 100_000,
    "another origin": "https://evil.example/",
    "no scheme": "//evil.example/",
    "a backslash": "/%5Cevil.example",
    "a tab": "/%09/evil.example",
    "encoded twice": "%252F%252Fevil.example",
    "dots": "/..//evil.example",
    "a script": "javascript:alert(1)",
    "markup": "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
}
COOKIES = {
    "empty": "",
    "a NUL": "\0",
    "no ASCII": "\xff\xfe",
    "very long": "x" * 100_000,
    "a quote": '"',
    "quoted": '"x"',
    "a comma": "x, y=z",
    "dots": "..",
    "many": "x;" * 1000,
}


@pytest.fixture(autouse=True)
def _no_error_of_ours(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that nothing fails in a way that nobody has thought of."""
    yield
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def check_calm(browser: SiteBrowser, method: str, url: str, **sent: object) -> None:
    headers, body = sent.get("headers"), sent.get("body", b"")
    assert isinstance(headers, dict | None)
    assert isinstance(body, bytes)
    reply = browser.send(method, url, headers, body)
    assert reply.status in {200, 303, 400, 401, 405}, (method, url[:99], reply.status)
    assert not reply.location.startswith(("//", "/\\", "/%5C", "http://evil", "https://evil"))
    assert "planted" not in " ".join(reply.headers.get_all("set-cookie"))
    assert "<script" not in reply.text


def test_whatever_a_query_holds(browser: SiteBrowser) -> None:
    for address, value in product(ADDRESSES, VALUES.values()):
        odd = [f"{name}={value}" for name in PARAMETERS]
        for query in (*odd, "&".join([*odd, *odd])):
            check_calm(SiteBrowser(browser.site), "GET", f"{address}?{query}")


def test_whatever_a_form_holds(make_site: MakeSite) -> None:
    site = make_site(client={"response_mode": "form_post"}).site
    addresses = ("/callback", "/logout", "/logout/backchannel")
    for address, value in product(addresses, VALUES.values()):
        odd = [f"{name}={value}" for name in ("state", "code", "iss", "logout_token")]
        for form in (*odd, "&".join([*odd, *odd]), f"\0\xff{odd[0]}"):
            body = form.encode("latin-1")
            check_calm(SiteBrowser(site), "POST", address, headers=FORM, body=body)


def test_whatever_a_cookie_holds(browser: SiteBrowser, provider: MockProvider) -> None:
    callback = browser.start(provider)
    browser.get(callback)
    begun = browser.start(provider)
    good = dict(browser.cookies)
    (session,) = (name for name in good if "cg-app-" in name)
    names = (*good, session.replace("-app-", "-again-"), "x", "")
    for name, value in product(names, COOKIES.values()):
        others = "; ".join(f"{n}={v}" for n, v in good.items() if n != name)
        for cookie in (f"{others}; {name}={value}", f"{name}={value}; {others}; {name}={value}"):
            for url in ("/", "/profile", "/login", callback, begun, "/logout"):
                odd = SiteBrowser(browser.site)
                check_calm(odd, "GET", url, headers={"Cookie": cookie})
    for url, value in product(("/profile", callback), COOKIES.values()):
        assert SiteBrowser(browser.site).get(url, {"Cookie": f"{session}={value}"}).status != 200


def test_a_session_that_was_planted_before_a_login_is_not_the_one_that_it_leads_to(
    browser: SiteBrowser, provider: MockProvider
) -> None:
    foreign = SiteBrowser(browser.site)
    foreign.log_in(provider)
    planted = dict(foreign.cookies)
    provider.subject = "person-2"
    browser.cookies.update({n: v for n, v in planted.items() if "cg-app-" in n})
    callback = browser.start(provider)
    assert browser.get(callback).status == 303
    assert browser.who() == "person-2"
    assert foreign.who() is None
    assert not set(planted.values()) & set(browser.cookies.values())
