from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from codegrant.client.api_auth import BearerAuth
from codegrant.errors import UsageError
from codegrant.secret import Secret
from tests.support.mock_provider import Listener, as_json, redirect

TOKEN = Secret("s3cret-access-token")


@pytest.fixture
def api() -> Iterator[Listener]:
    api = Listener()
    api.routes["/"] = lambda _: as_json({})
    yield api
    api.close()


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as http:
        yield http


def first_request(url: str, origins: frozenset[str] = frozenset()) -> httpx2.Request:
    """Return what would be sent first, without sending it."""
    return next(BearerAuth(TOKEN, origins=origins).sync_auth_flow(httpx2.Request("GET", url)))


def test_an_auth_object_serves_a_client_of_the_program(api: Listener, http: httpx2.Client) -> None:
    auth = BearerAuth(TOKEN)
    headers = {"authorization": "Basic something-else"}
    for _ in range(2):
        assert http.get(f"{api.origin}/", auth=auth, headers=headers).status_code == 200
    sent = [request.headers["authorization"] for request in api.received]
    assert sent == ["Bearer s3cret-access-token"] * 2


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "http://0.0.0.0/",
        "http://[::2]/",
        "ftp://127.0.0.1/",
        "ws://api.example/",
    ],
)
def test_a_token_goes_to_https_and_loopback_alone(url: str) -> None:
    for fine in ("https://api.example/", "http://127.0.0.1:1/", "http://[::1]/", "HTTPS://a/"):
        assert first_request(fine).headers["authorization"] == "Bearer s3cret-access-token"
    with pytest.raises(UsageError) as refused:
        first_request(url)
    assert (refused.value.code, refused.value.stage) == ("insecure_api_url", "api")


@pytest.mark.parametrize("url", ["/path", "https:///path", "path?a=b", ""])
def test_a_path_alone_gets_no_token(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        first_request(url)
    assert (refused.value.code, refused.value.stage) == ("relative_api_url", "api")
    assert "s3cret" not in str(refused.value)


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize(
    ("origin", "same", "other"),
    [
        ("https://api.example", "https://API.example:443/a?b", "https://api.example:8443/"),
        ("https://api.example", "https://api.example/", "https://api.example.evil.example/"),
        ("https://api.example", "https://api.example/", "https://evil.example/@api.example"),
        ("https://api.example", "https://api.example/", "https://api.example@evil.example/"),
        ("https://api.example:8443", "https://api.example:8443/", "https://api.example/"),
        ("http://[::1]:9000", "http://[::1]:9000/", "http://[::1]:9001/"),
        ("http://localhost:9", "http://localhost:9/", "http://127.0.0.1:9/"),
        ("https://xn--mnchen-3ya.example", "https://münchen.example/", "https://munchen.example/"),
    ],
)
def test_a_token_goes_to_no_origin_but_those_configured(origin: str, same: str, other: str) -> None:
    origins = frozenset({origin, "https://second.example"})
    assert "authorization" in first_request(same, origins=origins).headers
    with pytest.raises(UsageError) as refused:
        first_request(other, origins=origins)
    assert refused.value.code == "foreign_api_origin"
    assert "api_origins" in refused.value.hint


def test_redirects_have_an_end(api: Listener, http: httpx2.Client) -> None:
    api.routes["/round"] = lambda _: redirect("/round")
    auth = BearerAuth(TOKEN, follow_redirects=True)
    with pytest.raises(httpx2.TooManyRedirects):
        http.get(f"{api.origin}/round", auth=auth)
    assert 1 < len(api.received) <= 30


def test_the_token_is_not_shown() -> None:
    shown = repr(BearerAuth(TOKEN, origins=["https://b.example", "https://a.example"]))
    assert shown == "BearerAuth(***, origins=['https://a.example', 'https://b.example'])"


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize(
    ("target", "carries"),
    [
        ("http://localhost/b", True),
        ("http://LOCALHOST:80/b?c", True),
        ("https://localhost/", False),
        ("http://localhost:8080/", False),
        ("http://127.0.0.1/", False),
        ("https://evil.example/", False),
    ],
)
def test_a_redirect_carries_the_token_inside_its_origin_alone(target: str, carries: bool) -> None:
    first = httpx2.Request("GET", "http://localhost/a")
    flow = BearerAuth(TOKEN, follow_redirects=True).sync_auth_flow(first)
    sent = next(flow)
    redirected = httpx2.Response(302, request=sent)
    # httpx2 itself keeps the header when a host moves from http to https.
    redirected.next_request = httpx2.Request("GET", target, headers=sent.headers)
    assert ("authorization" in flow.send(redirected).headers) == carries
    with pytest.raises(StopIteration):
        flow.send(httpx2.Response(200, request=redirected.next_request))
