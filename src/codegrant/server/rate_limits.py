"""Rate limits on failures: guessing is slow, and success is never counted.

What is limited is the pair of an account (or client) and a source, so that nobody can
lock another person out, and a source as a whole. Each kind is counted apart; misses at
introspection per caller. Layer: server, no I/O; `accounts/` uses it for passwords.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from codegrant.errors import OAuthError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.secret import digest_of
from codegrant.server.effects import CountFailures, FailureCount, FailureKind, SaveFailure
from codegrant.server.policy import Limits

__all__ = [
    "check_failures",
    "check_limits",
    "count_miss",
    "counted_failures",
    "retry_after",
    "save_failure",
    "source_of",
]

_MOST_MISSES = 100


def source_of(peer: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in peer:
        return peer
    try:
        address = IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # One subscriber has at least a /64 of addresses to choose from. RFC 6177.
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def retry_after(limits: Limits, failures: FailureCount, now: int) -> int:
    """Return the seconds until another attempt is taken; 0 when it is taken now."""
    waits = [
        oldest + limits.window - now
        for count, most, oldest in (
            (failures.of_pair, limits.account_failures, failures.oldest_of_pair),
            (failures.of_source, limits.source_failures, failures.oldest_of_source),
        )
        if count >= most
    ]
    return max(1, *waits) if waits else 0


def check_limits(
    limits: Limits, kind: FailureKind, account: str, peer: str, now: int
) -> Flow[None]:
    """Check that this source may try once more.

    Args:
        account: what is tried: a normalised username, a client id. Only its digest is kept.
        peer: the sender's address.

    Raises:
        OAuthError: status 429; the fact `retry_after` (seconds) goes into `Retry-After`.
    """
    if limits.enabled:
        failures = yield from ask(counted_failures(limits, kind, account, peer, now))
        check_failures(limits, kind, failures, now)


def counted_failures(
    limits: Limits, kind: FailureKind, account: str, peer: str, now: int
) -> CountFailures:
    """Return what asks for the failures that `check_failures` judges."""
    return CountFailures(kind, digest_of(account), source_of(peer), now - limits.window)


def check_failures(limits: Limits, kind: FailureKind, failures: FailureCount, now: int) -> None:
    """Check that after these failures one more attempt is taken.

    Raises:
        OAuthError: as `check_limits`.
    """
    seconds = retry_after(limits, failures, now) if limits.enabled else 0
    if seconds:
        raise _limited(kind, seconds)


def save_failure(
    limits: Limits, kind: FailureKind, account: str, peer: str, now: int
) -> Flow[None]:
    """Remember one failed attempt."""
    if limits.enabled:
        source, forget_before = source_of(peer), now - limits.window
        yield from ask(SaveFailure(kind, digest_of(account), source, now, forget_before))


def count_miss(limits: Limits, caller: str, now: int, *, one_in: int) -> Flow[bool]:
    """Count a token that a caller of the introspection endpoint may not know anything of.

    A miss costs a row only as far as the limit, and not each when `one_in` is above 1:
    whoever sends nonsense to an API makes its resource server miss, and must fill no disk.

    Args:
        caller: id of a client or of a resource server; nobody else's misses count.
        one_in: of how many misses, on average, one is written down. A hundred rows in the
            window are the limit.

    Returns:
        Whether this was the last one that is taken.

    Raises:
        OAuthError: status 429, as `check_limits`.
    """
    if not limits.enabled:
        return False
    account, since = digest_of(caller), now - limits.window
    failures = yield from ask(CountFailures("introspection", account, caller, since))
    if failures.of_pair >= _MOST_MISSES:
        raise _limited("introspection", max(1, failures.oldest_of_pair + limits.window - now))
    # Nobody may know which ones are written down, so it is no function of the token.
    if one_in > 1 and int.from_bytes((yield from ask(RandomBytes(16)))) % one_in:
        return False
    yield from ask(SaveFailure("introspection", account, caller, now, since))
    return failures.of_pair + 1 == _MOST_MISSES


def _limited(kind: FailureKind, seconds: int) -> OAuthError:
    """Return the answer to an attempt that is one too many. RFC 6585 §4."""
    return OAuthError(
        "temporarily_unavailable",
        f"too many failed attempts, try again in {seconds} seconds",
        reason=f"{kind} limited",
        status=429,
        redirectable=False,
        facts={"retry_after": seconds},
    )
