"""oidc-provider (npm) as the server of a device and of a client without a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, TypeAlias

import pytest

from codegrant import Refused
from codegrant.client import DeviceLogin
from codegrant.resource import ResourceServer
from tests.interop.conftest import AWKWARD_SECRET
from tests.interop.oidc_provider_server import describe_client, enter, open_provider
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.other_grants import DEVICE, watch_pauses

API = "https://api.example/jwt/ES256"


@pytest.fixture(scope="module")
def issuer(node: str) -> Iterator[str]:
    grants = ["authorization_code", "refresh_token", DEVICE, "client_credentials"]
    client = describe_client("app", "client_secret_basic")
    client["grant_types"] = grants
    with open_provider(node, [client], ["RS256"]) as provider:
        yield str(provider.ready["issuer"])


Pauses: TypeAlias = list[float]


@pytest.fixture
def pauses() -> Pauses:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(
    colour: Colour, ca_file: str, issuer: str, clock: Clock, pauses: Pauses
) -> Iterator[Application]:
    app = Application(
        colour,
        issuer,
        client_id="app",
        client_secret=AWKWARD_SECRET,
        ca_file=ca_file,
        clock=clock,
    )
    yield app
    app.close()


def start(app: Application, **arguments: Any) -> DeviceLogin:
    client: Any = app.client
    login: DeviceLogin = app.colour.wait(client.start_device_login(**arguments))
    return login


def test_a_person_logs_a_device_in(
    app: Application, issuer: str, clock: Clock, pauses: Pauses
) -> None:
    login = start(app, scope="openid")
    assert login.user_code in login.verification_uri_complete.replace("%2D", "-")
    enter(issuer, login)
    watch_pauses(app, clock, pauses)
    tokens = app.colour.wait(app.client.finish_device_login(login))
    assert tokens.verified_identity().subject == "alice"
    assert pauses == [login.interval]


def test_a_person_who_says_no_ends_it(
    app: Application, issuer: str, clock: Clock, pauses: Pauses
) -> None:
    login = start(app, scope="openid")
    watch_pauses(app, clock, pauses)
    enter(issuer, login, denies=True)
    with pytest.raises(Refused) as caught:
        app.colour.wait(app.client.finish_device_login(login))
    assert caught.value.error == "access_denied"


def test_nobody_answers_before_the_end(app: Application, clock: Clock, pauses: Pauses) -> None:
    login = start(app, scope="openid")
    watch_pauses(app, clock, pauses)
    clock.ahead = login.expires_at - int(clock()) - 11
    with pytest.raises(Refused) as caught:
        app.colour.wait(app.client.finish_device_login(login))
    assert caught.value.error == "expired_token"
    assert len(pauses) in {2, 3}


def test_a_client_gets_tokens_of_its_own(app: Application, issuer: str) -> None:
    client: Any = app.client
    tokens = app.colour.wait(client.client_credentials(scope="read", resource=API))
    assert tokens.scope == {"read"}
    with closing(ResourceServer(issuer, API)) as api:
        assert api.verify(tokens.access_token.reveal()).client_id == "app"
    again = app.refresh(tokens)
    assert not again.is_same(tokens)
    less = app.colour.wait(client.client_credentials(scope="read write", resource=API))
    assert (less.scope, less.missing_scope) == ({"read"}, {"write"})
    with pytest.raises(Refused) as caught:
        app.colour.wait(client.client_credentials(resource="https://api.example/other"))
    assert caught.value.error == "invalid_target"
