"""Checking a password, effect by effect: every failure takes the same steps."""

from __future__ import annotations

from typing import Any

import pytest

from codegrant.accounts.authentication import Limited, LoggedIn, LoginResult, Wrong, log_in
from codegrant.accounts.effects import FindAccount, SaveSession, VerifyPassword
from codegrant.accounts.records import Account
from codegrant.flow import Effect, RandomBytes, run
from codegrant.http import Headers, Request
from codegrant.secret import digest_of
from codegrant.server.effects import CountFailures, Emit, FailureCount, SaveFailure
from codegrant.server.events import Event
from codegrant.server.policy import Limits, Policy

NOW = 1_800_000_000
NONE = FailureCount(0, 0, 0, 0)
ALICE = Account(
    subject="person-1", username="Alice", username_key="alice", password_hash="the hash"
)
DISABLED = Account(
    subject="person-2",
    username="bob",
    username_key="bob",
    password_hash="another hash",
    enabled=False,
)
NO_PASSWORD = Account(subject="person-3", username="carol", username_key="carol")


class Answers:
    """Answers the effects of one login; `asked` keeps them in order."""

    def __init__(
        self, *, counts: tuple[FailureCount, ...] = (NONE, NONE), saved: bool = True
    ) -> None:
        self.asked: list[Effect[Any]] = []
        self.events: list[Event] = []
        self._counts = iter(counts)
        self._saved = saved

    def perform(self, effect: Effect[Any]) -> Any:
        self.asked.append(effect)
        match effect:
            case CountFailures():
                return next(self._counts)
            case FindAccount(username_key=key):
                people = {person.username_key: person for person in (ALICE, DISABLED, NO_PASSWORD)}
                return people.get(key)
            case VerifyPassword(password=password, password_hash=password_hash):
                return bool(password_hash) and password.reveal() == "wonderland"
            case RandomBytes(size=size):
                return bytes(size)
            case SaveSession():
                return self._saved
            case Emit(event=event):
                return self.events.append(event)
            case _:
                return None

    def kinds(self) -> list[str]:
        return [type(effect).__name__ for effect in self.asked]


def attempt(
    answers: Answers,
    username: str = "alice",
    password: str = "wonderland",
    *,
    limits: Limits | None = None,
) -> LoginResult:
    policy = Policy(issuer="https://issuer.test", limits=limits or Limits())
    request = Request(method="POST", url="x", headers=Headers(), peer="192.0.2.1")
    flow = log_in(policy, request, username, password, NOW, client_id="a")
    result: LoginResult = run(flow, answers.perform)
    return result


def test_the_right_password_gives_a_session() -> None:
    answers = Answers()
    result = attempt(answers, "ALICE")
    assert isinstance(result, LoggedIn)
    assert result.session.subject == "person-1"
    assert result.session.amr == ("pwd",)
    (event,) = answers.events
    assert event.name == "login_succeeded"
    assert event.facts["subject"] == "person-1"
    assert event.facts["source"] == "192.0.2.1"
    assert "SaveFailure" not in answers.kinds()


@pytest.mark.requirement("AS-AUTHN-05")
@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        pytest.param("nobody", "wonderland", "unknown", id="unknown person"),
        pytest.param("alice", "wrong", "password", id="wrong password"),
        pytest.param("bob", "wonderland", "disabled", id="disabled, right password"),
        pytest.param("bob", "wrong", "password", id="disabled, wrong password"),
        pytest.param("carol", "wonderland", "password", id="has no password"),
    ],
)
def test_every_failure_takes_the_same_steps(username: str, password: str, reason: str) -> None:
    answers = Answers()
    assert attempt(answers, username, password) == Wrong(reason)  # type: ignore[arg-type]
    assert answers.kinds() == [
        "CountFailures",
        "FindAccount",
        "VerifyPassword",
        "CountFailures",
        "SaveFailure",
        "Emit",
    ]
    (event,) = answers.events
    assert event.name == "login_failed"
    assert event.facts["reason"] == reason


@pytest.mark.parametrize(
    "username",
    [
        pytest.param("", id="empty"),
        pytest.param("alice\0", id="NUL"),
        pytest.param("al\u200bice", id="zero width space"),
        pytest.param("a" * 10_000, id="long"),
    ],
)
def test_a_username_that_nobody_can_have_is_not_looked_up_and_costs_the_same(username: str) -> None:
    answers = Answers()
    assert attempt(answers, username) == Wrong("unknown")
    assert "FindAccount" not in answers.kinds()
    assert "VerifyPassword" in answers.kinds()
    (verified,) = (e for e in answers.asked if isinstance(e, VerifyPassword))
    assert verified.password_hash == ""
    assert "SaveFailure" in answers.kinds()


@pytest.mark.requirement("AS-AUTHN-07")
@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 1025, id="too long"),
        pytest.param("a" * 2**20, id="1 MiB"),
        pytest.param("wonderland\0", id="NUL"),
    ],
)
def test_a_password_that_nobody_can_have_is_never_hashed(password: str) -> None:
    answers = Answers()
    assert isinstance(attempt(answers, "alice", password), Wrong)
    assert "VerifyPassword" not in answers.kinds()
    assert "SaveFailure" in answers.kinds()


def test_an_event_holds_neither_what_was_typed_nor_a_hash() -> None:
    # People type their password into the wrong field.
    for username, password in (("my password", "x"), ("alice", "my password")):
        answers = Answers()
        attempt(answers, username, password)
        assert "my password" not in repr([event.facts for event in answers.events])


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(FailureCount(10, 10, NOW - 100, NOW - 100), id="this person, from here"),
        pytest.param(FailureCount(0, 100, 0, NOW - 100), id="anybody, from here"),
    ],
)
def test_beyond_the_limit_nothing_is_looked_up_or_hashed(count: FailureCount) -> None:
    answers = Answers(counts=(count,))
    assert attempt(answers) == Limited(200)
    assert answers.kinds() == ["CountFailures", "Emit"]
    assert answers.events[0].name == "login_limited"


def test_below_the_limit_the_right_password_counts() -> None:
    count = FailureCount(9, 99, NOW - 100, NOW - 100)
    assert isinstance(attempt(Answers(counts=(count, count))), LoggedIn)


def test_guesses_sent_at_one_moment_do_not_slip_past_the_limit() -> None:
    # All of them were counted before any had failed: the count after the hash decides.
    meanwhile = FailureCount(10, 10, NOW, NOW)
    answers = Answers(counts=(NONE, meanwhile))
    assert attempt(answers) == Limited(300)
    assert "SaveSession" not in answers.kinds()


def test_limits_that_are_off_count_nothing() -> None:
    answers = Answers()
    assert attempt(answers, "alice", "wrong", limits=Limits(enabled=False)) == Wrong("password")
    assert {"CountFailures", "SaveFailure"}.isdisjoint(answers.kinds())


def test_failures_are_counted_for_the_person_and_the_source_that_were_tried() -> None:
    answers = Answers()
    attempt(answers, "ALICE", "wrong")
    (saved,) = (effect for effect in answers.asked if isinstance(effect, SaveFailure))
    assert (saved.kind, saved.account, saved.source) == ("login", digest_of("alice"), "192.0.2.1")
    assert saved.forget_before == NOW - 300


def test_a_password_that_was_replaced_during_the_login_is_a_failure() -> None:
    answers = Answers(saved=False)
    assert attempt(answers) == Wrong("changed")
    assert answers.kinds()[-2:] == ["SaveFailure", "Emit"]
    assert answers.events[-1].facts["reason"] == "changed"
