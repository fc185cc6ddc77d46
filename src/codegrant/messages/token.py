"""The token endpoint: request, response, error. Layer: wire.

RFC 6749 §4.1.3, §5, §6; RFC 7636 §4.5; RFC 8707 §2.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue, build_json, parse_object
from codegrant.messages.parameters import Parameters
from codegrant.secret import Secret

__all__ = [
    "CodeTokenRequest",
    "ErrorResponse",
    "RefreshTokenRequest",
    "TokenResponse",
    "parse_seconds",
]

_SECONDS = re.compile(r"[0-9]{1,10}")
_MOST_SECONDS = 9_999_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTokenRequest:
    """A token request with an authorization code.

    Attributes:
        client_id: only where it is no part of a client's authentication.
        resource: every value, in order.
    """

    code: Secret
    redirect_uri: str | None = None
    code_verifier: Secret | None = None
    client_id: str | None = None
    resource: tuple[str, ...] = ()

    @classmethod
    def parse(cls, parameters: Parameters) -> CodeTokenRequest:
        """Return the request that a form is; its `grant_type` has been read already.

        Raises:
            MessageError: `repeated_parameter`; `missing_parameter`, there is no `code`.

        RFC 6749 §4.1.3.
        """
        code = parameters.single("code")
        if code is None:
            raise MessageError("code: the parameter is missing", code="missing_parameter")
        verifier = parameters.single("code_verifier")
        return cls(
            code=Secret(code),
            redirect_uri=parameters.single("redirect_uri"),
            code_verifier=None if verifier is None else Secret(verifier),
            client_id=parameters.single("client_id"),
            resource=parameters.all("resource"),
        )

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send."""
        pairs = [("grant_type", "authorization_code"), ("code", self.code.reveal())]
        if self.redirect_uri:
            pairs.append(("redirect_uri", self.redirect_uri))
        if self.code_verifier is not None:
            pairs.append(("code_verifier", self.code_verifier.reveal()))
        if self.client_id:
            pairs.append(("client_id", self.client_id))
        pairs += [("resource", resource) for resource in self.resource]
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenRequest:
    """A token request with a refresh token.

    Attributes:
        scope: as it came; None when absent, which means: as it was granted.
        client_id: only where it is no part of a client's authentication.
        resource: every value, in order.
    """

    refresh_token: Secret
    scope: str | None = None
    client_id: str | None = None
    resource: tuple[str, ...] = ()

    @classmethod
    def parse(cls, parameters: Parameters) -> RefreshTokenRequest:
        """Return the request that a form is; its `grant_type` has been read already.

        Raises:
            MessageError: `repeated_parameter`; `missing_parameter`, there is no
                `refresh_token`.

        RFC 6749 §6.
        """
        refresh_token = parameters.single("refresh_token")
        if refresh_token is None:
            raise MessageError("refresh_token: the parameter is missing", code="missing_parameter")
        return cls(
            refresh_token=Secret(refresh_token),
            scope=parameters.single("scope"),
            client_id=parameters.single("client_id"),
            resource=parameters.all("resource"),
        )

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send."""
        pairs = [("grant_type", "refresh_token"), ("refresh_token", self.refresh_token.reveal())]
        if self.scope:
            pairs.append(("scope", self.scope))
        if self.client_id:
            pairs.append(("client_id", self.client_id))
        pairs += [("resource", resource) for resource in self.resource]
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """A successful token response.

    Attributes:
        token_type: as it came; empty when absent, which a rule judges.
        expires_in: seconds; None when absent.
        scope: as it came; None when absent, which means: as requested.
        extra: further members.
    """

    access_token: Secret
    token_type: str
    expires_in: int | None = None
    scope: str | None = None
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    extra: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 1 << 20) -> TokenResponse:
        """Return the response that a JSON body is.

        A null, and a token that is an empty text, count as absent; `expires_in` may be a
        number or, as some servers write it, a text of digits.

        Raises:
            MessageError: as `parse_object`; `missing_member`, there is no `access_token`;
                `malformed_member`, a member has the wrong type.

        RFC 6749 §5.1.
        """
        members = parse_object(raw, max_bytes=max_bytes)
        access_token = _pop_secret(members, "access_token")
        if access_token is None:
            raise MessageError("access_token: the member is missing", code="missing_member")
        return cls(
            access_token=access_token,
            token_type=_pop_text(members, "token_type") or "",
            expires_in=parse_seconds("expires_in", members.pop("expires_in", None)),
            scope=_pop_text(members, "scope"),
            refresh_token=_pop_secret(members, "refresh_token"),
            id_token=_pop_secret(members, "id_token"),
            extra=members,
        )

    def build(self) -> bytes:
        """Return the JSON body to answer with. RFC 6749 §5.1."""
        members: dict[str, JsonValue] = {"access_token": self.access_token.reveal()}
        if self.token_type:
            members["token_type"] = self.token_type
        if self.expires_in is not None:
            members["expires_in"] = self.expires_in
        if self.scope is not None:
            members["scope"] = self.scope
        if self.refresh_token is not None:
            members["refresh_token"] = self.refresh_token.reveal()
        if self.id_token is not None:
            members["id_token"] = self.id_token.reveal()
        return build_json({**self.extra, **members})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResponse:
    """An OAuth error as JSON. The texts are the peer's, unchecked."""

    error: str
    error_description: str | None = None
    error_uri: str | None = None

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 65536) -> ErrorResponse:
        """Return the error that a JSON body is; a description that is no text is left out.

        Raises:
            MessageError: as `parse_object`; `missing_member`, there is no `error`, or it
                is no text.

        RFC 6749 §5.2.
        """
        members = parse_object(raw, max_bytes=max_bytes)
        error = members.get("error")
        if not isinstance(error, str) or not error:
            raise MessageError("error: the member is missing", code="missing_member")
        description, uri = members.get("error_description"), members.get("error_uri")
        return cls(
            error=error,
            error_description=description if isinstance(description, str) else None,
            error_uri=uri if isinstance(uri, str) else None,
        )

    def build(self) -> bytes:
        """Return the JSON body to answer with. RFC 6749 §5.2."""
        members: dict[str, JsonValue] = {"error": self.error}
        if self.error_description is not None:
            members["error_description"] = self.error_description
        if self.error_uri is not None:
            members["error_uri"] = self.error_uri
        return build_json(members)


def _pop_text(members: dict[str, JsonValue], name: str) -> str | None:
    """Take a text out of `members`."""
    value = members.pop(name, None)
    if value is None or isinstance(value, str):
        return value
    raise MessageError(f"{name}: the member is no text", code="malformed_member")


def _pop_secret(members: dict[str, JsonValue], name: str) -> Secret | None:
    """Take a token out of `members`; an empty one is none."""
    text = _pop_text(members, name)
    return Secret(text) if text else None


def parse_seconds(name: str, value: JsonValue) -> int | None:
    """Return the member `name`, a number of seconds, as a whole one; `None` when it is absent.

    Raises:
        MessageError: `malformed_member`.
    """
    if value is None:
        return None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return int(value)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= _MOST_SECONDS
    ):
        return int(value)
    raise MessageError(f"{name}: the member is no number of seconds", code="malformed_member")
