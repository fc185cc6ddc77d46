from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from codegrant.client.lineage import Lineage
from codegrant.client.tokens import Tokens
from codegrant.errors import ResponseRejected
from codegrant.secret import Secret
from tests.unit.client.samples import NOW, TOKENS


def tokens(number: int) -> Tokens:
    return replace(
        TOKENS, access_token=Secret(f"at-{number}"), refresh_token=Secret(f"rt-{number}")
    )


def test_tokens_without_a_successor_are_the_latest() -> None:
    lineage = Lineage()
    one = tokens(1)
    assert lineage.latest(one) is one
    lineage.add(tokens(2), tokens(3))
    assert lineage.latest(one) is one


def test_a_chain_is_followed_to_its_end() -> None:
    lineage, chain = Lineage(), [tokens(n) for n in range(5)]
    for old, new in pairwise(chain):
        lineage.add(old, new)
    for one in chain:
        assert lineage.latest(one) is chain[-1]
    # Equal tokens are the same tokens, whoever opened them.
    assert lineage.latest(tokens(0)) is chain[-1]


def test_a_server_that_gives_the_same_again_makes_no_circle() -> None:
    lineage, one = Lineage(), tokens(1)
    lineage.add(one, replace(one, received_at=5))
    assert lineage.latest(one) is one
    lineage.add(one, tokens(2))
    lineage.add(tokens(2), one)
    assert lineage.latest(one).is_same(one)
    assert lineage.latest(tokens(2)).is_same(one)


def test_the_oldest_are_forgotten_first_and_the_newest_never() -> None:
    lineage = Lineage()
    for n in range(3000):
        lineage.add(tokens(2 * n), tokens(2 * n + 1))
    assert lineage.latest(tokens(0)) == tokens(0)
    assert lineage.latest(tokens(5998)) == tokens(5999)
    assert 1024 <= len(lineage._fates) <= 2048


def test_what_ended_may_be_taken_back() -> None:
    lineage = Lineage()
    lineage.end(tokens(1))
    assert lineage.has_ended(tokens(1))
    assert not lineage.has_ended(tokens(2))
    lineage.resume(tokens(1))
    lineage.resume(tokens(2))
    assert not lineage.has_ended(tokens(1))


def test_what_has_ended_gets_no_successor_and_what_has_one_ends_as_that() -> None:
    lineage = Lineage()
    assert lineage.end(tokens(1)) == tokens(1)
    assert not lineage.add(tokens(1), tokens(2))
    assert not lineage.add(tokens(1), replace(tokens(1), received_at=5))
    assert lineage.latest(tokens(1)) == tokens(1)
    assert lineage.add(tokens(3), tokens(4))
    assert lineage.end(tokens(3)) == tokens(4)
    assert lineage.has_ended(tokens(4))
    assert not lineage.has_ended(tokens(3))


def test_a_long_life_is_followed_to_its_end() -> None:
    lineage, chain = Lineage(), [tokens(n) for n in range(2000)]
    for old, new in pairwise(chain):
        lineage.add(old, new)
    assert lineage.latest(chain[0]) is chain[-1]
    assert lineage.end(chain[0]) is chain[-1]


def test_a_refresh_that_ends_between_two_steps_of_a_revocation_is_revoked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lineage, look = Lineage(), Lineage.latest

    def look_too_early(self: Lineage, old: Tokens) -> Tokens:
        found = look(self, old)
        monkeypatch.setattr(Lineage, "latest", look)
        assert self.add(tokens(1), tokens(2))
        return found

    monkeypatch.setattr(Lineage, "latest", look_too_early)
    assert lineage.end(tokens(1)) == tokens(2)


def test_useless_tokens_are_those_that_were_named() -> None:
    lineage = Lineage()
    lineage.note_useless(tokens(1), NOW + 60)
    assert lineage.is_useless(tokens(1), NOW + 60)
    assert lineage.is_useless(tokens(1), NOW + 100_000)
    assert not lineage.is_useless(tokens(2), NOW + 60)
    assert not lineage.has_ended(tokens(1))


@pytest.mark.parametrize(
    ("received_at", "now", "is_useless"),
    [
        pytest.param(NOW + 1, NOW + 1, True, id="got just now"),
        pytest.param(NOW - 3600, NOW + 1, False, id="got long ago"),
        pytest.param(NOW - 30, NOW + 29, True, id="still new"),
        pytest.param(NOW - 30, NOW + 30, False, id="no longer new"),
        pytest.param(NOW + 50, NOW + 60, False, id="it is a minute ago"),
        pytest.param(NOW + 9, NOW + 1, True, id="by the clock of another machine"),
    ],
)
def test_where_new_tokens_were_refused_others_that_are_new_are_useless_too(
    received_at: int, now: int, is_useless: bool
) -> None:
    lineage, others = Lineage(), replace(tokens(2), received_at=received_at)
    assert not lineage.is_useless(others, now)
    lineage.note_useless(tokens(1), NOW)
    assert lineage.is_useless(others, now) == is_useless


def test_what_is_refused_to_one_person_says_nothing_of_another_ones() -> None:
    lineage, mine = Lineage(), tokens(2)
    me = mine.identity
    assert me is not None
    lineage.note_useless(tokens(1), mine.received_at)
    assert lineage.is_useless(mine, mine.received_at)
    for other in (replace(me, subject="x"), replace(me, issuer="https://x.example"), None):
        assert not lineage.is_useless(replace(mine, identity=other), mine.received_at)


GOOD = replace(TOKENS, received_at=NOW, expires_at=NOW + 300)


@pytest.mark.parametrize(
    ("asked_for", "after", "waits"),
    [
        pytest.param(None, 0, True, id="at once"),
        pytest.param(None, 4, True, id="soon"),
        pytest.param(None, 5, False, id="later"),
        pytest.param(1, 4, True, id="it asks for less than that"),
        pytest.param(20, 19, True, id="it asks for more"),
        pytest.param(20, 20, False, id="as it asked for"),
        pytest.param(86_400, 59, True, id="it asks for a day"),
        pytest.param(86_400, 60, False, id="which is too much"),
        pytest.param(None, -86_400, False, id="the clock was set back"),
    ],
)
def test_a_failure_is_remembered_for_a_moment(
    asked_for: int | None, after: int, waits: bool
) -> None:
    lineage = Lineage()
    facts = {} if asked_for is None else {"retry_after": asked_for}
    failure = ResponseRejected("no", code="server_failed", facts=facts)
    assert lineage.recent_failure(GOOD, NOW) is None
    lineage.note_failure(GOOD, failure, NOW)
    found = lineage.recent_failure(GOOD, NOW + after)
    assert found is (failure if waits else None)
    assert lineage.recent_failure(tokens(2), NOW) is None
    # Where nothing is left to use, only as long as the server asked for.
    expired = replace(GOOD, expires_at=NOW - 1)
    waits = waits and after < (asked_for or 0)
    assert lineage.recent_failure(expired, NOW + after) is (failure if waits else None)
