"""The endpoints once more on the real store: what is durable, and what one step ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from codegrant.errors import OAuthError
from codegrant.flow import Effect
from codegrant.http import Headers, Request
from codegrant.server.administration import AddClient, UpdateClient
from codegrant.server.effects import FindGrant, RevokeGrant
from codegrant.server.interaction import approve, bind_transaction, record_login
from codegrant.stores.sqlite import SqliteStore
from tests.flows.authorization_server import (
    CALLBACK,
    CLIENTS,
    ISSUER,
    NOW,
    SECRET,
    VERIFIER,
    Bench,
    answered,
    document,
    page_of,
)


@pytest.fixture(params=["jwt", "opaque"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(access_format=request.param)
    memory = bench.store
    with SqliteStore.open(":memory:") as store:

        def perform(effect: Effect[Any]) -> Any:
            return (store if store.performs(effect) else memory).perform(effect)

        for client in CLIENTS:
            assert perform(AddClient(client))
        bench.perform = perform
        yield bench


def status_of(bench: Bench, token: str) -> int:
    headers = [("authorization", f"Bearer {token}")]
    return bench.send("GET", "/userinfo", headers=headers).status


def test_from_request_to_userinfo(bench: Bench) -> None:
    tokens = document(bench.token(bench.code(scope="openid email")))
    answer = bench.send(
        "GET", "/userinfo", headers=[("authorization", f"Bearer {tokens['access_token']}")]
    )
    assert document(answer)["email"] == "alice@test"
    assert len(document(bench.send("GET", "/jwks"))["keys"]) == 2


def test_a_valid_replay_ends_the_first_token_and_an_invalid_one_does_not(bench: Bench) -> None:
    code = bench.code()
    token = document(bench.token(code))["access_token"]
    for invalid in (
        bench.token(code, code_verifier=VERIFIER[:-1] + "x"),
        bench.token(code, redirect_uri=CALLBACK + "/"),
        bench.token(code, auth=("a", "wrong")),
        bench.token(code, auth=None, client_id="b", client_secret=SECRET),
    ):
        assert invalid.status in {400, 401}
        assert status_of(bench, token) == 200
    assert document(bench.token(code))["error"] == "invalid_grant"
    assert status_of(bench, token) == 401


def test_five_wrong_verifiers_are_one_too_many(bench: Bench) -> None:
    code, other = bench.code(), bench.code()
    for _ in range(4):
        bench.token(code, code_verifier="x" * 43)
    assert bench.token(code).status == 200
    for _ in range(5):
        bench.token(other, code_verifier="x" * 43)
    assert bench.token(other).status == 400


def test_a_wrong_resource_does_not_cost_the_code(bench: Bench) -> None:
    code = bench.code()
    answer = bench.token(code, resource="https://other.test")
    assert document(answer)["error"] == "invalid_target"
    assert bench.token(code, resource=ISSUER).status == 200


def test_a_revoked_grant_ends_its_tokens(bench: Bench) -> None:
    token, neighbour = (document(bench.token(bench.code()))["access_token"] for _ in range(2))
    grant_id = next(
        str(event.facts["grant_id"])
        for event in bench.store.events
        if event.name == "code_redeemed"
    )
    assert bench.perform(FindGrant(grant_id)).subject == "person-1"
    assert bench.perform(RevokeGrant(grant_id, NOW))
    assert status_of(bench, token) == 401
    assert status_of(bench, neighbour) == 200


def test_a_disabled_client_is_out_at_once(bench: Bench) -> None:
    token = document(bench.token(bench.code()))["access_token"]
    code = bench.code()
    disabled = next(client for client in CLIENTS if client.client_id == "a")
    assert bench.perform(UpdateClient(replace(disabled, enabled=False)))
    assert status_of(bench, token) == 401
    assert bench.token(code).status == 401
    assert bench.authorize().status == 400


def test_a_transaction_becomes_one_code(bench: Bench) -> None:
    who = bench.authentication
    assert who is not None
    _, transaction_id = page_of(bench.authorize(prompt="login"))
    page = Request(method="GET", url=f"{ISSUER}/login", headers=Headers())
    bound = bench.run(bind_transaction(bench.server, page, transaction_id, NOW))
    bound = bench.run(record_login(bound, who, NOW))
    cookie = Headers([("cookie", bound.cookies_to_set[0].partition(";")[0])])
    form = Request(method="POST", url=f"{ISSUER}/consent", headers=cookie)
    again = bench.run(bind_transaction(bench.server, form, transaction_id, NOW))
    assert again.transaction.login_sid == who.sid
    answer = bench.run(approve(bench.server, again, who, frozenset({"openid"}), NOW))
    assert bench.token(answered(answer)["code"]).status == 200
    with pytest.raises(OAuthError, match="finished"):
        bench.run(approve(bench.server, again, who, frozenset({"openid"}), NOW))


def test_guessing_a_secret_ends_with_429(bench: Bench) -> None:
    for _ in range(10):
        assert bench.token("any", auth=("a", "wrong")).status == 401
    limited = bench.token("any")
    assert (limited.status, limited.headers.get("retry-after")) == (429, "300")
    assert bench.token("any", peer="192.0.2.7").status == 400
    bench.now += 300
    assert bench.token("any").status == 400
