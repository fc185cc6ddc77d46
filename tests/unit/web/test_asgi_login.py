"""`web.asgi_login.Login`: what only it has. What all logins share is in `test_every_login`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codegrant import AsyncClient, Client, ConfigurationError, LoginRequired, UsageError
from codegrant.client.memory import MemoryTokenStore
from codegrant.web.asgi_login import Login
from tests.support.login_sites import FORM, PlainAsgiLogin, SiteBrowser, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned

ISSUER = "https://issuer.example"


@pytest.fixture
def site(
    provider: MockProvider, certificate: SelfSigned, tmp_path: Path
) -> Iterator[PlainAsgiLogin]:
    client = client_for("asgi", provider, ca_file=str(certificate.file))
    site = PlainAsgiLogin(tmp_path / "data", client, store=MemoryTokenStore())
    yield site
    site.close()


def cookies(browser: SiteBrowser) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", "; ".join(f"{n}={v}" for n, v in browser.cookies.items()).encode())]


def socket(headers: list[tuple[bytes, bytes]], path: str = "/chat") -> dict[str, Any]:
    return {
        "type": "websocket", "scheme": "ws", "path": path, "root_path": "", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:5000"), *headers], "client": None, "server": None,
    }  # fmt: skip


async def talk(app: Any, scope: dict[str, Any], *incoming: dict[str, Any]) -> list[Any]:
    """Return what an application sends on one connection."""
    sent: list[Any] = []
    waiting = list(incoming)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def test_a_websocket_knows_who_opened_it_and_nobody_opens_a_guarded_one(
    site: PlainAsgiLogin, provider: MockProvider
) -> None:
    @site.login.required
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        subject = site.login.identity(scope).subject
        await send({"type": "websocket.accept", "subprotocol": subject})

    app, browser = site.login.wrap(chat), SiteBrowser(site)
    refused = site.wait(talk(app, socket(cookies(browser))))
    assert refused == [{"type": "websocket.close", "code": 1008}]
    browser.log_in(provider)
    opened = site.wait(talk(app, socket(cookies(browser))))
    assert opened == [{"type": "websocket.accept", "subprotocol": "person-1"}]
    # An address of the login is none of a WebSocket's: the application answers.
    assert site.wait(talk(app, socket([], "/login")))[0]["type"] == "websocket.close"


def test_the_lifespan_is_the_applications_own(site: PlainAsgiLogin) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    site.wait(talk(site.login.wrap(app), {"type": "lifespan"}))
    assert seen == [{"type": "lifespan"}]


def test_what_fails_after_the_answer_has_begun_is_raised(site: PlainAsgiLogin) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise LoginRequired("login_required")

    scope = {**socket([], "/page"), "type": "http", "scheme": "http", "method": "GET"}
    with pytest.raises(LoginRequired):
        site.wait(talk(site.login.wrap(app), scope))


@pytest.mark.parametrize(
    ("incoming", "code"),
    [
        pytest.param(
            [(b"code=x&sta", True), (b"te=y", True), (b"", False)], "state_tampered", id="in parts"
        ),
        pytest.param([(b"code=x&sta", True), None], "callback_no_form", id="hung up"),
        pytest.param(
            [(b"x" * 40_000, True), (b"x" * 40_000, False)], "callback_no_form", id="more than said"
        ),
    ],
)
def test_a_form_is_read_whole_or_not_at_all(
    provider: MockProvider,
    certificate: SelfSigned,
    tmp_path: Path,
    incoming: list[tuple[bytes, bool] | None],
    code: str,
) -> None:
    client = client_for("asgi", provider, ca_file=str(certificate.file), response_mode="form_post")
    site = PlainAsgiLogin(tmp_path / "data", client, store=MemoryTokenStore())
    headers = [(n.lower().encode(), v.encode()) for n, v in FORM.items()]
    scope = socket([*headers, (b"content-length", b"14")], "/callback")
    scope |= {"type": "http", "scheme": "http", "method": "POST"}
    messages: list[dict[str, Any]] = [
        {"type": "http.disconnect"}
        if one is None
        else {"type": "http.request", "body": one[0], "more_body": one[1]}
        for one in incoming
    ]
    start, body = site.wait(talk(site.app, scope, *messages))
    site.close()
    assert start["status"] == 400
    assert f'id="error-code">{code}<' in body["body"].decode()


def test_a_head_gets_no_body_and_the_length(site: PlainAsgiLogin) -> None:
    answer = SiteBrowser(site).send("HEAD", "/logout/done")
    assert (answer.status, answer.text) == (405, "")
    page = SiteBrowser(site).get("/logout/done")
    assert page.headers.get("content-length") == str(len(page.text.encode()))


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ([], [b"Cookie"]),
        ([b"Accept-Language"], [b"Accept-Language", b"Cookie"]),
        ([b"Accept, cookie"], [b"Accept, cookie"]),
        ([b"*"], [b"*"]),
    ],
)
def test_caches_are_told_once_that_an_answer_depends_on_the_cookie(
    site: PlainAsgiLogin, given: list[bytes], seen: list[bytes]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await site.login.current(scope)
        fields = [(b"vary", value) for value in given]
        await send({"type": "http.response.start", "status": 200, "headers": fields})

    scope = {**socket([], "/page"), "type": "http", "scheme": "http", "method": "GET"}
    (start,) = site.wait(talk(site.login.wrap(app), scope))
    assert [value for name, value in start["headers"] if name == b"vary"] == seen


def test_what_was_not_looked_up_or_did_not_come_through_is_a_fault_of_the_program(
    site: PlainAsgiLogin,
) -> None:
    async def careless(scope: Any, receive: Any, send: Any) -> None:
        for ask in (site.login.tokens, site.login.identity, site.login.api):
            with pytest.raises(UsageError, match="not known yet"):
                ask(scope)
        await send({"type": "http.response.start", "status": 200})

    scope = {**socket([], "/page"), "type": "http", "scheme": "http", "method": "GET"}
    assert site.wait(talk(site.login.wrap(careless), scope))[0]["status"] == 200
    with pytest.raises(UsageError, match="did not come through"):
        site.wait(site.login.current(scope))


@pytest.mark.parametrize("client", [None, {}, ISSUER, Client(ISSUER, client_id="app")])
def test_what_is_no_asynchronous_client_is_refused(client: Any) -> None:
    with pytest.raises(UsageError, match=r"^client: .* needed"):
        Login(client)


def test_a_secret_that_is_too_short_is_told_when_the_application_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = AsyncClient(ISSUER, client_id="app")
    monkeypatch.setenv("CODEGRANT_SECRET", "short")

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="5 characters"):
        Login(client).wrap(app)
    asyncio.run(client.aclose())
