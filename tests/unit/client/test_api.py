from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from codegrant.client.api import ApiSession, AsyncApiSession
from codegrant.client.api_auth import BearerAuth
from codegrant.errors import UsageError
from codegrant.secret import Secret
from tests.support.mock_provider import Answer, Listener, redirect

METHODS = ["get", "head", "post", "put", "patch", "delete"]


class AnyMethod(Listener):
    """An API that says what it was asked with."""

    def __init__(self) -> None:
        super().__init__()
        self.routes["/v1/items"] = lambda request: Answer(
            200, b"" if request.method == "HEAD" else request.method.encode()
        )
        self.routes["/v1/old"] = lambda _: redirect("/v1/items", 302)
        handler = self._server.RequestHandlerClass
        setattr(handler, "do_HEAD", getattr(handler, "do_GET"))  # noqa: B009, B010


@pytest.fixture
def api() -> Iterator[AnyMethod]:
    api = AnyMethod()
    yield api
    api.close()


def auths() -> tuple[BearerAuth, BearerAuth]:
    token = Secret("s3cret-access-token")
    return BearerAuth(token), BearerAuth(token, follow_redirects=True)


@pytest.fixture
def session(api: AnyMethod) -> Iterator[ApiSession]:
    with httpx2.Client(trust_env=False) as http:
        yield ApiSession(lambda: http, *auths(), f"{api.origin}/v1/")


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_sent_with_the_token(
    session: ApiSession, api: AnyMethod, method: str
) -> None:
    assert getattr(session, method)("items").status_code == 200
    (request,) = api.received
    assert (request.method, request.path) == (method.upper(), "/v1/items")
    assert request.headers["authorization"] == "Bearer s3cret-access-token"


@pytest.mark.parametrize("method", METHODS)
def test_asyncio_has_the_same_methods(api: AnyMethod, method: str) -> None:
    async def main() -> list[int]:
        async with httpx2.AsyncClient(trust_env=False) as http:
            session = AsyncApiSession(lambda: http, *auths(), f"{api.origin}/v1/")
            call = getattr(session, method)
            followed = await call("/old", follow_redirects=True)
            return [(await call("items")).status_code, (await call("old")).status_code,
                    followed.status_code]  # fmt: skip

    assert asyncio.run(main()) == [200, 302, 200]
    assert all("authorization" in request.headers for request in api.received)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("items", "/v1/items"),
        ("/items", "/v1/items"),
        ("items?next=https://other.example/", "/v1/items?next=https://other.example/"),
        ("{}/v1/items", "/v1/items"),
        ("{}/v1/items?u=a://b", "/v1/items?u=a://b"),
    ],
)
def test_a_path_goes_below_the_base_url_and_an_address_stands_for_itself(
    session: ApiSession, api: AnyMethod, url: str, target: str
) -> None:
    assert session.get(url.format(api.origin)).status_code == 200
    assert api.received[0].target == target


def test_two_slashes_name_no_other_host(session: ApiSession, api: AnyMethod) -> None:
    assert session.get("//evil.example/items").status_code == 404
    assert api.received[0].target == "/v1/evil.example/items"


def test_without_a_base_url_a_path_has_no_origin(api: AnyMethod) -> None:
    with httpx2.Client(trust_env=False) as http:
        session = ApiSession(lambda: http, *auths())
        with pytest.raises(UsageError):
            session.get("/items")
        assert session.get(f"{api.origin}/v1/items").status_code == 200


def test_what_a_call_carries_reaches_the_api(session: ApiSession, api: AnyMethod) -> None:
    session.post("items", data={"a": "b c"}, headers={"x-trace": "1"})
    session.put("items", content=b"raw", timeout=5)
    form, raw = api.received
    assert (form.body, form.headers["x-trace"]) == (b"a=b+c", "1")
    assert raw.body == b"raw"


def test_a_session_shows_its_base_url_alone(session: ApiSession, api: AnyMethod) -> None:
    assert repr(session) == f"ApiSession({api.origin}/v1)"
    shown = repr(AsyncApiSession(httpx2.AsyncClient, *auths(), "https://api.example/"))
    assert shown == "AsyncApiSession(https://api.example)"
