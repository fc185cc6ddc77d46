"""Sections C and H of the catalogue: a running server, what it bears, logs, shows and stores."""

from __future__ import annotations

import logging
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from codegrant import KeyRing
from codegrant.errors import OAuthError, StoreError
from codegrant.server.effects import FindClient, RedeemCode, SaveTransaction
from codegrant.stores.token_file import TokenFile
from tests.attacks.conftest import MakeApp, MakeClient
from tests.attacks.steps import address, ask, code_of, post, redeem, send, userinfo
from tests.flows.authorization_server import SECRET, basic
from tests.flows.house import Browser, House
from tests.support.access_tokens import NOW, PaperApi
from tests.support.leaks import find_leaks
from tests.support.mock_provider import CLIENT_SECRET, MockProvider
from tests.support.raw_http import FORM, RawAnswer, send_raw
from tests.support.relying_party import RelyingParty, register, send_form
from tests.support.serving import Serving, codegrant
from tests.support.waiting import wait_until
from tests.support.website import Visitor, Website

MARKS = count()
MEGABYTE = 1_000_000
# 0 when the connection just ended.
REFUSALS = {0, 400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 431}
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}Z [A-Z]+ codegrant\.[a-z.]+ [ -~]+")


@pytest.fixture(scope="module")
def app(server: Serving) -> RelyingParty:
    return register(server, "app", "--skip-consent")


def is_well(app: RelyingParty) -> None:
    """Check that a whole flow still works, and that nothing has failed."""
    assert app.log_in().json["access_token"]


def refuse(app: RelyingParty, answer: RawAnswer) -> None:
    assert answer.status in {0, 400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 431}, (
        answer.status
    )
    assert b'_token"' not in answer.body


@pytest.mark.parametrize("path", ["/token", "/authorize", "/login", "/userinfo", "/nothing"])
def test_atk_089_a_body_of_any_size_or_shape_is_only_refused(
    server: Serving, app: RelyingParty, path: str
) -> None:
    boundary = "b" * 70
    bodies = {
        "10 MB": (FORM, b"x=" + b"a" * 10 * MEGABYTE),
        "100 000 fields": (FORM, b"&".join(b"a%d=1" % n for n in range(100_000))),
        "100 000 empty fields": (FORM, b"&" * 100_000),
        "one name": (FORM, b"a=1&" * 20_000),
        "percent signs": (FORM, b"%" * 60_000),
        "multipart": (
            ("content-type", f"multipart/form-data; boundary={boundary}"),
            f"--{boundary}\r\n".encode() * 10_000,
        ),
        "multipart, line ends": (
            ("content-type", "multipart/form-data; boundary=x"),
            b"--x\r\n" + b"\r\n" * 50_000,
        ),
        "a type of spaces": ((FORM[0], FORM[1] + " " * 9000), b"x=1"),
        "a type of options": (("content-type", "a/b;" + 'a="\\' * 2000), b"x=1"),
        "nested JSON": (("content-type", "application/json"), b"[" * 60_000),
    }  # fmt: skip
    for kind, body in bodies.values():
        refuse(app, send_raw(server.issuer, "POST", path, [kind], body))
    for length in ("-1", "1e3", "0x10", "99999999999999999999", "+5", "5, 6", " "):
        refuse(
            app, send_raw(server.issuer, "POST", path, [FORM, ("content-length", length)], b"x=1")
        )
    is_well(app)


def test_atk_089_a_head_of_any_size_is_only_refused(server: Serving, app: RelyingParty) -> None:
    for headers in (
        [("x", "a" * MEGABYTE)],
        [("cookie", "a=1; " * 100_000)],
        [("authorization", "Basic " + "A" * 100_000)],
        [("authorization", "Bearer " + "A" * 100_000)],
        [(f"x-{n}", "1") for n in range(5000)],
        [("content-type", "a/b; " + ";" * 100_000)],
        [("transfer-encoding", "chunked"), ("content-length", "5")],
        [("transfer-encoding", "xchunked")],
        [("accept-language", "a-" * 50_000)],
    ):
        refuse(app, send_raw(server.issuer, "POST", "/token", headers, b""))
    for target in (
        f"/authorize?{'a' * MEGABYTE}",
        f"/{'a' * 100_000}",
        f"/authorize?{'&' * 100_000}",
    ):
        refuse(app, send_raw(server.issuer, "GET", target))
    # What is merely odd is answered as usual.
    refuse(app, send_raw(server.issuer, "GET", f"/{'%' * 3000}"))
    refuse(app, send_raw(server.issuer, "GET", f"/authorize?{'a[' * 3000}"))
    is_well(app)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"P",
        b"POST /token HTTP/1.1\r\n",
        b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx",
        b"POST /token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nx",
        b"POST /authorize HTTP/1.1\r\nhost: x\r\nx: ",
    ],
    ids=["nothing", "a letter", "a line", "half a body", "half a chunk", "half a field"],
)
def test_atk_089_those_who_dawdle_keep_nobody_waiting(
    server: Serving, app: RelyingParty, begun: bytes
) -> None:
    parts = urlsplit(server.issuer)
    where = (parts.hostname or "", parts.port or 80)
    with ExitStack() as stack:
        for _ in range(100):
            connection = socket.create_connection(where, timeout=20)
            stack.enter_context(connection)
            connection.sendall(begun)
        is_well(app)
    is_well(app)


# --- the log ---


def lines_after(server: Serving, seen: int) -> list[str]:
    """Return the log's lines since `seen`, once everything is written."""
    mark = f"attack-{next(MARKS)}"
    send_form(f"{server.issuer}/token", [("grant_type", "authorization_code"), ("client_id", mark)])
    wait_until(lambda: re.search(rf"client_id={mark} .*\n.* token_refused .*\n", server.log))
    return server.log[seen:].split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "x\nINFO login ok", "x\r\nINFO login ok", "x\rINFO login ok", "x\x1b[31mINFO login ok",
        "x\x85INFO login ok", "x\u2028INFO login ok", "x\x0bINFO login ok", "x\0INFO login ok",
        "x INFO login ok", 'x" INFO login ok="', "x client_id=admin INFO login ok",
        "\u202eko nigol OFNI", "%s%n%(x)s{0}", "$(id)`id`", "x" * 5000,
    ],
)  # fmt: skip
def test_atk_165_what_somebody_sends_does_not_become_a_line_of_the_log(
    server: Serving, app: RelyingParty, text: str
) -> None:
    seen = len(server.log)
    browser = app.new_browser()
    page = app.open(browser)
    send_form(app.token_endpoint, [("grant_type", "authorization_code"), ("client_id", text)])
    send_form(app.token_endpoint, [("grant_type", text), ("client_id", "app")])
    app.open(app.new_browser(), client_id=text)
    app.open(app.new_browser(), scope=f"openid {text}")
    browser.submit(page, {"username": text, "password": "x"})
    send_raw(
        server.issuer, "GET", f"/{urlencode({'x': text})}", [("user-agent", "x INFO login ok")]
    )
    lines = lines_after(server, seen)
    assert lines.pop() == ""
    for line in lines:
        assert LINE.fullmatch(line), line
        assert len(line) < 4096
        # A name that stands before an equals sign is ours.
        assert "INFO login ok" not in line.split('"')[0].partition(" codegrant.")[2].split("=")[0]
    assert not any(line.startswith("INFO") for line in lines)


def test_atk_166_a_flow_at_debug_level_tells_no_secret_to_any_logger(
    house: House,
    alice: Browser,
    provider: MockProvider,
    client_of: MakeClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    site = Website({"default": client_of(provider)})
    visitor = Visitor(site)
    callback = provider.authorize(visitor.start())
    pending = [visitor.cookies[name] for name in visitor.pending]
    visitor.get(callback)
    visitor.get(callback)
    who = visitor.who()
    assert who is not None
    code = code_of(ask(alice))
    answers = [redeem(house, code), redeem(house, code), redeem(house, code, auth=("r", "y" * 40))]
    token = str(answers[0].body)
    secrets = [
        *provider.minted,
        *pending,
        str(visitor.session),
        CLIENT_SECRET,
        code,
        SECRET,
        "y" * 40,
        str(alice.session_cookie),
        "wonderland",
    ]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    told = "\n".join(f"{event} {event.facts}" for event in house.events)
    assert caplog.records
    assert house.events
    assert token
    assert not find_leaks(f"{logged}\n{told}", secrets)


def test_atk_166_a_token_of_a_megabyte_does_not_fill_the_log(
    house: House, caplog: pytest.LogCaptureFixture, server: Serving, app: RelyingParty
) -> None:
    caplog.set_level(logging.DEBUG)
    huge = "Z" * MEGABYTE
    api = PaperApi()
    with pytest.raises(OAuthError) as caught:
        api.verify(huge)
    assert len(str(caught.value)) + len(repr(caught.value)) < 4096
    assert userinfo(house, huge).status in {400, 401}
    assert redeem(house, huge).status in {400, 413}
    assert redeem(house, "x", auth=(huge, "x")).status in {400, 401}
    text = "".join(record.getMessage() for record in caplog.records)
    text += "".join(str(event) for event in house.events)
    assert len(text) < 4096
    assert "ZZZZZZZZZZZZ" not in text or text.count("Z") < 1000
    seen = len(server.log)
    for target in ("/userinfo", f"/userinfo?access_token={'Z' * 15_000}"):
        send_raw(server.issuer, "GET", target, [("authorization", f"Bearer {'Z' * 30_000}")])
    send_form(app.token_endpoint, [("grant_type", "authorization_code"), ("code", "Z" * 60_000)])
    assert sum(map(len, lines_after(server, seen))) < 4096
    assert api.verify(api.issuer.mint(NOW))


TELLING = (
    b"Traceback", b'File "', b".py", b"site-packages", b"/usr/", b"/tmp", b"/home", b"codegrant.db",
    b"sqlite", b"SQL", b"uvicorn", b"python", b"Python", b"jinja", b"Error:", b"Exception", b"0x7f",
)  # fmt: skip


def test_atk_167_no_answer_says_how_the_server_is_made(server: Serving, app: RelyingParty) -> None:
    browser = app.new_browser()
    page = app.open(browser)
    answers = [
        send_raw(server.issuer, method, target, headers, body)
        for method, target, headers, body in (
            ("GET", "/", [], b""),
            ("GET", "/nothing/../../etc/passwd", [], b""),
            ("GET", "/debug", [], b""),
            ("GET", "/docs", [], b""),
            ("GET", "/openapi.json", [], b""),
            ("GET", "/.git/config", [], b""),
            ("GET", "/.env", [], b""),
            ("TRACE", "/", [("x-secret", "traced")], b""),
            ("BREW", "/token", [], b""),
            ("GET", "/authorize", [], b""),
            ("GET", "/authorize?client_id=%ff%fe", [], b""),
            ("GET", "/authorize?client_id=a&client_id=b", [], b""),
            ("POST", "/token", [FORM], b"grant_type=%00"),
            ("POST", "/token", [FORM, ("authorization", "Basic ////")], b"grant_type=x"),
            ("GET", "/userinfo", [("authorization", "Bearer \xff")], b""),
            ("GET", "/userinfo", [("authorization", "Bearer a.b.c")], b""),
            ("GET", "/jwks?x", [], b""),
            ("GET", "/login?transaction=%00", [], b""),
            ("POST", "/consent", [FORM], b"csrf=1"),
            ("GET", "/style.css/..", [], b""),
            ("GET", "/healthz", [], b""),
            ("GET", "http://evil.test/", [], b""),
            ("GET", "*", [], b""),
        )
    ]
    assert page.status == 200
    for answer in answers:
        text = answer.body + repr(list(answer.headers)).encode()
        assert not [word for word in TELLING if word in text], text
        assert not answer.all("server")
        assert not answer.all("x-powered-by")
        assert b"traced" not in text
    is_well(app)


@pytest.mark.parametrize("effect", [FindClient, RedeemCode, SaveTransaction])
def test_atk_167_nor_does_a_failure_of_its_own(house: House, alice: Browser, effect: type) -> None:
    code = code_of(ask(alice))
    house.broken[effect] = StoreError('sqlite3: near "SELECT": /var/lib/codegrant.db: disk I/O')
    answers = [
        send(alice, prompt="login"),
        redeem(house, code),
        alice.send("GET", "/readyz"),
        post(house, "/token", {"grant_type": "authorization_code"}, [basic("r", SECRET)]),
    ]
    assert any(answer.status >= 500 for answer in answers)
    for answer in answers:
        text = answer.body + repr(answer.headers.pairs()).encode()
        assert not [word for word in (*TELLING, b"disk", b"SELECT") if word in text], text
    house.broken.clear()
    assert redeem(house, code_of(ask(alice))).status == 200
    assert address()


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A user whose files everybody may read and write, unless a program says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_atk_171_what_opens_the_store_is_its_owners_alone(tmp_path: Path, open_umask: None) -> None:
    add = ("users", "add", "alice", "--password-stdin")
    for command in (add, ("keys", "rotate", "--now")):
        done = codegrant(*command, folder=tmp_path, stdin="wonderland\n")
        assert done.status == 0, done.stderr
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert files["codegrant.db.key"] == 0o600
    assert {name: oct(mode) for name, mode in files.items() if mode & 0o077} == {}
    # What lies there already, and leads elsewhere, is not written through.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "codegrant.db.key").symlink_to(tmp_path / "victim")
    assert codegrant("keys", "rotate", "--now", folder=elsewhere).status == 1
    assert not (tmp_path / "victim").exists()


def test_atk_171_nor_does_a_login_that_is_kept_in_a_file_have_other_readers(
    tmp_path: Path, open_umask: None, provider: MockProvider, make_app: MakeApp
) -> None:
    tokens = make_app(provider).log_in(provider)
    file = TokenFile(tmp_path / "app" / "login")
    assert file.save(tokens)
    seen = list(tmp_path.rglob("*"))
    assert len(seen) >= 3
    for path in seen:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        if path.is_file():
            assert not find_leaks(path.read_bytes(), provider.minted)
    assert file.load() is not None
    # A file that others may read or replace, or that is only a link, is not believed.
    path = tmp_path / "app" / "login"
    for mode in (0o644, 0o660, 0o606):
        path.chmod(mode)
        with pytest.raises(StoreError):
            file.load()
    path.chmod(0o600)
    (tmp_path / "app" / "link").symlink_to(path)
    with pytest.raises(StoreError):
        TokenFile(tmp_path / "app" / "link", key_ring=KeyRing(["k" * 32])).load()
    assert file.load() is not None
