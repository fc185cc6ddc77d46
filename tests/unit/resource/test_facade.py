"""Both façades against a real issuer on loopback; the rules are tested without one."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from codegrant.errors import ConfigurationError, MessageError, OAuthError, UsageError
from codegrant.http import Headers, Request
from codegrant.resource import AccessToken, AsyncResourceServer, Introspection, ResourceServer
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, MockProvider, Received, as_json, html


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


class Server:
    """A resource server in one of the two colours."""

    def __init__(self, colour: Colour, *issuers: str, **arguments: Any) -> None:
        self.colour = colour
        kind = AsyncResourceServer if colour.is_async else ResourceServer
        self.server = kind(issuers, AUDIENCE, **{"timeout": 5.0, **arguments})

    def verify(self, token: str, *scope: str, **arguments: Any) -> AccessToken:
        return self.colour.wait(self.server.verify(token, scope, **arguments))

    def verify_request(self, request: Request, *scope: str, **arguments: Any) -> AccessToken:
        return self.colour.wait(self.server.verify_request(request, scope, **arguments))

    def close(self) -> None:
        if isinstance(self.server, AsyncResourceServer):
            self.colour.finish(self.server.aclose())
        else:
            self.server.close()


@pytest.fixture
def server(colour: Colour, provider: MockProvider) -> Iterator[Server]:
    server = Server(colour, provider.issuer)
    yield server
    server.close()


def mint(provider: MockProvider, **claims: Any) -> str:
    return access_token(provider.issuer, provider.keys["k1"], int(time.time()), **claims)


def refusal_of(server: Server, token: str, *scope: str, **arguments: Any) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        server.verify(token, *scope, **arguments)
    return caught.value


@pytest.mark.parametrize("timeout", [0, 0.05, 61, -1, float("nan")])
@pytest.mark.parametrize("kind", [ResourceServer, AsyncResourceServer])
def test_a_time_limit_has_bounds(
    kind: type[ResourceServer | AsyncResourceServer], timeout: float
) -> None:
    for fine in (0.1, 60):
        kind("https://issuer.example", AUDIENCE, timeout=fine)
    with pytest.raises(ConfigurationError, match=r"^timeout: "):
        kind("https://issuer.example", AUDIENCE, timeout=timeout)


def test_a_token_is_verified_once_and_then_known(server: Server, provider: MockProvider) -> None:
    token = mint(provider)
    first = server.verify(token)
    assert first.subject == "person-1"
    assert server.verify(token, "read") is first
    assert provider.paths() == ["/.well-known/openid-configuration", "/jwks"]
    assert server.verify(mint(provider, jti="token-2")).jti == "token-2"
    assert len(provider.received) == 2


@pytest.mark.requirement("RS-BR-05", "RS-JAT-06")
def test_scope_and_person_are_judged_on_both_ways(server: Server, provider: MockProvider) -> None:
    token = mint(provider, sub="app")
    for _ in range(2):  # the second time it is remembered
        assert refusal_of(server, token, "admin").error == "insufficient_scope"
        assert refusal_of(server, token, "read", person=True).status == 403
        assert server.verify(token, "read").client_id == "app"
        with pytest.raises(UsageError):
            server.colour.wait(server.server.verify(token, "read"))


@pytest.mark.requirement("RS-JAT-02", "RS-JAT-03", "RS-JAT-04")
def test_a_bad_token_is_refused(server: Server, provider: MockProvider) -> None:
    other = MockProvider()
    other.close()
    for token in (
        mint(provider, aud="https://b.example"),
        mint(provider, exp=int(time.time()) - 61),
        access_token(provider.issuer, other.keys["k1"], int(time.time())),
        mint(provider, iss="https://evil.example"),
        "opaque",
    ):
        error = refusal_of(server, token)
        assert (error.error, error.status) == ("invalid_token", 401)
    assert server.verify(mint(provider)).issuer == provider.issuer


@pytest.mark.requirement("RS-JAT-05")
def test_several_issuers_each_have_their_own_keys(colour: Colour, provider: MockProvider) -> None:
    other = MockProvider()
    server = Server(colour, provider.issuer, other.issuer)
    try:
        assert server.verify(mint(provider)).issuer == provider.issuer
        assert server.verify(mint(other)).issuer == other.issuer
        forged = access_token(provider.issuer, other.keys["k1"], int(time.time()))
        assert refusal_of(server, forged).error == "invalid_token"
    finally:
        server.close()
        other.close()


def test_a_request_is_verified(server: Server, provider: MockProvider) -> None:
    def request(*headers: tuple[str, str]) -> Request:
        return Request(method="GET", url="https://api.example/", headers=Headers(headers))

    good = ("authorization", f"Bearer {mint(provider)}")
    assert server.verify_request(request(good), "read", person=True).jti == "token-1"
    for headers, status in (((), 401), ((good, good), 400)):
        with pytest.raises(OAuthError) as caught:
            server.verify_request(request(*headers))
        assert caught.value.status == status


def test_without_its_issuer_a_resource_server_lets_nobody_in(
    server: Server, provider: MockProvider
) -> None:
    provider.close()
    error = refusal_of(server, mint(provider))
    assert (error.error, error.status) == ("temporarily_unavailable", 503)


def test_many_at_once_cause_one_fetch(provider: MockProvider) -> None:
    tokens = [mint(provider, jti=str(n)) for n in range(8)]
    blocking = ResourceServer(provider.issuer, AUDIENCE)
    with ThreadPoolExecutor(8) as pool:
        assert [token.jti for token in pool.map(blocking.verify, tokens)] == [*map(str, range(8))]
    blocking.close()
    assert provider.count("/jwks") == 1

    async def verify_all() -> list[AccessToken]:
        server = AsyncResourceServer(provider.issuer, AUDIENCE)
        try:
            return await asyncio.gather(*map(server.verify, tokens))
        finally:
            await server.aclose()

    assert [token.jti for token in asyncio.run(verify_all())] == [*map(str, range(8))]
    assert provider.count("/jwks") == 2


def test_a_refusal_is_answered_and_its_reason_logged(
    server: Server, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codegrant.resource")
    token = mint(provider, aud="https://b.example")
    answer = server.server.refuse(refusal_of(server, token))
    assert answer.status == 401
    assert b"b.example" not in answer.body
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "audience_mismatch: " in record.getMessage()
    assert "https://b.example" in record.getMessage()
    assert token not in record.getMessage()
    assert vars(record)["codegrant"] == {
        "error": "invalid_token",
        "status": 401,
        "code": "audience_mismatch",
    }


def test_a_request_without_credentials_is_nothing_to_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "codegrant.resource")
    error = OAuthError("", reason="no credentials", status=401)
    assert server.server.refuse(error).headers.get("www-authenticate") == "Bearer"
    assert caplog.records == []


def test_what_is_no_request_at_all_is_an_invalid_request(server: Server) -> None:
    answer = server.server.refuse(MessageError("header 'x y': not a field name"))
    assert answer.status == 400
    assert b"invalid_request" in answer.body
    assert b"x y" not in answer.body


@pytest.mark.requirement("RS-JAT-07")
def test_the_bound_of_a_revocation_is_documented() -> None:
    told = " ".join((ResourceServer.__doc__ or "").split())
    assert "a token that was revoked there is good here until it expires" in told


# Opaque tokens, over real connections.


class Introspecting:
    """An introspection endpoint of a provider, and what it vouches for."""

    def __init__(self, provider: MockProvider) -> None:
        self.provider = provider
        self.tokens = {"opaque"}
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        provider.routes["/introspect"] = self.answer

    @property
    def settings(self) -> Introspection:
        endpoint = f"{self.provider.issuer}/introspect"
        return Introspection(client_id="api", client_secret="s" * 32, endpoint=endpoint)

    def answer(self, request: Received) -> Answer:
        self.arrived.set()
        self.may_answer.wait(5)
        if request.form["token"] not in self.tokens:
            return as_json({"active": False})
        now = int(time.time())
        members = {"aud": AUDIENCE, "client_id": "app", "exp": now + 300, "sub": "person-1"}
        return as_json({"active": True, **members})


@pytest.fixture
def introspecting(provider: MockProvider) -> Introspecting:
    return Introspecting(provider)


@pytest.mark.requirement("RS-INT-01", "RS-INT-02")
def test_an_opaque_token_is_asked_about_once_and_then_known(
    colour: Colour, introspecting: Introspecting
) -> None:
    server = Server(colour, introspecting.provider.issuer, introspection=introspecting.settings)
    try:
        first = server.verify("opaque")
        assert first.subject == "person-1"
        assert server.verify("opaque") is first
        assert introspecting.provider.paths() == ["/introspect"]
        for _ in range(2):
            assert refusal_of(server, "other").error == "invalid_token"
        assert introspecting.provider.count("/introspect") == 2
    finally:
        server.close()


@pytest.mark.requirement("RS-INT-02")
def test_fifty_threads_with_one_token_ask_once(introspecting: Introspecting) -> None:
    introspecting.may_answer.clear()
    provider = introspecting.provider
    server = ResourceServer(provider.issuer, AUDIENCE, introspection=introspecting.settings)
    with ThreadPoolExecutor(50) as pool:
        verified = [pool.submit(server.verify, "opaque") for _ in range(50)]
        assert introspecting.arrived.wait(5)
        introspecting.may_answer.set()
        assert {each.result().subject for each in verified} == {"person-1"}
    server.close()
    assert provider.count("/introspect") == 1


@pytest.mark.requirement("RS-INT-02")
def test_fifty_tasks_with_one_token_ask_once_and_one_may_be_cancelled(
    introspecting: Introspecting,
) -> None:
    introspecting.may_answer.clear()
    provider = introspecting.provider

    async def verify_all() -> set[str]:
        settings = introspecting.settings
        server = AsyncResourceServer(provider.issuer, AUDIENCE, introspection=settings)
        try:
            tasks = [asyncio.create_task(server.verify("opaque")) for _ in range(50)]
            await asyncio.to_thread(introspecting.arrived.wait, 5)
            tasks[7].cancel()  # no leader: the others do not notice
            introspecting.may_answer.set()
            await asyncio.wait(tasks)
            assert tasks.pop(7).cancelled()
            return {task.result().subject for task in tasks}
        finally:
            await server.aclose()

    assert asyncio.run(verify_all()) == {"person-1"}
    assert provider.count("/introspect") == 1


@pytest.mark.requirement("RS-INT-02")
@pytest.mark.parametrize("failure", ["down", "slow", "a page", "500", "10 MB"])
def test_without_an_answer_an_opaque_token_opens_nothing(
    colour: Colour, introspecting: Introspecting, failure: str
) -> None:
    provider = introspecting.provider
    server = Server(colour, provider.issuer, introspection=introspecting.settings, timeout=0.3)
    answers = {
        "slow": provider.hang,
        "a page": lambda _: html(),
        "500": lambda _: as_json({"active": True}, 500),
        "10 MB": lambda _: Answer(200, b'{"active":true,"x":"' + b"y" * 10_000_000 + b'"}'),
    }
    try:
        if failure == "down":
            provider.close()
        else:
            provider.routes["/introspect"] = answers[failure]
        error = refusal_of(server, "opaque")
        assert (error.error, error.status) == ("temporarily_unavailable", 503)
        if failure != "down":
            provider.routes["/introspect"] = introspecting.answer
            assert server.verify("opaque").subject == "person-1"
    finally:
        server.close()


@pytest.mark.requirement("RS-JAT-07", "RS-INT-02")
def test_a_revoked_token_is_refused_as_soon_as_the_answer_no_longer_holds(
    colour: Colour, introspecting: Introspecting
) -> None:
    provider = introspecting.provider
    settings = replace(introspecting.settings, remember=0)
    server = Server(colour, provider.issuer, introspection=settings)
    try:
        assert server.verify("opaque").subject == "person-1"
        introspecting.tokens.clear()
        assert refusal_of(server, "opaque").error == "invalid_token"
    finally:
        server.close()
