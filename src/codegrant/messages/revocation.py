"""The revocation endpoint: its request. Layer: wire. RFC 7009 §2.1."""

from __future__ import annotations

from dataclasses import dataclass

from codegrant.errors import MessageError
from codegrant.messages.parameters import Parameters
from codegrant.secret import Secret

__all__ = ["RevocationRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationRequest:
    """A request to make a token, and what hangs on it, worthless.

    Attributes:
        token: an access token or a refresh token.
        token_type_hint: `access_token`, `refresh_token`, or another word; a server may
            ignore it.
        client_id: only where it is no part of a client's authentication.
    """

    token: Secret
    token_type_hint: str | None = None
    client_id: str | None = None

    @classmethod
    def parse(cls, parameters: Parameters) -> RevocationRequest:
        """Return the request that a form is.

        Raises:
            MessageError: `repeated_parameter`; `missing_parameter`, there is no `token`.

        RFC 7009 §2.1.
        """
        token = parameters.single("token")
        if token is None:
            raise MessageError("token: the parameter is missing", code="missing_parameter")
        return cls(
            token=Secret(token),
            token_type_hint=parameters.single("token_type_hint"),
            client_id=parameters.single("client_id"),
        )

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send."""
        pairs = [("token", self.token.reveal())]
        if self.token_type_hint:
            pairs.append(("token_type_hint", self.token_type_hint))
        if self.client_id:
            pairs.append(("client_id", self.client_id))
        return pairs
