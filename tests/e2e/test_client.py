"""Our own client against our own server: `Client` and `AsyncClient` at `codegrant serve`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from codegrant import KeyRing, Refused, StateError, Tokens
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.person import Person
from tests.support.protected_api import ProtectedApi
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving, clean_environment

AUDIENCE = "https://api.example/"
OTHER_AUDIENCE = "https://other.example/"
SCOPE = "openid profile email read admin"
KEY = "k" * 32
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class House:
    """A server that knows alice and four applications, and an API that trusts it."""

    issuer: str
    subject: str
    api: ProtectedApi
    parties: Mapping[str, RelyingParty]

    @property
    def alice(self) -> Person:
        return Person(self.issuer)

    def client_arguments(self, name: str) -> dict[str, Any]:
        party = self.parties[name]
        return {
            "client_id": party.client_id,
            "client_secret": party.secret or None,
            "token_endpoint_auth_method": party.method,
            "redirect_uri": party.redirect_uri,
        }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Serving(tmp_path_factory.mktemp("house")).start() as server:
        subject = server.add_user(
            "alice", "wonderland", "--name", "Alice L", "--email", "alice@example.test"
        )
        server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read admin")
        server.run("resources", "add", OTHER_AUDIENCE, "--id", "other", "--scope", "read")
        audiences = ("--audience", AUDIENCE, "--audience", OTHER_AUDIENCE)
        common = ("--scope", "openid profile email read", *audiences)
        parties = {
            "client_secret_basic": register(server, "basic", *common),
            "client_secret_post": register(
                server, "post", "--auth-method", "client_secret_post", *common
            ),
            "none": register(server, "public", "--public", *common),
            "careless": register(server, "careless", *common),
        }
        api = ProtectedApi(server.issuer, AUDIENCE)
        yield House(server.issuer, subject, api, parties)
        api.close()


Apply: TypeAlias = Callable[..., Application]


@pytest.fixture
def apply(house: House, colour: Colour, ca_file: str) -> Iterator[Apply]:
    """Makes an application of a registered client; changes are arguments of `Client`."""
    made: list[Application] = []

    def make(name: str = "client_secret_basic", **changes: Any) -> Application:
        arguments = {**house.client_arguments(name), "ca_file": ca_file, **changes}
        made.append(Application(colour, house.issuer, **arguments))
        return made[-1]

    yield make
    for application in made:
        application.close()


def refusal(app: Application, person: Person, **arguments: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        app.log_in(person, **arguments)
    return caught.value


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_login_identifies_the_person_and_calls_the_api(
    house: House, apply: Apply, method: str
) -> None:
    app = apply(method)
    tokens = app.log_in(house.alice, scope=SCOPE, resource=AUDIENCE)
    identity = tokens.verified_identity()
    assert (identity.issuer, identity.subject) == (house.issuer, house.subject)
    assert identity.audience == (house.parties[method].client_id,)
    assert tokens.scope == {"openid", "profile", "email", "read"}
    assert tokens.missing_scope == {"admin"}

    info = app.userinfo(tokens)
    assert (info.sub, info.name, info.email) == (house.subject, "Alice L", "alice@example.test")

    answer = app.get(tokens, f"{house.api.origin}/profile")
    assert answer.status_code == 200
    assert answer.json() == {
        "subject": house.subject,
        "client_id": house.parties[method].client_id,
        "audience": [AUDIENCE],
        "scope": sorted(tokens.scope),
    }
    refused = app.get(tokens, f"{house.api.origin}/admin")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param((), id="the first registered one"),
        pytest.param(OTHER_AUDIENCE, id="another one"),
    ],
)
def test_an_api_takes_only_tokens_that_are_for_it(
    house: House, apply: Apply, resource: str
) -> None:
    app = apply()
    tokens = app.log_in(house.alice, scope="openid read", resource=resource)
    answer = app.get(tokens, f"{house.api.origin}/profile")
    if resource == OTHER_AUDIENCE:
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    else:
        assert answer.json()["audience"] == [AUDIENCE]
    assert app.userinfo(tokens).sub == house.subject


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_secret": "w" * 43}, id="wrong secret"),
        pytest.param({"token_endpoint_auth_method": "client_secret_post"}, id="another method"),
        pytest.param({"client_secret": None, "token_endpoint_auth_method": "none"}, id="no secret"),
    ],
)
def test_a_client_that_does_not_prove_itself_gets_no_tokens(
    house: House, apply: Apply, changes: Mapping[str, Any]
) -> None:
    error = refusal(apply("careless", **changes), house.alice)
    assert (error.error, error.status, error.stage) == ("invalid_client", 401, "token")
    assert apply("careless").log_in(house.alice).claims["sub"] == house.subject


def test_a_code_that_comes_again_is_refused_and_ends_the_first_tokens(
    house: House, apply: Apply
) -> None:
    first, second = apply(), apply()
    login = first.start()
    callback = house.alice.authorize(login.url)
    tokens = first.finish(callback, login)
    with pytest.raises(StateError):
        first.finish(callback, login)
    # Inside one client the second delivery goes nowhere, so the tokens are as they were.
    assert first.userinfo(tokens).sub == house.subject
    with pytest.raises(Refused) as caught:
        second.finish(callback, login)
    assert (caught.value.error, caught.value.stage) == ("invalid_grant", "token")
    with pytest.raises(Refused) as revoked:
        first.userinfo(tokens)
    assert (revoked.value.error, revoked.value.status) == ("invalid_token", 401)


def test_a_person_who_denies_is_told_to_the_application(house: House, apply: Apply) -> None:
    app = apply("none")
    unwilling = Person(house.issuer, button="consent-deny")
    error = refusal(app, unwilling, prompt="consent")
    assert (error.error, error.stage, error.status) == ("access_denied", "callback", 0)
    assert "'access_denied'" in str(error)
    assert app.log_in(house.alice).claims["sub"] == house.subject


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"prompt": "none"}, "login_required", id="nobody is logged in"),
        pytest.param({"scope": "write"}, "invalid_scope", id="a scope of others"),
        pytest.param({"resource": "https://unknown.example/"}, "invalid_target", id="no such API"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none beside another"),
    ],
)
def test_what_the_server_refuses_at_once_is_a_typed_error(
    house: House, apply: Apply, arguments: Mapping[str, str], error: str
) -> None:
    app = apply()
    refused = refusal(app, house.alice, **arguments)
    assert (refused.error, refused.stage) == (error, "callback")
    assert app.log_in(house.alice).claims["sub"] == house.subject


def test_a_sealed_login_is_finished_in_another_process(
    house: House, apply: Apply, colour: Colour
) -> None:
    app = apply()
    login = app.start(scope="openid read", resource=AUDIENCE)
    callback = house.alice.authorize(login.url)
    given = {
        "sealed": login.seal(KeyRing([KEY])),
        "key": KEY,
        "server": house.issuer,
        "client": house.client_arguments("client_secret_basic"),
        "callback_url": callback,
        "is_async": colour.is_async,
    }
    stranger = {**given, "key": "s" * 32}
    assert elsewhere(stranger) == {"refused": "StateError", "code": "state_unknown"}
    other_client = {**given, "client": house.client_arguments("careless")}
    assert elsewhere(other_client)["refused"] == "StateError"
    finished = elsewhere(given)
    assert finished["subject"] == house.subject
    # And the tokens come back the same way.
    tokens = Tokens.open(finished["sealed_tokens"], KeyRing([KEY]))
    assert app.get(tokens, f"{house.api.origin}/profile").json()["subject"] == house.subject
    # This process knows nothing of it; the server does.
    with pytest.raises(Refused) as caught:
        app.finish(callback, login)
    assert caught.value.error == "invalid_grant"


def elsewhere(given: Mapping[str, Any]) -> dict[str, str]:
    """Finish a login in a process of its own; return what it said."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.finish_login"],
        cwd=ROOT,
        env=clean_environment(),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout)
    return said
