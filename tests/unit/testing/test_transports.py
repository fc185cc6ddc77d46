"""The wire under httpx2, httpx and requests, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
import requests

from codegrant.errors import TransportError
from codegrant.http import Headers, Request, Response
from codegrant.testing import ProviderInProcess, Unanswered
from codegrant.testing.httpx import WireTransport
from codegrant.testing.requests import WireAdapter

API = "https://api.test"
Ask = Callable[..., Any]


def with_httpx(provider: ProviderInProcess, method: str, url: str, **more: Any) -> Any:
    with httpx.Client(transport=WireTransport(provider.wire)) as http:
        return http.request(method, url, **more)


def with_httpx2(provider: ProviderInProcess, method: str, url: str, **more: Any) -> Any:
    with httpx2.Client(transport=provider.transport()) as http:
        return http.request(method, url, **more)


def with_async_httpx(provider: ProviderInProcess, method: str, url: str, **more: Any) -> Any:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=WireTransport(provider.wire)) as http:
            return await http.request(method, url, **more)

    return asyncio.run(ask())


def with_async_httpx2(provider: ProviderInProcess, method: str, url: str, **more: Any) -> Any:
    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=provider.transport()) as http:
            return await http.request(method, url, **more)

    return asyncio.run(ask())


def with_requests(provider: ProviderInProcess, method: str, url: str, **more: Any) -> Any:
    with requests.Session() as session:
        session.mount("https://", WireAdapter(provider.wire))
        if "content" in more:
            more["data"] = more.pop("content")
        return session.request(method, url, **more)


@pytest.fixture(
    params=[with_httpx2, with_async_httpx2, with_httpx, with_async_httpx, with_requests]
)
def ask(request: pytest.FixtureRequest) -> Ask:
    function: Ask = request.param
    return function


@pytest.fixture
def served(provider: ProviderInProcess) -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        headers = Headers([("content-type", "application/json"), ("set-cookie", "a=b")])
        return Response(status=202, headers=headers, body=b'{"said": "yes"}')

    provider.serve(API, answer)
    return seen


def test_a_call_is_answered_in_the_process(
    provider: ProviderInProcess, served: list[Request], ask: Ask
) -> None:
    answer = ask(
        provider, "POST", f"{API}/a%20b", params={"q": "1"}, content=b"body", headers={"X-A": "1"}
    )
    assert (answer.status_code, answer.json()) == (202, {"said": "yes"})
    assert answer.cookies["a"] == "b"
    (seen,) = served
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/a b", "q=1", b"body")
    assert (seen.headers.get("x-a"), seen.headers.get("host")) == ("1", "api.test")


def test_a_body_that_comes_in_pieces_arrives_whole(
    provider: ProviderInProcess, served: list[Request]
) -> None:
    for ask in (with_httpx2, with_httpx, with_requests):
        ask(provider, "POST", API, content=iter([b"bo", b"dy"]))
    assert [seen.body for seen in served] == [b"body"] * 3


def test_what_nobody_serves_fails(provider: ProviderInProcess, ask: Ask) -> None:
    with pytest.raises(TransportError, match=r"GET https://other\.test/x: nothing serves"):
        ask(provider, "GET", "https://other.test/x")
    assert provider.wire.not_served == ["GET https://other.test/x"]


@pytest.mark.parametrize("stalls", [True, False])
def test_no_answer_is_the_exception_of_the_library(
    provider: ProviderInProcess, ask: Ask, stalls: bool
) -> None:
    def nobody(request: Request) -> Response:
        raise Unanswered(stalls=stalls)

    provider.serve(API, nobody)
    errors = (
        (httpx.ReadTimeout, httpx2.ReadTimeout, requests.ReadTimeout)
        if stalls
        else (httpx.ConnectError, httpx2.ConnectError, requests.ConnectionError)
    )
    with pytest.raises(errors):
        ask(provider, "GET", API)


def test_the_provider_itself_can_be_asked(provider: ProviderInProcess, ask: Ask) -> None:
    url = f"{provider.issuer}/.well-known/openid-configuration"
    assert ask(provider, "GET", url).json()["issuer"] == provider.issuer
