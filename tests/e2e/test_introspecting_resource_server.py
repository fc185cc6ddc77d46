"""Our resource server asks our authorization server: opaque tokens, and every token.

What the rules say is tested without a server; here the two ends meet over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codegrant.errors import OAuthError
from codegrant.resource import AccessToken, AsyncResourceServer, Introspection, ResourceServer
from tests.support.browser import Browser
from tests.support.colours import Colour
from tests.support.relying_party import RelyingParty, administer, register, send_form
from tests.support.serving import Serving

API = "https://api.example"
OTHER_API = "https://other.example"
SCOPE = "openid offline_access read"


@pytest.fixture(scope="module", params=["jwt", "opaque"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    environment = {"CODEGRANT_TOKENS_ACCESS_FORMAT": request.param}
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, environment=environment).start() as running:
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def secret(server: Serving) -> str:
    administer(server, "resources", "add", OTHER_API, "--id", "other", "--scope", "read")
    added = administer(server, "resources", "add", API, "--id", "api", "--scope", "read")
    return str(added["client_secret"])


@pytest.fixture(scope="module")
def app(server: Serving, secret: str) -> RelyingParty:
    assert secret
    options = ("--skip-consent", "--scope", SCOPE, "--audience", API, "--audience", OTHER_API)
    return register(server, "app", *options, scope=SCOPE)


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


@pytest.fixture
def tokens(app: RelyingParty, browser: Browser) -> dict[str, Any]:
    answer: dict[str, Any] = app.log_in(browser, resource=API).json
    return answer


@pytest.fixture(scope="module")
def robot(server: Serving, secret: str) -> str:
    """Return the token that a client got for itself."""
    assert secret
    options = ("--grant", "client_credentials", "--scope", "read", "--audience", API)
    added = administer(server, "clients", "add", "robot", *options)
    party = RelyingParty(server.issuer, "robot", added["client_secret"])
    form = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", API)]
    answer = send_form(party.token_endpoint, form, party.authentication())
    return str(answer.json["access_token"])


Verify = Callable[..., AccessToken]


@pytest.fixture
def verify(server: Serving, secret: str, colour: Colour) -> Iterator[Verify]:
    """Verify a token at an API that asks about every token and remembers nothing."""
    settings = Introspection(client_id="api", client_secret=secret, every_token=True, remember=0)
    kind = AsyncResourceServer if colour.is_async else ResourceServer
    resource_server = kind(server.issuer, API, introspection=settings)
    yield lambda token, *scope, person=False: colour.wait(
        resource_server.verify(token, scope, person=person)
    )
    if isinstance(resource_server, AsyncResourceServer):
        colour.finish(resource_server.aclose())
    else:
        resource_server.close()


def refusal(verify: Verify, token: str, *scope: str, person: bool = False) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        verify(token, *scope, person=person)
    return caught.value


@pytest.mark.requirement("RS-INT-01")
def test_a_token_for_this_api_opens_it_and_one_for_another_does_not(
    app: RelyingParty, browser: Browser, tokens: dict[str, Any], verify: Verify
) -> None:
    token = verify(tokens["access_token"], "read", person=True)
    assert (token.client_id, token.audience) == ("app", (API,))
    other = app.log_in(browser, resource=OTHER_API).json["access_token"]
    assert refusal(verify, other).error == "invalid_token"
    assert refusal(verify, tokens["access_token"], "admin").error == "insufficient_scope"


@pytest.mark.requirement("RS-INT-01")
def test_what_is_no_access_token_opens_nothing(tokens: dict[str, Any], verify: Verify) -> None:
    for token in (tokens["refresh_token"], tokens["id_token"], "x" * 43):
        assert refusal(verify, token).error == "invalid_token"
    assert verify(tokens["access_token"]).scope >= {"read"}


@pytest.mark.requirement("RS-JAT-07", "RS-INT-02")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_revoked_token_is_refused_at_once(
    app: RelyingParty, tokens: dict[str, Any], verify: Verify, kind: str
) -> None:
    assert verify(tokens["access_token"], "read").client_id == "app"
    assert app.revoke(tokens[kind]).status == 200
    assert refusal(verify, tokens["access_token"]).error == "invalid_token"


@pytest.mark.requirement("RS-JAT-06")
def test_a_clients_own_token_is_refused_where_a_person_is_needed(
    robot: str, tokens: dict[str, Any], verify: Verify
) -> None:
    token = verify(robot, "read")
    assert (token.client_id, token.is_for_person) == ("robot", False)
    error = refusal(verify, robot, "read", person=True)
    assert (error.error, error.status) == ("insufficient_scope", 403)
    assert verify(tokens["access_token"], "read", person=True).is_for_person


@pytest.mark.requirement("RS-JAT-06")
def test_so_it_is_where_tokens_are_verified_without_asking(
    server: Serving, secret: str, robot: str, tokens: dict[str, Any]
) -> None:
    settings = Introspection(client_id="api", client_secret=secret)
    with_keys = ResourceServer(server.issuer, API, introspection=settings)
    assert not with_keys.verify(robot, ["read"]).is_for_person
    assert refusal(with_keys.verify, robot, person=True).status == 403
    person = tokens["access_token"]
    assert with_keys.verify(person, ["read"], person=True).client_id == "app"
    with_keys.close()


@pytest.mark.requirement("RS-INT-01", "RS-INT-02")
def test_an_api_with_a_wrong_secret_lets_nobody_in(server: Serving, tokens: dict[str, Any]) -> None:
    settings = Introspection(client_id="api", client_secret="w" * 32, every_token=True)
    stranger = ResourceServer(server.issuer, API, introspection=settings)
    error = refusal(stranger.verify, tokens["access_token"])
    assert (error.status, error.facts["code"]) == (503, "invalid_client")
    stranger.close()
