"""Our client and our resource server at foreign servers, through the whole life of a login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from codegrant import LoginRequired, OAuthError, Refused, Tokens
from codegrant.jose import parse_compact
from codegrant.resource import AsyncResourceServer, Introspection, ResourceServer
from tests.interop.authlib_client import fetch
from tests.interop.authlib_server import AuthlibServer
from tests.interop.foreign_server import API_ID, API_SECRET, METHODS, NAME, ForeignServer
from tests.interop.idpyoidc_server import IdpyoidcServer
from tests.interop.oidc_provider_server import OidcProvider
from tests.support.application import Application
from tests.support.colours import Colour

BASIC = "client_secret_basic"
SCOPE = "openid profile email offline_access"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("oidc-provider", marks=pytest.mark.needs("node")),
        "Authlib",
        "idpyoidc",
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForeignServer]:
    running: ForeignServer
    if request.param == "oidc-provider":
        running = OidcProvider(request.getfixturevalue("node"))
    elif request.param == "Authlib":
        running = AuthlibServer()
    else:
        running = IdpyoidcServer(str(tmp_path_factory.mktemp("idpyoidc")))
    yield running
    running.close()


Apply: TypeAlias = Callable[..., Application]


@pytest.fixture
def apply(server: ForeignServer, colour: Colour, ca_file: str) -> Iterator[Apply]:
    """Makes applications of the server's clients; changes are arguments of `Client`."""
    made: list[Application] = []

    def make(method: str = BASIC, **changes: Any) -> Application:
        arguments = {
            "client_id": method,
            "client_secret": None if method == "none" else server.secret,
            "token_endpoint_auth_method": method,
            "scope": SCOPE,
            "ca_file": ca_file,
            **changes,
        }
        made.append(Application(colour, server.issuer, **arguments))
        return made[-1]

    yield make
    for application in made:
        application.close()


def log_in(app: Application, server: ForeignServer, **more: Any) -> Tokens:
    return app.log_in(server.visitor(), prompt="consent", **more)


def refusal(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("method", METHODS)
def test_our_client_goes_through_the_life_of_a_login(
    server: ForeignServer, apply: Apply, method: str
) -> None:
    app = apply(method)
    tokens = log_in(app, server)
    identity = tokens.verified_identity()
    assert (identity.issuer, identity.audience) == (server.issuer, (method,))
    assert tokens.scope >= set(SCOPE.split())
    assert app.userinfo(tokens).name == NAME
    refreshed = app.refresh(tokens)
    assert refreshed.refresh_token not in {None, tokens.refresh_token}
    assert refreshed.access_token != tokens.access_token
    assert refreshed.verified_identity().subject == identity.subject
    assert app.userinfo(refreshed).name == NAME
    app.revoke(refreshed)
    # Somebody who was not told of that, as another process may not be.
    error = refusal(lambda: apply(method).refresh(refreshed))
    assert error.error in {"invalid_grant", server.spent}


def test_a_spent_refresh_token_is_refused(server: ForeignServer, apply: Apply) -> None:
    app = apply()
    tokens = log_in(app, server)
    refreshed = app.refresh(tokens)
    # Our client knows what became of them, and asks nobody.
    assert app.refresh(tokens).is_same(refreshed)
    error = refusal(lambda: apply().refresh(tokens))
    assert error.error == server.spent
    # RFC 6749 §5.2 has one code for this, and by it a person is sent to log in again.
    assert isinstance(error, LoginRequired) == (server.spent == "invalid_grant")


def test_a_call_to_an_api_refreshes_what_has_expired(server: ForeignServer, apply: Apply) -> None:
    app = apply()
    url = fetch(f"{server.issuer}/.well-known/openid-configuration")["userinfo_endpoint"]
    tokens = log_in(app, server)
    expired = replace(tokens, expires_at=tokens.received_at)
    answer = app.get(expired, url)
    assert (answer.status_code, answer.json()["name"]) == (200, NAME)
    assert app.refresh(tokens).access_token != tokens.access_token


def test_our_client_asks_for_a_login_that_is_not_old(server: ForeignServer, apply: Apply) -> None:
    tokens = log_in(apply(), server, max_age=60)
    auth_time = tokens.verified_identity().auth_time
    assert auth_time is not None
    assert 0 <= tokens.received_at - auth_time < 60


def test_our_client_learns_keys_that_nobody_knew(server: ForeignServer, apply: Apply) -> None:
    app = apply()
    first = log_in(app, server)
    server.rotate_keys()
    second = log_in(app, server)
    assert kid_of(first) != kid_of(second)
    assert kid_of(app.refresh(second)) == kid_of(second)


def kid_of(tokens: Tokens) -> str | None:
    assert tokens.id_token is not None
    return parse_compact(tokens.id_token.reveal()).kid


def test_our_client_reads_that_the_person_denied(server: ForeignServer, apply: Apply) -> None:
    app = apply()
    error = refusal(lambda: app.log_in(server.visitor(denies=True)))
    assert (error.error, error.stage) == ("access_denied", "callback")
    assert log_in(app, server).claims["iss"] == server.issuer


def test_our_client_reads_that_a_code_came_twice(server: ForeignServer, apply: Apply) -> None:
    first, second = apply(), apply()
    login = first.start(prompt="consent")
    callback = server.visitor().authorize(login.url)
    first.finish(callback, login)
    error = refusal(lambda: second.finish(callback, login))
    assert (error.error, error.status) == ("invalid_grant", 400)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_our_client_reads_that_its_secret_is_wrong_wherever_it_shows_it(
    server: ForeignServer, apply: Apply, method: str
) -> None:
    tokens = log_in(apply(method), server)
    impostor = apply(method, client_secret="w" * 43)
    for refused in (
        lambda: log_in(impostor, server),
        lambda: impostor.refresh(tokens),
        lambda: impostor.revoke(tokens),
    ):
        assert refusal(refused).error == "invalid_client"
    assert apply(method).refresh(tokens).claims["iss"] == server.issuer


class Api:
    """Our resource server, which asks about each token anew, in either colour."""

    def __init__(self, colour: Colour, server: ForeignServer, ca_file: str, secret: str) -> None:
        self.colour = colour
        settings = Introspection(client_id=API_ID, client_secret=secret, remember=0)
        kind = AsyncResourceServer if colour.is_async else ResourceServer
        self.server: ResourceServer | AsyncResourceServer = kind(
            server.issuer, server.audience, ca_file=ca_file, introspection=settings
        )

    def subject(self, raw_token: str, *scope: str) -> str:
        return self.colour.wait(self.server.verify(raw_token, scope)).subject

    def error(self, raw_token: str, *scope: str) -> tuple[str, int]:
        with pytest.raises(OAuthError) as caught:
            self.subject(raw_token, *scope)
        return caught.value.error, caught.value.status

    def close(self) -> None:
        if isinstance(self.server, AsyncResourceServer):
            self.colour.finish(self.server.aclose())
        else:
            self.server.close()


@pytest.fixture
def api(server: ForeignServer, colour: Colour, ca_file: str) -> Iterator[Callable[[str], Api]]:
    made: list[Api] = []

    def make(secret: str) -> Api:
        made.append(Api(colour, server, ca_file, secret))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.requirement("RS-INT-01", "RS-JAT-07")
def test_our_resource_server_asks_about_an_opaque_token(
    server: ForeignServer, apply: Apply, api: Callable[[str], Api]
) -> None:
    app, ours = apply(), api(API_SECRET)
    resource = {"resource": server.resource} if server.resource else {}
    tokens = log_in(app, server, scope="openid offline_access read", **resource)
    assert tokens.refresh_token is not None
    raw = tokens.access_token.reveal()
    assert ours.subject(raw, "read") == tokens.verified_identity().subject
    assert ours.error(raw, "admin") == ("insufficient_scope", 403)
    assert ours.error("x" * 43) == ("invalid_token", 401)
    if server.tells_kinds:
        assert ours.error(tokens.refresh_token.reveal()) == ("invalid_token", 401)
    # Who cannot ask does not know, and lets nobody in.
    assert api("w" * 32).error(raw)[1] == 503
    app.revoke(replace(tokens, refresh_token=None))
    assert ours.error(raw) == ("invalid_token", 401)
