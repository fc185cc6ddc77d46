from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from codegrant.client import flows as module
from codegrant.client.flows import ClientFlows
from codegrant.client.login import LoginRequest
from codegrant.client.pending import PendingLogin
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, StateError
from codegrant.remote.effects import SingleFlight
from tests.support.scripted import Script, json_response
from tests.unit.client.samples import (
    ISSUER,
    METADATA,
    NOW,
    REDIRECT_URI,
    TOKENS,
    client_config,
)

TOKEN = {"access_token": "a", "token_type": "Bearer"}


class Login:
    """Logins one after another at a described server."""

    def __init__(self) -> None:
        self.flows = ClientFlows(client_config(scope=("read",)))
        self.script = Script({METADATA.token_endpoint: json_response(TOKEN)})

    def start(self, now: int = NOW) -> PendingLogin:
        return self.script.run(self.flows.start_login(LoginRequest(), now))

    def finish(self, login: PendingLogin, now: int = NOW) -> Tokens:
        state = parse_qs(urlsplit(login.url).query)["state"][0]
        callback = f"{REDIRECT_URI}?{urlencode({'code': 'c', 'state': state})}"
        return self.script.run(self.flows.finish_login(callback, login, now))


def test_a_login_is_finished_once_while_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_LOGINS", 4)
    browser = Login()
    logins = [browser.start() for _ in range(12)]
    for login in logins:
        browser.finish(login)
        with pytest.raises(StateError) as refused:
            browser.finish(login)
        assert refused.value.code == "state_already_used"
    assert len(browser.script.sent) == 12
    # The newest stay remembered however many came.
    for login in logins[-4:]:
        with pytest.raises(StateError):
            browser.finish(login)
    assert len(browser.flows._used) <= 8


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (600, True), (601, False)])
def test_a_login_is_good_for_its_lifetime(age: int, fresh: bool) -> None:
    browser = Login()
    login = browser.start()
    if fresh:
        assert browser.finish(login, NOW + age).access_token.reveal() == "a"
        return
    with pytest.raises(StateError) as refused:
        browser.finish(login, NOW + age)
    assert refused.value.code == "state_expired"
    assert browser.script.sent == []


def test_an_adapter_learns_whom_a_login_would_be_with() -> None:
    browser = Login()
    identity = browser.script.run(browser.flows.provider_identity(NOW))
    assert identity == browser.start().provider
    assert identity.issuer == ISSUER
    other = browser.script.run(browser.flows.provider_identity(NOW, "https://app.example/b"))
    assert other == identity._replace(redirect_uri="https://app.example/b")
    assert browser.script.run(browser.flows.default_scope(NOW)) == ("read",)


def test_who_asks_when_a_flight_has_just_landed_gets_what_it_gave() -> None:
    flows = ClientFlows(client_config())
    script = Script({METADATA.token_endpoint: json_response({**TOKEN, "refresh_token": "r"})})
    tokens = replace(TOKENS, identity=None)
    late = flows.refresh(tokens, NOW)
    flight = next(late)  # it has found no successor, and is about to lead
    assert isinstance(flight, SingleFlight)
    assert flight.finishes
    first = script.run(flows.refresh(tokens, NOW))
    assert script.run(flight.start()) is first
    assert len(script.sent) == 1


def test_tokens_that_were_revoked_meanwhile_are_not_refreshed() -> None:
    flows = ClientFlows(client_config())
    late = flows.refresh(TOKENS, NOW)
    flight = next(late)
    assert isinstance(flight, SingleFlight)
    flows.lineage.end(TOKENS)
    script = Script()
    with pytest.raises(LoginRequired) as caught:
        script.run(flight.start())
    assert caught.value.code == "tokens_revoked"
    assert script.sent == []
