"""Refreshing on the real store: rotation, the grace of a lost answer, reuse, scope and resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.jose import half_hash
from codegrant.secret import digest_of
from codegrant.server.effects import (
    FindResource,
    RevokeGrant,
)
from codegrant.server.refresh_effects import (
    FindFamily,
    RotateRefreshToken,
)
from tests.flows.authorization_server import ISSUER, NOW, SECRET, document
from tests.flows.token_bench import API, OFFLINE, TokenBench, claims_of, open_bench

FORMATS = pytest.mark.parametrize("access_format", ["jwt", "opaque"])


@pytest.fixture(params=["jwt", "opaque"])
def bench(request: pytest.FixtureRequest) -> Iterator[TokenBench]:
    with open_bench(access_format=request.param) as opened:
        yield opened


def test_a_refresh_gives_a_successor_and_fresh_tokens(bench: TokenBench) -> None:
    first = bench.log_in()
    bench.now += 200
    answer = bench.refresh(first["refresh_token"])
    second = document(answer)
    assert answer.status == 200
    assert answer.headers.get("cache-control") == "no-store"
    assert second.keys() == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token")
    }
    assert (second["token_type"], second["expires_in"]) == ("Bearer", 300)
    assert (first["scope"], second["scope"]) == (OFFLINE, OFFLINE)
    for name in ("access_token", "refresh_token", "id_token"):
        assert first[name] != second[name]
    # The access token before it lives as long as it was told.
    assert (bench.status(first["access_token"]), bench.status(second["access_token"])) == (200, 200)
    bench.now += 100
    assert (bench.status(first["access_token"]), bench.status(second["access_token"])) == (401, 200)
    facts = bench.facts("token_refreshed")
    assert (facts["client_id"], facts["scope"], facts["audience"]) == ("a", OFFLINE, ISSUER)
    bench.refreshed(second["refresh_token"])


@pytest.mark.requirement("AS-RT-04", "AS-RT-05")
def test_a_public_client_rotates_too(bench: TokenBench) -> None:
    tokens = [bench.log_in_native()]
    public = {"client_id": "p"}
    for _ in range(3):
        bench.now += 60
        answer = bench.refresh(tokens[-1]["refresh_token"], auth=None, form=public)
        assert answer.status == 200
        tokens.append(document(answer))
    assert len({one["refresh_token"] for one in tokens}) == 4
    newest = tokens[-1]
    assert bench.status(newest["access_token"]) == 200
    assert bench.refuses(tokens[1]["refresh_token"], auth=None, **public)
    assert bench.refuses(newest["refresh_token"], auth=None, **public)
    assert bench.status(newest["access_token"]) == 401


@pytest.mark.parametrize("grace", [1, 30, 60])
@FORMATS
def test_an_answer_that_is_lost_twice_gives_the_same_successor(
    grace: int, access_format: str
) -> None:
    with open_bench(refresh_grace_seconds=grace, access_format=access_format) as bench:
        old = bench.log_in()["refresh_token"]
        answers = [bench.refreshed(old), bench.refreshed(old)]
        bench.now += grace - 1
        answers.append(bench.refreshed(old))
        assert len({one["refresh_token"] for one in answers}) == 1
        assert len({one["access_token"] for one in answers}) == 3
        assert [bench.status(one["access_token"]) for one in answers] == [200] * 3
        assert bench.refreshed(answers[0]["refresh_token"])["refresh_token"] != old


def test_scope_is_judged_anew_when_a_lost_answer_is_asked_for_again(bench: TokenBench) -> None:
    old = bench.log_in()["refresh_token"]
    full = bench.refreshed(old)
    narrow = bench.refreshed(old, scope="openid")
    assert (full["scope"], narrow["scope"]) == (OFFLINE, "openid")
    assert full["refresh_token"] == narrow["refresh_token"]
    assert bench.refuses(old, "invalid_scope", scope="openid email")
    assert bench.refuses(old, "invalid_target", resource=API)
    assert bench.refreshed(old)["refresh_token"] == full["refresh_token"]


@pytest.mark.requirement("AS-RT-06")
def test_once_the_successor_is_used_the_old_token_is_refused_without_harm(
    bench: TokenBench,
) -> None:
    old = bench.log_in()["refresh_token"]
    second = bench.refreshed(old)
    third = bench.refreshed(second["refresh_token"])
    bench.now += 29
    assert bench.refuses(old)
    assert bench.facts("refresh_token_refused") == {"client_id": "a", "reason": "superseded"}
    assert "grant_revoked" not in bench.event_names()
    assert bench.status(third["access_token"]) == 200
    assert bench.refreshed(second["refresh_token"])["refresh_token"] == third["refresh_token"]
    bench.refreshed(third["refresh_token"])


@pytest.mark.requirement("AS-RT-05", "CO-LOG-03")
@pytest.mark.parametrize(
    ("grace", "later", "used"),
    [
        pytest.param(30, 30, False, id="grace over"),
        pytest.param(30, 30, True, id="grace over, successor used"),
        pytest.param(60, 60, False, id="longest grace over"),
        pytest.param(0, 0, False, id="no grace"),
        pytest.param(0, 0, True, id="no grace, successor used"),
        pytest.param(30, 86_400, True, id="a day later"),
    ],
)
@FORMATS
def test_reuse_revokes_the_whole_grant(
    grace: int, later: int, used: bool, access_format: str
) -> None:
    settings = {"refresh_grace_seconds": grace, "access_format": access_format}
    with open_bench(access_token_lifetime=3600, **settings) as bench:
        neighbour = bench.log_in()
        first = bench.log_in()
        newest = bench.refreshed(first["refresh_token"])
        bench.now += later
        if used:
            newest = bench.refreshed(newest["refresh_token"])
        alive = later < 3600
        assert (bench.status(first["access_token"]) == 200) == alive
        assert bench.refuses(first["refresh_token"])
        assert bench.event_names()[-3:] == [
            "refresh_token_reused",
            "grant_revoked",
            "token_refused",
        ]
        reused, revoked = bench.facts("refresh_token_reused"), bench.facts("grant_revoked")
        assert (reused["client_id"], reused["subject"]) == ("a", "person-1")
        assert revoked == {**reused, "reason": "refresh token reuse"}
        assert (bench.reason(), bench.status(first["access_token"])) == ("reused", 401)
        assert bench.status(newest["access_token"]) == 401
        for token in (newest["refresh_token"], first["refresh_token"]):
            assert bench.refuses(token)
            assert bench.reason() == "revoked"
        assert bench.refreshed(neighbour["refresh_token"])["scope"] == OFFLINE


def test_without_a_grace_a_second_process_whose_clock_is_behind_finds_none_either() -> None:
    with open_bench(refresh_grace_seconds=0) as bench:
        token = bench.log_in()["refresh_token"]
        bench.refreshed(token)
        bench.now -= 1
        assert bench.refuses(token)
        assert bench.reason() == "reused"


@pytest.mark.requirement("AS-RT-01")
@pytest.mark.parametrize("later", [0, 29, 30, 3600], ids=lambda seconds: f"{seconds} s later")
def test_nobody_else_consumes_or_revokes(bench: TokenBench, later: int) -> None:
    """The newest token, one inside its grace, one after it, one whose row is gone."""
    first = bench.log_in()
    second = bench.refreshed(first["refresh_token"])
    bench.now += later
    third = bench.log_in()
    tokens = [one["refresh_token"] for one in (first, second, third)]
    post = {"client_id": "b", "client_secret": SECRET}
    for token in tokens:
        assert bench.refuses(token, auth=None, **post)
        assert bench.reason() == "wrong_client"
        assert bench.refuses(token, auth=None, client_id="p")
        for wrong in (("a", "wrong"), ("a", SECRET[:-1]), ("nobody", SECRET)):
            assert bench.refresh(token, auth=wrong).status == 401
        assert bench.refresh(token, auth=None).status == 401
        assert bench.refresh(token, auth=None, client_id="a").status == 401
    assert "grant_revoked" not in bench.event_names()
    for token in tokens[1:]:
        bench.refreshed(token)


@pytest.mark.requirement("AS-RT-02", "AS-RT-03")
def test_a_narrowed_request_does_not_narrow_the_refresh_token(bench: TokenBench) -> None:
    tokens = bench.log_in("openid profile email offline_access")
    for scope in ("openid", "email profile", "openid profile email offline_access"):
        tokens = bench.refreshed(tokens["refresh_token"], scope=scope)
        # What is left is told in the order of the grant.
        assert set(tokens["scope"].split()) == set(scope.split())
    assert bench.refreshed(tokens["refresh_token"])["scope"] == (
        "openid profile email offline_access"
    )


@pytest.mark.requirement("AS-RT-02", "AS-RT-03")
@pytest.mark.parametrize(
    ("scope", "error"),
    [
        pytest.param("openid email", "invalid_scope", id="registered, not granted"),
        pytest.param("openid profile offline_access read", "invalid_scope", id="one more"),
        pytest.param("admin", "invalid_scope", id="not registered"),
        pytest.param("openid admin", "invalid_scope", id="one not registered"),
        pytest.param("Profile", "invalid_scope", id="upper case"),
        pytest.param(" ", "invalid_scope", id="a space"),
        pytest.param('pro"file', "invalid_scope", id="forbidden character"),
        pytest.param(" ".join(f"s{n}" for n in range(101)), "invalid_scope", id="too many"),
    ],
)
def test_a_refresh_never_widens_and_a_refused_one_costs_nothing(
    bench: TokenBench, scope: str, error: str
) -> None:
    token = bench.log_in()["refresh_token"]
    assert bench.refuses(token, error, scope=scope)
    assert bench.refuses(token, error, scope=scope)
    assert bench.refreshed(token, scope="")["scope"] == OFFLINE
    bench.now += 30
    assert bench.refuses(token)
    assert bench.reason() == "reused"


@pytest.mark.requirement("AS-RES-03")
@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("https://other.test", id="another of the client's"),
        pytest.param("https://unknown.test", id="unknown"),
        pytest.param(ISSUER, id="the issuer"),
        pytest.param(f"{API}/", id="a slash more"),
        pytest.param("/relative", id="relative"),
        pytest.param(f"{API}#x", id="fragment"),
    ],
)
def test_a_refresh_is_for_the_granted_resource_alone(bench: TokenBench, resource: str) -> None:
    for audience in (API, "https://other.test"):
        bench.add_resource(audience)
    bench.change_client("a", audiences=(API, "https://other.test"))
    token = bench.log_in(resource=API)["refresh_token"]
    assert bench.refuses(token, "invalid_target", resource=resource)
    twice = urlencode(
        [
            *(("grant_type", "refresh_token"), ("refresh_token", token)),
            *(("resource", API), ("resource", resource)),
        ]
    )
    assert document(bench.token_raw(twice))["error"] == "invalid_target"
    named = bench.refreshed(token, resource=API)
    silent = bench.refreshed(named["refresh_token"])
    for tokens in (named, silent):
        if "." in tokens["access_token"]:
            assert claims_of(tokens["access_token"])["aud"] == API
    assert bench.facts("token_refreshed")["audience"] == API


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param(None, "invalid_request", id="missing"),
        pytest.param("", "invalid_request", id="empty"),
        pytest.param("x", "invalid_grant", id="short"),
        pytest.param("x" * 64, "invalid_grant", id="unknown"),
        pytest.param("x" * 60_000, "invalid_grant", id="long"),
        pytest.param("\U0001f600" * 64, "invalid_grant", id="not ASCII"),
        pytest.param("' OR 1=1 --", "invalid_grant", id="an injection"),
    ],
)
def test_what_is_no_refresh_token_is_refused(
    bench: TokenBench, token: str | None, error: str
) -> None:
    good = bench.log_in()["refresh_token"]
    answer = bench.refresh(token)
    assert (answer.status, document(answer)["error"]) == (400, error)
    bench.refreshed(good)


def test_a_damaged_token_is_refused_and_does_no_harm(bench: TokenBench) -> None:
    token = bench.log_in()["refresh_token"]
    for damaged in (token[:-1], token + "A", token + " ", token[24:], token[:24], token + "\n"):
        assert bench.refuses(damaged)
        assert bench.reason() == "unknown"
    # Another family, whose second half is right.
    assert bench.refuses("A" * 24 + token[24:])
    bench.refreshed(token)


def test_a_token_is_sent_once_and_in_the_body(bench: TokenBench) -> None:
    token = bench.log_in()["refresh_token"]
    pair = ("refresh_token", token)
    twice = urlencode([("grant_type", "refresh_token"), pair, pair])
    assert document(bench.token_raw(twice))["error"] == "invalid_request"
    in_query = bench.send(
        "POST",
        "/token",
        query=urlencode([pair]),
        body=f"grant_type=refresh_token&{urlencode([pair])}",
        headers=[("content-type", "application/x-www-form-urlencoded")],
    )
    assert in_query.status == 400
    bench.refreshed(token)


@pytest.mark.requirement("AS-RT-09")
def test_no_credential_stands_for_another(bench: TokenBench) -> None:
    tokens, code = bench.log_in(), bench.code()
    assert bench.status(tokens["refresh_token"]) == 401
    assert bench.status(tokens["id_token"]) == 401
    for foreign in (tokens["access_token"], tokens["id_token"], code):
        assert bench.refuses(foreign)
    answer = bench.token(tokens["refresh_token"])
    assert (answer.status, document(answer)["error"]) == (400, "invalid_grant")
    assert bench.status(tokens["access_token"]) == 200
    assert bench.token(code).status == 200
    bench.refreshed(tokens["refresh_token"])


@pytest.mark.requirement("AS-RT-11")
def test_the_id_token_of_a_refresh_is_of_the_same_login(bench: TokenBench) -> None:
    first = bench.log_in()
    login = claims_of(first["id_token"])
    bench.now += 100
    # The person has logged in anew meanwhile; that is another grant.
    bench.authentication = None
    second = bench.refreshed(first["refresh_token"])
    claims = claims_of(second["id_token"])
    kept = {"iss", "sub", "aud", "auth_time", "amr", "sid"}
    assert kept <= login.keys()
    assert {name: claims[name] for name in kept} == {name: login[name] for name in kept}
    assert (login["nonce"], "nonce" in claims) == ("the nonce", False)
    assert (claims["iat"], claims["exp"]) == (NOW + 100, NOW + 400)
    assert claims["auth_time"] == NOW - 50
    assert claims["at_hash"] == half_hash("RS256", second["access_token"]) != login["at_hash"]
    assert claims.keys() == {*kept, "iat", "exp", "at_hash"}


@pytest.mark.requirement("AS-RT-11")
def test_without_openid_there_is_no_id_token(bench: TokenBench) -> None:
    tokens = bench.log_in()
    narrow = bench.refreshed(tokens["refresh_token"], scope="profile")
    assert "id_token" not in narrow
    assert bench.status(narrow["access_token"]) == 403
    assert "id_token" in bench.refreshed(narrow["refresh_token"])
    plain = bench.log_in("profile")
    assert "id_token" not in plain
    assert "id_token" not in bench.refreshed(plain["refresh_token"])


@pytest.mark.requirement("AS-RT-06")
@pytest.mark.parametrize("grace", [30, 0])
@FORMATS
def test_of_many_at_once_one_makes_the_successor(grace: int, access_format: str) -> None:
    with open_bench(refresh_grace_seconds=grace, access_format=access_format) as bench:
        token = bench.log_in()["refresh_token"]
        barrier = Barrier(20)

        def redeem(_: int) -> dict[str, Any]:
            barrier.wait()
            return document(bench.refresh(token))

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(redeem, range(20)))
        won = [one for one in answers if "error" not in one]
        assert {one["error"] for one in answers if one not in won} <= {"invalid_grant"}
        if grace:
            assert len(won) == 20
            assert len({one["refresh_token"] for one in won}) == 1
            bench.refreshed(won[0]["refresh_token"])
        else:
            # The others were reuse; an opaque token is not even handed out then.
            assert len(won) == 1 or (not won and access_format == "opaque")
            assert [bench.status(one["access_token"]) for one in won] == [401] * len(won)
            assert all(bench.refuses(one["refresh_token"]) for one in won)


def happens_before(
    bench: TokenBench, kind: type[Effect[Any]], happening: Callable[[Effect[Any]], None]
) -> None:
    """Let something happen before the next effect of a kind, once."""
    perform = bench.perform

    def first(effect: Effect[Any]) -> Any:
        if isinstance(effect, kind):
            bench.perform = perform
            happening(effect)
        return perform(effect)

    bench.perform = first


def revoke_family(bench: TokenBench, token: str) -> None:
    grant = bench.perform(FindFamily(digest_of(token[:24]), bench.now))
    assert bench.perform(RevokeGrant(grant.grant_id, bench.now))


def test_a_revocation_before_the_rotation_wins(bench: TokenBench) -> None:
    tokens = bench.log_in()
    happens_before(
        bench, RotateRefreshToken, lambda _: revoke_family(bench, tokens["refresh_token"])
    )
    assert bench.refuses(tokens["refresh_token"])
    assert bench.reason() == "revoked"


def test_a_revocation_between_rotation_and_answer_leaves_nothing_alive(bench: TokenBench) -> None:
    bench.add_resource()
    bench.change_client("a", audiences=(API,))
    tokens = bench.log_in()
    # The format of the resource is looked up once the token has been rotated.
    happens_before(bench, FindResource, lambda _: revoke_family(bench, tokens["refresh_token"]))
    answer = document(bench.refresh(tokens["refresh_token"]))
    if "error" in answer:
        assert answer["error"] == "invalid_grant"
        assert bench.reason() == "grant revoked meanwhile"
    else:
        assert bench.status(answer["access_token"]) == 401
        assert bench.refuses(answer["refresh_token"])
    assert bench.status(tokens["access_token"]) == 401
    assert bench.refuses(tokens["refresh_token"])


def test_an_answer_that_could_not_be_made_can_be_asked_for_again(bench: TokenBench) -> None:
    bench.add_resource()
    bench.change_client("a", audiences=(API,))
    token = bench.log_in()["refresh_token"]

    def fail(_: Effect[Any]) -> None:
        raise StoreError("no space is left", code="store_full", stage="store")

    happens_before(bench, FindResource, fail)
    answer = bench.refresh(token)
    assert (answer.status, document(answer)["error"]) == (503, "temporarily_unavailable")
    bench.now += 29
    bench.refreshed(bench.refreshed(token)["refresh_token"])
