"""What only the Flask adapter has; the suite over all adapters is `test_every_resource.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import flask
import pytest

import codegrant.web.flask
from codegrant.errors import UsageError
from codegrant.resource import ResourceServer
from codegrant.web.flask_resource import Protect
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.flask_site import AsyncFlask
from tests.support.mock_provider import MockProvider


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture
def api(provider: MockProvider) -> Iterator[Protect]:
    server = ResourceServer(provider.issuer, AUDIENCE)
    yield Protect(server)
    server.close()


def bearer(provider: MockProvider, **claims: Any) -> dict[str, str]:
    token = access_token(provider.issuer, provider.keys["k1"], int(time.time()), **claims)
    return {"Authorization": f"Bearer {token}"}


def test_it_is_found_beside_the_login_as_well() -> None:
    assert codegrant.web.flask.Protect is Protect


def test_a_view_that_is_not_guarded_has_no_token(api: Protect, provider: MockProvider) -> None:
    app = AsyncFlask("api")
    asked: list[bool] = []

    @app.get("/open")
    def open_view() -> str:
        with pytest.raises(UsageError):
            print(api.token)  # noqa: T201 - it must not come so far
        asked.append(True)
        return ""

    assert app.test_client().get("/open", headers=bearer(provider)).status_code == 200
    assert asked == [True]


def test_the_token_of_one_request_is_not_there_in_the_next(
    api: Protect, provider: MockProvider
) -> None:
    app = AsyncFlask("api")

    @app.get("/who")
    @api.require()
    def who() -> str:
        return api.token.subject

    @app.get("/open")
    def open_view() -> str:
        return api.token.subject

    client = app.test_client()
    app.testing = True
    with app.app_context():  # one `flask.g` for all requests
        for subject in ("alice", "bob"):
            assert client.get("/who", headers=bearer(provider, sub=subject)).text == subject
        assert client.get("/who").status_code == 401
        with pytest.raises(UsageError, match="not under @require"):
            client.get("/open")


def test_the_token_of_one_guard_is_not_the_token_of_another(
    api: Protect, provider: MockProvider
) -> None:
    other_server = ResourceServer(provider.issuer, "https://other.example")
    other = Protect(other_server)
    app = AsyncFlask("api")
    app.testing = True

    @app.get("/who")
    @api.require()
    def who() -> str:
        return other.token.subject

    with pytest.raises(UsageError, match="not under @require"):
        app.test_client().get("/who", headers=bearer(provider))
    other_server.close()


def test_an_asynchronous_view_is_guarded_too(api: Protect, provider: MockProvider) -> None:
    app = AsyncFlask("api")

    @app.get("/async/<name>")
    @api.require("read")
    async def view(name: str) -> dict[str, str]:
        await asyncio.sleep(0)
        return {name: api.token.subject}

    client = app.test_client()
    assert client.get("/async/who", headers=bearer(provider)).json == {"who": "person-1"}
    assert client.get("/async/who").status_code == 401


def test_a_guarded_view_keeps_its_name_and_takes_its_arguments(
    api: Protect, provider: MockProvider
) -> None:
    app = AsyncFlask("api")

    @app.get("/items/<int:number>")
    @api.require()
    def item(number: int) -> tuple[str, int]:
        return str(number + 1), 201

    assert "item" in app.view_functions
    answer = app.test_client().get("/items/41", headers=bearer(provider))
    assert (answer.status_code, answer.text) == (201, "42")


def test_a_view_that_fails_still_fails(api: Protect, provider: MockProvider) -> None:
    app = AsyncFlask("api")

    @app.get("/broken")
    @api.require()
    def broken() -> str:
        raise LookupError("broken")

    answer = app.test_client().get("/broken", headers=bearer(provider))
    assert (answer.status_code, answer.headers["cache-control"]) == (500, "private, no-store")


@pytest.mark.parametrize("scope", ["", "read write", 're"ad', "read\n"])
def test_a_scope_that_no_token_can_have_is_refused_when_the_view_is_made(
    api: Protect, scope: str
) -> None:
    with pytest.raises(UsageError, match=r"^scope: "):
        api.require("read", scope)


@pytest.mark.parametrize("name", ["X@Y", "X(Y)"])
def test_a_header_that_is_none_does_no_harm(
    api: Protect, provider: MockProvider, name: str
) -> None:
    app = AsyncFlask("api")

    @app.get("/who")
    @api.require()
    def who() -> str:
        return api.token.subject

    client = app.test_client()
    assert client.get("/who", headers={**bearer(provider), name: "1"}).status_code == 200
    assert client.get("/who", headers={name: "1"}).status_code == 401


@pytest.mark.parametrize(
    ("size", "environ"),
    [
        pytest.param(70_000, {}, id="too long"),
        pytest.param(
            1000,
            {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
            id="of a length that nobody told",
        ),
    ],
)
def test_of_a_form_without_bounds_nothing_is_read_before_the_view(
    api: Protect, provider: MockProvider, size: int, environ: dict[str, object]
) -> None:
    app = AsyncFlask("api")
    seen: list[bytes] = []

    @app.post("/upload")
    @api.require()
    def upload() -> str:
        seen.append(flask.request.stream.read(5))
        return ""

    client = app.test_client()
    form = "application/x-www-form-urlencoded"
    body = b"a=1&b" + b"x" * size
    for headers, status in ((bearer(provider), 200), ({}, 401)):
        answer = client.post(
            "/upload", headers=headers, data=body, content_type=form, environ_overrides=environ
        )
        assert answer.status_code == status
    assert seen == [b"a=1&b"]
