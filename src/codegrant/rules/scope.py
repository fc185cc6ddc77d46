"""Scopes: text on the wire, tuples inside, words for people. Layer: rules. RFC 6749 §3.3."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from codegrant.errors import CodegrantError, OAuthError

__all__ = ["allowed_scope", "describe_scope", "format_scope", "is_scope_token", "parse_scope"]

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_TOKENS = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")
_MOST_TOKENS = 100

_WORDS = {
    "openid": "Confirm who you are",
    "profile": "See your name and profile",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Keep this access while you are not using the application",
}


def invalid_scope(description: str) -> OAuthError:
    """Return what a server answers to a scope it cannot take."""
    return OAuthError("invalid_scope", description)


def parse_scope(
    text: str, *, error: Callable[[str], CodegrantError] = invalid_scope
) -> tuple[str, ...]:
    """Return the tokens of a scope in their order, each once.

    Args:
        text: tokens parted by spaces; a space too many does no harm.
        error: makes the error of a message, for a scope that is not a request's.

    Raises:
        OAuthError: `invalid_scope`, or what `error` makes: no token at all, more than 100,
            or a character that no token may have.

    RFC 6749 §3.3.
    """
    tokens = tuple(dict.fromkeys(filter(None, text.split(" "))))
    if not tokens:
        raise error("scope has no token")
    if len(tokens) > _MOST_TOKENS:
        raise error(f"scope has more than {_MOST_TOKENS} tokens")
    if not _TOKENS.fullmatch(text):
        raise error("scope has a character that is not allowed")
    return tokens


def is_scope_token(text: str) -> bool:
    """Return whether `text` is one scope token. RFC 6749 §3.3."""
    return _TOKEN.fullmatch(text) is not None


def format_scope(tokens: Iterable[str]) -> str:
    """Return the text of a scope. RFC 6749 §3.3."""
    return " ".join(tokens)


def allowed_scope(
    requested: tuple[str, ...] | None, *, allowed: Collection[str], default: Iterable[str]
) -> tuple[str, ...]:
    """Return what a client may have of what it asks for (D10).

    Args:
        requested: as parsed; None when the request names no scope.
        allowed: what the client is registered for.
        default: what it gets when it names none; may be empty.

    Raises:
        OAuthError: `invalid_scope`: none is named and there is no default, or nothing of
            it is allowed.

    RFC 6749 §3.3.
    """
    wanted = tuple(default) if requested is None else requested
    if not wanted:
        raise invalid_scope("scope is missing, and the client has no default")
    left = tuple(token for token in wanted if token in allowed)
    if not left:
        raise invalid_scope("the client may not have any of this scope")
    return left


def describe_scope(token: str) -> str:
    """Return what a scope token means to the person who is asked; an unknown one shows itself."""
    return _WORDS.get(token, token)
