from __future__ import annotations

import re

import pytest

from codegrant.flow import Flow, RandomBytes
from codegrant.jose import base64url
from codegrant.secret import Secret, digest_of
from codegrant.server.policy import Policy
from codegrant.server.refresh_tokens import (
    draw_refresh_token,
    draw_successor,
    family_of,
    new_refresh_token,
)

NOW = 1_800_000_000


def draw(flow: Flow[Secret], filler: bytes) -> str:
    """Drive a flow that asks for random bytes once."""
    asked = next(flow)
    assert isinstance(asked, RandomBytes)
    with pytest.raises(StopIteration) as stopped:
        flow.send(filler * asked.size)
    token: Secret = stopped.value.value
    return token.reveal()


def test_a_token_is_long_and_all_of_it_is_random() -> None:
    token = draw(draw_refresh_token(), b"\x17")
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", token)
    assert token == base64url.encode(b"\x17" * 48)


def test_a_successor_shares_the_family_and_nothing_else() -> None:
    first = draw(draw_refresh_token(), b"\x17")
    second = draw(draw_successor(Secret(first)), b"\x2a")
    third = draw(draw_successor(Secret(second)), b"\x2b")
    assert {len(token) for token in (first, second, third)} == {64}
    assert {token[:24] for token in (first, second, third)} == {first[:24]}
    assert second[24:] == base64url.encode(b"\x2a" * 30)
    assert len({family_of(Secret(token)) for token in (first, second, third)}) == 1


@pytest.mark.parametrize("text", ["x", "x" * 24, "x" * 63, "x" * 65, "x" * 10_000, "\u00e9" * 63])
def test_a_text_that_was_never_a_token_is_of_no_family(text: str) -> None:
    assert family_of(Secret(text)) == digest_of("")
    assert family_of(Secret("x" * 64)) == digest_of("x" * 24)
    assert draw(draw_successor(Secret(text)), b"\x01").startswith(text[:24])


def test_a_token_is_stored_as_digests_with_its_limits() -> None:
    policy = Policy(issuer="https://issuer.test", refresh_idle=100, refresh_absolute=300)
    token = Secret(draw(draw_refresh_token(), b"\x17"))
    new = new_refresh_token(policy, token, NOW)
    assert (new.digest, new.family) == (token.digest(), family_of(token))
    assert (new.idle_until, new.ends_at) == (NOW + 100, NOW + 300)
    assert token.reveal() not in repr(new)
    assert token.reveal()[:24] not in repr(new)
