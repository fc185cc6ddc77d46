"""`web.flask.Login`, driven by Flask's test client against a mock provider."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask, Response, request, url_for
from flask.testing import FlaskClient

from codegrant import AsyncClient, ConfigurationError, LoginRequired, UsageError
from codegrant.client.memory import MemoryTokenStore
from codegrant.web.flask import Login, TokenStore
from tests.support.flask_client import BASE, carry_cookies, cookies_of, get, log_in
from tests.support.flask_site import AsyncFlask
from tests.support.mock_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    Lie,
    Listener,
    MockProvider,
    Received,
    as_json,
    running,
)
from tests.support.serving import clean_environment
from tests.support.tls import self_signed
from tests.unit.web.conftest import SECRET, MakeClient, MakeFlask


@pytest.fixture
def app(make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider) -> Flask:
    return make_flask(client_of(provider))


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def test_the_ten_lines_work_as_written(
    client_of: MakeClient, provider: MockProvider, tmp_path: Path
) -> None:
    with running(Listener()) as api:
        api.routes["/profile"] = lambda request: as_json(
            {"subject": provider.access_tokens[request.headers["authorization"][7:]]}
        )
        app = Flask(__name__, instance_path=str(tmp_path))
        login = Login(app, client_of(provider))

        @app.get("/profile")
        @login.required
        def profile() -> Any:
            return login.api.get(f"{api.origin}/profile").json()

        browser = app.test_client()
        asked = get(browser, "/profile")
        assert (asked.status_code, asked.location) == (303, "/login?return_to=%2Fprofile")
        assert log_in(browser, provider, asked.location).location == "/profile"
        assert get(browser, "/profile").json == {"subject": "person-1"}
        assert browser.post("/logout", base_url=BASE).location == "/"
        assert get(browser, "/profile").status_code == 303
        app.extensions["codegrant.login"]["store"].close()


def test_the_addresses_have_endpoints(
    app: Flask, make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    with app.test_request_context():
        assert url_for("codegrant.login", return_to="/a") == "/login?return_to=/a"
        assert url_for("codegrant.callback") == "/callback"
        assert url_for("codegrant.logout") == "/logout"
    one, two = client_of(provider), client_of(provider)
    with make_flask({"one": one, "two": two}).test_request_context():
        assert url_for("codegrant.login") == "/login"
        assert url_for("codegrant.login.two") == "/login/two"
        assert url_for("codegrant.callback.one") == "/callback/one"


def test_an_application_has_one_login(
    app: Flask, client_of: MakeClient, provider: MockProvider
) -> None:
    other = client_of(provider, client_id="another")
    with pytest.raises(ConfigurationError, match="a Login already") as told:
        Login(app, other, login_path="/a", callback_path="/b", logout_path="/c")
    assert told.value.hint
    assert "several providers" in told.value.hint


def test_who_is_not_signed_in_is_sent_to_log_in_or_told_so(browser: FlaskClient) -> None:
    assert get(browser, "/").json == {"subject": None}
    assert get(browser, "/profile?a=b").location == "/login?return_to=%2Fprofile%3Fa%3Db"
    assert get(browser, "/profile", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    assert get(browser, "/tokens").location == "/login?return_to=%2Ftokens"
    assert browser.post("/tokens", base_url=BASE).status_code == 401


def test_who_is_signed_in_is_known_in_every_view(
    browser: FlaskClient, provider: MockProvider
) -> None:
    answer = log_in(browser, provider, "/login?return_to=/profile")
    assert (answer.status_code, answer.location) == (303, "/profile")
    assert get(browser, "/profile").json == {"subject": "person-1", "provider": provider.issuer}
    assert get(browser, "/tokens").json == {
        "scope": ["email", "openid", "profile"],
        "api": "ApiSession()",
    }


def test_a_page_of_the_login_comes_out_as_it_was_made(browser: FlaskClient) -> None:
    page = get(browser, "/callback?code=x&state=y")
    assert page.status_code == 400
    assert page.headers.getlist("Content-Type") == ["text/html; charset=utf-8"]
    assert page.headers.getlist("Cache-Control") == ["no-store"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert '<code id="error-code">state_tampered</code>' in page.text


def test_several_clients_each_keep_their_own_trust(
    make_flask: MakeFlask, provider: MockProvider, client_of: MakeClient, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    with running(MockProvider(certificate.server_context())) as private:
        assert isinstance(private, MockProvider)
        # `one` trusts a CA of its own and would refuse the certificate of `two`.
        clients = {
            "one": client_of(provider),
            "two": client_of(private, ca_file=str(certificate.file)),
        }
        browser = make_flask(clients).test_client()
        chooser = get(browser, "/login?return_to=/profile")
        assert 'href="/login/two?return_to=%2Fprofile"' in chooser.text
        for name, asked in (("one", provider), ("two", private)):
            answer = log_in(browser, asked, f"/login/{name}?return_to=/profile")
            assert answer.location == "/profile", answer.text
            assert get(browser, "/profile").json == {
                "subject": "person-1",
                "provider": asked.issuer,
            }
        wrong = {"one": clients["two"], "two": client_of(private)}
        refused = get(make_flask(wrong, instance="wrong").test_client(), "/login/two")
        assert refused.status_code == 503
        assert "tls_failed" in refused.text


# --- store and keys ---


def test_a_session_survives_a_restart_and_is_there_for_a_second_worker(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    workers = [make_flask(client_of(provider), secret_key=None) for _ in range(3)]
    one, two, foreign = (worker.test_client() for worker in workers)
    started = get(one, "/login?return_to=/profile")
    carry_cookies(one, two)
    callback = provider.authorize(started.location)
    assert get(two, callback).location == "/profile"
    carry_cookies(two, one)
    assert get(one, "/profile").json == {"subject": "person-1", "provider": provider.issuer}
    assert get(one, callback).location == "/profile"
    assert get(foreign, "/profile").status_code == 303
    assert provider.count("/token") == 1


def test_the_files_are_for_their_owner_and_hold_no_token(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider, tmp_path: Path
) -> None:
    browser = make_flask(client_of(provider), secret_key=None).test_client()
    log_in(browser, provider)
    folder = tmp_path / "instance"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ["codegrant.db", "codegrant.db-shm"] or names[0] == "codegrant.db"
    assert "codegrant.db.key" in names
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    for secret in [*provider.minted, *(cookie.value for cookie in cookies_of(browser))]:
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("environment", "first", "then", "kept"),
    [
        pytest.param(None, {"secret_key": SECRET}, {"secret_key": SECRET}, True, id="same"),
        pytest.param(None, {"secret_key": SECRET}, {"secret_key": "o" * 40}, False, id="other"),
        pytest.param(
            None,
            {"secret_key": SECRET},
            {"secret_key": "o" * 40, "config": {"SECRET_KEY_FALLBACKS": [SECRET]}},
            True,
            id="rotated",
        ),
        pytest.param(
            None, {"secret_key": b"\xff" * 32}, {"secret_key": b"\xff" * 32}, True, id="b"
        ),
        pytest.param(None, {"secret_key": SECRET}, {"secret_key": None}, False, id="none any more"),
        pytest.param("e" * 32, {"secret_key": "dev"}, {"secret_key": None}, True, id="environment"),
    ],
)
def test_sessions_follow_the_secret(
    make_flask: MakeFlask,
    client_of: MakeClient,
    provider: MockProvider,
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    first: dict[str, Any],
    then: dict[str, Any],
    kept: bool,
) -> None:
    if environment:
        monkeypatch.setenv("CODEGRANT_SECRET", environment)
    one = make_flask(client_of(provider), **first).test_client()
    log_in(one, provider)
    two = make_flask(client_of(provider), **then).test_client()
    carry_cookies(one, two)
    assert (get(two, "/profile").status_code == 200) is kept


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        pytest.param(None, {"secret_key": "dev"}, "SECRET_KEY: a key has 3 characters", id="short"),
        pytest.param(None, {"secret_key": b"dev"}, "SECRET_KEY: a key has 3 ", id="short bytes"),
        pytest.param(
            None, {"config": {"SECRET_KEY_FALLBACKS": ["old"]}}, "a key has 3", id="short fallback"
        ),
        pytest.param("short", {}, "5 characters", id="a short variable"),
        pytest.param(",", {}, "at least one key", id="an empty variable"),
    ],
)
def test_a_secret_that_is_too_short_is_told_when_the_application_starts(
    make_flask: MakeFlask,
    client_of: MakeClient,
    provider: MockProvider,
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    arguments: dict[str, Any],
    said: str,
) -> None:
    if environment:
        monkeypatch.setenv("CODEGRANT_SECRET", environment)
    with pytest.raises(ConfigurationError, match=said):
        make_flask(client_of(provider), **arguments)


def test_a_store_of_the_callers_own_is_used_and_nothing_is_written(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider, tmp_path: Path
) -> None:
    store: TokenStore = MemoryTokenStore()
    browser = make_flask(client_of(provider), store=store).test_client()
    log_in(browser, provider)
    assert get(browser, "/profile").status_code == 200
    assert not (tmp_path / "instance").exists()


def test_a_folder_that_cannot_be_made_is_a_page_and_one_line(
    make_flask: MakeFlask,
    client_of: MakeClient,
    provider: MockProvider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("")
    app = make_flask(client_of(provider), instance="file/instance", secret_key=None)
    response = get(app.test_client(), "/login")
    assert response.status_code == 503
    assert "file/instance" in caplog.text
    assert "file/instance" not in response.text


# --- odd requests ---


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/login", {"X(Y)": "1"}, id="a name that is no field name"),
        pytest.param("/login", {"Cookie": "\x85cg-login-000000-00000000=x; =; ;"}, id="cookies"),
        pytest.param("/callback", {"Cookie": "a=b, c=d"}, id="cookies in one line"),
        pytest.param("/callback?state=%ff&code=%00", {}, id="a query that is no UTF-8"),
        pytest.param("/callback?state=\u00fc", {}, id="a query beyond ASCII"),
        pytest.param("/login?return_to=%ff", {}, id="a target that is no UTF-8"),
        pytest.param("/login/", {}, id="a slash more"),
        pytest.param("/profile/%ff", {}, id="a path that is no UTF-8"),
    ],
)
def test_an_odd_request_is_no_error_of_ours(app: Flask, path: str, headers: dict[str, str]) -> None:
    browser = app.test_client(use_cookies=False)
    assert get(browser, path, headers=headers).status_code in {303, 400, 404}


@pytest.mark.parametrize("host", ["bad host", "[::1", "a@b", "", "evil.example"])
def test_a_host_that_is_none_gets_a_page(browser: FlaskClient, host: str) -> None:
    for path in ("/login", "/callback?state=x", "/profile", "/", "/logout"):
        response = browser.get(path, headers={"Host": host})
        assert response.status_code in {200, 303, 400}
        assert "evil" not in response.headers.get("Location", "")


def test_a_mounted_application_keeps_its_path(
    client_of: MakeClient, provider: MockProvider, make_flask: MakeFlask
) -> None:
    browser = make_flask(client_of(provider)).test_client()
    base = f"{BASE}/shop%20one"
    asked = browser.get("/profile", base_url=base)
    assert asked.location == "/shop%20one/login?return_to=%2Fshop%2520one%2Fprofile"
    started = browser.get("/login?return_to=/shop%20one/profile", base_url=base)
    callback = provider.authorize(started.location)
    assert callback.startswith(f"{base}/callback?")
    answer = browser.get(callback.removeprefix(base), base_url=base)
    assert (answer.status_code, answer.location) == (303, "/shop%20one/profile")


# --- tokens ---


def test_an_expired_access_token_leads_through_a_login_and_back(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    provider.token = Lie({"refresh_token": None})
    app = make_flask(client_of(provider))
    clock = {"ahead": 0.0}
    login: Login = app.extensions["test.login"]
    real = login._clock
    login._clock = lambda: real() + clock["ahead"]
    browser = app.test_client()
    log_in(browser, provider)
    assert get(browser, "/tokens").status_code == 200
    clock["ahead"] = 301
    assert get(browser, "/tokens").location == "/login?return_to=%2Ftokens"
    assert browser.post("/tokens", base_url=BASE).status_code == 401
    assert get(browser, "/profile").status_code == 200


def test_an_asynchronous_view_is_guarded_too(
    client_of: MakeClient, provider: MockProvider, tmp_path: Path
) -> None:
    app = AsyncFlask("app", instance_path=str(tmp_path))
    login = Login(app, client_of(provider), store=MemoryTokenStore())

    @app.get("/async/<name>")
    @login.required
    async def view(name: str) -> dict[str, str]:
        await asyncio.sleep(0)
        return {name: login.identity.subject, "api": repr(login.api)}

    browser = app.test_client()
    assert get(browser, "/async/who").location == "/login?return_to=%2Fasync%2Fwho"
    log_in(browser, provider)
    assert get(browser, "/async/who").json == {"who": "person-1", "api": "ApiSession()"}


def test_no_cache_gives_the_page_of_one_person_to_another(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    app = make_flask(client_of(provider))
    login: Login = app.extensions["test.login"]

    @app.get("/kept")
    @login.required
    def kept() -> Response:
        return Response("", headers={"Cache-Control": "private, max-age=60"})

    @app.get("/for-all")
    def for_all() -> str:
        return ""

    browser = app.test_client()
    log_in(browser, provider)
    for path, said, differs in (
        ("/profile", "private, no-store", {"cookie"}),
        ("/kept", "private, max-age=60", {"cookie"}),
        ("/", None, {"cookie"}),
        ("/for-all", None, set[str]()),
    ):
        answer = get(browser, path)
        assert answer.status_code == 200
        assert answer.headers.get("Cache-Control") == said
        assert set(answer.vary.as_set()) == differs


def test_without_openid_nobody_is_identified(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    provider.metadata = Lie({"scopes_supported": ["email"]})
    app = make_flask(client_of(provider))
    app.testing = True
    browser = app.test_client()
    log_in(browser, provider)
    assert get(browser, "/tokens").json == {"scope": [], "api": "ApiSession()"}
    with pytest.raises(UsageError, match="did not say who logged in"):
        get(browser, "/")


def test_who_is_signed_in_does_not_outlive_the_request(
    app: Flask, browser: FlaskClient, provider: MockProvider
) -> None:
    with app.app_context():  # one `flask.g` for all three requests
        assert get(browser, "/").json == {"subject": None}
        log_in(browser, provider)
        assert get(browser, "/").json == {"subject": "person-1"}
        browser.post("/logout", base_url=BASE)
        assert get(browser, "/").json == {"subject": None}


def test_who_is_signed_in_is_not_handed_to_an_application_inside(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    inner = make_flask(client_of(provider), store=MemoryTokenStore())
    app = make_flask(client_of(provider))
    login: Login = app.extensions["test.login"]

    @app.get("/inside/")
    @login.required
    def inside() -> Any:
        environ = {**request.environ, "PATH_INFO": "/"}
        return Response.from_app(inner, environ, buffered=True)

    browser = app.test_client()
    log_in(browser, provider)
    assert get(browser, "/").json == {"subject": "person-1"}
    assert get(browser, "/inside/").json == {"subject": None}


def test_outside_of_a_login_tokens_are_refused(app: Flask) -> None:
    login: Login = app.extensions["test.login"]
    with app.test_request_context(base_url=BASE):
        assert login.current is None
        for name in ("tokens", "identity", "api"):
            with pytest.raises(LoginRequired):
                getattr(login, name)
        assert login.url("/a?b=c") == "/login?return_to=%2Fa%3Fb%3Dc"
        assert login.url("//evil.example") == "/login"


# --- set-up ---


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="an empty mapping"),
        pytest.param("https://issuer.example", id="a text"),
        pytest.param({"a": "https://issuer.example"}, id="a text in a mapping"),
        pytest.param(AsyncClient("https://issuer.example", client_id="app"), id="asyncio's"),
    ],
)
def test_what_is_no_client_is_refused(client: Any) -> None:
    with pytest.raises(UsageError, match=r"^client: .* needed"):
        Login(Flask("app"), client)


def test_one_login_may_serve_two_applications(
    client_of: MakeClient, provider: MockProvider, tmp_path: Path
) -> None:
    def home() -> str:
        return "home"

    login = Login(client=client_of(provider))
    browsers: list[FlaskClient] = []
    apps: list[Flask] = []
    for name in ("one", "two"):
        app = Flask(name, instance_path=str(tmp_path / name))
        login.init_app(app)
        app.add_url_rule("/", "home", login.required(home))
        apps.append(app)
        browsers.append(app.test_client())
    log_in(browsers[0], provider)
    assert get(browsers[0], "/").text == "home"
    carry_cookies(browsers[0], browsers[1])
    assert get(browsers[1], "/").status_code == 303
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two"}
    for app in apps:
        app.extensions["codegrant.login"]["store"].close()


def test_making_it_sends_nothing_and_writes_nothing(
    app: Flask, provider: MockProvider, tmp_path: Path
) -> None:
    assert provider.received == []
    assert list(tmp_path.iterdir()) == []


# --- threads and forks ---


def test_two_deliveries_in_two_workers_make_one_token_request(
    make_flask: MakeFlask, client_of: MakeClient, provider: MockProvider
) -> None:
    workers = [make_flask(client_of(provider)).test_client() for _ in range(2)]
    started = get(workers[0], "/login?return_to=/profile")
    carry_cookies(workers[0], workers[1])
    callback = provider.authorize(started.location)
    asked, release, answer = Event(), Event(), provider.token_endpoint

    def held(request: Received) -> Answer:
        asked.set()
        assert release.wait(20)
        return answer(request)

    provider.routes["/token"] = held
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, workers[0], callback)
        assert asked.wait(20)
        second = pool.submit(get, workers[1], callback)
        release.set()
        answers = [first.result(), second.result()]
    assert [x.status_code for x in answers] == [303, 303]
    assert {x.location for x in answers} == {"/profile"}
    assert [get(worker, "/profile").status_code for worker in workers] == [200, 200]
    assert provider.count("/token") == 1


FORKED = """
import os, sys
from flask import Flask
from codegrant import Client
from codegrant.web.flask import Login

issuer, folder, client_id, client_secret = sys.argv[1:]
app = Flask("app", instance_path=folder)
login = Login(app, Client(issuer, client_id=client_id, client_secret=client_secret))
app.add_url_rule("/", "home", lambda: login.identity.subject if login.current else "nobody")

def visit(path, cookie=""):
    headers = {"Cookie": cookie} if cookie else {}
    return app.test_client(use_cookies=False).get(path, headers=headers, base_url="http://127.0.0.1:5000")

# The parent has used everything before it forks: pool, TLS, store and writer thread.
started = visit("/login")
cookie = started.headers["Set-Cookie"].partition(";")[0]
assert visit("/").text == "nobody"
print(started.location, flush=True)
callback = sys.stdin.readline().strip().partition("5000")[2]
child = os.fork()
if child == 0:
    answer = visit(callback, cookie)
    session = answer.headers.getlist("Set-Cookie")[0].partition(";")[0]
    print(answer.status_code, visit("/", session).text, session, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(visit(callback, cookie).status_code, visit("/login").status_code, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_use_starts_afresh(provider: MockProvider, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FORKED, provider.issuer, str(tmp_path), CLIENT_ID, CLIENT_SECRET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    location = process.stdout.readline().strip()
    process.stdin.write(f"{provider.authorize(location)}\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    child, parent = out.splitlines()
    assert child.startswith("303 person-1 cg-app-")
    assert parent == "303 303"
    assert provider.count("/token") == 1
