"""What a refresh token is made of, and how long it lives. Layer: server, no I/O.

Its text is that of its family, the same in every token from the first one on, and 240 random
bits of its own. Only who has held a token knows its family, so a token that no row is kept
of any more and whose family is still alive is an old one that comes back.
"""

from __future__ import annotations

from codegrant.flow import Flow, RandomBytes, ask
from codegrant.jose import base64url
from codegrant.secret import Secret, digest_of
from codegrant.server.policy import Policy
from codegrant.server.refresh_effects import NewRefreshToken

__all__ = ["draw_refresh_token", "draw_successor", "family_of", "new_refresh_token"]

# Multiples of three, so that each part has base64url text of its own.
_FAMILY_BYTES = 18
_OWN_BYTES = 30
_FAMILY_LENGTH = 24
_LENGTH = 64


def draw_refresh_token() -> Flow[Secret]:
    """Return the first token of a new family."""
    return _draw("", _FAMILY_BYTES + _OWN_BYTES)


def draw_successor(token: Secret) -> Flow[Secret]:
    """Return another token of the family of `token`."""
    return _draw(token.reveal()[:_FAMILY_LENGTH], _OWN_BYTES)


def family_of(token: Secret) -> bytes:
    """Return the digest of the family that a token says it is of.

    A text of another length was never a token, so it is of no family.
    """
    text = token.reveal()
    return digest_of(text[:_FAMILY_LENGTH] if len(text) == _LENGTH else "")


def new_refresh_token(policy: Policy, token: Secret, now: int) -> NewRefreshToken:
    """Return a refresh token as it is stored, with its two limits."""
    return NewRefreshToken(
        token.digest(),
        family_of(token),
        idle_until=now + policy.refresh_idle,
        ends_at=now + policy.refresh_absolute,
    )


def _draw(family: str, size: int) -> Flow[Secret]:
    """Return a token of a family; an empty one begins with these bytes."""
    return Secret(family + base64url.encode((yield from ask(RandomBytes(size)))))
