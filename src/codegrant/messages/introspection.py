"""The introspection endpoint: request and response. Layer: wire. RFC 7662 §2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import MessageError
from codegrant.messages.json import JsonValue, build_json, parse_object
from codegrant.messages.parameters import Parameters
from codegrant.secret import Secret

__all__ = ["IntrospectionRequest", "IntrospectionResponse"]

# The last second of the year 9999.
_LATEST = 253_402_300_799


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionRequest:
    """The question what a token is good for.

    Attributes:
        token_type_hint: as it came; a server must find the token without it too.
    """

    token: Secret
    token_type_hint: str | None = None

    @classmethod
    def parse(cls, parameters: Parameters) -> IntrospectionRequest:
        """Return the request that a form is.

        Raises:
            MessageError: `repeated_parameter`; `missing_parameter`, there is no `token`.

        RFC 7662 §2.1.
        """
        token = parameters.single("token")
        if token is None:
            raise MessageError("token: the parameter is missing", code="missing_parameter")
        return cls(token=Secret(token), token_type_hint=parameters.single("token_type_hint"))

    def build(self) -> list[tuple[str, str]]:
        """Return the form to send."""
        pairs = [("token", self.token.reveal())]
        if self.token_type_hint:
            pairs.append(("token_type_hint", self.token_type_hint))
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionResponse:
    """What an authorization server says of a token.

    Of a token that is not active it says nothing more: `build` writes no other member, and
    `parse` keeps none. A text that is absent is None, and so is a time.

    Attributes:
        active: whether the token may be used.
        scope: as it came, a text of scope tokens.
        exp, iat, nbf: epoch seconds.
        aud: each resource that the token is for; empty when the answer does not say.
        extra: further members; `cnf`, for one.
    """

    active: bool
    scope: str | None = None
    client_id: str | None = None
    username: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    nbf: int | None = None
    sub: str | None = None
    aud: tuple[str, ...] = ()
    iss: str | None = None
    jti: str | None = None
    extra: Mapping[str, JsonValue] = field(
        default_factory=dict[str, JsonValue], hash=False, repr=False
    )

    @classmethod
    def parse(cls, raw: bytes, *, max_bytes: int = 1 << 16) -> IntrospectionResponse:
        """Return the response that a JSON body is. A null counts as absent, but for `active`.

        Raises:
            MessageError: as `parse_object`; `missing_member`, there is no `active`;
                `malformed_member`, a member has the wrong type: `active` is anything but
                true or false, a text is empty, a time is a text or outside 1970 to 9999.

        RFC 7662 §2.2. A time may have a fraction, which is cut off: RFC 7519 §2.
        """
        members = parse_object(raw, max_bytes=max_bytes)
        if "active" not in members:
            raise MessageError("active: the member is missing", code="missing_member")
        active = members.pop("active")
        if not isinstance(active, bool):
            raise _malformed("active", "neither true nor false")
        if not active:
            return cls(active=False)
        return cls(
            active=True,
            scope=_pop_scope(members),
            client_id=_pop_text(members, "client_id"),
            username=_pop_text(members, "username"),
            token_type=_pop_text(members, "token_type"),
            exp=_pop_time(members, "exp"),
            iat=_pop_time(members, "iat"),
            nbf=_pop_time(members, "nbf"),
            sub=_pop_text(members, "sub"),
            aud=_pop_audience(members),
            iss=_pop_text(members, "iss"),
            jti=_pop_text(members, "jti"),
            extra=members,
        )

    def members(self) -> dict[str, JsonValue]:
        """Return all that is told of the token, under the names of RFC 7662 §2.2."""
        known: dict[str, JsonValue] = {
            "scope": self.scope,
            "client_id": self.client_id,
            "username": self.username,
            "token_type": self.token_type,
            "exp": self.exp,
            "iat": self.iat,
            "nbf": self.nbf,
            "sub": self.sub,
            "aud": _audience_member(self.aud),
            "iss": self.iss,
            "jti": self.jti,
        }
        told = {name: value for name, value in known.items() if value is not None}
        return {**self.extra, "active": self.active, **told}

    def build(self) -> bytes:
        """Return the JSON body to answer with. RFC 7662 §2.2."""
        return build_json(self.members() if self.active else {"active": False})


def _pop_text(members: dict[str, JsonValue], name: str) -> str | None:
    """Take a text of at least one character out of `members`."""
    value = members.pop(name, None)
    if value is None or (isinstance(value, str) and value):
        return value
    raise _malformed(name, "no text")


def _pop_scope(members: dict[str, JsonValue]) -> str | None:
    """Take the scope out of `members`; it may be an empty text: nothing was granted."""
    value = members.pop("scope", None)
    if value is None or isinstance(value, str):
        return value
    raise _malformed("scope", "no text")


def _pop_time(members: dict[str, JsonValue], name: str) -> int | None:
    """Take a time out of `members`, in whole epoch seconds."""
    value = members.pop(name, None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise _malformed(name, "no time in epoch seconds")
    return int(value)


def _pop_audience(members: dict[str, JsonValue]) -> tuple[str, ...]:
    """Take `aud` out of `members`: one text, or a list of at least one. RFC 7519 §4.1.3."""
    value = members.pop("aud", None)
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    named = tuple(each for each in listed if isinstance(each, str) and each)
    if not named or len(named) != len(listed):
        raise _malformed("aud", "neither a text nor a list of texts")
    return named


def _audience_member(audience: tuple[str, ...]) -> JsonValue:
    if len(audience) == 1:
        return audience[0]
    return list(audience) if audience else None


def _malformed(name: str, what: str) -> MessageError:
    return MessageError(f"{name}: the member is {what}", code="malformed_member")
