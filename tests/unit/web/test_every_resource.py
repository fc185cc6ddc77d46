"""One suite over every adapter of the resource server: Flask, Django, plain ASGI, Starlette."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from codegrant.messages.bearer import parse_challenges
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.guarded_apis import CACHED, MAKE, GuardedApi
from tests.support.mock_provider import MockProvider

FORM = ("content-type", "application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="module", params=list(MAKE))
def api(request: pytest.FixtureRequest, provider: MockProvider) -> Iterator[GuardedApi]:
    api = MAKE[request.param](provider.issuer, AUDIENCE)
    yield api
    api.close()


@pytest.fixture
def mint(provider: MockProvider) -> Any:
    def mint(**changes: Any) -> tuple[str, str]:
        token = access_token(provider.issuer, provider.keys["k1"], int(time.time()), **changes)
        return ("Authorization", f"Bearer {token}")

    return mint


@pytest.mark.requirement("RS-BR-01", "RS-BR-07")
def test_a_good_token_reaches_the_view_and_its_answer_no_cache(api: GuardedApi, mint: Any) -> None:
    name, value = mint()
    for header in ((name, value), (name.lower(), value.replace("Bearer", "bEARER"))):
        answer = api.send("GET", "/profile", [header])
        assert answer.status == 200
        assert json.loads(answer.body) == {"subject": "person-1", "client_id": "app"}
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.requirement("RS-BR-07")
def test_a_view_may_have_caching_rules_of_its_own(api: GuardedApi, mint: Any) -> None:
    assert api.send("GET", "/cached", [mint()]).headers["cache-control"] == CACHED
    missing = api.send("GET", "/missing", [mint()])
    assert (missing.status, missing.headers["cache-control"]) == (404, "private, no-store")


@pytest.mark.requirement("RS-BR-04")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no header"),
        pytest.param([("Authorization", "Basic YTpi")], id="another scheme"),
        pytest.param([("Cookie", "access_token=x")], id="a cookie"),
    ],
)
@pytest.mark.parametrize("path", ["/profile", "/cached", "/missing"])
def test_no_credentials_are_answered_with_a_bare_challenge(
    api: GuardedApi, headers: list[tuple[str, str]], path: str
) -> None:
    answer = api.send("GET", path, headers)
    assert (answer.status, answer.challenge, answer.body) == (401, "Bearer", b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == "0"


@pytest.mark.requirement("RS-BR-05", "RS-JAT-01", "RS-JAT-02")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"header": {"typ": "JWT"}}, id="an ID token"),
        pytest.param({"aud": "https://b.example"}, id="another API's"),
        pytest.param({"iss": "https://evil.example"}, id="another issuer's"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"header": {"alg": "none"}}, id="unsigned"),
        pytest.param({"sub": "somebody", "header": {"kid": "k9"}}, id="unknown key"),
    ],
)
def test_a_bad_token_is_invalid(api: GuardedApi, mint: Any, changes: dict[str, Any]) -> None:
    answer = api.send("GET", "/profile", [mint(**changes)])
    assert answer.status == 401
    (challenge,) = parse_challenges(answer.challenge)
    assert challenge.params["error"] == "invalid_token"
    assert set(challenge.params) == {"error", "error_description"}
    assert json.loads(answer.body) == dict(challenge.params)


@pytest.mark.requirement("RS-BR-05", "RS-BR-08")
@pytest.mark.parametrize("scope", ["profile", "read-all", "rea", "admin"])
def test_too_small_a_scope_is_told_what_would_do(api: GuardedApi, mint: Any, scope: str) -> None:
    path, wanted = ("/profile", "read") if scope != "admin" else ("/admin", "read admin")
    answer = api.send("GET", path, [mint(scope=scope)])
    assert answer.status == 403
    (challenge,) = parse_challenges(answer.challenge)
    assert challenge.params["error"] == "insufficient_scope"
    assert challenge.params["scope"] == wanted
    assert api.send("GET", path, [mint(scope=f"x {wanted} y")]).status == 200


@pytest.mark.requirement("RS-JAT-06")
def test_a_view_for_persons_refuses_a_clients_own_token(api: GuardedApi, mint: Any) -> None:
    of_client = mint(sub="app")
    answer = api.send("GET", "/person", [of_client])
    assert (answer.status, b"insufficient_scope" in answer.body) == (403, True)
    assert api.send("GET", "/profile", [of_client]).status == 200
    assert api.send("GET", "/person", [mint()]).status == 200


@pytest.mark.requirement("RS-BR-02", "RS-BR-03")
def test_a_token_is_taken_from_the_header_only_and_from_one_place(
    api: GuardedApi, mint: Any
) -> None:
    header = mint()
    token = header[1].partition(" ")[2]
    for target, headers, body in [
        (f"/profile?access_token={token}", [], b""),
        (f"/profile?access_token={token}", [header], b""),
        ("/profile", [FORM], f"access_token={token}".encode()),
        ("/profile", [FORM, header], f"a=1&access_token={token}".encode()),
        ("/profile", [header, header], b""),
        ("/profile", [header, ("Authorization", "Basic YTpi")], b""),
    ]:
        answer = api.send("POST", target, [*headers, _length(body)], body)
        assert answer.status == 400, (target, body)
        assert 'error="invalid_request"' in answer.challenge
    assert api.send("POST", "/profile", [FORM, header, _length(b"a=1")], b"a=1").status == 200


def test_a_form_that_was_looked_at_is_still_there_for_the_view(api: GuardedApi, mint: Any) -> None:
    for value in ("1", "2" * 60_000, "3" * 200_000):
        body = f"a={value}".encode()
        answer = api.send("POST", "/form", [FORM, mint(), _length(body)], body)
        assert json.loads(answer.body) == {"a": value}


def _length(body: bytes) -> tuple[str, str]:
    return ("Content-Length", str(len(body)))


@pytest.mark.requirement("RS-BR-06", "RS-BR-09")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param('Bearer x", evil="1', id="quotes"),
        pytest.param("Bearer evil<script>", id="markup"),
        pytest.param("Bearer evil\x85", id="control character"),
        pytest.param("Bearer evil" + "e" * (1 << 20), id="a mebibyte"),
        pytest.param("Bearer evil.evil.evil", id="no JWT"),
        pytest.param(f"Bearer evil.{'e' * 16_000}.evil", id="a long one"),
    ],
)
def test_nothing_of_a_bad_token_comes_back(api: GuardedApi, value: str) -> None:
    answer = api.send("GET", "/profile", [("Authorization", value)])
    assert answer.status in {400, 401}
    shown = f"{answer.headers} {answer.body!r}"
    assert "evil" not in shown
    assert "<script" not in shown
    assert len(parse_challenges(answer.challenge)) == 1


def test_a_head_request_has_the_headers_of_its_refusal_and_no_body(api: GuardedApi) -> None:
    answer = api.send("HEAD", "/profile", [("Authorization", "Bearer opaque")])
    assert (answer.status, answer.body) == (401, b"")
    assert "invalid_token" in answer.challenge
    assert int(answer.headers["content-length"]) > 0


def test_without_the_issuers_keys_nobody_comes_in(
    request: pytest.FixtureRequest, api: GuardedApi
) -> None:
    gone = MockProvider()
    gone.close()
    alone = MAKE[request.node.callspec.params["api"]](gone.issuer, AUDIENCE)
    token = access_token(gone.issuer, gone.keys["k1"], int(time.time()))
    answer = alone.send("GET", "/profile", [("Authorization", f"Bearer {token}")])
    alone.close()
    assert (answer.status, answer.challenge) == (503, "")
    assert json.loads(answer.body)["error"] == "temporarily_unavailable"
