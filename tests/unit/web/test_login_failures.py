from __future__ import annotations

import logging

import pytest

from codegrant.client import state_errors
from codegrant.client.state_errors import state_error
from codegrant.errors import (
    CallbackRejected,
    CodegrantError,
    ConfigurationError,
    LoginRequired,
    MetadataRejected,
    Refused,
    ResponseRejected,
    StoreError,
    TokenRejected,
    TransportError,
    UsageError,
)
from codegrant.flow import Effect, RandomBytes, run
from codegrant.web.login_failures import answer_failure, describe_failure
from tests.support.website import code_of, retry_of


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        pytest.param(Refused("access_denied"), 403, "not allowed", id="the person said no"),
        pytest.param(
            Refused("access_denied", code="person_not_assigned"),
            403,
            "people who run",
            id="shut out",
        ),
        pytest.param(
            Refused("access_denied", code="policy_blocked"), 403, "administrators", id="a policy"
        ),
        pytest.param(
            Refused("temporarily_unavailable", code="login_abandoned"), 400, "too long", id="left"
        ),
        pytest.param(LoginRequired("invalid_token"), 502, "no use", id="tokens of no use"),
        pytest.param(Refused("invalid_scope"), 400, "refused", id="the server said no"),
        pytest.param(TransportError("x"), 503, "in a moment", id="no answer"),
        pytest.param(StoreError("x", code="store_busy"), 503, "in a moment", id="busy store"),
        pytest.param(StoreError("x"), 503, "tell the people who run", id="no store"),
        pytest.param(CallbackRejected("x", stage="callback"), 400, "start again", id="callback"),
        pytest.param(MetadataRejected("x", stage="discovery"), 502, "run this", id="metadata"),
        pytest.param(ResponseRejected("x", stage="token"), 502, "run this", id="token answer"),
        pytest.param(TokenRejected("x", stage="id_token"), 502, "run this", id="ID token"),
        pytest.param(UsageError("x"), 400, "run this", id="our own call"),
        pytest.param(ConfigurationError("x", stage="configuration"), 502, "run", id="a setting"),
        pytest.param(state_error("state_expired", "x"), 400, "too long", id="late"),
        pytest.param(state_error("state_already_used", "x"), 400, "before", id="twice"),
        pytest.param(state_error("state_host_changed", "x"), 400, "one address", id="host"),
        pytest.param(state_error("state_cookie_missing", "x"), 400, "cookies", id="no cookie"),
        pytest.param(state_error("state_tampered", "x"), 400, "start again", id="altered"),
        pytest.param(state_error("state_in_progress", "x"), 503, "wait", id="not done yet"),
    ],
)
def test_each_failure_has_its_status_and_calm_words(
    error: CodegrantError, status: int, said: str
) -> None:
    failure = describe_failure(error)
    assert failure.status == status
    assert said in failure.advice
    assert failure.title
    assert failure.advice.endswith(".")


@pytest.mark.parametrize("code", sorted(state_errors._HINTS))
def test_every_state_error_is_explained_to_both(code: str) -> None:
    error = state_error(code, "what happened")
    assert error.hint
    assert describe_failure(error).advice


def test_the_log_line_has_the_cause_and_the_page_its_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def perform(effect: Effect[object]) -> bytes:
        assert isinstance(effect, RandomBytes)
        return bytes(range(effect.size))

    error = Refused("invalid_scope", description="no such\nscope <b>", stage="callback", hint="ask")
    with caplog.at_level(logging.WARNING, "codegrant.web.login"):
        response = run(answer_failure(error, "/login?return_to=%2Fa"), perform)
    (record,) = caplog.records
    assert record.getMessage().startswith("login failed, reference 000102030405: ")
    assert str(error) in record.getMessage()
    assert record.getMessage().endswith(f"; see {error.url}")
    assert "\n" not in record.getMessage()
    text = response.body.decode()
    assert (response.status, code_of(response)) == (400, error.code)
    assert retry_of(response) == "/login?return_to=%2Fa"
    assert '<code id="reference">000102030405</code>' in text
    # What the provider says is for the log: a person is told what to do.
    assert "no such" not in text
    assert "<b>" not in text
