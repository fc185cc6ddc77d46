"""Judging an authorization request, as strictly as a provider does. Layer: testing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegrant.testing.personas.facts import Facts

__all__ = ["Refusal", "judge_authorization"]


@dataclass
class Refusal(Exception):
    """An OAuth error on its way to the client."""

    error: str
    description: str
    status: int = 400


def judge_authorization(
    facts: Facts, asked: Mapping[str, str], *, client_id: str, redirect_uri: str
) -> tuple[str, ...]:
    """Return the scope of a request that the provider takes.

    Args:
        facts: of the provider.
        asked: the parameters.
        client_id: as registered.
        redirect_uri: as registered.

    Raises:
        Refusal: it does not take it.
    """
    if (asked.get("client_id"), asked.get("redirect_uri")) != (client_id, redirect_uri):
        raise Refusal("invalid_request", "another client or redirect URI")
    if asked.get("response_type") != "code":
        raise Refusal("unsupported_response_type", "code is expected")
    for name, value in facts.wants:
        if asked.get(name) != value:
            raise Refusal("invalid_request", f"{name}: {value} is expected")
    text = asked.get("scope", "")
    scope = tuple(filter(None, text.split(facts.separator)))
    if not set(scope) <= set(facts.scopes) or ("scope" in asked and not text):
        raise Refusal("invalid_scope", f"{text}: no such scope")
    challenge = asked.get("code_challenge")
    if (facts.pkce == "must_not" and challenge) or (facts.pkce == "must" and not challenge):
        raise Refusal("invalid_request", f"code_challenge: it {facts.pkce} be sent")
    if challenge and asked.get("code_challenge_method") != "S256":
        raise Refusal("invalid_request", "code_challenge_method: S256 is expected")
    if not facts.nonce and asked.get("nonce"):
        raise Refusal("invalid_request", "nonce: it is not taken")
    return scope
