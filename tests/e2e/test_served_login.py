"""`Login` in applications that are served for real, against a real `codegrant serve`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from codegrant import AsyncClient, Client
from tests.support.asgi_site import AsgiSite, FastApiSite
from tests.support.browser import Browser, Page
from tests.support.flask_site import FlaskSite
from tests.support.relying_party import free_port
from tests.support.serving import Serving

AnySite: TypeAlias = FlaskSite | AsgiSite
KINDS: dict[str, Any] = {"flask": FlaskSite, "starlette": AsgiSite, "fastapi": FastApiSite}


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(shared_server: Serving) -> Serving:
    return shared_server


@pytest.fixture(scope="module")
def subject(server: Serving) -> str:
    return str(server.run("users", "show", "alice").json["sub"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(kind: str, server: Serving, folder: Path, ca_file: str) -> Iterator[AnySite]:
    with KINDS[kind](folder / kind) as site:
        yield site.start(site.register(server, f"site-{kind}", ca_file=ca_file))


@pytest.fixture
def browser(server: Serving, site: AnySite) -> Browser:
    return Browser(server.issuer, site.origin)


def log_in(browser: Browser, url: str) -> Page:
    """Ask for a page and go through whatever stands before it."""
    page = browser.get(url)
    if page.has("login-submit"):
        page = browser.log_in(page)
    if page.has("consent-allow"):
        page = browser.allow(page)
    return page


def start_until_callback(browser: Browser, site: AnySite, path: str) -> str:
    """Return the callback address, which was not asked for."""
    browser.within.discard(site.origin)
    started = browser.get(f"{site.origin}/login?return_to={path}", follow=False)
    page = log_in(browser, started.location)
    browser.within.add(site.origin)
    assert page.location.startswith(f"{site.origin}/callback?")
    return page.location


def session_of(browser: Browser) -> str:
    return next((v for n, v in browser.cookies["127.0.0.1"].items() if n.startswith("cg-app-")), "")


def test_a_person_logs_in_and_the_api_answers(
    browser: Browser, server: Serving, site: AnySite, subject: str
) -> None:
    page = log_in(browser, f"{site.origin}/profile?tab=7")
    assert (page.status, page.url) == (200, f"{site.origin}/profile?tab=7")
    assert page.text_of("subject") == subject
    assert page.text_of("issuer") == server.issuer
    assert page.text_of("tab") == "7"


@pytest.mark.requirement("CL-FLOW-03", "CL-FLOW-10", "CL-LO-03")
def test_a_callback_is_good_once_and_in_one_browser(
    browser: Browser, server: Serving, site: AnySite
) -> None:
    callback = start_until_callback(browser, site, "/profile")
    foreign = Browser(server.issuer, site.origin).get(callback, follow=False)
    assert (foreign.status, foreign.text_of("error-code")) == (400, "state_cookie_missing")

    first = browser.get(callback, follow=False)
    before = session_of(browser)
    assert (first.status, first.header("location")) == (303, "/profile")
    assert (first.header("cache-control"), first.header("referrer-policy")) == (
        "no-store",
        "no-referrer",
    )
    again = browser.get(callback, follow=False)  # reload, or the back button
    assert (again.status, again.header("location")) == (303, "/profile")
    assert session_of(browser) == before
    foreign = Browser(server.issuer, site.origin).get(callback, follow=False)
    assert (foreign.status, foreign.text_of("error-code")) == (400, "state_cookie_missing")
    assert "code_replayed" not in server.log

    log_in(browser, f"{site.origin}/login")
    assert session_of(browser) not in {"", before}
    old = Browser(site.origin)
    name = next(n for n in browser.cookies["127.0.0.1"] if n.startswith("cg-app-"))
    old.cookies["127.0.0.1"] = {name: before}
    assert old.get(f"{site.origin}/profile").location.startswith(f"{server.issuer}/authorize")


def test_two_deliveries_at_once_send_the_code_once(
    browser: Browser, server: Serving, site: AnySite
) -> None:
    callback = start_until_callback(browser, site, "/profile")
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: browser.get(callback, follow=False), range(4)))
    assert [(page.status, page.header("location")) for page in pages] == [(303, "/profile")] * 4
    assert browser.get(f"{site.origin}/profile").status == 200
    assert "code_replayed" not in server.log


def test_who_says_no_gets_a_page_with_the_way_back(
    kind: str, server: Serving, folder: Path, ca_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    with KINDS[kind](folder / kind / "denied") as other:
        other.start(other.register(server, f"denied-{kind}", ca_file=ca_file))
        browser = Browser(server.issuer, other.origin)
        page = browser.log_in(browser.get(f"{other.origin}/profile"))
        with caplog.at_level(logging.WARNING, "codegrant.web.login"):
            page = browser.submit(page, button="consent-deny")
        assert (page.status, page.text_of("error-code")) == (403, "access_denied")
        assert 'href="/login?return_to=%2Fprofile"' in page.text
        assert page.text_of("reference") in caplog.text
        assert not session_of(browser)
        again = log_in(browser, f"{other.origin}/login?return_to=/profile")
        assert again.url == f"{other.origin}/profile"


def test_the_other_name_of_the_host_is_explained_and_the_right_one_works(
    kind: str, server: Serving, folder: Path, ca_file: str
) -> None:
    with KINDS[kind](folder / kind / "hosts") as other:
        other.start(
            other.register(server, f"hosts-{kind}", ca_file=ca_file), public_url=other.origin
        )
        elsewhere = other.origin.replace("127.0.0.1", "localhost")
        browser = Browser(server.issuer, other.origin, elsewhere)
        page = log_in(browser, f"{elsewhere}/profile")
        assert (page.status, page.text_of("error-code")) == (400, "state_host_changed")
        assert page.url.startswith(f"{other.origin}/callback?")
        page = log_in(browser, f"{other.origin}/login?return_to=/profile")
        assert (page.status, page.url) == (200, f"{other.origin}/profile")


def test_signing_out_ends_the_session_and_a_foreign_link_does_not(
    browser: Browser, server: Serving, site: AnySite
) -> None:
    log_in(browser, f"{site.origin}/profile")
    asked = browser.get(f"{site.origin}/logout")
    assert browser.get(f"{site.origin}/profile", follow=False).status == 200
    stolen = session_of(browser)
    page = browser.submit(asked, button="logout-yes")
    assert page.url == f"{site.origin}/"
    assert not session_of(browser)
    name = next(n for n in browser.cookies["127.0.0.1"] if n.startswith("cg-login-"))
    browser.cookies["127.0.0.1"][name.replace("-login-", "-app-").rpartition("-")[0]] = stolen
    assert browser.get(f"{site.origin}/profile", follow=False).status == 303


def test_a_session_survives_a_restart_of_the_application(
    kind: str, server: Serving, folder: Path, ca_file: str, subject: str
) -> None:
    port = free_port()
    with KINDS[kind](folder / kind / "restart", port=port) as first:
        client = first.register(server, f"restart-{kind}", ca_file=ca_file)
        first.start(client)
        browser = Browser(server.issuer, first.origin)
        log_in(browser, f"{first.origin}/profile")
        pending = start_until_callback(browser, first, "/profile")
    with KINDS[kind](folder / kind / "restart", port=port) as second:
        second.start(client)
        assert browser.get(f"{second.origin}/profile", follow=False).text_of("subject") == subject
        # A login that began before the restart ends after it.
        assert browser.get(pending).url == f"{second.origin}/profile"


def test_an_application_starts_while_its_server_is_down(
    kind: str, tmp_path: Path, ca_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    make = Client if kind == "flask" else AsyncClient
    client = make(
        f"http://127.0.0.1:{port}", client_id="early", client_secret="s" * 43, ca_file=ca_file
    )
    with KINDS[kind](tmp_path / "site") as site:
        site.start(client)
        browser = Browser(site.origin, f"http://127.0.0.1:{port}")
        page = browser.get(f"{site.origin}/profile")
        assert (page.status, page.text_of("error-code")) == (503, "connect_failed")
        assert "connect_failed" in caplog.text
        assert browser.get(f"{site.origin}/").status == 200
        with Serving(tmp_path, port=port).start() as server:
            server.add_user()
            server.run(
                *("clients", "add", "early", "--secret-stdin"),
                *("--redirect-uri", f"{site.origin}/callback"),
                stdin="s" * 43 + "\n",
            )
            page = log_in(browser, f"{site.origin}/profile")
            assert (page.status, page.url) == (200, f"{site.origin}/profile")
