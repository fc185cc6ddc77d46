"""`Identity`: who somebody is, in one form for every provider. Layer: rules.

What providers say differs; where each says it stands in the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from codegrant.errors import ResponseRejected
from codegrant.messages.json import JsonValue
from codegrant.providers import EmailList, Provider, Quirk, UserShape

__all__ = ["Identity", "StatedEmail", "find_email", "find_subject", "find_user", "read_identity"]

_MOST_CHARACTERS = 255
STANDARD_CLAIMS = UserShape(source="id_token")
"""OpenID Connect Core §5.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is, as their provider says it.

    The key of an account is (`issuer`, `subject`); an e-mail address never is.

    Attributes:
        issuer: who says so.
        subject: the person, stable at this issuer and never given to another.
        email: or None.
        email_verified: whether the provider is known to prove `email`, and says it has.
        name: for people to read, or None; neither unique nor stable.
        picture: address of a picture, or None.
        raw: what the provider said, as it came.
    """

    issuer: str
    subject: str
    email: str | None = field(default=None, repr=False)
    email_verified: bool = False
    name: str | None = field(default=None, repr=False)
    picture: str | None = field(default=None, repr=False)
    raw: Mapping[str, object] = field(default_factory=dict[str, object], hash=False, repr=False)


class StatedEmail(NamedTuple):
    """An address from a list of somebody's addresses.

    Attributes:
        email: the address.
        email_verified: whether the list says that it was verified.
    """

    email: str
    email_verified: bool


def find_user(
    answer: Mapping[str, JsonValue], within: Iterable[str]
) -> Mapping[str, JsonValue] | None:
    """Return the object in `answer` that describes the person; None when there is none.

    Args:
        answer: of userinfo, say.
        within: paths, the likelier one first; the empty path is the answer itself.
    """
    for path in within:
        found = _at(answer, path) if path else cast("JsonValue", answer)
        if isinstance(found, dict):
            return found
    return None


def read_identity(
    user: Mapping[str, JsonValue],
    *,
    issuer: str,
    shape: UserShape = STANDARD_CLAIMS,
    provider: Provider | None = None,
    subject: str = "",
    stated: StatedEmail | None = None,
    raw: Mapping[str, JsonValue] | None = None,
) -> Identity:
    """Return who `user` describes.

    Args:
        user: claims, or what a provider has in their place.
        issuer: who says so.
        shape: where in `user` what is.
        provider: of the catalogue, or None.
        subject: that an ID token has proven; else that of `user`.
        stated: the address of a list of addresses, which goes before that of `user`.
        raw: the whole answer, if `user` is only a part of it.

    Raises:
        ResponseRejected: `sub_missing`, it does not say who it is about.
    """
    found = subject or find_subject(user, shape)
    if found is None:
        raise ResponseRejected(
            f"{' or '.join(shape.subject)}: the answer does not say who it is about",
            code="sub_missing",
            stage="userinfo",
        )
    email = _first_text(user, shape.email)
    verified = email is not None and _is_proven(user, shape, provider)
    if stated is not None:
        email, verified = stated
    return Identity(
        issuer=issuer,
        subject=found,
        email=email,
        email_verified=verified,
        name=_first_text(user, shape.name),
        picture=_first_text(user, shape.picture),
        raw=user if raw is None else raw,
    )


def find_email(answer: JsonValue, emails: EmailList) -> StatedEmail | None:
    """Return the primary and verified address of a list of addresses; None without one."""
    entries = answer
    if emails.within:
        entries = _at(answer, emails.within) if isinstance(answer, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        email = entry.get("email")
        if entry.get(emails.primary) is True and entry.get(emails.verified) is True:
            return StatedEmail(email, True) if isinstance(email, str) and email else None
    return None


def find_subject(user: Mapping[str, JsonValue], shape: UserShape) -> str | None:
    """Return the id of the person that `user` describes; None when it has none."""
    for path in shape.subject:
        value = _at(user, path)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _MOST_CHARACTERS:
            return value
    return None


def _is_proven(user: Mapping[str, JsonValue], shape: UserShape, provider: Provider | None) -> bool:
    """Return whether the provider's word makes the address a verified one."""
    if shape.email_proof != "told":
        return shape.email_proof == "always"
    marks = [_at(user, path) for path in shape.email_verified]
    if any(mark is True for mark in marks):
        return True
    if provider is None:
        return False
    if provider.has(Quirk.TEXT_BOOLEANS) and "true" in marks:
        return True
    # True equals 1, and was looked for above.
    return provider.has(Quirk.NUMBER_BOOLEANS) and 1 in marks


def _first_text(user: Mapping[str, JsonValue], paths: Iterable[str]) -> str | None:
    """Return the first text that is there; several parted by a space, of several paths."""
    for path in paths:
        values = [_at(user, one) for one in path.split(" ")]
        text = " ".join(value for value in values if isinstance(value, str) and value)
        if text:
            return text
    return None


def _at(value: JsonValue | Mapping[str, JsonValue], path: str) -> JsonValue:
    """Return what stands at a path; None when there is nothing."""
    found: JsonValue = cast("JsonValue", value)
    for step in path.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
