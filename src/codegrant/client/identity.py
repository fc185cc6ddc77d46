"""Finding out who logged in, at any provider. Layer: client, no I/O."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from codegrant.client.configuration import ClientConfig
from codegrant.client.tokens import Tokens
from codegrant.client.userinfo import ask_userinfo
from codegrant.errors import PeerError, Refused, ResponseRejected, TransportError
from codegrant.flow import Flow, ask
from codegrant.messages.json import JsonValue
from codegrant.providers import Provider, Quirk
from codegrant.remote.effects import Report
from codegrant.rules.identity import (
    STANDARD_CLAIMS,
    Identity,
    StatedEmail,
    find_email,
    find_user,
    read_identity,
)
from codegrant.rules.metadata import VerifiedServer
from codegrant.rules.userinfo import judge_user_response, judge_userinfo_response

__all__ = ["fetch_identity", "is_identifying"]


def is_identifying(config: ClientConfig, tokens: Tokens) -> bool:
    """Return whether there is a way from `tokens` to a person."""
    provider = config.provider
    described = provider is not None and provider.user.source != "id_token"
    return described or tokens.identity is not None


def fetch_identity(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, now: int
) -> Flow[Identity]:
    """Return who the person is whose tokens they are.

    Of an OpenID login that is the verified ID token's; userinfo is asked for an address that
    was granted and is not in it. Elsewhere the provider's own endpoint says.

    Raises:
        UsageError: the tokens identify nobody.
        Refused: the provider refused to say.
        ResponseRejected: its answer must not be used.
        TransportError: its answer did not come.

    OpenID Connect Core §5.3; the catalogue for the rest.
    """
    provider = config.provider
    if provider is None or provider.user.source == "id_token":
        return (yield from _of_id_token(config, server, tokens, now))
    stated: StatedEmail | None = None
    if provider.user.source == "tokens":
        return read_identity(
            _extra(tokens), issuer=provider.issuer, shape=provider.user, provider=provider
        )
    answer = _extra(tokens)
    user = find_user(answer, [provider.user.in_tokens]) if provider.user.in_tokens else None
    if user is None:
        answer = yield from _fetch_user(config, server, tokens, provider, now)
        user = find_user(answer, provider.user.within)
    if user is None:
        raise ResponseRejected(
            f"the userinfo response has nothing under {' or '.join(provider.user.within)}",
            code="malformed_userinfo",
            stage="userinfo",
        )
    if provider.emails is not None:
        stated = yield from _fetch_email(config, server, tokens, provider, now)
    return read_identity(
        user, issuer=provider.issuer, shape=provider.user, provider=provider, stated=stated
    )


def _of_id_token(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, now: int
) -> Flow[Identity]:
    """Return whom a verified ID token names."""
    token, provider = tokens.verified_identity(), config.provider
    shape = STANDARD_CLAIMS if provider is None else provider.user
    claims: dict[str, JsonValue] = dict(token.claims)
    if config.has(Quirk.NAME_ONCE) and "user" in tokens.extra:
        claims = {"user": _extra(tokens)["user"], **claims}
    if "email" in tokens.scope and "email" not in claims and server.metadata.userinfo_endpoint:
        told = yield from _fetch_claims(config, server, tokens, token.subject, now)
        # Whoever names the address says whether it is verified: a mark without one is of none.
        marks = shape.email_verified if "email" in told else ()
        own = {name: value for name, value in claims.items() if name not in marks}
        claims = {**told, **own}
    return read_identity(
        claims, issuer=token.issuer, shape=shape, provider=provider, subject=token.subject
    )


def _fetch_claims(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, subject: str, now: int
) -> Flow[Mapping[str, JsonValue]]:
    """Return what userinfo adds; nothing where it fails, since the person is known without it.

    Raises:
        ResponseRejected: `sub_mismatch`, it is about somebody else.
    """
    url = server.metadata.userinfo_endpoint
    try:
        response = yield from ask_userinfo(config, server, tokens, url, now)
        return judge_userinfo_response(
            response,
            expected_subject=subject,
            endpoint=url,
            secrets=[tokens.access_token],
            provider=config.provider,
        ).claims
    except (Refused, PeerError, TransportError) as error:
        if error.code == "sub_mismatch":
            raise
        yield from ask(
            Report(
                logging.WARNING,
                "userinfo could not be fetched",
                {"issuer": tokens.issuer, "client_id": tokens.client_id, "code": error.code},
            )
        )
        return {}


def _fetch_user(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, provider: Provider, now: int
) -> Flow[Mapping[str, JsonValue]]:
    """Return what the provider's own endpoint says."""
    url = server.metadata.userinfo_endpoint
    response = yield from ask_userinfo(config, server, tokens, url, now)
    answer = judge_user_response(
        response, provider=provider, endpoint=_bare(url), secrets=[tokens.access_token]
    )
    if isinstance(answer, dict):
        return answer
    raise ResponseRejected(
        "the userinfo response is no object",
        code="malformed_userinfo",
        stage="userinfo",
        facts={"endpoint": _bare(url)},
    )


def _fetch_email(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, provider: Provider, now: int
) -> Flow[StatedEmail | None]:
    """Return the primary, verified address of the person; None when we may not see it."""
    if provider.emails is None:
        return None
    url = provider.emails.url
    response = yield from ask_userinfo(config, server, tokens, url, now)
    if response.status in {403, 404}:
        return None
    answer = judge_user_response(
        response, provider=provider, endpoint=_bare(url), secrets=[tokens.access_token]
    )
    return find_email(answer, provider.emails)


def _extra(tokens: Tokens) -> Mapping[str, JsonValue]:
    """Return the further members of the token answer, which came as JSON."""
    return cast("Mapping[str, JsonValue]", tokens.extra)


def _bare(url: str) -> str:
    return url.partition("?")[0]
