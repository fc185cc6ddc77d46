"""When refreshing ends: lifetimes, and what changes about client, person and registration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codegrant.accounts.effects import ReplacePassword, WithdrawAccess
from codegrant.server.administration import AddClient, RemoveClient
from codegrant.server.effects import FindClient
from codegrant.server.records import Person
from tests.flows.authorization_server import (
    ALICE,
    ISSUER,
    NOW,
    SECRET,
    VERIFIER,
    basic,
    document,
)
from tests.flows.house import FORM_TYPE, PASSWORDS, Browser, House, hashed
from tests.flows.oidc import answer_of, open_house, pass_pages
from tests.flows.token_bench import API, OFFLINE, TokenBench, claims_of, open_bench


@pytest.fixture(params=["jwt", "opaque"])
def bench(request: pytest.FixtureRequest) -> Iterator[TokenBench]:
    with open_bench(access_format=request.param) as opened:
        yield opened


@pytest.mark.requirement("AS-RT-07")
def test_a_token_that_nobody_uses_expires() -> None:
    with open_bench(refresh_idle=100, refresh_absolute=1000) as bench:
        early, late = bench.log_in(), bench.log_in()
        bench.now += 99
        successor = bench.refreshed(early["refresh_token"])
        bench.now += 1
        assert bench.refuses(late["refresh_token"])
        assert bench.reason() == "expired"
        assert bench.status(late["access_token"]) == 200
        bench.now += 98
        bench.refreshed(successor["refresh_token"])
        assert "grant_revoked" not in bench.event_names()


@pytest.mark.requirement("AS-RT-07")
def test_a_family_ends_however_often_it_is_used() -> None:
    with open_bench(refresh_idle=100, refresh_absolute=250) as bench:
        tokens = [bench.log_in()["refresh_token"]]
        for step in (99, 99, 51):
            bench.now += step
            tokens.append(bench.refreshed(tokens[-1])["refresh_token"])
        assert bench.now == NOW + 249
        bench.now += 1
        # Neither the newest, nor the one whose answer may have been lost a second ago.
        for token in (tokens[-1], tokens[-2]):
            assert bench.refuses(token)
            assert bench.reason() == "expired"
        bench.refreshed(bench.log_in()["refresh_token"])


def test_the_absolute_limit_may_be_the_shorter_one() -> None:
    with open_bench(refresh_idle=1000, refresh_absolute=60) as bench:
        token = bench.log_in()["refresh_token"]
        bench.now += 59
        token = bench.refreshed(token)["refresh_token"]
        bench.now += 1
        assert bench.refuses(token)


@pytest.mark.requirement("AS-RT-10")
@pytest.mark.parametrize(
    ("grant_types", "scope", "given"),
    [
        pytest.param(("authorization_code", "refresh_token"), OFFLINE, True, id="offline"),
        pytest.param(("authorization_code", "refresh_token"), "openid", False, id="openid alone"),
        pytest.param(("authorization_code", "refresh_token"), "profile", True, id="plain OAuth"),
        pytest.param(
            ("authorization_code", "refresh_token"),
            "profile offline_access",
            True,
            id="plain OAuth and offline",
        ),
        pytest.param(("authorization_code",), OFFLINE, False, id="not registered for it"),
        pytest.param(("authorization_code",), "profile", False, id="plain OAuth, not registered"),
    ],
)
def test_who_gets_a_refresh_token(
    bench: TokenBench, grant_types: tuple[str, ...], scope: str, given: bool
) -> None:
    bench.change_client("a", grant_types=grant_types)
    tokens = bench.log_in(scope)
    # Without the grant type there is no offline access to agree to.
    offline = "refresh_token" in grant_types
    assert tokens["scope"] == (scope if offline else scope.removesuffix(" offline_access"))
    assert ("refresh_token" in tokens) == given
    if given:
        bench.refreshed(tokens["refresh_token"])


@pytest.mark.requirement("AS-RT-10")
def test_offline_access_counts_only_where_it_was_granted(bench: TokenBench) -> None:
    bench.change_client("a", scope=("openid", "profile"))
    without = bench.log_in(OFFLINE)
    assert (without["scope"], "refresh_token" in without) == ("openid profile", False)
    bench.change_client("a", scope=tuple(OFFLINE.split()))
    assert "refresh_token" in bench.log_in(OFFLINE)


def test_who_loses_the_grant_type_between_code_and_token_gets_none(bench: TokenBench) -> None:
    code = bench.code(scope=OFFLINE)
    bench.change_client("a", grant_types=("authorization_code",))
    answer = bench.token(code)
    assert answer.status == 200
    assert "refresh_token" not in document(answer)


def test_a_client_that_loses_the_grant_type_loses_no_token(bench: TokenBench) -> None:
    token = bench.log_in()["refresh_token"]
    bench.change_client("a", grant_types=("authorization_code",))
    assert bench.refuses(token, "unauthorized_client")
    bench.change_client("a", grant_types=("refresh_token",))
    bench.refreshed(token)


def test_a_client_that_may_have_less_gets_less(bench: TokenBench) -> None:
    first = bench.log_in("openid profile email offline_access")
    bench.change_client("a", scope=("openid", "email", "offline_access"))
    second = bench.refreshed(first["refresh_token"])
    assert second["scope"] == "openid email offline_access"
    if "." in second["access_token"]:
        assert claims_of(second["access_token"])["scope"] == second["scope"]
    for gone in ("profile", "openid profile"):
        assert bench.refuses(second["refresh_token"], "invalid_scope", scope=gone)
    # What comes back to the client comes back to what the person once agreed to.
    bench.change_client("a", scope=("openid", "profile", "email", "offline_access", "read"))
    third = bench.refreshed(second["refresh_token"])
    assert third["scope"] == first["scope"]


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        pytest.param({"scope": ("read",)}, None, id="all of the scope"),
        pytest.param({"scope": ("openid", "profile")}, None, id="offline_access"),
        pytest.param({"audiences": ()}, API, id="the audience"),
        pytest.param({"audiences": ("https://other.test",)}, API, id="another audience"),
    ],
)
def test_a_grant_that_its_client_may_not_have_any_more_ends(
    bench: TokenBench, change: dict[str, Any], resource: str | None
) -> None:
    bench.add_resource()
    if resource is not None:
        bench.change_client("a", audiences=(API,))
    changed, kept = bench.log_in(resource=resource), bench.log_in(resource=resource)
    before = bench.perform(FindClient("a"))
    bench.change_client("a", **change)
    assert bench.refuses(changed["refresh_token"])
    assert bench.reason() == "client changed"
    assert bench.facts("grant_revoked")["reason"] == "client changed"
    assert bench.status(changed["access_token"]) == 401
    bench.change_client("a", scope=before.scope, audiences=before.audiences)
    assert bench.refuses(changed["refresh_token"])
    bench.refreshed(kept["refresh_token"])


def test_an_audience_more_takes_nothing_away(bench: TokenBench) -> None:
    own = bench.log_in()
    bench.add_resource()
    bench.change_client("a", audiences=(API,))
    own = bench.refreshed(own["refresh_token"])
    assert bench.facts("token_refreshed")["audience"] == ISSUER
    api = bench.log_in()["refresh_token"]
    bench.add_resource("https://first.test")
    bench.change_client("a", audiences=("https://first.test", API))
    bench.refreshed(api)
    assert bench.facts("token_refreshed")["audience"] == API


def test_a_disabled_client_waits_and_a_removed_one_is_gone(bench: TokenBench) -> None:
    first = bench.log_in()
    record = bench.perform(FindClient("a"))
    bench.change_client("a", enabled=False)
    answer = bench.refresh(first["refresh_token"])
    assert (answer.status, document(answer)["error"]) == (401, "invalid_client")
    assert bench.status(first["access_token"]) == 401
    bench.change_client("a", enabled=True)
    second = bench.refreshed(first["refresh_token"])
    assert bench.status(second["access_token"]) == 200

    assert bench.perform(RemoveClient("a"))
    assert bench.refresh(second["refresh_token"]).status == 401
    # Whoever has the name next has none of its tokens.
    assert bench.perform(AddClient(record))
    for old in (first, second):
        assert bench.refuses(old["refresh_token"])
        assert bench.reason() == "unknown"
        assert bench.status(old["access_token"]) == 401
    bench.refreshed(bench.log_in()["refresh_token"])


@pytest.mark.parametrize("later", [0, 3600], ids=["inside its grace", "long ago"])
def test_a_client_may_revoke_with_a_token_that_it_lost_the_successor_of(
    bench: TokenBench, later: int
) -> None:
    """Its answer was lost, and the person logs out: what it still has must be enough."""
    old = bench.log_in()
    successor = bench.refreshed(old["refresh_token"])
    bench.now += later
    newest = bench.refreshed(successor["refresh_token"])
    body, form = f"token={old['refresh_token']}", [FORM_TYPE]
    foreign = f"{body}&client_id=b&client_secret={SECRET.replace(' ', '+')}"
    assert bench.send("POST", "/revoke", body=foreign, headers=form).status == 200
    assert bench.status(newest["access_token"]) == 200
    own = [*form, basic("a", SECRET)]
    assert bench.send("POST", "/revoke", body=body, headers=own).status == 200
    assert bench.facts("grant_revoked")["reason"] == "revoked by the client"
    assert bench.status(newest["access_token"]) == 401
    assert bench.refuses(newest["refresh_token"])


@pytest.mark.parametrize("gone", ["disabled", "removed"])
def test_nothing_is_refreshed_for_a_person_who_is_gone(bench: TokenBench, gone: str) -> None:
    """People of a host application's own, which does not tell when one of them goes."""
    tokens = bench.log_in()
    if gone == "removed":
        bench.people.clear()
    else:
        bench.people[ALICE.subject] = Person(subject=ALICE.subject, enabled=False)
    assert bench.refuses(tokens["refresh_token"])
    assert bench.facts("grant_revoked")["reason"] == bench.reason() == "person disabled"
    bench.people[ALICE.subject] = ALICE
    assert bench.refuses(tokens["refresh_token"])
    assert bench.status(tokens["access_token"]) == 401
    bench.refreshed(bench.log_in()["refresh_token"])


class Application:
    """Client a of a `House`, and two people who use it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.browsers = {name: Browser(house) for name in PASSWORDS}

    def post(self, **form: str) -> dict[str, Any]:
        headers = dict([FORM_TYPE, basic("a", SECRET)])
        body = "&".join(f"{name}={value}" for name, value in form.items())
        answer = Browser(self.house).send("POST", "/token", body, headers)
        return document(answer)

    def log_in(self, username: str) -> dict[str, Any]:
        browser = self.browsers[username]
        code = answer_of(pass_pages(browser, browser.start(scope=OFFLINE), username))["code"]
        return self.post(grant_type="authorization_code", code=code, code_verifier=VERIFIER)

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        return self.post(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    def status(self, tokens: dict[str, Any]) -> int:
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        return Browser(self.house).send("GET", "/userinfo", headers=headers).status


@pytest.mark.requirement("AS-RT-08")
@pytest.mark.parametrize("what", ["disabled", "new password"])
def test_what_ends_a_person_s_sessions_ends_their_grants(what: str) -> None:
    with open_house() as house:
        application = Application(house)
        alice, bob = application.log_in("alice"), application.log_in("bob")
        alice = application.refresh(alice)
        assert (application.status(alice), application.status(bob)) == (200, 200)
        if what == "disabled":
            house.change_account("alice", enabled=False)
        else:
            house.perform(ReplacePassword("person-alice", hashed(PASSWORDS["bob"]), NOW))
        assert application.refresh(alice)["error"] == "invalid_grant"
        assert (application.status(alice), application.status(bob)) == (401, 200)
        application.refresh(bob)
        if what == "disabled":
            house.change_account("alice", enabled=True)
            assert application.refresh(alice)["error"] == "invalid_grant"


@pytest.mark.requirement("AS-RT-08")
def test_withdrawing_access_ends_the_grants_of_that_client_alone() -> None:
    with open_house() as house:
        application = Application(house)
        alice, bob = application.log_in("alice"), application.log_in("bob")
        assert house.perform(WithdrawAccess("person-alice", "a", NOW))
        assert application.refresh(alice)["error"] == "invalid_grant"
        assert (application.status(alice), application.status(bob)) == (401, 200)
        # Alice is asked again, and what she then agrees to is a grant of its own.
        again = application.log_in("alice")
        assert application.status(application.refresh(again)) == 200
        assert application.refresh(alice)["error"] == "invalid_grant"
