"""The `claims` parameter, and which claims a scope opens. Layer: server, no I/O.

The parameter never opens more than the granted scope does, since the scope is what the
person agreed to: a requested claim outside it is left out, as OIDC Core §5.5.1 allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codegrant.errors import MessageError, OAuthError
from codegrant.messages.json import JsonValue, parse_object

__all__ = ["CLAIMS", "SCOPE_CLAIMS", "ClaimsRequest", "claims_of", "parse_claims"]

SCOPE_CLAIMS: Mapping[str, frozenset[str]] = {
    "profile": frozenset(
        {
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        }
    ),
    "email": frozenset({"email", "email_verified"}),
    "address": frozenset({"address"}),
    "phone": frozenset({"phone_number", "phone_number_verified"}),
}
"""OIDC Core §5.4."""

CLAIMS = frozenset[str]().union(*SCOPE_CLAIMS.values())

MAX_CLAIMS_LENGTH = 4096
_NOTHING: tuple[JsonValue, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsRequest:
    """What a `claims` parameter asks for.

    Attributes:
        id_token: names of the claims wanted in the ID token.
        userinfo: names of the claims wanted from the userinfo endpoint.
        subject: the value demanded for `sub`; empty for none.
        essential_acr: the values demanded for `acr`; empty when it is not essential.
    """

    id_token: frozenset[str] = frozenset()
    userinfo: frozenset[str] = frozenset()
    subject: str = ""
    essential_acr: tuple[str, ...] = ()


def parse_claims(text: str) -> ClaimsRequest:
    """Return the `claims` parameter. Unknown members are ignored.

    Args:
        text: a JSON object, at most 4096 characters.

    Raises:
        OAuthError: `invalid_request`: no such object, or a member of the wrong form.

    OIDC Core §5.5.
    """
    if len(text) > MAX_CLAIMS_LENGTH:
        raise _malformed("too long")
    try:
        value = parse_object(text)
    except MessageError as error:
        raise _malformed(error.code) from None
    id_token, userinfo = _members(value, "id_token"), _members(value, "userinfo")
    subjects = {
        subject
        for members in (id_token, userinfo)
        for subject in _demanded("sub", members.get("sub"))
    }
    if len(subjects) > 1:
        raise _malformed("several values for sub")
    acr = id_token.get("acr")
    demanded_acr = _demanded("acr", acr)
    essential = isinstance(acr, dict) and acr.get("essential") is True
    return ClaimsRequest(
        id_token=frozenset(id_token),
        userinfo=frozenset(userinfo),
        subject=next(iter(subjects), ""),
        essential_acr=demanded_acr if essential else (),
    )


def _members(value: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    """Return one of the two top-level members, each of its claims well formed."""
    members = value.get(name)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise _malformed(f"{name} is no object")
    for claim in members.values():
        if claim is None:
            continue
        if not isinstance(claim, dict):
            raise _malformed("a claim is neither null nor an object")
        if not isinstance(claim.get("essential", False), bool):
            raise _malformed("essential is no boolean")
        if not isinstance(claim.get("values", []), list):
            raise _malformed("values is no array")
        if "value" in claim and "values" in claim:
            raise _malformed("value and values in one claim")
    return members


def _demanded(name: str, claim: JsonValue) -> tuple[str, ...]:
    """Return what `value` or `values` demand; what nobody can have must not pass for no demand."""
    if not isinstance(claim, dict) or not {"value", "values"} & claim.keys():
        return ()
    values = claim.get("values")
    wanted = values if isinstance(values, list) else [claim.get("value")]
    texts = tuple(text for text in wanted if isinstance(text, str) and text)
    if not texts or len(texts) != len(wanted):
        raise _malformed(f"{name} is demanded to be what is no text")
    return texts


def claims_of(
    known: Mapping[str, JsonValue],
    scope: Iterable[str],
    wanted: frozenset[str] = CLAIMS,
) -> dict[str, JsonValue]:
    """Return those claims of a person that `scope` opens and that are `wanted`.

    What is not known is left out, never null or empty. OIDC Core §5.3.2, §5.4.
    """
    opened = {name for token in scope for name in SCOPE_CLAIMS.get(token, ())}
    return {
        name: value
        for name, value in known.items()
        if name in opened and name in wanted and value not in _NOTHING
    }


def _malformed(reason: str) -> OAuthError:
    """Return the error for a `claims` parameter that is not what it should be."""
    return OAuthError("invalid_request", "the claims parameter is malformed", reason=reason)
