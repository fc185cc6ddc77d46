"""Claims of a JWT, each in the type that it must have, or a refusal. Layer: rules.

RFC 7519 §4.1. What a refusal says: the claim, what was expected, what was found, the time.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from codegrant.errors import TokenRejected
from codegrant.messages.json import JsonValue
from codegrant.rules.error_text import clean_error_text

__all__ = [
    "at_stage",
    "check_times",
    "find_text",
    "find_texts",
    "find_time",
    "read_audience",
    "read_text",
    "read_time",
    "rejected",
]

# The last second of the year 9999.
_LATEST = 253_402_300_799
_MOST_CHARACTERS = 200


def read_text(claims: Mapping[str, JsonValue], name: str) -> str:
    """Return a claim that must be a text of at least one character.

    Raises:
        TokenRejected: `claim_missing` or `claim_malformed`.
    """
    value = find_text(claims, name)
    if value is None:
        raise _missing(name)
    return value


def find_text(claims: Mapping[str, JsonValue], name: str) -> str | None:
    """Return a claim that is a text of at least one character; None when it is absent.

    Raises:
        TokenRejected: `claim_malformed`.
    """
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise _malformed(name, "a text", value)
    return value


def find_texts(claims: Mapping[str, JsonValue], name: str) -> tuple[str, ...]:
    """Return a claim that is a list of texts; empty when it is absent.

    Raises:
        TokenRejected: `claim_malformed`.
    """
    if name not in claims:
        return ()
    value = claims[name]
    if isinstance(value, list):
        texts = tuple([each for each in value if isinstance(each, str)])
        if len(texts) == len(value):
            return texts
    raise _malformed(name, "a list of texts", value)


def read_time(claims: Mapping[str, JsonValue], name: str) -> int:
    """Return a claim that must be a time, in whole epoch seconds.

    Raises:
        TokenRejected: `claim_missing` or `claim_malformed`.
    """
    value = find_time(claims, name)
    if value is None:
        raise _missing(name)
    return value


def find_time(claims: Mapping[str, JsonValue], name: str) -> int | None:
    """Return a claim that is a time, in whole epoch seconds; None when it is absent.

    Raises:
        TokenRejected: `claim_malformed`: a text, a boolean, or outside 1970 to 9999.

    RFC 7519 §2: a NumericDate may have a fraction, which is cut off.
    """
    if name not in claims:
        return None
    value = claims[name]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= _LATEST  # which no NaN is
    ):
        raise _malformed(name, "a time in epoch seconds", value)
    return int(value)


def read_audience(claims: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return `aud`: one text, or a list of at least one.

    Raises:
        TokenRejected: `claim_missing` or `claim_malformed`.

    RFC 7519 §4.1.3.
    """
    if "aud" not in claims:
        raise _missing("aud")
    value = claims["aud"]
    audience = find_texts(claims, "aud") if isinstance(value, list) else (read_text(claims, "aud"),)
    if not all(audience) or not audience:
        raise _malformed("aud", "a text or a list of texts", value)
    return audience


def check_times(claims: Mapping[str, JsonValue], *, now: int, leeway: int) -> tuple[int, int]:
    """Check `exp`, `iat` and, when it is there, `nbf`; return `iat` and `exp`.

    Args:
        claims: of which `exp` and `iat` must be there.
        now: epoch seconds.
        leeway: seconds that clocks may differ.

    Raises:
        TokenRejected: `token_expired`, `token_from_the_future`, `claim_missing` or
            `claim_malformed`.

    RFC 7519 §4.1.4 to §4.1.6.
    """
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    if (
        type(expires_at) is int
        and type(issued_at) is int
        and 0 <= issued_at <= now + leeway
        and 0 <= expires_at <= _LATEST
        and now < expires_at + leeway
        and "nbf" not in claims
    ):
        return issued_at, expires_at  # at a glance; what follows knows every other form
    expires_at, issued_at = read_time(claims, "exp"), read_time(claims, "iat")
    if now >= expires_at + leeway:
        raise rejected(
            "exp", "the token has expired", code="token_expired",
            expected=f"after {now - leeway}", got=expires_at, now=now, leeway=leeway,
        )  # fmt: skip
    for name, value in (("iat", issued_at), ("nbf", find_time(claims, "nbf"))):
        if value is not None and value > now + leeway:
            raise rejected(
                name, "the token is from the future", code="token_from_the_future",
                expected=f"{now + leeway} or before", got=value, now=now, leeway=leeway,
            )  # fmt: skip
    return issued_at, expires_at


@contextmanager
def at_stage(stage: str) -> Generator[None]:
    """Say of a refusal in here at which stage of the flow it happened."""
    try:
        yield
    except TokenRejected as error:
        error.stage = stage
        raise


def rejected(
    claim: str,
    what: str,
    *,
    code: str,
    expected: str | int = "",
    got: str | int = "",
    now: int | None = None,
    leeway: int | None = None,
    hint: str = "",
) -> TokenRejected:
    """Return the refusal of a token for one of its claims.

    Args:
        claim: the name of the claim.
        what: what is wrong with it.
        code: for programs.
        expected: what would have been right; empty for what must not be told.
        got: what stands there; a text is cut and cleaned, since anybody may have made it.
        now: epoch seconds, where the time matters.
        leeway: seconds, where the time matters.
        hint: the likely cause; where the time matters there is one already.
    """
    found = clean_error_text(got[:_MOST_CHARACTERS]) if isinstance(got, str) else got
    values = (("expected", expected), ("got", found), ("now", now), ("leeway", leeway))
    facts = {name: value for name, value in values if value is not None and value != ""}
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    if now is not None and not hint:
        hint = _clock_hint(claim, got, now)
    return TokenRejected(
        f"{claim}: {what}{f' ({told})' if told else ''}",
        code=code,
        hint=hint,
        facts={"claim": claim, **facts},
    )


def _clock_hint(claim: str, got: str | int, now: int) -> str:
    """Return by how much a time is off, and what to do about it."""
    if not isinstance(got, int):
        return "if the token is fresh, the clocks of the two machines differ"
    off = f"{abs(got - now)} s {'ahead of' if got > now else 'behind'} this machine's clock"
    return (
        f"{claim} is {off}: if the token is fresh, the two clocks differ; set both by NTP, or "
        "allow more leeway"
    )


def _missing(name: str) -> TokenRejected:
    return rejected(name, "the claim is missing", code="claim_missing")


def _malformed(name: str, expected: str, value: JsonValue) -> TokenRejected:
    kind = "null" if value is None else type(value).__name__
    shown = str(value) if isinstance(value, int | float) else kind
    return rejected(
        name, "the claim is malformed", code="claim_malformed", expected=expected, got=shown
    )
