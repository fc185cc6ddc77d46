"""What a login at a provider of the catalogue asks for in its own way. Layer: client, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

from codegrant.client.configuration import ClientConfig
from codegrant.client.tokens import Tokens
from codegrant.errors import MessageError, ResponseRejected
from codegrant.messages.authorization import AuthorizationRequest
from codegrant.messages.json import JsonValue, parse_object
from codegrant.messages.parameters import Parameters
from codegrant.providers import Provider, Quirk
from codegrant.rules.quirks import callback_scope
from codegrant.rules.redirect_uri import add_to_query
from codegrant.rules.scope import format_scope

__all__ = [
    "add_callback",
    "authorization_url",
    "consent_prompt",
    "default_scope",
    "keep_person",
    "request_parameters",
    "scope_parameter",
    "wants_consent",
]


def default_scope(config: ClientConfig, provider: Provider) -> tuple[str, ...]:
    """Return what is asked for where the program does not say."""
    extra = (provider.offline_scope,) if config.offline and provider.offline_scope else ()
    return tuple(dict.fromkeys((*provider.scope, *extra)))


def scope_parameter(config: ClientConfig, scope: Sequence[str]) -> str | None:
    """Return the `scope` of an authorization request; None when there is nothing to ask for."""
    if config.provider is None:
        return format_scope(scope) or None
    return config.provider.scope_separator.join(scope) or None


def request_parameters(
    config: ClientConfig, message: AuthorizationRequest, extra: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the parameters of an authorization request.

    What the provider wants besides gives way to what the program says under the same name.
    """
    pairs = [*message.build(), *extra]
    provider = config.provider
    if provider is None:
        return pairs
    named = {name for name, _ in pairs}
    wanted = (*provider.authorize_params, *(provider.offline_params if config.offline else ()))
    return [*pairs, *(pair for pair in wanted if pair[0] not in named)]


def authorization_url(config: ClientConfig, endpoint: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the address to send the browser to."""
    url = add_to_query(endpoint, pairs)
    # A plus sign itself was written as %2B.
    return url.replace("+", "%20") if config.has(Quirk.PERCENT_SPACES) else url


def add_callback(config: ClientConfig, parameters: Parameters, tokens: Tokens) -> Tokens:
    """Return tokens with what only the callback of a known provider tells.

    The browser brought it, and no signature holds it: it names, and it proves nothing. So of
    `user` only the name is kept, and no address that somebody might take for a proven one.

    Args:
        config: of the client.
        parameters: of the callback, which has been judged.
        tokens: of the login.
    """
    scope = callback_scope(parameters, config.provider)
    if scope is not None:
        asked = tokens.scope | tokens.missing_scope
        tokens = replace(tokens, scope=frozenset(scope), missing_scope=asked - frozenset(scope))
    user = parameters.single("user") if config.has(Quirk.NAME_ONCE) else None
    if user is not None:
        with suppress(MessageError):
            named = {"name": parse_object(user).get("name")}
            tokens = replace(tokens, extra={**tokens.extra, "user": named})
    return tokens


def keep_person(config: ClientConfig, before: Tokens, after: Tokens) -> Tokens:
    """Return the tokens of a refresh, where tokens alone say whose they are.

    Raises:
        ResponseRejected: `sub_mismatch`, they are somebody else's.
    """
    provider = config.provider
    if provider is None or provider.user.source != "tokens":
        return after
    from codegrant.rules.identity import find_subject

    extra = {**before.extra, **after.extra}
    old, new = (
        find_subject(cast("Mapping[str, JsonValue]", told), provider.user)
        for told in (before.extra, extra)
    )
    if old != new:
        raise ResponseRejected(
            "the tokens of the refresh are another person's than those before",
            code="sub_mismatch",
            stage="refresh",
            facts={"endpoint": after.token_endpoint},
        )
    return replace(after, extra=extra)


def consent_prompt(config: ClientConfig) -> str | None:
    """Return the `prompt` that makes a known provider give a refresh token again."""
    provider = config.provider if config.offline else None
    return None if provider is None else provider.offline_prompt or None


def wants_consent(config: ClientConfig, tokens: Tokens) -> bool:
    """Return whether a login ended without the refresh token that asking for consent brings."""
    return tokens.refresh_token is None and consent_prompt(config) is not None
