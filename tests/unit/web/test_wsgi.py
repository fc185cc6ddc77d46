"""`web.wsgi.Login`: what only it has. What all logins share is in `test_every_login`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from codegrant import AsyncClient, Client, ConfigurationError, StoreError, UsageError
from codegrant.client.memory import MemoryTokenStore
from codegrant.web.wsgi import Login
from codegrant.web.wsgi_http import from_environ, read_form
from tests.support.login_sites import FORM, SiteBrowser, WsgiLogin, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned

ISSUER = "https://issuer.example"


@pytest.fixture
def client(provider: MockProvider, certificate: SelfSigned) -> Iterator[Client]:
    client = client_for("wsgi", provider, ca_file=str(certificate.file))
    assert isinstance(client, Client)
    yield client
    client.close()


@pytest.fixture
def site(client: Client, tmp_path: Path) -> WsgiLogin:
    return WsgiLogin(tmp_path / "data", client, store=MemoryTokenStore())


def environ(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    return {**made, **changes}


def test_it_keeps_to_the_letter_of_wsgi(site: WsgiLogin, provider: MockProvider) -> None:
    site.app = validator(site.app)
    browser = SiteBrowser(site)
    assert browser.log_in(provider, "/login?return_to=/profile").location == "/profile"
    assert browser.get("/profile").json["subject"] == "person-1"
    assert browser.post("/logout").location == "/"
    assert browser.get("/profile").status == 303


def test_a_request_is_read_as_pep_3333_spells_it() -> None:
    ours = from_environ(
        environ(
            SCRIPT_NAME="/caf\xc3\xa9",
            PATH_INFO="/\xc3\xbc x",
            QUERY_STRING="a=b",
            HTTP_HOST="app.example",
            HTTP_X_ONE="1",
            CONTENT_TYPE="text/plain",
            REMOTE_ADDR="192.0.2.1",
        )
    )
    assert ours.url == "http://app.example/caf%C3%A9/%C3%BC%20x"
    assert (ours.path, ours.query, ours.peer) == ("/ü x", "a=b", "192.0.2.1")
    assert (ours.headers.get("x-one"), ours.headers.get("content-type")) == ("1", "text/plain")
    bare = environ(SERVER_NAME="localhost", SERVER_PORT="8000", PATH_INFO="/\xff")
    del bare["HTTP_HOST"]
    assert from_environ(bare).url == "http://localhost:8000/%FF"
    assert from_environ(bare).path == "/\ufffd"


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        pytest.param({}, b"a=b", id="a form"),
        pytest.param({"CONTENT_TYPE": "text/plain"}, b"", id="another kind"),
        pytest.param({"CONTENT_LENGTH": ""}, b"", id="no length"),
        pytest.param({"CONTENT_LENGTH": "-1"}, b"", id="a negative length"),
        pytest.param({"CONTENT_LENGTH": "4"}, b"", id="cut off"),
        pytest.param({"CONTENT_LENGTH": "65537"}, b"", id="too long"),
        pytest.param({"CONTENT_LENGTH": "9" * 5000}, b"", id="no number at all"),
    ],
)
def test_a_form_is_read_whole_or_not_at_all(changes: dict[str, str], body: bytes) -> None:
    given = {"CONTENT_TYPE": FORM["Content-Type"], "CONTENT_LENGTH": "3", **changes}
    assert read_form(environ(**given, **{"wsgi.input": io.BytesIO(b"a=b")})) == body


def test_a_head_gets_no_body_and_the_length(site: WsgiLogin) -> None:
    answer = SiteBrowser(site).send("HEAD", "/logout/done")
    assert (answer.status, answer.text) == (405, "")


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ([], ["Cookie"]),
        (["Accept-Language"], ["Accept-Language", "Cookie"]),
        (["Accept, cookie"], ["Accept, cookie"]),
        (["*"], ["*"]),
    ],
)
def test_caches_are_told_once_that_an_answer_depends_on_the_cookie(
    site: WsgiLogin, given: list[str], seen: list[str]
) -> None:
    def app(environ: Any, start: Any) -> list[bytes]:
        site.login.current(environ)
        start("200 OK", [("Vary", value) for value in given])
        return []

    begun: list[Any] = []

    def start(status: str, headers: list[Any], exc_info: Any = None, /) -> Any:
        begun.append((status, [value for name, value in headers if name == "Vary"]))

    site.login.wrap(app)(environ(), start)
    assert begun == [("200 OK", seen)]


@pytest.mark.parametrize("begun_before", [False, True])
def test_an_answer_that_was_begun_is_replaced_as_pep_3333_says(
    site: WsgiLogin, begun_before: bool
) -> None:
    """A second `start_response` without `exc_info` is an error of the application."""
    failure = StoreError("the disk is full", code="store_full")

    def app(environ: Any, start: Any) -> list[bytes]:
        if begun_before:
            start("200 OK", [("Content-Type", "text/plain")])
        raise failure

    begun: list[Any] = []

    def start(status: str, headers: list[Any], exc_info: Any = None, /) -> Any:
        assert exc_info or not begun
        begun.append((status, exc_info and exc_info[1]))

    b"".join(site.login.wrap(app)(environ(), start))
    wanted = ("503 Service Unavailable", failure if begun_before else None)
    assert begun == ([("200 OK", None)] if begun_before else []) + [wanted]


def test_what_fails_while_the_answer_is_read_is_raised(site: WsgiLogin) -> None:
    def app(environ: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"x"
        raise StoreError("the disk is full")

    answer = site.login.wrap(app)(environ(), lambda *_: lambda _: None)
    with pytest.raises(StoreError):
        list(answer)


def test_a_request_that_did_not_come_through_is_a_fault_of_the_program(site: WsgiLogin) -> None:
    with pytest.raises(UsageError, match="did not come through"):
        site.login.current(environ())


@pytest.mark.parametrize("client", [None, {}, ISSUER, AsyncClient(ISSUER, client_id="app")])
def test_what_is_no_client_for_threads_is_refused(client: Any) -> None:
    with pytest.raises(UsageError, match=r"^client: .* needed"):
        Login(client)


def test_a_secret_that_is_too_short_is_told_when_the_application_starts(
    client: Client, site: WsgiLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEGRANT_SECRET", "short")
    with pytest.raises(ConfigurationError, match="5 characters"):
        Login(client).wrap(site.app)
