"""The auth objects of every HTTP library, from a login at our server to an API of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import httpx2
import pytest
import requests

import codegrant.web.httpx as for_httpx
import codegrant.web.requests as for_requests
from codegrant.client import RefreshingAuth
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.person import Person
from tests.support.protected_api import ProtectedApi
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

AUDIENCE = "https://api.example"


class House(NamedTuple):
    """A server that knows alice, a client of hers, and an API."""

    server: Serving
    party: RelyingParty
    api: ProtectedApi


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Serving(tmp_path_factory.mktemp("auth-objects")).start() as server:
        server.add_user()
        scope = "openid offline_access read"
        server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read")
        party = register(server, "app", "--scope", scope, "--audience", AUDIENCE)
        api = ProtectedApi(server.issuer, AUDIENCE)
        yield House(server, party, api)
        api.close()


async def ask(http: Any, url: str, times: int) -> list[Any]:
    async with http:
        return list(await asyncio.gather(*(http.get(url) for _ in range(times))))


@pytest.mark.parametrize(
    ("library", "colour"),
    [
        ("requests", "sync"),
        ("httpx", "sync"),
        ("httpx", "async"),
        ("httpx2", "sync"),
        ("httpx2", "async"),
    ],
    indirect=["colour"],
)
def test_every_library_reaches_an_api_with_tokens_that_are_refreshed_in_time(
    house: House, colour: Colour, library: str, ca_file: str
) -> None:
    clock = Clock()
    app = Application(
        colour,
        house.server.issuer,
        client_id=house.party.client_id,
        client_secret=house.party.secret,
        redirect_uri=house.party.redirect_uri,
        scope="openid offline_access read",
        api_origins=[house.api.origin],
        ca_file=ca_file,
        clock=clock,
    )
    tokens = app.log_in(Person(house.server.issuer), resource=AUDIENCE)
    kept: list[Any] = []
    client: Any = app.client
    for ahead, refreshes in [(0, 0), (275, 1)]:  # late for the client, early for the server
        clock.ahead = ahead
        make = {
            "requests": for_requests.RefreshingAuth,
            "httpx": for_httpx.RefreshingAuth,
            "httpx2": RefreshingAuth,
        }[library]
        auth: Any = make(client, tokens, on_tokens=kept.append)
        url = f"{house.api.origin}/profile"
        if library == "requests":
            with requests.Session() as session:
                session.auth = auth
                answers: list[Any] = [session.get(url, timeout=5) for _ in range(3)]
        elif colour.is_async:
            module: Any = httpx if library == "httpx" else httpx2
            answers = colour.wait(ask(module.AsyncClient(auth=auth), url, 3))
        else:
            module = httpx if library == "httpx" else httpx2
            with module.Client(auth=auth) as http:
                answers = [http.get(url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert answers[0].json()["audience"] == [AUDIENCE]
        assert len(kept) == refreshes
    app.close()
