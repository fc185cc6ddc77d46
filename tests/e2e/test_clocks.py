"""A clock that is an hour off: what is refused, what goes on, and whose clock the error names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from codegrant import OAuthError, TokenRejected
from codegrant.flow import run
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings
from codegrant.resource.verification import ResourceConfig, ResourceFlows
from tests.flows.house import Browser, House, parameters_of
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.person import Person
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

HOUR = 3600
AUDIENCE = "https://api.example"


@pytest.fixture(scope="module")
def party(shared_server: Serving) -> RelyingParty:
    shared_server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read")
    return register(shared_server, "app", "--scope", "openid email read", "--audience", AUDIENCE)


@pytest.fixture
def skewed(
    party: RelyingParty, colour: Colour, ca_file: str
) -> Iterator[Callable[[int], Application]]:
    """Makes an application whose clock is so many seconds ahead."""
    made: list[Application] = []

    def make(ahead: int) -> Application:
        clock = Clock()
        clock.ahead = ahead
        app = Application(
            colour,
            party.issuer,
            client_id=party.client_id,
            client_secret=party.secret,
            redirect_uri=party.redirect_uri,
            ca_file=ca_file,
            clock=clock,
        )
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.mark.parametrize(
    ("ahead", "code"),
    [
        pytest.param(HOUR, "token_expired", id="an hour fast"),
        pytest.param(-HOUR, "token_from_the_future", id="an hour slow"),
    ],
)
def test_an_id_token_is_refused_and_the_error_has_both_times(
    party: RelyingParty, skewed: Callable[[int], Application], ahead: int, code: str
) -> None:
    app = skewed(ahead)
    login = app.start(scope="openid")
    with pytest.raises(TokenRejected) as caught:
        app.finish(Person(party.issuer).authorize(login.url), login)
    error = caught.value
    assert error.code == code
    assert "clocks" in error.hint
    # Both clocks can be read off the one line that a program logs.
    line = str(error)
    numbers = [int(word.strip(",()")) for word in line.split() if word.strip(",()").isdigit()]
    now = int(time.time())
    assert any(abs(number - now - ahead) < 60 for number in numbers), line
    assert any(abs(number - now) < 400 for number in numbers), line


def test_a_clock_within_the_leeway_does_no_harm(
    party: RelyingParty, skewed: Callable[[int], Application]
) -> None:
    for ahead in (-50, 50):
        assert skewed(ahead).log_in(Person(party.issuer), scope="openid").identity is not None


@pytest.mark.parametrize("ahead", [-HOUR, HOUR], ids=["an hour slow", "an hour fast"])
def test_without_openid_the_clients_own_clock_is_all_that_counts(
    party: RelyingParty, skewed: Callable[[int], Application], ahead: int
) -> None:
    """`expires_in` counts from when the answer came, by the clock that reads it."""
    app = skewed(ahead)
    tokens = app.log_in(Person(party.issuer), scope="read")
    assert tokens.expires_at is not None
    assert abs(tokens.expires_at - time.time() - ahead - 300) < 30


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        pytest.param(HOUR, "token_expired", id="an hour fast"),
        pytest.param(-HOUR, "token_from_the_future", id="an hour slow"),
        pytest.param(0, "", id="right"),
    ],
)
def test_an_api_refuses_and_its_log_says_why(
    party: RelyingParty, ca_file: str, ahead: int, reason: str
) -> None:
    token = str(party.log_in(scope="read").json["access_token"])
    flows = ResourceFlows(ResourceConfig(issuers=(party.issuer,), audience=AUDIENCE))
    driver = SyncDriver(HttpSettings(ca_file=ca_file))
    try:
        flow = flows.verify_token(token, int(time.time()) + ahead)
        if not reason:
            assert run(flow, driver.perform).client_id == party.client_id
            return
        with pytest.raises(OAuthError) as caught:
            run(flow, driver.perform)
        assert (caught.value.status, caught.value.error) == (401, "invalid_token")
        assert reason in caught.value.reason
    finally:
        driver.close()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_server_whose_clock_jumps_goes_on(house: House, jump: int) -> None:
    browser = Browser(house)
    login_page = browser.start()
    consent = browser.log_in(login_page)
    house.now += jump
    ended = browser.submit(consent, "consent-allow")
    if jump > 0:
        # A sign-in that waited for an hour is over, and the page says so.
        assert (ended.status, "expired" in ended.text) == (400, True)
    else:
        assert "code" in parameters_of(ended)
    # Whatever there was before: a new login works, with keys made before the jump.
    another = Browser(house)
    page = another.log_in(another.start())
    page = another.submit(page, "consent-allow") if page.forms else page
    assert "code" in parameters_of(page)
    assert "request_failed" not in house.event_names()
