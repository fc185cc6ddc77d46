"""A login on a device, in both colours: what the client waits for, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codegrant import (
    CodegrantError,
    Refused,
    ResponseRejected,
    ServerMetadata,
    TokenRejected,
    Tokens,
    UsageError,
)
from codegrant.client import DeviceLogin
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.mock_provider import Answer, Lie, as_json, html
from tests.support.other_grants import DEVICE, GrantsProvider, watch_pauses


@pytest.fixture
def provider() -> Iterator[GrantsProvider]:
    provider = GrantsProvider()
    yield provider
    provider.close()


@pytest.fixture
def clock(provider: GrantsProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def app(
    make_app: MakeApplication, provider: GrantsProvider, clock: Clock, pauses: list[float]
) -> Application:
    app = make_app(provider, clock=clock)
    watch_pauses(app, clock, pauses)
    return app


def start(app: Application, **arguments: Any) -> DeviceLogin:
    client: Any = app.client
    login: DeviceLogin = app.colour.wait(client.start_device_login(**arguments))
    return login


def finish(app: Application, login: DeviceLogin) -> Tokens:
    return app.colour.wait(app.client.finish_device_login(login))


def refused(app: Application, login: DeviceLogin) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        finish(app, login)
    return caught.value


def test_the_person_logs_in_elsewhere(
    app: Application, provider: GrantsProvider, clock: Clock, pauses: list[float]
) -> None:
    login = start(app, scope="openid email", resource="https://api.example")
    assert (login.user_code, login.interval) == ("WDJB-MJHT", 5)
    assert login.verification_uri == f"{provider.issuer}/enter"
    assert login.verification_uri_complete.endswith("?user_code=WDJB-MJHT")
    assert 598 <= login.expires_at - clock() <= 600
    assert login.device_code.reveal() not in repr(login)
    (asked,) = (r.form for r in provider.received if r.path == "/device")
    assert asked == {"scope": "openid email", "resource": "https://api.example"}
    provider.decisions = ["authorization_pending"]
    tokens = finish(app, login)
    assert tokens.verified_identity().subject == "person-1"
    assert tokens.scope == {"openid", "email"}
    assert tokens.resource == ("https://api.example",)
    assert (
        provider.sent(DEVICE)
        == [{"grant_type": DEVICE, "device_code": login.device_code.reveal()}] * 2
    )
    assert app.refresh(tokens).verified_identity().subject == "person-1"


@pytest.mark.requirement("CL-NAT-08")
@pytest.mark.parametrize(
    ("interval", "decisions", "waited"),
    [
        pytest.param(5, [], [5], id="at once"),
        pytest.param(7, ["authorization_pending"] * 2, [7, 7, 7], id="the interval"),
        pytest.param(None, ["authorization_pending"], [5, 5], id="five without one"),
        pytest.param(0, ["authorization_pending"], [1, 1], id="never without a pause"),
        pytest.param(
            5, ["slow_down", "authorization_pending"], [5, 10, 10], id="slower from then on"
        ),
        pytest.param(5, ["slow_down", "slow_down"], [5, 10, 15], id="slower each time"),
        pytest.param(5, [Answer(503, b"")] * 2, [5, 10, 20], id="a server in trouble"),
        pytest.param(
            5, [Answer(429, b""), "authorization_pending"], [5, 10, 10], id="a busy server"
        ),
        pytest.param(
            5, [Answer(502, b""), "authorization_pending"], [5, 10, 10], id="and slow after it"
        ),
    ],
)
def test_the_client_waits_as_the_server_says(
    app: Application,
    provider: GrantsProvider,
    pauses: list[float],
    interval: int | None,
    decisions: list[Any],
    waited: list[int],
) -> None:
    provider.device = Lie({"interval": interval})
    provider.decisions = list(decisions)
    assert finish(app, start(app)).access_token.reveal() in provider.access_tokens
    assert pauses == waited


@pytest.mark.requirement("CL-NAT-08")
@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant"])
def test_what_ends_a_login_is_told_at_once(
    app: Application, provider: GrantsProvider, error: str
) -> None:
    login = start(app)
    provider.decisions = ["authorization_pending", error]
    failure = refused(app, login)
    assert isinstance(failure, Refused)
    assert (failure.error, failure.code, failure.stage) == (error, error, "token")
    assert failure.hint
    assert login.device_code.reveal() not in str(failure)
    assert len(provider.sent(DEVICE)) == 2


def test_a_network_that_is_gone_for_a_while_costs_no_login(
    app: Application, provider: GrantsProvider, pauses: list[float]
) -> None:
    login = start(app)
    truth = provider.routes["/token"]
    breaks = [Answer(200, b"", [("transfer-encoding", "chunked")])] * 2
    provider.routes["/token"] = lambda request: breaks.pop() if breaks else truth(request)
    assert finish(app, login).scope
    assert pauses == [5, 10, 20]


def test_nobody_waits_longer_than_the_code_is_good(
    app: Application, provider: GrantsProvider, clock: Clock, pauses: list[float]
) -> None:
    provider.device = Lie({"expires_in": 12, "interval": 5})
    provider.decisions = ["authorization_pending"] * 9
    began = clock()
    failure = refused(app, start(app))
    assert isinstance(failure, Refused)
    assert (failure.error, failure.status) == ("expired_token", 0)
    assert len(pauses) == 3
    assert clock() - began < 16
    provider.device = Lie({"expires_in": 12, "interval": 9_999_999})
    assert refused(app, start(app)).code == "expired_token"
    assert clock() - began < 32


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"device_code": None}, "malformed_device_response", id="no device code"),
        pytest.param({"user_code": None}, "malformed_device_response", id="no user code"),
        pytest.param({"user_code": 7}, "malformed_device_response", id="a number as code"),
        pytest.param({"user_code": "A\x1b[2J"}, "malformed_device_response", id="an escape"),
        pytest.param({"user_code": "A" * 65}, "malformed_device_response", id="a long code"),
        pytest.param({"verification_uri": None}, "malformed_device_response", id="no address"),
        pytest.param(
            {"verification_uri": "javascript:alert(1)"}, "malformed_device_response", id="script"
        ),
        pytest.param(
            {"verification_uri": "http://as.example/"}, "malformed_device_response", id="http"
        ),
        pytest.param(
            {"verification_uri_complete": "file:///etc/passwd"},
            "malformed_device_response",
            id="a file",
        ),
        pytest.param(
            {"verification_uri_complete": "https://as.example/#a\nb"},
            "malformed_device_response",
            id="a line break",
        ),
        pytest.param({"expires_in": None}, "malformed_device_response", id="no end"),
        pytest.param({"expires_in": 0}, "malformed_device_response", id="an end at once"),
        pytest.param({"expires_in": -1}, "malformed_device_response", id="an end before"),
        pytest.param({"interval": "soon"}, "malformed_device_response", id="no interval"),
        pytest.param({"interval": True}, "malformed_device_response", id="a truth as interval"),
    ],
)
def test_a_malformed_answer_is_not_shown_to_anybody(
    app: Application, provider: GrantsProvider, change: dict[str, object], code: str
) -> None:
    provider.device = Lie(change)
    with pytest.raises(ResponseRejected) as caught:
        start(app)
    assert (caught.value.code, caught.value.stage) == (code, "device_authorization")
    provider.device = Lie({"verification_uri_complete": f"{provider.issuer}/#/enter"})
    assert start(app).verification_uri_complete.endswith("/#/enter")
    provider.device = Lie({"verification_uri": None, "verification_url": "https://a.example"})
    assert start(app).verification_uri == "https://a.example"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (as_json({"error": "unauthorized_client"}, 400), "unauthorized_client"),
        (as_json({"error": "invalid_scope"}, 400), "invalid_scope"),
        (as_json({"error": "invalid_client"}), "invalid_client"),
        (html(), "not_json"),
        (html(404), "not_json"),
        (Answer(500, b""), "server_failed"),
    ],
)
def test_an_endpoint_that_refuses_is_told(
    app: Application, provider: GrantsProvider, answer: Answer, code: str
) -> None:
    provider.routes["/device"] = lambda _: answer
    with pytest.raises((Refused, ResponseRejected)) as caught:
        start(app)
    assert (caught.value.code, caught.value.stage) == (code, "device_authorization")


def test_a_server_without_the_endpoint_is_asked_nothing(
    app: Application, provider: GrantsProvider
) -> None:
    provider.metadata = Lie()
    with pytest.raises(UsageError) as caught:
        start(app)
    assert caught.value.code == "no_device_authorization"
    assert provider.count("/device") == 0


def test_a_login_of_another_client_is_not_finished(
    app: Application, make_app: MakeApplication, provider: GrantsProvider
) -> None:
    login = start(app)
    other = make_app(provider, client_id="another")
    assert refused(other, login).code == "foreign_login"
    assert provider.sent(DEVICE) == []
    assert finish(app, login).scope


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"aud": "another"}, "audience_mismatch"),
        ({"iss": "https://evil.example"}, "issuer_mismatch"),
        ({"exp": 1}, "token_expired"),
        ({"at_hash": "AAAA"}, "at_hash_mismatch"),
    ],
)
def test_the_id_token_of_a_device_is_judged(
    app: Application, provider: GrantsProvider, lie: dict[str, object], code: str
) -> None:
    provider.claims = Lie(lie)
    failure = refused(app, start(app))
    assert isinstance(failure, TokenRejected)
    assert (failure.code, failure.stage) == (code, "id_token")


def test_without_openid_nobody_is_identified(app: Application, provider: GrantsProvider) -> None:
    provider.token = Lie({"id_token": None})
    assert finish(app, start(app, scope="read")).identity is None
    assert refused(app, start(app)).code == "id_token_missing"


def test_a_server_described_by_hand_and_a_public_client_will_do(
    make_app: MakeApplication, provider: GrantsProvider, clock: Clock, pauses: list[float]
) -> None:
    server = ServerMetadata(
        authorization_endpoint=f"{provider.issuer}/authorize",
        token_endpoint=f"{provider.issuer}/token",
        device_authorization_endpoint=f"{provider.issuer}/device",
    )
    app = make_app(server, client_secret=None, clock=clock)
    watch_pauses(app, clock, pauses)
    login = start(app, scope="read")
    assert finish(app, login).scope == {"read"}
    assert [r.form["client_id"] for r in provider.received] == ["app"] * 2
