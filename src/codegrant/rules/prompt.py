"""`prompt` and `max_age` of an authentication request. Layer: rules.

OpenID Connect Core §3.1.2.1.
"""

from __future__ import annotations

import re

from codegrant.errors import OAuthError

__all__ = ["PROMPTS", "parse_max_age", "parse_prompt"]

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_SECONDS = re.compile(r"[0-9]{1,10}")


def parse_prompt(text: str) -> frozenset[str]:
    """Return the values of `prompt`.

    Raises:
        OAuthError: `invalid_request`: an unknown value, no value, or `none` with another.
    """
    values = frozenset(filter(None, text.split(" ")))
    if not values or not values <= PROMPTS:
        raise OAuthError(
            "invalid_request", f"prompt must be one or more of {', '.join(sorted(PROMPTS))}"
        )
    if "none" in values and len(values) > 1:
        raise OAuthError("invalid_request", "prompt=none goes with no other value")
    return values


def parse_max_age(text: str) -> int:
    """Return `max_age` in seconds.

    Raises:
        OAuthError: `invalid_request`: not one to ten digits.
    """
    if not _SECONDS.fullmatch(text):
        raise OAuthError("invalid_request", "max_age must be a number of seconds")
    return int(text)
