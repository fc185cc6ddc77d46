"""`stores.operations.logins`: one exchange per callback, and sessions that stay ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codegrant.client.effects import (
    ClaimCallback,
    Claimed,
    DeleteSession,
    EndSessions,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.client.memory import MemoryTokenStore
from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.secret import digest_of
from tests.support.colours import Colour
from tests.support.token_stores import ALL, Performer, TokenPlace
from tests.unit.stores.examples import NOW

LOGIN = digest_of("a login id")
PERSON, STRANGER = digest_of("a person"), digest_of("somebody else")
HERE, THERE = digest_of("a session there"), digest_of("another session there")
SESSION = StoredSession(
    digest=digest_of("a session id"),
    sealed="sealed",
    expires_at=NOW + 3600,
    person=PERSON,
    provider_session=HERE,
)


def claim(now: int = NOW, *, login: bytes = LOGIN) -> ClaimCallback:
    return ClaimCallback(login_digest=login, now=now, expires_at=NOW + 600)


def finish(session: StoredSession | None = SESSION, login: bytes = LOGIN) -> FinishCallback:
    return FinishCallback(
        login_digest=login, sealed_answer="answer", answer_until=NOW + 60, session=session
    )


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture(params=ALL)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, services: Mapping[str, str]
) -> Iterator[TokenPlace]:
    place = TokenPlace(request.param, tmp_path, services)
    yield place
    place.close()


@pytest.fixture
def store(place: TokenPlace, colour: Colour) -> Iterator[Performer]:
    store = Performer(place.open(), colour)
    yield store
    store.close()


def test_a_claim_is_given_once_until_it_expires(store: Performer) -> None:
    assert store.perform(claim()) == Claimed()
    assert store.perform(claim()) == InProgress()
    assert store.perform(claim(login=digest_of("another"))) == Claimed()
    assert store.perform(claim(NOW + 599)) == InProgress()
    late = ClaimCallback(login_digest=LOGIN, now=NOW + 600, expires_at=NOW + 1200)
    assert store.perform(late) == Claimed()
    assert store.perform(late) == InProgress()


def test_a_finished_callback_answers_for_a_while(store: Performer) -> None:
    store.perform(claim())
    store.perform(finish())
    assert store.perform(claim(NOW + 59)) == Finished("answer")
    assert store.perform(claim(NOW + 60)) == Finished("")
    assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION


def test_a_failed_login_leaves_no_session(store: Performer) -> None:
    store.perform(claim())
    store.perform(finish(session=None))
    assert store.perform(claim()) == Finished("answer")
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_what_nobody_claimed_is_not_finished(store: Performer) -> None:
    with pytest.raises(StoreError, match="nobody had claimed"):
        store.perform(finish())
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_a_session_is_replaced_while_it_is_there(store: Performer) -> None:
    renewed = replace(SESSION, sealed="renewed", expires_at=NOW + 7200)
    assert not store.perform(SaveSession(renewed, NOW))
    store.perform(claim())
    store.perform(finish())
    assert store.perform(SaveSession(renewed, NOW + 3599))
    assert store.perform(FindSession(SESSION.digest, NOW + 7199)) == renewed
    assert store.perform(FindSession(SESSION.digest, NOW + 7200)) is None
    assert not store.perform(SaveSession(renewed, NOW + 7200))


def test_an_ended_session_does_not_come_back(store: Performer) -> None:
    store.perform(claim())
    store.perform(finish())
    assert store.perform(DeleteSession(SESSION.digest))
    assert not store.perform(DeleteSession(SESSION.digest))
    assert not store.perform(SaveSession(SESSION, NOW))
    assert store.perform(FindSession(SESSION.digest, NOW)) is None


def test_a_session_that_another_process_has_replaced_is_left_alone(store: Performer) -> None:
    mine, its = replace(SESSION, sealed="mine"), replace(SESSION, sealed="its")
    store.perform(claim())
    store.perform(finish())
    assert not store.perform(SaveSession(mine, NOW, "another"))
    assert not store.perform(SaveSession(mine, NOW, ""))
    assert store.perform(SaveSession(its, NOW, "sealed"))
    assert not store.perform(SaveSession(mine, NOW, "sealed"))
    assert store.perform(FindSession(SESSION.digest, NOW)) == its
    assert not store.perform(SaveSession(mine, SESSION.expires_at, "its"))


def end(person: bytes = b"", session: bytes = b"", token: str = "a token") -> EndSessions:
    return EndSessions(
        token_digest=digest_of(token),
        person=person,
        provider_session=session,
        now=NOW,
        remember_until=NOW + 180,
    )


# Name: who it is, and which session at the provider.
SESSIONS = {
    "one": (PERSON, HERE),
    "two": (PERSON, THERE),
    "untold": (PERSON, b""),
    "stranger": (STRANGER, THERE),
    "nobody": (b"", b""),
}
# What a logout token names, and which sessions end.
ENDS = [
    pytest.param(end(PERSON), {"one", "two", "untold"}, id="a person"),
    pytest.param(end(b"", THERE), {"two", "stranger"}, id="a session"),
    pytest.param(end(PERSON, HERE), {"one", "untold"}, id="both"),
    pytest.param(end(STRANGER, HERE), set(), id="a session of somebody else"),
    pytest.param(end(digest_of("unknown")), set(), id="an unknown person"),
    pytest.param(end(b"", digest_of("unknown")), set(), id="an unknown session"),
    pytest.param(end(HERE, PERSON), set(), id="the wrong way round"),
]


def check_ends(store: Any, effect: EndSessions, ended: set[str]) -> None:
    for name, (person, session) in SESSIONS.items():
        begun = StoredSession(
            digest=digest_of(name),
            sealed=name,
            expires_at=NOW + 3600,
            person=person,
            provider_session=session,
        )
        store.perform(claim(login=digest_of(f"login {name}")))
        store.perform(finish(begun, digest_of(f"login {name}")))
        # A refresh knows nothing of what a session is found by.
        store.perform(SaveSession(replace(begun, person=b"", provider_session=b""), NOW))
    assert store.perform(effect) == len(ended)
    left = {name for name in SESSIONS if store.perform(FindSession(digest_of(name), NOW))}
    assert left == SESSIONS.keys() - ended


@pytest.mark.parametrize(("effect", "ended"), ENDS)
def test_a_logout_token_ends_what_it_names_and_nothing_else(
    store: Performer, effect: EndSessions, ended: set[str]
) -> None:
    check_ends(store, effect, ended)


def test_a_logout_token_is_obeyed_once_while_it_is_remembered(store: Performer) -> None:
    assert store.perform(end(PERSON)) == 0
    store.perform(claim())
    store.perform(finish())
    assert store.perform(end(PERSON)) is None
    assert store.perform(replace(end(PERSON), now=NOW + 179)) is None
    assert store.perform(FindSession(SESSION.digest, NOW)) == SESSION
    assert store.perform(replace(end(PERSON), now=NOW + 180)) == 1


def test_of_many_deliveries_of_a_logout_token_one_counts(place: TokenPlace) -> None:
    both = [place.open(), place.open()]
    both[0].perform(claim())
    both[0].perform(finish())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: both[n % 2].perform(end(PERSON)), range(8)))
    assert answers.count(1) == 1
    assert answers.count(None) == 7


ME, YOU = b"m" * 16, b"y" * 16


def take(owner: bytes, now: int = NOW, key: bytes = LOGIN) -> TakeLease:
    return TakeLease(key=key, owner=owner, now=now, duration=5)


def release(owner: bytes) -> ReleaseLease:
    return ReleaseLease(key=LOGIN, owner=owner)


# What is done after `ME` took the lease at NOW, and whether it succeeds.
LEASES = [
    pytest.param([(take(YOU), False), (take(YOU, NOW + 4), False)], id="one at a time"),
    pytest.param([(take(YOU, key=digest_of("another")), True)], id="each key for itself"),
    pytest.param([(take(YOU, NOW + 5), True), (take(ME, NOW + 5), False)], id="taken over"),
    pytest.param(
        [(take(ME, NOW + 4), True), (take(YOU, NOW + 8), False), (take(YOU, NOW + 9), True)],
        id="renewed",
    ),
    pytest.param([(release(ME), True), (take(YOU), True)], id="released"),
    pytest.param([(release(YOU), False), (take(YOU), False)], id="released by a stranger"),
    pytest.param(
        [(take(YOU, NOW + 5), True), (release(ME), False), (take(ME, NOW + 9), False)],
        id="released too late",
    ),
    pytest.param([(release(ME), True), (release(ME), False)], id="released twice"),
    pytest.param([(take(YOU, NOW - 5), False)], id="a clock that is behind"),
    pytest.param([(take(YOU, NOW - 6), True)], id="a clock that was set back"),
]


@pytest.mark.parametrize("steps", LEASES)
def test_a_lease_has_one_owner_until_it_is_released_or_runs_out(
    store: Performer, steps: list[tuple[Effect[bool], bool]]
) -> None:
    assert store.perform(take(ME))
    for effect, succeeds in steps:
        assert store.perform(effect) is succeeds, effect


def test_of_many_who_ask_for_a_lease_one_gets_it(place: TokenPlace) -> None:
    """There are two stores of one place, as two processes have them."""
    stores = [place.open(), place.open()]
    with ThreadPoolExecutor(16) as pool:
        for now in range(NOW, NOW + 50, 5):  # each time it has just run out

            def ask(number: int, now: int = now) -> object:
                return stores[number % 2].perform(take(number.to_bytes(16), now))

            assert list(pool.map(ask, range(16))).count(True) == 1


def test_of_many_who_claim_a_callback_one_may_exchange_its_code(place: TokenPlace) -> None:
    stores = [place.open(), place.open()]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: stores[n % 2].perform(claim()), range(16)))
    assert answers.count(Claimed()) == 1
    assert answers.count(InProgress()) == 15


def test_it_answers_as_the_store_in_memory_does(store: Performer) -> None:
    other = MemoryTokenStore()
    renewed = SaveSession(replace(SESSION, sealed="renewed"), NOW + 1)
    effects: list[Effect[Any]] = [
        FindSession(SESSION.digest, NOW),
        claim(),
        claim(),
        finish(),
        claim(),
        claim(NOW + 60),
        FindSession(SESSION.digest, NOW),
        renewed,
        FindSession(SESSION.digest, NOW + 3599),
        FindSession(SESSION.digest, NOW + 3600),
        DeleteSession(SESSION.digest),
        DeleteSession(SESSION.digest),
        renewed,
        claim(NOW + 600),
        end(PERSON),
        end(PERSON),
        claim(login=digest_of("another")),
        finish(renewed.session, digest_of("another")),
        end(PERSON, token="another"),
        FindSession(SESSION.digest, NOW),
    ]
    for effect in effects:
        assert store.perform(effect) == other.perform(effect), effect
