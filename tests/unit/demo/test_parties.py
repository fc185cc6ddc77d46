"""The three parties in this process: any two sites, no secret on a page, nothing left over."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from codegrant.demo import recording
from codegrant.demo.browser import Browser
from codegrant.demo.command import _lines, _play
from codegrant.demo.parties import start_parties
from codegrant.demo.steps import tell
from codegrant.errors import ConfigurationError, PeerError, TransportError
from tests.support.browser import Browser as AnyBrowser
from tests.support.browser import Page


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("application", "server", "api"),
    [
        pytest.param("127.0.0.1", "localhost", "127.0.0.1", id="application on 127.0.0.1"),
        pytest.param("localhost", "127.0.0.1", "localhost", id="application on localhost"),
    ],
)
def test_a_login_works_between_two_sites(
    application: str, server: str, api: str, temporary: Path
) -> None:
    threads = threading.active_count()
    with start_parties(application_host=application, server_host=server, api_host=api) as parties:
        assert parties.application.startswith(f"http://{application}:")
        assert parties.issuer.startswith(f"http://{server}:")
        steps = _play(parties)
        assert len(list(temporary.iterdir())) == 1
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert list(temporary.iterdir()) == []
    assert threading.active_count() == threads


def test_no_secret_of_a_login_is_on_a_page_or_in_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, set[str]] = {}
    mark = recording._mark

    def watch(name: str, value: str) -> bytes:
        seen.setdefault(name, set()).add(value)
        return mark(name, value)

    monkeypatch.setattr(recording, "_mark", watch)
    with start_parties() as parties:
        browser = AnyBrowser(parties.application, parties.issuer)
        page = log_in(browser, parties.application)
        printed = "\n".join(_lines(tell(parties.setup, parties.recorder.find_newest())))
    assert {"state", "transaction", "code", "access_token"} < set(seen)
    secrets = {value for values in seen.values() for value in values}
    secrets |= {value for jar in browser.cookies.values() for value in jar.values()}
    parts = {secret[8:40] for secret in secrets} | {"wonderland"}
    assert min(map(len, parts)) >= 10
    for text in (page.text, printed):
        assert [part for part in parts if part in text] == []
        assert "***" in text


def log_in(browser: AnyBrowser, application: str) -> Page:
    page = browser.get(f"{application}/login?return_to=/profile")
    return browser.allow(browser.log_in(page))


def test_who_logs_in_again_sees_that_login_and_a_stranger_sees_none() -> None:
    with start_parties() as parties:
        browser = AnyBrowser(parties.application, parties.issuer)
        assert "POST /consent" in log_in(browser, parties.application).text
        again = browser.get(f"{parties.application}/login?return_to=/profile")
        assert again.url == f"{parties.application}/profile"
        assert "303 to /callback" in again.text
        assert "POST /consent" not in again.text

        stranger = AnyBrowser(parties.application, parties.issuer)
        asked = stranger.get(f"{parties.application}/profile")
        assert asked.url.startswith(f"{parties.issuer}/login?")
        assert "Alice" not in asked.text


def test_signing_out_ends_it() -> None:
    with start_parties() as parties:
        browser = AnyBrowser(parties.application, parties.issuer)
        page = log_in(browser, parties.application)
        left = browser.submit(page, button="sign-out")
        assert left.url == f"{parties.application}/"
        assert left.has("sign-in")
        asked = browser.get(f"{parties.application}/profile", follow=False)
        assert (asked.status, "Alice" in asked.text) == (303, False)


def test_a_refusal_is_a_page_that_leads_back() -> None:
    with start_parties() as parties:
        browser = AnyBrowser(parties.application, parties.issuer)
        page = browser.log_in(browser.get(f"{parties.application}/login"))
        denied = browser.submit(page, button="consent-deny")
        assert (denied.status, denied.text_of("error-code")) == (403, "access_denied")
        assert denied.has("retry")


@pytest.mark.parametrize("path", ["/", "/profile", "/login"])
def test_another_name_of_the_machine_leads_to_the_one_that_cookies_know(path: str) -> None:
    with start_parties() as parties:
        other = parties.application.replace("127.0.0.1", "localhost")
        page = AnyBrowser().get(f"{other}{path}")
        assert (page.status, page.location) == (303, f"{parties.application}{path}")


def test_pages_carry_their_protection() -> None:
    with start_parties() as parties:
        page = AnyBrowser().get(f"{parties.application}/")
        assert page.header("content-security-policy").startswith("default-src 'none'; style-src")
        assert page.header("x-content-type-options") == "nosniff"
        assert page.header("cache-control") == "no-store"
        assert "<script" not in page.text


def test_a_failing_api_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with start_parties() as parties:
        browser = AnyBrowser(parties.application, parties.issuer)
        log_in(browser, parties.application)
        parties.recorder.find = lambda _: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        page = browser.get(f"{parties.application}/profile")
    assert (page.status, "ZeroDivisionError" in page.text) == (500, False)
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert record.getMessage().startswith("a page failed: ZeroDivisionError at ")
    assert record.exc_info is None


def test_a_host_elsewhere_is_refused(temporary: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"host: '192\.0\.2\.1' is not allowed"),
        start_parties(server_host="192.0.2.1"),
    ):
        pass
    assert list(temporary.iterdir()) == []


def test_the_browser_says_who_does_not_answer_without_the_query() -> None:
    with start_parties() as parties:
        address = parties.application
    with pytest.raises(TransportError, match=r"/callback does not answer") as caught:
        Browser().get(f"{address}/callback?code=secret")
    assert "secret" not in str(caught.value)


def test_the_browser_presses_only_what_is_there() -> None:
    with start_parties() as parties:
        page = Browser().get(f"{parties.application}/login")
        with pytest.raises(PeerError, match="no form with consent-allow"):
            Browser().submit(page, "consent-allow")
        with pytest.raises(PeerError, match="no form with login-submit"):
            Browser().submit(page, "login-submit", {"pin": "1"})
