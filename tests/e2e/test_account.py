"""The account page of a real server with two workers: at once, everywhere, and once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.browser import Browser, Page
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

REDIRECT_URI = "https://app.example/callback"
PASSWORD = "wonderland"
# Fewer than the failures that are taken.
AT_ONCE = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("account"), "--workers", "2").start() as server:
        for name in ("alice", "bob"):
            server.add_user(name, PASSWORD)
        yield server


@pytest.fixture(scope="module")
def app(server: Serving) -> RelyingParty:
    return register(server, "app", redirect_uri=REDIRECT_URI)


def sign_in(server: Serving, name: str, password: str = PASSWORD) -> tuple[Browser, Page]:
    """Return a browser and its account page."""
    browser = Browser(server.issuer)
    page = browser.log_in(browser.get(f"{server.issuer}/account"), name, password)
    assert page.text_of("account-username") == name
    return browser, page


def is_in(browser: Browser, server: Serving) -> bool:
    """Ask often enough to ask both workers; all must say the same."""
    answers = {browser.get(f"{server.issuer}/account").has("account-username") for _ in range(6)}
    assert len(answers) == 1
    return answers.pop()


@pytest.mark.requirement("AS-RT-08", "AS-AUTHN-14")
def test_what_a_person_ends_has_ended_at_every_worker(server: Serving, app: RelyingParty) -> None:
    here, _ = sign_in(server, "alice")
    there, _ = sign_in(server, "alice")
    tokens = [str(app.log_in(browser).json["access_token"]) for browser in (here, there)]
    assert {app.userinfo(token) for token in tokens} == {200}
    page = here.get(f"{server.issuer}/account")
    page = here.submit(page, button="withdraw-1")
    assert page.has("no-applications")
    assert {app.userinfo(token) for token in tokens for _ in range(6)} == {401}
    page = here.submit(page, button="end-others")
    assert is_in(here, server)
    assert not is_in(there, server)


@pytest.mark.requirement("AS-RT-08")
def test_of_many_changes_of_a_password_at_once_one_wins(server: Serving, app: RelyingParty) -> None:
    visitors = [sign_in(server, "bob") for _ in range(AT_ONCE)]
    token = str(app.log_in(visitors[0][0]).json["access_token"])

    def change(number: int) -> Page:
        browser, page = visitors[number]
        new = f"password number {number}"
        typed = {"current_password": PASSWORD, "new_password": new, "new_password_again": new}
        return browser.submit(page, typed, button="password-submit")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pages = list(pool.map(change, range(AT_ONCE)))

    (winner,) = (n for n, page in enumerate(pages) if page.has("account-notice"))
    assert [is_in(browser, server) for browser, _ in visitors].count(True) == 1
    assert is_in(visitors[winner][0], server)
    assert app.userinfo(token) == 401
    for number in range(AT_ONCE):
        browser = Browser(server.issuer)
        page = browser.get(f"{server.issuer}/login")
        page = browser.log_in(page, "bob", f"password number {number}")
        assert page.has("account-username") is (number == winner)


def test_the_log_tells_what_happened_and_holds_no_password(server: Serving) -> None:
    browser, page = sign_in(server, "alice")
    typed = {"current_password": "my other password", "new_password": "a new one"}
    typed["new_password_again"] = typed["new_password"]
    assert browser.submit(page, typed, button="password-submit").status == 400
    browser.post(f"{server.issuer}/account", [("csrf", "made-up-token"), ("end_others", "yes")])
    log = server.stop().stderr
    assert "WARNING codegrant.events password_refused subject=" in log
    assert 'page_refused endpoint=/account source=127.0.0.1 error=access_denied reason="csrf' in log
    for secret in ("my other password", "a new one", "made-up-token", PASSWORD):
        assert secret not in log
