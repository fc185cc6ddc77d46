from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from codegrant.client.lineage import Lineage
from codegrant.client.tokens import Tokens
from codegrant.secret import Secret
from tests.unit.client.samples import TOKENS


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
    lineage.note_useless(tokens(1))
    assert lineage.is_useless(tokens(1))
    assert not lineage.is_useless(tokens(2))
    assert not lineage.has_ended(tokens(1))
