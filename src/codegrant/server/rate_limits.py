"""Rate limits on failures: guessing is slow, and success is never counted.

What is limited is the pair of an account (or client) and a source, so that nobody can
lock another person out, and a source as a whole. Each kind is counted apart. Layer:
server, no I/O; `accounts/` uses it for passwords.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.secret import digest_of
from codegrant.server.effects import CountFailures, FailureCount, FailureKind, SaveFailure
from codegrant.server.policy import Limits

__all__ = ["check_limits", "retry_after", "save_failure", "source_of"]


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
    if not limits.enabled:
        return
    since = now - limits.window
    failures = yield from ask(CountFailures(kind, digest_of(account), source_of(peer), since))
    seconds = retry_after(limits, failures, now)
    if seconds:
        raise OAuthError(
            "temporarily_unavailable",
            f"too many failed attempts, try again in {seconds} seconds",
            reason=f"{kind} limited",
            status=429,
            redirectable=False,
            facts={"retry_after": seconds},
        )


def save_failure(
    limits: Limits, kind: FailureKind, account: str, peer: str, now: int
) -> Flow[None]:
    """Remember one failed attempt."""
    if limits.enabled:
        source, forget_before = source_of(peer), now - limits.window
        yield from ask(SaveFailure(kind, digest_of(account), source, now, forget_before))
