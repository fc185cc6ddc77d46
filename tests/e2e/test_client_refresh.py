"""Refresh and revocation: our own client against our own server, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegrant import AsyncClient, LoginRequired, Refused, Tokens
from codegrant.stores.token_file import TokenFile
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.person import Person
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

SCOPE = "openid profile offline_access"


@dataclass(frozen=True)
class House:
    """A server that knows alice, and two clients that may refresh."""

    issuer: str
    subject: str
    parties: dict[str, RelyingParty]

    @property
    def alice(self) -> Person:
        return Person(self.issuer)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Serving(tmp_path_factory.mktemp("refresh")).start() as server:
        subject = server.add_user()
        parties = {
            name: register(server, name, *options)
            for name, options in {"confidential": (), "public": ("--public",)}.items()
        }
        yield House(server.issuer, subject, parties)


@pytest.fixture(params=["confidential", "public"])
def party(request: pytest.FixtureRequest, house: House) -> RelyingParty:
    return house.parties[request.param]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(
    colour: Colour, house: House, party: RelyingParty, clock: Clock, ca_file: str
) -> Iterator[Application]:
    app = Application(
        colour,
        house.issuer,
        client_id=party.client_id,
        client_secret=party.secret or None,
        redirect_uri=party.redirect_uri,
        scope=SCOPE,
        ca_file=ca_file,
        clock=clock,
    )
    yield app
    app.close()


def test_tokens_are_refreshed_and_go_on_being_the_same_login(
    app: Application, house: House
) -> None:
    old = app.log_in(house.alice)
    new = app.refresh(old)
    assert new.refresh_token != old.refresh_token
    assert (new.scope, new.missing_scope) == (old.scope, frozenset())
    assert new.verified_identity().subject == house.subject
    assert new.verified_identity().auth_time == old.verified_identity().auth_time
    assert app.userinfo(new).sub == house.subject
    assert app.userinfo(app.refresh(new)).sub == house.subject


@pytest.mark.requirement("CL-TOK-07")
def test_ten_calls_at_once_make_one_refresh(app: Application, house: House, clock: Clock) -> None:
    tokens = app.log_in(house.alice)
    clock.ahead = 275  # late for the client, early for the server
    client, url, kept = app.client, f"{house.issuer}/userinfo", list[Tokens]()
    if isinstance(client, AsyncClient):
        calls = client.api(tokens, on_tokens=kept.append)

        async def ten() -> list[int]:
            answers = await asyncio.gather(*(calls.get(url) for _ in range(10)))
            return [answer.status_code for answer in answers]

        found: list[int] = app.colour.wait(ten())
    else:
        session = client.api(tokens, on_tokens=kept.append)
        with ThreadPoolExecutor(10) as pool:
            found = [answer.status_code for answer in pool.map(session.get, [url] * 10)]
    assert found == [200] * 10
    assert len(kept) == 1


@pytest.mark.requirement("CL-TOK-08", "CL-TOK-12")
def test_revoked_tokens_are_of_no_use_to_anybody(
    app: Application, house: House, party: RelyingParty, ca_file: str
) -> None:
    tokens = app.log_in(house.alice)
    assert app.userinfo(tokens).sub == house.subject
    app.revoke(tokens)
    with pytest.raises(Refused) as caught:
        app.userinfo(tokens)
    assert caught.value.error == "invalid_token"
    other = Application(  # which knows nothing of the revocation
        app.colour,
        house.issuer,
        client_id=party.client_id,
        client_secret=party.secret or None,
        redirect_uri=party.redirect_uri,
        ca_file=ca_file,
    )
    with pytest.raises(LoginRequired) as gone:
        other.refresh(tokens)
    assert gone.value.error == "invalid_grant"
    other.close()


@pytest.mark.requirement("CL-TOK-07", "CL-TOK-11")
def test_a_file_of_tokens_outlives_the_program(
    app: Application, house: House, clock: Clock, tmp_path: Path
) -> None:
    saved, url = TokenFile(tmp_path / "app" / "login"), f"{house.issuer}/userinfo"
    old = app.log_in(house.alice)
    saved.save(old)
    clock.ahead = 275
    assert app.get(saved, url).json()["sub"] == house.subject
    kept = TokenFile(tmp_path / "app" / "login").load()
    assert kept is not None
    assert kept.refresh_token != old.refresh_token
    app.revoke(kept)
    clock.ahead = 560
    with pytest.raises(LoginRequired):
        app.get(saved, url)
