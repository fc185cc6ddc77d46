"""What a running server logs: every attack, on one line, and no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from urllib.parse import unquote_plus, urlencode

import pytest

from tests.support.browser import Browser
from tests.support.raw_http import FORM, send_raw
from tests.support.relying_party import RelyingParty, basic, register, send_form
from tests.support.serving import Serving
from tests.support.waiting import wait_until

MARKS = count()
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR|CRITICAL) [a-z.]+ [ -~]+")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server without rate limits: nobody is who they say."""
    environment = {"CODEGRANT_LIMITS_ENABLED": "false", "CODEGRANT_LOG_LEVEL": "info"}
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, environment=environment).start() as running:
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", "--skip-consent")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


class Log:
    """What a server has logged since the last look."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._seen = 0
        self.lines()

    def lines(self) -> list[str]:
        """Return the new lines, all of them: a last one that is known is waited for."""
        mark = f"mark-{next(MARKS)}"
        fields = [("grant_type", "authorization_code"), ("client_id", mark)]
        send_form(f"{self._server.issuer}/token", fields)
        # It is told twice: why, and that the request was refused.
        last = re.compile(rf"client_id={mark} .*\n.* token_refused .*\n")
        wait_until(lambda: last.search(self._server.log))
        found = self._server.log[self._seen :].split("\n")
        self._seen = len(self._server.log)
        assert found.pop() == ""
        assert [mark in line for line in found[-2:]] == [True, False]
        return found[:-2]

    def events(self) -> list[str]:
        """Return level, name and facts of each new event."""
        return [line.split(" ", 1)[1].replace(" codegrant.events", "") for line in self.lines()]


@pytest.fixture
def log(shared_server: Serving) -> Log:
    return Log(shared_server)


Attack = Callable[[RelyingParty, Browser, str], object]


def _at_authorize(app: RelyingParty, browser: Browser, text: str) -> object:
    return send_raw(app.issuer, "GET", f"/authorize?client_id={text}")


def _with_basic(app: RelyingParty, browser: Browser, text: str) -> object:
    header = {"authorization": basic(unquote_plus(text, errors="replace"), "secret")}
    return send_form(app.token_endpoint, [("grant_type", "authorization_code")], header)


def _with_post(app: RelyingParty, browser: Browser, text: str) -> object:
    body = f"grant_type=authorization_code&client_id={text}&client_secret=x".encode()
    return send_raw(app.issuer, "POST", "/token", [FORM], body)


def _at_login(app: RelyingParty, browser: Browser, text: str) -> object:
    stranger = app.new_browser()
    page = app.open(stranger)
    return stranger.submit(page, {"username": unquote_plus(text, errors="replace")})


def _in_the_path(app: RelyingParty, browser: Browser, text: str) -> object:
    return [send_raw(app.issuer, "GET", f"/{path}{text}") for path in ("", "authorize", "login?")]


def _as_scope(app: RelyingParty, browser: Browser, text: str) -> object:
    rest = urlencode(app.authorization_request(scope=None))
    return send_raw(app.issuer, "GET", f"/authorize?{rest}&scope=openid+{text}")


@pytest.mark.requirement("CO-LOG-02")
@pytest.mark.parametrize(
    "attack", [_at_authorize, _with_basic, _with_post, _at_login, _in_the_path, _as_scope]
)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a%0aFAKE", id="LF"),
        pytest.param("a%0d%0aFAKE+INFO+codegrant.events+login_succeeded", id="CR LF"),
        pytest.param("a%0dFAKE", id="CR"),
        pytest.param("a%1b[2J%1b]0;FAKE%07", id="escape sequence"),
        pytest.param("a%c2%85FAKE%e2%80%a8FAKE%e2%80%aeFAKE", id="Unicode line ends"),
        pytest.param("a%20error=FAKE%22%20b=%22", id="a fact of its own"),
    ],
)
def test_nothing_that_is_sent_makes_a_line_of_its_own(
    app: RelyingParty, browser: Browser, log: Log, attack: Attack, text: str
) -> None:
    attack(app, browser, text)
    for line in log.lines():
        assert LINE.fullmatch(line), line
        # Whatever of it is there stands within quotes.
        assert "FAKE" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", line), line


@pytest.mark.requirement("CO-LOG-02")
def test_a_client_id_is_logged_as_it_was_sent(app: RelyingParty, log: Log) -> None:
    for sent, shown in (
        ("some-app", "client_id=some-app"),
        ("a\nFAKE", r'client_id="a\nFAKE"'),
        ("a\r\tb", r'client_id="a\r\tb"'),
        ("ключ", r'client_id="\u043a\u043b\u044e\u0447"'),
    ):
        send_form(app.token_endpoint, [("grant_type", "authorization_code"), ("client_id", sent)])
        failed, refused = log.lines()
        assert shown in failed
        assert "client_id" not in refused


@pytest.mark.requirement("CO-LOG-03")
def test_an_attack_is_a_warning_and_a_good_flow_is_none(
    app: RelyingParty, browser: Browser, log: Log
) -> None:
    code = app.authorize(browser)["code"]
    assert app.token(code).status == 200
    names = [event.split(" ")[:2] for event in log.events()]
    assert names == [["INFO", "authorization_granted"], ["INFO", "code_redeemed"]]

    assert app.token(code).status == 400
    replayed, revoked, refused = log.events()
    assert replayed.startswith("WARNING code_replayed client_id=app subject=person-")
    assert revoked.startswith("WARNING grant_revoked client_id=app subject=person-")
    assert 'reason="code replay"' in revoked
    assert refused == "INFO token_refused error=invalid_grant reason=replayed client_id=app"


@pytest.mark.requirement("CO-LOG-03")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"client_id": "app", "client_secret": "x"}, "wrong secret", id="secret"),
        pytest.param({"client_id": "nobody"}, "unknown client", id="client"),
        pytest.param({"client_id": "app"}, "no secret sent", id="no secret"),
    ],
)
def test_a_client_that_fails_to_prove_itself_is_a_warning(
    app: RelyingParty, log: Log, fields: Mapping[str, str], reason: str
) -> None:
    pairs = {"grant_type": "authorization_code", **fields}
    assert send_form(app.token_endpoint, list(pairs.items())).status == 401
    failed = log.events()[0]
    assert failed.startswith(
        f"WARNING client_authentication_failed client_id={fields['client_id']}"
    )
    assert f'source=127.0.0.1 reason="{reason}"' in failed
    # The right one is none.
    assert app.token("x" * 43).status == 400
    assert not [event for event in log.events() if event.startswith("WARNING")]


@pytest.mark.requirement("CO-LOG-03")
def test_a_login_that_fails_is_a_warning_and_never_says_who_was_typed(
    shared_server: Serving, app: RelyingParty, log: Log
) -> None:
    # People type a password where the name belongs.
    for username, password, reason in (
        ("alice", "not hers", "password"),
        ("a-typed-password", "alice", "unknown"),
    ):
        stranger = app.new_browser()
        page = app.open(stranger)
        assert stranger.log_in(page, username, password).status == 400
        (failed,) = (event for event in log.events() if event.startswith("WARNING"))
        assert failed == f"WARNING login_failed client_id=app source=127.0.0.1 reason={reason}"
    assert "a-typed-password" not in shared_server.log
    app.log_in()
    assert not [event for event in log.events() if event.startswith("WARNING")]
