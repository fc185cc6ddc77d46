"""The front channel: authorization request and authorization response. Layer: wire.

RFC 6749 §4.1.1, §4.1.2; OpenID Connect Core §3.1.2; RFC 9207 §2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TypeAlias

from codegrant.errors import MessageError
from codegrant.messages.parameters import Parameters
from codegrant.secret import Secret

__all__ = [
    "AuthorizationErrorResponse",
    "AuthorizationRequest",
    "AuthorizationResponse",
    "CallbackResponse",
    "parse_authorization_response",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """An authorization request, each parameter as the text it came as; None when absent.

    Attributes:
        resource: every value, in order. RFC 8707 §2.
        unknown: names of further parameters; their values are not kept, and `build` does
            not write them.
    """

    client_id: str
    response_type: str | None = None
    redirect_uri: str | None = None
    scope: str | None = None
    state: str | None = field(default=None, repr=False)
    response_mode: str | None = None
    nonce: str | None = field(default=None, repr=False)
    code_challenge: str | None = field(default=None, repr=False)
    code_challenge_method: str | None = None
    prompt: str | None = None
    max_age: str | None = None
    login_hint: str | None = field(default=None, repr=False)
    id_token_hint: str | None = field(default=None, repr=False)
    acr_values: str | None = None
    claims: str | None = field(default=None, repr=False)
    ui_locales: str | None = None
    display: str | None = None
    request: str | None = field(default=None, repr=False)
    request_uri: str | None = field(default=None, repr=False)
    registration: str | None = field(default=None, repr=False)
    dpop_jkt: str | None = None
    resource: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, parameters: Parameters) -> AuthorizationRequest:
        """Return the request that `parameters` are.

        Raises:
            MessageError: `repeated_parameter`, one that we know, but `resource`, occurs
                twice; `missing_parameter`, there is no `client_id`.

        RFC 6749 §3.1, §4.1.1.
        """
        client_id = parameters.single("client_id")
        if client_id is None:
            raise MessageError("client_id: the parameter is missing", code="missing_parameter")
        names = parameters.names
        known = {name: parameters.single(name) for name in names if name in _OPTIONAL}
        return cls(
            client_id=client_id,
            resource=parameters.all("resource"),
            unknown=tuple(name for name in names if name not in _KNOWN),
            **known,
        )

    def build(self) -> list[tuple[str, str]]:
        """Return the parameters to send, absent ones left out."""
        pairs = [("client_id", self.client_id)]
        pairs += [(name, value) for name in _OPTIONAL if (value := getattr(self, name))]
        pairs += [("resource", resource) for resource in self.resource]
        return pairs


# In the order in which they are declared, and so written.
_OPTIONAL = {
    each.name: None
    for each in fields(AuthorizationRequest)
    if each.name not in {"client_id", "resource", "unknown"}
}
_KNOWN = frozenset({"client_id", "resource", *_OPTIONAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationResponse:
    """A successful authorization response.

    Attributes:
        state: as sent in the request; None when absent.
        iss: the issuer that the server says it is; None when absent. RFC 9207.
    """

    code: Secret
    state: str | None = field(default=None, repr=False)
    iss: str | None = None

    def build(self) -> list[tuple[str, str]]:
        """Return the parameters to add to the redirect URI."""
        return _present(("code", self.code.reveal()), ("state", self.state), ("iss", self.iss))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationErrorResponse:
    """An authorization response that refuses. The texts are the peer's, unchecked.

    Attributes:
        error: the OAuth error code.
        state: as sent in the request; None when absent.
        iss: the issuer that the server says it is; None when absent. RFC 9207.
    """

    error: str
    error_description: str | None = None
    error_uri: str | None = None
    state: str | None = field(default=None, repr=False)
    iss: str | None = None

    def build(self) -> list[tuple[str, str]]:
        """Return the parameters to add to the redirect URI."""
        return _present(
            ("error", self.error),
            ("error_description", self.error_description),
            ("error_uri", self.error_uri),
            ("state", self.state),
            ("iss", self.iss),
        )


CallbackResponse: TypeAlias = AuthorizationResponse | AuthorizationErrorResponse


def parse_authorization_response(parameters: Parameters) -> CallbackResponse:
    """Return the authorization response that the query of a callback is.

    Unknown parameters are ignored.

    Raises:
        MessageError: `repeated_parameter`, any name occurs twice; `code_and_error`, both
            are there; `no_code`, neither is.

    RFC 6749 §4.1.2. Stricter: no repetition at all, since two readers of one callback must
    not see two different answers.
    """
    repeated = parameters.find_repeated(frozenset())
    if repeated is not None:
        raise MessageError(f"{repeated[:40]}: the parameter is repeated", code="repeated_parameter")
    code, error = parameters.single("code"), parameters.single("error")
    state, iss = parameters.single("state"), parameters.single("iss")
    if code is not None and error is not None:
        raise MessageError("code and error stand in one response", code="code_and_error")
    if code is not None:
        return AuthorizationResponse(code=Secret(code), state=state, iss=iss)
    if error is None:
        raise MessageError("the response has neither code nor error", code="no_code")
    return AuthorizationErrorResponse(
        error=error,
        error_description=parameters.single("error_description"),
        error_uri=parameters.single("error_uri"),
        state=state,
        iss=iss,
    )


def _present(*pairs: tuple[str, str | None]) -> list[tuple[str, str]]:
    """Return those pairs that have a value."""
    return [(name, value) for name, value in pairs if value]
