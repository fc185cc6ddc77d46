"""Judging a client and its requests, as strictly as a provider does. Layer: testing."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from codegrant.http import Request
from codegrant.testing.personas.facts import Facts

__all__ = ["Refusal", "judge_authorization", "judge_client"]

_FORM = "application/x-www-form-urlencoded"


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


def judge_client(
    facts: Facts,
    request: Request,
    client: tuple[str, str],
    is_signed: Callable[[str], bool],
) -> dict[str, str]:
    """Return the form of a client that authenticates as the provider wants it.

    Args:
        facts: of the provider.
        request: with the form.
        client: its id and secret, as registered.
        is_signed: says whether a secret that is a JWT is the client's.

    Raises:
        Refusal: `invalid_request`, `invalid_client`.
    """
    if request.headers.get("content-type") != _FORM:
        raise Refusal("invalid_request", "a form is expected")
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    client_id, secret = client
    header = request.headers.get("authorization")
    if facts.auth == "basic":
        given = header.startswith("Basic ") and b64decode(header[6:]).decode()
        if given:
            name, _, text = given.partition(":")
            if (unquote_plus(name), unquote_plus(text)) == (client_id, secret):
                return form
    elif not header and form.get("client_id") == client_id:
        sent = form.get("client_secret", "")
        if facts.auth == "none":
            if "client_secret" not in form:
                return form
        elif facts.signed_secret:
            if is_signed(sent):
                return form
        elif sent == secret and sent.startswith(facts.secret):
            return form
    raise Refusal("invalid_client", "client authentication failed", 401)
