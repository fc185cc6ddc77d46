"""Which personas there are, and what differs from one registration to another. Layer: testing."""

from __future__ import annotations

from codegrant.errors import UsageError
from codegrant.providers import find_entry
from codegrant.testing.personas.facts import Facts
from codegrant.testing.personas.oauth import OAUTH
from codegrant.testing.personas.openid import OPENID

__all__ = ["find_facts", "find_variables"]


def find_facts(id: str) -> Facts:  # noqa: A002 - as in `codegrant.provider`
    """Return how a provider of the catalogue behaves.

    Raises:
        UsageError: there is no persona of that name.
    """
    for facts in (*OPENID, *OAUTH):
        if facts.id == id:
            return facts
    raise UsageError(f"persona: {id!r} has none")


def find_variables(id: str, given: dict[str, str]) -> dict[str, str]:  # noqa: A002
    """Return the values of an address's variables."""
    values = {**find_entry(id).defaults, **given}
    if id == "github":
        base = values["base_url"]
        public = base == "https://github.com"
        values["api"] = "https://api.github.com" if public else f"{base}/api/v3"
    return values
