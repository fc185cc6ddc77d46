"""`examples/tutorial/app.py` against `codegrant serve`, as its docstring says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer, want_bytes

from tests.support.browser import Browser, Page
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving
from tests.support.waiting import wait_until

SOURCE = Path(__file__).parents[2] / "examples" / "tutorial" / "app.py"
JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.")
STEPS = [
    "# Step 1: install",
    "# Step 2: set up client credentials",
    "# Step 3: redirect the person to the authorization endpoint",
    "# Step 4: handle the callback",
    "# Step 5: exchange the code for an access token",
    "# Step 6: call the protected API",
    "# Throughout: handle every error",
]


@pytest.fixture(scope="module")
def tutorial(
    shared_server: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProgram]:
    """Return the running tutorial, registered at a running server."""
    port = free_port()
    redirect_uri = f"http://127.0.0.1:{port}/callback"
    registered = shared_server.add_client("tutorial", redirect_uri=redirect_uri)
    environment = {
        "ISSUER": shared_server.issuer,
        "CLIENT_ID": registered["client_id"],
        "CLIENT_SECRET": registered["client_secret"],
        "REDIRECT_URI": redirect_uri,
        "SECRET_KEY": "the tutorial's own secret of 32 and more characters",
    }
    folder = tmp_path_factory.mktemp("tutorial")
    with WebProgram.flask(SOURCE, folder, port, environment) as running:
        yield running


@pytest.fixture
def browser(tutorial: WebProgram, shared_server: Serving) -> Browser:
    return Browser(tutorial.origin, shared_server.issuer)


@pytest.fixture
def person(shared_server: Serving, request: pytest.FixtureRequest) -> str:
    """Return somebody who has agreed to nothing yet."""
    name = str(request.node.name)[5:40]
    shared_server.add_user(name)
    return name


def log_in(browser: Browser, tutorial: WebProgram, person: str, button: str) -> Page:
    """Log in from the home page, press `button`, and return the page at the end."""
    assert 'href="/login"' in browser.get(f"{tutorial.origin}/").text
    page = browser.get(f"{tutorial.origin}/login")
    if page.has("login-submit"):
        page = browser.log_in(page, person)
    return browser.submit(page, button=button)


def test_each_step_stands_under_a_comment_with_its_name() -> None:
    source = SOURCE.read_text(encoding="utf-8")
    places = [source.index(step) for step in STEPS]
    assert places == sorted(places)
    assert all(name not in source for name in ("Login(", "ResourceServer"))


def test_a_person_logs_in_and_sees_what_the_api_says(
    tutorial: WebProgram, browser: Browser, person: str
) -> None:
    page = log_in(browser, tutorial, person, "consent-allow")
    assert page.url == f"{tutorial.origin}/profile"
    assert json.loads(page.text)["preferred_username"] == person


def test_nothing_in_the_browser_or_in_the_log_is_a_token(
    tutorial: WebProgram, browser: Browser, person: str
) -> None:
    log_in(browser, tutorial, person, "consent-allow")
    (session,) = (jar["session"] for jar in browser.cookies.values() if "session" in jar)
    assert len(session) < 4000
    raw = URLSafeTimedSerializer("any").load_payload(want_bytes(session.rsplit(".", 2)[0]))
    assert list(raw) == ["tokens"]
    assert not JWT.search(raw["tokens"])
    assert not JWT.search(tutorial.log)
    assert JWT.search("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")


def test_a_refusal_is_explained_and_can_be_tried_again(
    tutorial: WebProgram, browser: Browser, person: str
) -> None:
    page = log_in(browser, tutorial, person, "consent-deny")
    assert (page.status, page.text_of("error-code")) == (400, "access_denied")
    wait_until(lambda: "access_denied" in tutorial.log)
    assert log_in(browser, tutorial, person, "consent-allow").status == 200


def test_a_callback_counts_once_and_only_in_its_own_browser(
    tutorial: WebProgram, browser: Browser, person: str
) -> None:
    browser.within.discard(tutorial.origin)
    page = browser.allow(browser.log_in(browser.get(f"{tutorial.origin}/login"), person))
    assert page.location.startswith(f"{tutorial.origin}/callback?")
    assert Browser(tutorial.origin).get(page.location).status == 400
    browser.within.add(tutorial.origin)
    assert browser.get(page.location).url == f"{tutorial.origin}/profile"
    assert browser.get(page.location).status == 400


def test_a_callback_of_another_tab_does_not_spoil_the_login(
    tutorial: WebProgram, browser: Browser, person: str
) -> None:
    older = browser.log_in(browser.get(f"{tutorial.origin}/login"), person)
    newer = browser.get(f"{tutorial.origin}/login")
    refused = browser.allow(older)
    assert (refused.status, refused.text_of("error-code")) == (400, "state_mismatch")
    assert browser.allow(newer).url == f"{tutorial.origin}/profile"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("", "no_code", id="nothing"),
        pytest.param("?code=x", "state_missing", id="no state"),
        pytest.param("?state=x&code=x", "state_mismatch", id="a foreign state"),
        pytest.param("?error=%3Cscript%3E&state=x", "state_mismatch", id="an error with markup"),
        pytest.param("?state=x&state=x", "repeated_parameter", id="two states"),
    ],
)
def test_a_callback_of_nobodys_is_refused(
    tutorial: WebProgram, browser: Browser, query: str, code: str
) -> None:
    browser.get(f"{tutorial.origin}/login")
    page = browser.get(f"{tutorial.origin}/callback{query}")
    assert (page.status, page.text_of("error-code")) == (400, code)
    assert browser.get(f"{tutorial.origin}/callback{query}").status == 400


def test_the_profile_of_nobody_leads_to_the_login(tutorial: WebProgram, browser: Browser) -> None:
    assert browser.get(f"{tutorial.origin}/profile").has("login-submit")
