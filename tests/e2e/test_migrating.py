"""The programs of the migration guides, theirs and ours, with one running server."""

from __future__ import annotations

import builtins
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from codegrant import Client, UsageError
from tests.support.documents import ROOT, Example, read_examples
from tests.support.login_sites import BASE, AsgiLogin, FlaskLogin, LoginSite, SiteBrowser
from tests.support.person import Person
from tests.support.serving import Serving
from tests.support.waiting import wait_until

GUIDES = ROOT / "docs" / "migrating"


class Guide(NamedTuple):
    """One guide: its login with the other library, its login with ours, and their callbacks."""

    document: str
    theirs: str
    ours: str
    callbacks: tuple[str, ...]
    again: int
    """What the other library's program answers to a callback that is loaded once more."""
    other_tab: int
    """What it answers to a login after which another one began in the same browser."""


GUIDE = {
    guide.document: guide
    for guide in (
        Guide(
            "authlib.md", "authlib_login.py", "codegrant_login.py", ("/auth", "/callback"), 500, 302
        ),
        Guide(
            "requests-oauthlib.md",
            "requests_oauthlib_login.py",
            "from_requests_oauthlib.py",
            ("/oauth/callback",),
            500,
            500,
        ),
        Guide(
            "flask-dance.md",
            "flask_dance_login.py",
            "from_flask_dance.py",
            ("/login/provider/authorized",),
            302,
            500,
        ),
        Guide(
            "fastapi-sso.md",
            "fastapi_sso_login.py",
            "from_fastapi_sso.py",
            ("/sso/callback",),
            500,
            401,
        ),
    )
}
LOGINS = [
    pytest.param(guide.document, name, id=name.removesuffix(".py"))
    for guide in GUIDE.values()
    for name in (guide.theirs, guide.ours)
]
LOGINS.append(pytest.param("fastapi-sso.md", "own_endpoints.py", id="own_endpoints"))


@pytest.fixture(scope="module")
def client(shared_server: Serving) -> tuple[str, str]:
    """Return id and secret of the client that every program is."""
    uris = [BASE + callback for guide in GUIDE.values() for callback in guide.callbacks]
    registered = shared_server.add_client("app", *_options(uris[1:]), redirect_uri=uris[0])
    return "app", registered["client_secret"]


@pytest.fixture(autouse=True)
def surroundings(
    shared_server: Serving,
    client: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISSUER", shared_server.issuer)
    monkeypatch.setenv("CLIENT_ID", client[0])
    monkeypatch.setenv("CLIENT_SECRET", client[1])
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the server is on loopback
    # At DEBUG they log tokens, which the search for leaks would find.
    for name in ("requests_oauthlib", "flask_dance", "oauthlib"):
        caplog.set_level(logging.WARNING, name)


def _options(redirect_uris: list[str]) -> list[str]:
    options = ["--no-require-pkce", "--scope", "openid profile email offline_access"]
    options += ["--grant", "authorization_code", "--grant", "refresh_token"]
    for uri in redirect_uris:
        options += ["--redirect-uri", uri]
    return options


def program(guide: str, name: str) -> Example:
    (found,) = (one for one in read_examples(GUIDES / guide) if one.name == name)
    return found


def execute(guide: str, name: str, module: str = "__main__") -> dict[str, Any]:
    """Run a program of a guide, and return its names."""
    names: dict[str, Any] = {"__name__": module}
    exec(compile(program(guide, name).text, name, "exec"), names)  # noqa: S102 - the documentation
    return names


@contextmanager
def browsing(guide: str, name: str) -> Iterator[SiteBrowser]:
    """Run a web application of a guide, and yield a browser in front of it."""
    names = execute(guide, name, name.removesuffix(".py"))
    app = names["app"]
    site: LoginSite
    if isinstance(app, Flask):
        site = FlaskLogin.__new__(FlaskLogin)
        site.app = app
    else:
        site = AsgiLogin({})
        site.app, site.login = app, names.get("login")
    yield SiteBrowser(site)
    if "client" in names and isinstance(site, AsgiLogin):
        site.wait(names["client"].aclose())
    elif "client" in names:
        names["client"].close()
    site.close()


def authorize(browser: SiteBrowser, server: Serving) -> str:
    """Send a person who comes to the profile to the server, and return the callback."""
    answer = browser.get("/profile")
    while not answer.location.startswith(server.issuer):
        assert answer.status in {302, 303}, answer.text
        answer = browser.get(answer.location)
    return Person(server.issuer).authorize(answer.location)


def log_in(browser: SiteBrowser, server: Serving) -> str:
    """Let a person log in who comes to the profile, and return the callback."""
    callback = authorize(browser, server)
    answer = browser.get(callback)
    assert answer.status in {302, 303}, answer.text
    assert answer.location.endswith("/profile")
    return callback


@pytest.fixture(scope="module")
def subject(shared_server: Serving) -> str:
    return str(shared_server.run("users", "show", "alice").json["sub"])


def test_every_guide_is_run_and_listed_with_the_version_that_is_run_here() -> None:
    assert {file.name for file in GUIDES.glob("*.md")} - {"index.md"} == GUIDE.keys()
    index = (GUIDES / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \|.*\| (\S+) (\S+) \|$", index, re.MULTILINE)
    assert {document for document, _, _ in rows} == GUIDE.keys()
    assert [(name, written) for _, name, written in rows if version(name) != written] == []


@pytest.mark.parametrize(("guide", "name"), LOGINS)
def test_both_logins_of_a_guide_say_who_it_is(
    guide: str, name: str, shared_server: Serving, subject: str
) -> None:
    with browsing(guide, name) as browser:
        log_in(browser, shared_server)
        answer = browser.get("/profile")
        assert (answer.status, answer.json["sub"]) == (200, subject)


@pytest.mark.parametrize("guide", GUIDE.values(), ids=lambda guide: guide.document)
def test_a_callback_that_is_loaded_again_is_no_error_of_ours(
    guide: Guide, shared_server: Serving
) -> None:
    with browsing(guide.document, guide.theirs) as browser:
        callback = log_in(browser, shared_server)
        assert browser.get(callback).status == guide.again
    with browsing(guide.document, guide.ours) as browser:
        callback = log_in(browser, shared_server)
        again = browser.get(callback)
        assert (again.status, again.location) == (303, "/profile")
        assert browser.get("/profile").status == 200


@pytest.mark.parametrize("guide", GUIDE.values(), ids=lambda guide: guide.document)
def test_two_logins_of_ours_may_begin_in_one_browser(guide: Guide, shared_server: Serving) -> None:
    with browsing(guide.document, guide.theirs) as browser:
        first, _ = authorize(browser, shared_server), authorize(browser, shared_server)
        assert browser.get(first).status == guide.other_tab
    with browsing(guide.document, guide.ours) as browser:
        first, second = authorize(browser, shared_server), authorize(browser, shared_server)
        for callback in (first, second):
            answer = browser.get(callback)
            assert (answer.status, answer.location) == (303, "/profile")


def test_endpoints_of_ones_own_refuse_a_callback_of_another_browser(
    shared_server: Serving,
) -> None:
    with browsing("fastapi-sso.md", "own_endpoints.py") as browser:
        callback = authorize(browser, shared_server)
        stranger = SiteBrowser(browser.site).get(callback)
        assert (stranger.status, stranger.json) == (400, {"error": "state_tampered"})
        other = SiteBrowser(browser.site)
        authorize(other, shared_server)
        assert other.get(callback).json == {"error": "state_mismatch"}
        assert browser.get(callback).location == "/profile"


@pytest.mark.parametrize("guide", GUIDE.values(), ids=lambda guide: guide.document)
def test_a_secret_with_other_characters_is_encoded_by_ours(
    guide: Guide, shared_server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id, secret = f"odd-{guide.document}", "100%25+" + "s" * 32
    more = _options([BASE + callback for callback in guide.callbacks])
    shared_server.run("clients", "add", client_id, "--secret-stdin", *more, stdin=f"{secret}\n")
    monkeypatch.setenv("CLIENT_ID", client_id)
    monkeypatch.setenv("CLIENT_SECRET", secret)
    with browsing(guide.document, guide.theirs) as browser:
        answer = browser.get(authorize(browser, shared_server))
        assert answer.status == 500
    refused = f"client_authentication_failed client_id={client_id} "
    wait_until(lambda: refused in shared_server.log)
    with browsing(guide.document, guide.ours) as browser:
        log_in(browser, shared_server)


@pytest.mark.parametrize(
    ("guide", "logger", "secret"),
    [
        ("requests-oauthlib.md", "requests_oauthlib", "access_token"),
        ("flask-dance.md", "flask_dance", "client_secret"),
    ],
)
def test_their_log_has_what_a_guide_says(
    guide: str,
    logger: str,
    secret: str,
    client: tuple[str, str],
    shared_server: Serving,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Kept from the search for leaks, which looks at ours.
    log, records = logging.getLogger(logger), list[logging.LogRecord]()
    keeper = logging.NullHandler()
    monkeypatch.setattr(keeper, "handle", records.append)
    caplog.set_level(logging.DEBUG, logger)
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(log, "handlers", [keeper])
    with browsing(guide, GUIDE[guide].theirs) as browser:
        log_in(browser, shared_server)
    told = [record.getMessage() for record in records]
    shown = client[1] if secret == "client_secret" else "'access_token': '"
    assert any(shown in line for line in told)


@pytest.fixture
def answer_prompt(
    shared_server: Serving,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], str]:
    """Have a person answer what scripts ask; return a function that tells what they print."""
    printed: list[str] = []

    def told() -> str:
        printed.append(capsys.readouterr().out)
        return printed[-1]

    def answer(_: str = "") -> str:
        (url,) = re.findall(r"http\S+", told())
        return Person(shared_server.issuer).authorize(url)

    monkeypatch.setattr(builtins, "input", answer)
    return told


@pytest.mark.parametrize("name", ["requests_oauthlib_script.py", "script_with_requests.py"])
def test_both_scripts_log_in_once(
    name: str, subject: str, answer_prompt: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        names = execute("requests-oauthlib.md", name)
        assert answer_prompt() == f"Hello, {subject}\n"
        names["session"].close()
        if "client" in names:
            names["client"].close()
        monkeypatch.setattr(builtins, "input", pytest.fail)


def test_our_script_goes_on_with_the_tokens_of_theirs(
    subject: str, answer_prompt: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("requests-oauthlib.md", "requests_oauthlib_script.py")["session"].close()
    answer_prompt()
    monkeypatch.setattr(builtins, "input", pytest.fail)
    execute("requests-oauthlib.md", "take_over.py")
    names = execute("requests-oauthlib.md", "script_with_requests.py")
    assert answer_prompt() == f"Hello, {subject}\n"
    taken = names["saved"].load()
    assert taken.identity is None
    refreshed = names["client"].refresh(taken)
    assert not refreshed.is_same(taken)
    names["saved"].save(refreshed)
    names["client"].close()
    names["session"].close()
    names = execute("requests-oauthlib.md", "script_with_requests.py")
    assert answer_prompt() == f"Hello, {subject}\n"
    names["client"].close()
    names["session"].close()


def test_a_token_that_flask_dance_has_kept_is_taken_over(
    client: tuple[str, str], shared_server: Serving, subject: str
) -> None:
    with browsing("flask-dance.md", "flask_dance_login.py") as browser:
        log_in(browser, shared_server)
        app: Flask = browser.site.app  # type: ignore[attr-defined]
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer is not None
        kept = serializer.loads(browser.cookies["session"])["provider_oauth_token"]
    names = execute("requests-oauthlib.md", "take_over.py", "take_over")
    tokens = names["tokens_of"](kept)
    assert tokens.scope == {"openid", "profile"}
    server, (client_id, secret) = shared_server.issuer, client
    with Client(server, client_id=client_id, client_secret=secret) as ours:
        assert ours.api(tokens).get(f"{server}/userinfo").json()["sub"] == subject
        with pytest.raises(UsageError, match="no_identity"):
            ours.identity(tokens)
    with (
        Client(server, client_id="another", client_secret=secret) as other,
        pytest.raises(UsageError, match="foreign_tokens"),
    ):
        other.api(tokens)
