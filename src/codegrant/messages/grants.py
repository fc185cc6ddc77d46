"""Token requests of the grants beside the code, as a client builds them. Layer: wire.

RFC 6749 §4.4; RFC 8628 §3.4; RFC 8693 §2.1.
"""

from __future__ import annotations

from typing import NamedTuple

from codegrant.secret import Secret

__all__ = ["ClientCredentialsRequest", "DeviceTokenRequest", "TokenExchangeRequest"]


class ClientCredentialsRequest(NamedTuple):
    """A token request for the client itself.

    Attributes:
        scope: tokens parted by spaces; empty leaves it to the server.
        resource: every value, in order. RFC 8707.
        audience: every value, in order; at servers that know that name.
    """

    scope: str = ""
    resource: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send. RFC 6749 §4.4.2."""
        return [
            ("grant_type", "client_credentials"),
            *_targets(self.scope, self.resource, self.audience),
        ]


class DeviceTokenRequest(NamedTuple):
    """A token request with a device code."""

    device_code: Secret

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send. RFC 8628 §3.4."""
        return [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", self.device_code.reveal()),
        ]


class TokenExchangeRequest(NamedTuple):
    """A token request that gives one token for another.

    Attributes:
        subject_token: of the party on whose behalf it is made.
        subject_token_type: a URI.
        actor_token: of the party that acts for it, or `None`.
        actor_token_type: a URI; empty without `actor_token`.
        requested_token_type: a URI; empty leaves it to the server.
        scope, resource, audience: as for `ClientCredentialsRequest`.
    """

    subject_token: Secret
    subject_token_type: str
    actor_token: Secret | None = None
    actor_token_type: str = ""
    requested_token_type: str = ""
    scope: str = ""
    resource: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send. RFC 8693 §2.1."""
        pairs = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", self.subject_token.reveal()),
            ("subject_token_type", self.subject_token_type),
        ]
        if self.actor_token is not None:
            pairs.append(("actor_token", self.actor_token.reveal()))
            pairs.append(("actor_token_type", self.actor_token_type))
        if self.requested_token_type:
            pairs.append(("requested_token_type", self.requested_token_type))
        return [*pairs, *_targets(self.scope, self.resource, self.audience)]


def _targets(
    scope: str, resource: tuple[str, ...], audience: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Return the parameters that say what the token is for."""
    pairs = [("scope", scope)] if scope else []
    pairs += [("resource", each) for each in resource]
    return pairs + [("audience", each) for each in audience]
