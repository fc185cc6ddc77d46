"""Every exception that Codegrant raises. Layer: foundation, knows nothing else.

    CodegrantError
    ├── UsageError              the calling program broke our contract
    │   └── ConfigurationError     a setting has a value that is not allowed
    ├── PeerError               the other side broke the protocol
    │   ├── MessageError           bytes that are no well-formed message at all
    │   ├── MetadataRejected       discovery, server metadata or a key set
    │   ├── CallbackRejected       the browser came back with an answer we must not use
    │   │   └── StateError            … because it does not belong to a login of this browser
    │   ├── ResponseRejected       a token or userinfo answer we must not use
    │   └── TokenRejected          a JWT that does not hold
    ├── Refused                 the other side answered with an OAuth error
    │   └── LoginRequired          the tokens are gone for good: send the person to log in again
    ├── OAuthError              what our own server or resource server answers
    ├── TransportError          network, timeout, TLS
    ├── SealBroken              a sealed text was altered, or made with an unknown key
    └── StoreError              persistence failed

Whose fault it is, is in the class; what happened is in `code`, a stable string that
programs may compare; what to do is in `hint`, and at more length at `url`. `str(error)` is
one useful line. No error holds a secret, a live connection or a response object, and every one
of them pickles.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "CallbackRejected",
    "CodegrantError",
    "ConfigurationError",
    "LoginRequired",
    "MessageError",
    "MetadataRejected",
    "OAuthError",
    "PeerError",
    "Refused",
    "ResponseRejected",
    "SealBroken",
    "StateError",
    "StoreError",
    "TokenRejected",
    "TransportError",
    "UsageError",
]

_PAGES = "https://codegrant.dev/errors/"

# The errors that peers may answer and that have a page; a page for every word of theirs
# there cannot be.
_WIRE = frozenset({
    "access_denied", "account_selection_required", "authorization_pending", "consent_required",
    "expired_token", "insufficient_scope", "insufficient_user_authentication",
    "interaction_required", "invalid_client", "invalid_client_metadata", "invalid_dpop_proof",
    "invalid_grant", "invalid_redirect_uri", "invalid_request", "invalid_request_object",
    "invalid_request_uri", "invalid_scope", "invalid_target", "invalid_token", "login_required",
    "method_not_allowed", "not_found", "registration_not_supported", "request_not_supported",
    "request_uri_not_supported", "server_error", "slow_down", "temporarily_unavailable",
    "unauthorized_client", "unmet_authentication_requirements", "unsupported_grant_type",
    "unsupported_response_type", "unsupported_token_type", "use_dpop_nonce",
})  # fmt: skip

# What to do about codes that are raised at many places, or far below anybody who knows more.
_HINTS = {
    "acr_not_met": "the person did not log in in the way that was asked for; ask again",
    "address_refused": "addresses that others name must be public https ones",
    "algorithm_refused": "which algorithm does the server sign with, and is it allowed here?",
    "audience_mismatch": "is client_id, or this API's audience, spelled as at the server?",
    "audience_untrusted": "the server must make a token for this client alone",
    "azp_mismatch": "the token was asked for by another client; nothing of it was used",
    "bad_endpoint": "the server's metadata must name https addresses; behind a proxy the server "
    "needs to know its public one",
    "bad_signature": "the token was altered, or signed with a key that jwks_uri does not have",
    "claim_malformed": "the server writes the claim in a form that no RFC allows; tell its people",
    "claim_missing": "the server must put the claim into its tokens; look at its claim settings",
    "endpoint_missing": "name the endpoint in ServerMetadata(...)",
    "forbidden_header": "the token brings its own key or an extension, which no token may",
    "malformed_token": "this is no signed JWT: opaque, encrypted, or cut on its way",
    "malformed_userinfo": "does userinfo_endpoint lead to the userinfo endpoint?",
    "no_keys": "give the issuer for discovery, or jwks_uri to ServerMetadata(...)",
    "sub_missing": "does userinfo_endpoint lead to an OpenID Connect userinfo endpoint?",
    "too_many_keys": "does jwks_uri lead to the key set of this server?",
    "unknown_key": "the server signs with a key that its jwks_uri does not have; the wrong issuer?",
    "wrong_token_type": "an access token stands where an ID token belongs, or the reverse",
}


class CodegrantError(Exception):
    """The root of the tree: `except CodegrantError` catches all that we raise.

    Args:
        message: one lower-case line that says what is wrong and names the parameter.
        code: a stable snake_case string, for programs and for the documentation.
        stage: where in the flow: `configuration`, `discovery`, `authorize`, `callback`,
            `device_authorization`, `token`, `id_token`, `access_token`, `refresh`, `revoke`,
            `userinfo`, `api`, `store`, or empty.
        hint: one line with the likely cause and its fix; else the one of `code`, if any.
        facts: further plain values (endpoint, expected, got, now …), never a secret.
    """

    default_code = "error"

    @property
    def url(self) -> str:
        """The address of the page about `code`."""
        return f"{_PAGES}{self.code}"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        stage: str = "",
        hint: str = "",
        facts: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.stage = stage
        self.hint: str = hint or _HINTS.get(self.code, "")
        self.facts: dict[str, str | int] = dict(facts or {})

    def __str__(self) -> str:
        endpoint = str(self.facts.get("endpoint", ""))
        at = f" at {endpoint}" if endpoint and endpoint not in self.message else ""
        where = f"{self.stage}{at}: " if self.stage else ""
        advice = f" ({self.hint})" if self.hint else ""
        return _one_line(f"{where}{self.message} [{self.code}]{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default way of pickling an exception.
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(kind: type[CodegrantError], message: str, state: dict[str, object]) -> CodegrantError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


def _one_line(text: str) -> str:
    """Return `text` with everything escaped that could start a line or drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


class UsageError(CodegrantError):
    """The calling program broke our contract; no request was sent."""

    default_code = "usage_error"


class ConfigurationError(UsageError):
    """A setting has a value that is not allowed; the message names key, value and what is."""

    default_code = "configuration_error"


class PeerError(CodegrantError):
    """The other side broke the protocol; nothing of its answer was used."""

    default_code = "protocol_error"


class MessageError(PeerError):
    """Text that is no well-formed message: repeated parameters, bad JSON, too long, not UTF-8."""

    default_code = "malformed_message"


class MetadataRejected(PeerError):
    """A metadata document or key set that must not be used."""

    default_code = "metadata_rejected"


class CallbackRejected(PeerError):
    """An authorization response that must not be used; no token request was made."""

    default_code = "callback_rejected"


class StateError(CallbackRejected):
    """The callback does not belong to a login that this browser started.

    `code` is one of `state_missing`, `state_unknown`, `state_cookie_missing`,
    `state_expired`, `state_tampered`, `state_mismatch`, `state_already_used`,
    `state_in_progress`, `state_host_changed`, `state_other_provider`.
    """

    default_code = "state_mismatch"


class ResponseRejected(PeerError):
    """An answer of the token or userinfo endpoint that must not be used."""

    default_code = "response_rejected"


class TokenRejected(PeerError):
    """A JWT whose form, signature or claims do not hold."""

    default_code = "token_rejected"


class Refused(CodegrantError):
    """The other side answered with an OAuth error, kept here as plain values.

    Attributes:
        error: the OAuth error code as it came, for example `access_denied`; `code` is the
            name of the cause where it is known, else the same.
        description: the peer's `error_description`, or empty.
        uri: the peer's `error_uri`, or empty.
        status: the HTTP status, or 0 when the error came through the browser.
    """

    default_code = "refused"

    def __init__(
        self,
        error: str,
        *,
        description: str = "",
        uri: str = "",
        status: int = 0,
        code: str = "",
        stage: str = "",
        hint: str = "",
        facts: Mapping[str, str | int] | None = None,
    ) -> None:
        said = f"the server answered {error!r}"
        message = f"{said}: {description}" if description else said
        super().__init__(message, code=code or error, stage=stage, hint=hint, facts=facts)
        self.error = error
        self.description = description
        self.uri = uri
        self.status = status

    @property
    def url(self) -> str:
        """The address of the page about `code`, or about refusals where it is the peer's own."""
        own = self.code != self.error or self.code in _WIRE
        return f"{_PAGES}{self.code if own else Refused.default_code}"


class LoginRequired(Refused):
    """The tokens are gone for good: send the person to log in again."""

    default_code = "login_required"


class OAuthError(CodegrantError):
    """What our authorization server or resource server answers to a bad request.

    Args:
        error: the code on the wire, for example `invalid_request`; empty where RFC 6750 §3.1
            wants a challenge without one.
        description: safe to show to anybody; characters outside RFC 6749 §5.2 are
            replaced when it is rendered.
        reason: for events and logs only, never on the wire.
        status: the HTTP status when it is not redirected.
        redirectable: whether an authorization endpoint may send it to the client once
            client and redirect URI are known good.
    """

    default_code = "oauth_error"

    def __init__(
        self,
        error: str,
        description: str = "",
        *,
        reason: str = "",
        status: int = 400,
        redirectable: bool = True,
        stage: str = "",
        facts: Mapping[str, str | int] | None = None,
    ) -> None:
        message = description or error or "the request carries no credentials"
        super().__init__(message, code=error, stage=stage, facts=facts)
        self.error = error
        self.description = description
        self.reason: str = reason or description
        self.status = status
        self.redirectable = redirectable

    @property
    def url(self) -> str:
        """The address of the page about `code`."""
        return f"{_PAGES}{self.code if self.code in _WIRE else self.default_code}"


class TransportError(CodegrantError):
    """The network, a time-out or TLS stood in the way; trying again may help."""

    default_code = "transport_error"


class SealBroken(CodegrantError):
    """A sealed text was altered, cut, made for another purpose, or made with an unknown key.

    `code` is `seal_broken` or `seal_unknown_key`.
    """

    default_code = "seal_broken"


class StoreError(CodegrantError):
    """Persistence failed. Our server answers `server_error` and nothing more.

    `code` is `store_busy` (worth a retry), `store_full`, `store_readonly`, `store_newer`,
    `store_exposed`, `store_unreachable`, `store_forbidden`, `store_locked`, `store_no_keyring`,
    `store_older`, `store_not_a_database`, `store_damaged`, `store_missing_folder`,
    `store_missing_file`, `store_unreadable`, `store_key`, `store_issuer`, `store_closed`,
    `store_write_failed` or `store_failed`.
    """

    default_code = "store_failed"
