"""The policy that the settings mean."""

from __future__ import annotations

from typing import cast

from codegrant.cli.settings import Settings
from codegrant.server.policy import AccessFormat, Limits, Policy, SigningAlgorithm

__all__ = ["policy_of"]


def policy_of(settings: Settings, issuer: str) -> Policy:
    """Return the policy of `issuer`.

    Raises:
        ConfigurationError: a value that is not allowed.
    """
    lifetimes, tokens, limits = settings.lifetimes, settings.tokens, settings.limits
    return Policy(
        issuer=issuer,
        code_lifetime=lifetimes.code,
        access_token_lifetime=lifetimes.access_token,
        id_token_lifetime=lifetimes.id_token,
        refresh_idle=lifetimes.refresh_idle,
        refresh_absolute=lifetimes.refresh_absolute,
        refresh_grace_seconds=settings.refresh_grace_seconds,
        session_idle=lifetimes.session_idle,
        session_absolute=lifetimes.session_absolute,
        access_format=cast("AccessFormat", tokens.access_format),
        access_alg=cast("SigningAlgorithm", tokens.access_alg),
        limits=Limits(
            enabled=limits.enabled,
            account_failures=limits.account_failures,
            source_failures=limits.source_failures,
            window=limits.window,
        ),
        keys_activate_after=settings.keys.activate_after,
    )
