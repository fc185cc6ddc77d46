from __future__ import annotations

import json
from typing import Any

import pytest

from codegrant.errors import OAuthError, StoreError
from codegrant.flow import Effect
from codegrant.http import Headers, Request
from codegrant.server.authorization_request import REQUEST_CHECKS, judge_transaction
from codegrant.server.effects import Emit
from codegrant.server.host import Authentication
from codegrant.server.interaction import approve, bind_transaction, record_login
from codegrant.server.records import Transaction
from tests.flows.authorization_server import (
    ISSUER,
    NOW,
    Bench,
    answered,
    authorization_parameters,
    document,
    page_of,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def transaction(*more: tuple[str, str], **changes: str | None) -> Transaction:
    return Transaction(
        digest=bytes(32),
        client_id="a",
        request=(*authorization_parameters(**changes), *more),
        source="192.0.2.1",
        created_at=NOW,
        expires_at=NOW + 600,
    )


def test_a_stored_request_is_judged_as_it_came(bench: Bench) -> None:
    checked = bench.run(judge_transaction(bench.server, transaction(max_age="60"), NOW))
    assert (checked.scope, checked.max_age, checked.audience) == (("openid",), 60, ISSUER)
    assert checked.redirect_uri_sent


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state"])
def test_a_stored_request_that_no_longer_reads_ends_on_a_page(bench: Bench, name: str) -> None:
    with pytest.raises(OAuthError) as refused:
        bench.run(judge_transaction(bench.server, transaction((name, "x")), NOW))
    assert refused.value.error == "invalid_request"
    assert not refused.value.redirectable


# One request for each check, that would fail every later one too.
FAULTS: list[tuple[dict[str, str | None], str]] = [
    ({"claims": "{"}, "invalid_request"),
    ({"scope": 'a"b'}, "invalid_scope"),
    ({"resource": "https://unknown.test"}, "invalid_target"),
    ({"prompt": "unknown"}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({}, "unauthorized_client"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"request": "e30.e30."}, "request_not_supported"),
]


@pytest.mark.requirement("AS-AZ-05")
@pytest.mark.parametrize("position", range(len(FAULTS)))
def test_the_checks_run_in_their_order(bench: Bench, position: int) -> None:
    assert len(REQUEST_CHECKS) == len(FAULTS)
    faults = FAULTS[: position + 1]
    changes: dict[str, str | None] = {}
    for fault, _ in faults:
        changes |= fault
    if any(error == "unauthorized_client" for _, error in faults):
        bench.change_client("a", grant_types=("refresh_token",))
    parameters = answered(bench.authorize(**changes))
    assert parameters["error"] == faults[-1][1]
    assert (parameters["state"], parameters["iss"]) == ("the state", ISSUER)


def bound(bench: Bench, **changes: str | None) -> Any:
    _, transaction_id = page_of(bench.authorize(**changes))
    request = Request(method="GET", url=f"{ISSUER}/login", headers=Headers())
    return bench.run(bind_transaction(bench.server, request, transaction_id, NOW))


def test_another_person_than_the_demanded_one_cannot_say_yes(bench: Bench) -> None:
    claims = json.dumps({"id_token": {"sub": {"value": "person-2"}}})
    started = bound(bench, claims=claims)
    other = Authentication(subject="person-1", auth_time=NOW, sid="sid-9")
    answer = bench.run(approve(bench.server, started, other, frozenset({"openid"}), NOW))
    assert page_of(answer)[0] == "login"
    started = bench.run(record_login(started, other, NOW))
    answer = bench.run(approve(bench.server, started, other, frozenset({"openid"}), NOW))
    assert answered(answer)["error"] == "login_required"
    assert not bench.store.codes


def test_a_failure_while_refusing_is_a_page_without_a_cause(bench: Bench) -> None:
    failed: list[Effect[Any]] = []

    def perform(effect: Effect[Any]) -> Any:
        if isinstance(effect, Emit) and not failed:
            failed.append(effect)
            raise StoreError("the disk is full", code="store_full")
        return bench.store.perform(effect)

    bench.perform = perform
    answer = bench.authorize(response_type="token")
    assert failed
    assert answer.status == 503
    assert "location" not in answer.headers
    assert b"disk" not in answer.body


def test_one_token_is_for_one_resource(bench: Bench) -> None:
    bench.change_client("a", audiences=("https://api.test", "https://b.test"))
    code = bench.code()
    body = (
        f"grant_type=authorization_code&code={code}&resource=https://api.test"
        "&resource=https://b.test"
    )
    answer = bench.token_raw(body)
    assert (answer.status, document(answer)["error"]) == (400, "invalid_target")
    assert bench.token(code, resource="https://api.test").status == 200
