from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from codegrant.client.aio import AsyncClient
from codegrant.client.facade import Client
from codegrant.errors import ConfigurationError, UsageError
from codegrant.flow import RandomBytes
from tests.unit.client.samples import ISSUER, METADATA, NOW, REDIRECT_URI, TOKENS

GIVEN: dict[str, Any] = {
    "client_id": "app",
    "client_secret": "s3cret",
    "redirect_uri": REDIRECT_URI,
}


def test_making_a_client_and_closing_it_sends_nothing() -> None:
    with Client("https://nobody.invalid", **GIVEN) as client:
        assert repr(client) == "Client('https://nobody.invalid', client_id='app')"
    client.close()

    async def main() -> str:
        async with AsyncClient("https://nobody.invalid", **GIVEN) as client:
            return repr(client)

    assert asyncio.run(main()) == "AsyncClient('https://nobody.invalid', client_id='app')"


def test_a_described_server_is_asked_nothing_before_its_code_is_there() -> None:
    with Client(METADATA, clock=lambda: NOW + 0.9, **GIVEN) as client:
        login = client.start_login()
    assert login.started_at == NOW
    assert login.url.startswith(f"{ISSUER}/authorize?")

    async def main() -> str:
        async with AsyncClient(METADATA, clock=lambda: NOW, **GIVEN) as client:
            return (await client.start_login(scope="openid")).url

    assert asyncio.run(main()).startswith(f"{ISSUER}/authorize?")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("timeout", [0, 0.05, 61, -1, float("nan")])
def test_a_time_limit_has_bounds(kind: type[Client | AsyncClient], timeout: float) -> None:
    for fine in (0.1, 60):
        kind(METADATA, timeout=fine, **GIVEN)
    with pytest.raises(ConfigurationError) as refused:
        kind(METADATA, timeout=timeout, **GIVEN)
    assert refused.value.message.startswith("timeout: ")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_issuer_that_is_none_is_refused_at_once(kind: type[Client | AsyncClient]) -> None:
    for issuer in ("http://as.example", "as.example", "https://as.example?x", ""):
        with pytest.raises(UsageError):
            kind(issuer, **GIVEN)


def test_tokens_of_another_client_open_no_session() -> None:
    client = Client(METADATA, **GIVEN)
    assert repr(client.api(TOKENS, base_url="https://api.example")).startswith("ApiSession(")
    for other in (
        Client(METADATA, **dict(GIVEN, client_id="b")),
        AsyncClient("https://b.example", **GIVEN),
    ):
        with pytest.raises(UsageError) as refused:
            other.api(TOKENS)
        assert refused.value.code == "foreign_tokens"


def test_an_adapter_performs_the_effects_of_the_flows_itself() -> None:
    client = Client(METADATA, **GIVEN)
    assert len(client.perform(RandomBytes(16))) == 16
    assert client.flows.config.client_id == "app"

    async def main() -> int:
        async with AsyncClient(METADATA, **GIVEN) as other:
            return len(await other.perform(RandomBytes(16)))

    assert asyncio.run(main()) == 16


@pytest.mark.parametrize(
    "name", ["__init__", "start_login", "finish_login", "userinfo", "refresh", "revoke", "api"]
)
def test_both_clients_take_the_same_arguments(name: str) -> None:
    sync, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
    assert list(sync.parameters) == list(other.parameters)
    for mine, its in zip(sync.parameters.values(), other.parameters.values(), strict=True):
        if mine.name == "on_tokens":  # asyncio takes a coroutine function as well
            assert its.annotation == mine.annotation.replace(
                "], None]", "], Awaitable[None] | None]"
            )
            assert its.replace(annotation=mine.annotation) == mine
        else:
            assert its == mine


def test_a_client_does_not_change() -> None:
    client = Client(METADATA, **GIVEN)
    with pytest.raises(AttributeError):
        client.client_id = "other"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        client.flows.config.client_id = "other"  # type: ignore[misc]
