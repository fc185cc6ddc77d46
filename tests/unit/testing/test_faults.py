"""Each fault by name: what the client raises, what the person sees, and that it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from codegrant import (
    AsyncClient,
    Client,
    CodegrantError,
    KeyRing,
    LoginRequired,
    Refused,
    ResponseRejected,
    TokenRejected,
    Tokens,
    TransportError,
    UsageError,
)
from codegrant.http import Response
from codegrant.stores.sqlite import SqliteStore
from codegrant.testing import ProviderInProcess
from codegrant.web import flask as for_flask
from codegrant.web import starlette as for_starlette
from tests.support.application import Application
from tests.support.colours import Colour

APP = "https://app.test/callback"
RING = KeyRing(["a key ring for tests only, 32 characters and more"])
Break = Callable[[ProviderInProcess], AbstractContextManager[None]]

pytestmark = pytest.mark.not_watched("the test clients log every address, the callback's as well")


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def app(colour: Colour, provider: ProviderInProcess) -> Iterator[Application]:
    known = provider.add_client(redirect_uri=APP)
    app = Application(
        colour,
        provider.issuer,
        client_id=known.client_id,
        client_secret=known.client_secret,
        redirect_uri=APP,
    )
    yield app
    app.close()


class At:
    def __init__(self, provider: ProviderInProcess) -> None:
        self._provider = provider

    def authorize(self, url: str) -> str:
        return self._provider.authorize(url, "alice")


def log_in(app: Application, provider: ProviderInProcess) -> Tokens:
    return app.log_in(At(provider), scope="openid email offline_access")


# Of a login: the fault, the client's error, its code.
LOGIN_FAULTS: list[Any] = [
    pytest.param(lambda p: p.faults.expired_code(), Refused, "invalid_grant", id="expired code"),
    pytest.param(
        lambda p: p.faults.wrong_nonce(), TokenRejected, "nonce_mismatch", id="wrong nonce"
    ),
    pytest.param(
        lambda p: p.faults.changed_id_token({"aud": "other"}),
        TokenRejected,
        "audience_mismatch",
        id="audience",
    ),
    pytest.param(
        lambda p: p.faults.changed_id_token({"iss": "https://evil.test"}),
        TokenRejected,
        "issuer_mismatch",
        id="issuer",
    ),
    pytest.param(
        lambda p: p.faults.changed_id_token({"sub": None}),
        TokenRejected,
        "claim_missing",
        id="no subject",
    ),
    pytest.param(
        lambda p: p.faults.skewed_clock(3600), TokenRejected, "token_from_the_future", id="ahead"
    ),
    pytest.param(
        lambda p: p.faults.skewed_clock(-3600), TokenRejected, "token_expired", id="behind"
    ),
    pytest.param(
        lambda p: p.faults.error_in_200("invalid_grant"), Refused, "invalid_grant", id="200, error"
    ),
    pytest.param(lambda p: p.faults.html_answer(), ResponseRejected, "not_json", id="HTML"),
    pytest.param(
        lambda p: p.faults.html_answer(status=404), ResponseRejected, "not_json", id="HTML, 404"
    ),
    pytest.param(lambda p: p.faults.server_error(), ResponseRejected, "server_failed", id="503"),
    pytest.param(lambda p: p.faults.server_error(500), ResponseRejected, "server_failed", id="500"),
    pytest.param(lambda p: p.faults.time_out(), TransportError, "timeout", id="time-out"),
    pytest.param(
        lambda p: p.faults.time_out(endpoint="jwks"), TransportError, "timeout", id="slow keys"
    ),
    pytest.param(
        lambda p: p.faults.server_error(endpoint="jwks"),
        TransportError,
        "server_unavailable",
        id="no keys",
    ),
    pytest.param(
        lambda p: p.faults.unreachable(endpoint="token"),
        TransportError,
        "connect_failed",
        id="unreachable",
    ),
    pytest.param(lambda p: p.faults.lost_answer(), TransportError, "timeout", id="lost answer"),
]


@pytest.mark.parametrize(("fault", "error", "code"), LOGIN_FAULTS)
def test_a_login_fails_as_it_would_and_then_works(
    provider: ProviderInProcess,
    app: Application,
    fault: Break,
    error: type[CodegrantError],
    code: str,
) -> None:
    with fault(provider), pytest.raises(error) as caught:
        log_in(app, provider)
    assert (type(caught.value), caught.value.code) == (error, code)
    assert log_in(app, provider).identity


@pytest.fixture(params=["flask", "starlette"])
def site(request: pytest.FixtureRequest, provider: ProviderInProcess) -> Iterator[Any]:
    """Return the test client of a site with a login."""
    known = provider.add_client("site", redirect_uri=APP)
    given: dict[str, Any] = {"client_id": "site", "client_secret": known.client_secret}
    with SqliteStore(":memory:") as store:
        setting: dict[str, Any] = {"store": store, "key_ring": RING, "public_url": APP[:16]}
        if request.param == "flask":
            flask_app = flask.Flask("site")
            for_flask.Login(flask_app, Client(provider.issuer, **given), **setting)
            yield flask_app.test_client()
        else:
            app = Starlette()
            for_starlette.Login(app, AsyncClient(provider.issuer, **given), **setting)
            yield TestClient(app, base_url=APP[:16])


@pytest.mark.parametrize(("fault", "error", "code"), LOGIN_FAULTS)
def test_a_person_sees_a_calm_page_and_then_signs_in(
    provider: ProviderInProcess,
    site: Any,
    fault: Break,
    error: type[CodegrantError],
    code: str,
) -> None:
    with fault(provider), pytest.raises(AssertionError, match=f"did not take .* code {code}$"):
        provider.login_as(site, "alice", path="https://app.test/login")
    answer = provider.login_as(site, "alice", path="https://app.test/login")
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        pytest.param(
            lambda p: p.faults.refused_refresh(), LoginRequired, "invalid_grant", id="refused"
        ),
        pytest.param(
            lambda p: p.faults.error_in_200(), LoginRequired, "invalid_grant", id="200, error"
        ),
        pytest.param(
            lambda p: p.faults.server_error(), ResponseRejected, "server_failed", id="503"
        ),
        pytest.param(lambda p: p.faults.html_answer(), ResponseRejected, "not_json", id="HTML"),
        pytest.param(lambda p: p.faults.time_out(), TransportError, "timeout", id="time-out"),
        pytest.param(
            lambda p: p.faults.unreachable(), TransportError, "connect_failed", id="unreachable"
        ),
    ],
)
def test_a_refresh_fails_as_it_would(
    provider: ProviderInProcess,
    app: Application,
    fault: Break,
    error: type[CodegrantError],
    code: str,
) -> None:
    tokens = log_in(app, provider)
    with fault(provider), pytest.raises(error) as caught:
        app.refresh(tokens)
    assert (type(caught.value), caught.value.code) == (error, code)
    if error is not LoginRequired:
        assert app.refresh(tokens).access_token != tokens.access_token


def test_a_refresh_is_refused_and_a_code_is_not(
    provider: ProviderInProcess, app: Application
) -> None:
    with provider.faults.refused_refresh():
        tokens = log_in(app, provider)
        with pytest.raises(LoginRequired):
            app.refresh(tokens)
        with provider.faults.expired_code():
            assert app.userinfo(tokens).claims["email"]
            with pytest.raises(Refused, match="invalid_grant"):
                log_in(app, provider)


def test_a_lost_refresh_answer_costs_nobody_the_login(
    provider: ProviderInProcess, app: Application
) -> None:
    tokens = log_in(app, provider)
    with provider.faults.lost_answer(), pytest.raises(TransportError):
        app.refresh(tokens)
    # Inside the server's grace the same refresh token gives the same successor.
    assert app.refresh(tokens).access_token != tokens.access_token


def test_a_site_whose_refresh_is_refused_sends_the_person_to_log_in(
    provider: ProviderInProcess,
) -> None:
    provider.serve("https://api.test", lambda _: Response(status=204))
    client = Client(
        provider.issuer, client_id="site", client_secret="secret of site", clock=provider.clock
    )
    provider.register(client, redirect_uri="http://localhost/callback")
    app = flask.Flask("site")
    with SqliteStore(":memory:") as store:
        login = for_flask.Login(app, client, store=store, key_ring=RING, clock=provider.clock)

        @app.get("/call")
        @login.required
        def call() -> dict[str, int]:
            return {"status": login.api.get("https://api.test/x").status_code}

        browser = app.test_client()
        provider.login_as(browser, "alice")
        for _ in range(2):
            assert browser.get("/call").json == {"status": 204}
            provider.clock.advance(3600)
        with provider.faults.time_out():
            assert browser.get("/call").status_code >= 500
        assert browser.get("/call").json == {"status": 204}
        provider.clock.advance(3600)
        with provider.faults.refused_refresh():
            refused = browser.get("/call")
        assert (refused.status_code, refused.headers["location"][:6]) == (303, "/login")


def test_userinfo_fails_by_itself(provider: ProviderInProcess, app: Application) -> None:
    tokens = log_in(app, provider)
    with provider.faults.html_answer(endpoint="userinfo"), pytest.raises(ResponseRejected):
        app.userinfo(tokens)
    assert app.userinfo(tokens).claims["email"] == "alice@example.org"


def test_a_provider_that_cannot_be_discovered_starts_no_login(
    provider: ProviderInProcess, site: Any
) -> None:
    with (
        provider.faults.time_out(endpoint="discovery"),
        pytest.raises(AssertionError, match=r"starts no login: status 50., error code timeout"),
    ):
        provider.login_as(site, path="https://app.test/login")


def test_a_fault_happens_as_often_as_it_is_told(
    provider: ProviderInProcess, app: Application
) -> None:
    with provider.faults.server_error(times=2):
        for _ in range(2):
            with pytest.raises(ResponseRejected):
                log_in(app, provider)
        assert log_in(app, provider).identity


def test_of_two_faults_the_newest_comes_first(
    provider: ProviderInProcess, app: Application
) -> None:
    with provider.faults.wrong_nonce(), provider.faults.time_out(times=1):
        with pytest.raises(TransportError):
            log_in(app, provider)
        with pytest.raises(TokenRejected):
            log_in(app, provider)


def test_rotated_keys_are_fetched_once_more(provider: ProviderInProcess, app: Application) -> None:
    before = log_in(app, provider)
    provider.rotate_keys()
    after = log_in(app, provider)
    assert before.identity
    assert after.identity
    kids = {provider.make_token(alg="ES256").partition(".")[0] for _ in range(3)}
    assert len(kids) == 1
    provider.rotate_keys("ES256")
    assert provider.make_token(alg="ES256").partition(".")[0] not in kids


def test_rotated_keys_that_stall_fail_the_login(
    provider: ProviderInProcess, app: Application
) -> None:
    log_in(app, provider)
    provider.rotate_keys()
    with provider.faults.time_out(endpoint="jwks"), pytest.raises(TokenRejected) as caught:
        log_in(app, provider)
    assert caught.value.code == "unknown_key"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda f, at: f.html_answer(endpoint=at), id="page"),
        pytest.param(lambda f, at: f.time_out(endpoint=at), id="time-out"),
        pytest.param(lambda f, at: f.unreachable(endpoint=at), id="unreachable"),
        pytest.param(lambda f, at: f.lost_answer(endpoint=at), id="lost"),
        pytest.param(lambda f, at: f.error_in_200(endpoint=at), id="error in 200"),
        pytest.param(lambda f, at: f.server_error(endpoint=at), id="503"),
    ],
)
def test_an_endpoint_that_there_is_not_is_refused_and_not_waited_for(
    provider: ProviderInProcess, fault: Any
) -> None:
    for wrong in ("tokens", "/token", "par", ""):
        with pytest.raises(UsageError, match="is none of discovery, jwks"):
            fault(provider.faults, wrong)
    with fault(provider.faults, "revoke"):
        pass
