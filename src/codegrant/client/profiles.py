"""Profiles: a set of stricter rules that a program turns on by its name. Layer: client, no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from codegrant.client.configuration import ClientConfig
from codegrant.errors import ConfigurationError
from codegrant.rules.uri import check_https_or_loopback

__all__ = ["ProfileName", "apply_profile"]

ProfileName: TypeAlias = Literal["fapi2"]

# FAPI 2.0 Security Profile §5.4.1
_FAPI_ALGS = ("PS256", "ES256", "EdDSA")


def apply_profile(config: ClientConfig, profile: ProfileName | None) -> ClientConfig:
    """Return `config` as a profile wants it.

    `fapi2` is the FAPI 2.0 Security Profile §5.3.3 with DPoP: metadata from the server itself, a
    client with a key, requests that are pushed, tokens that are bound, a callback over TLS that
    names its issuer, PS256, ES256 or EdDSA.

    Args:
        config: of the client.
        profile: a name, or `None` for no more rules than there are.

    Raises:
        ConfigurationError: there is no such profile; or `profile_not_met`, an argument is against
            it. What can only be met by the server is seen when it is used.
    """
    if profile is None:
        return config
    from codegrant.remote.client_assertion import ClientKey

    if profile != "fapi2":
        raise ConfigurationError(f"profile: {profile!r} is none; fapi2 is one")
    if not isinstance(config.server, str):
        raise _not_met("server", "its metadata is read at its issuer, and not given by hand")
    if config.provider is not None and config.provider.pkce != "always":
        raise _not_met("server", "it takes a code challenge")
    key = config.client_key
    if key is None or config.client_secret is not None or config.signed_secret is not None:
        raise _not_met("private_key", "the client has a key, and no secret")
    if config.token_endpoint_auth_method not in {None, "private_key_jwt"}:
        raise _not_met("token_endpoint_auth_method", "it is private_key_jwt")
    if config.token_endpoint_audience:
        raise _not_met(
            "dangerously_use_token_endpoint_as_audience", "assertions are for the issuer"
        )
    if not config.require_s256:
        raise _not_met("dangerously_allow_missing_pkce_support", "the server has S256")
    if config.pushed_requests is False:
        raise _not_met("pushed_requests", "requests are pushed")
    if not set(config.id_token_algs) <= set(_FAPI_ALGS):
        raise _not_met("id_token_algs", f"only {', '.join(_FAPI_ALGS)} may sign")
    usable = tuple(one for one in key.keys if one.alg in _FAPI_ALGS)
    if not usable:
        raise _not_met("private_key", f"it signs with {', '.join(_FAPI_ALGS)}")
    if config.redirect_uri is not None:
        check_https_or_loopback(config.redirect_uri, name="redirect_uri", error=ConfigurationError)
    return replace(
        config,
        client_key=ClientKey(usable, key.kid),
        id_token_algs=config.id_token_algs or _FAPI_ALGS,
        pushed_requests=True,
        dpop=True,
        iss_required=True,
        redirect_https=True,
    )


def _not_met(argument: str, rule: str) -> ConfigurationError:
    return ConfigurationError(
        f"{argument}: under the profile fapi2 {rule}",
        code="profile_not_met",
        hint="change the argument, or leave profile out",
    )
