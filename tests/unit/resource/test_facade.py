"""Both façades against a real issuer on loopback; the rules are tested without one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from codegrant.errors import ConfigurationError, MessageError, OAuthError, UsageError
from codegrant.http import Headers, Request
from codegrant.resource import AccessToken, AsyncResourceServer, ResourceServer
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.colours import Colour
from tests.support.mock_provider import MockProvider


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
