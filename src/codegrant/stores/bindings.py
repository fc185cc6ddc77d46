"""What a database is bound to for good: its issuer and its key ring. Layer: stores."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Protocol, TypeVar

from codegrant.errors import SealBroken, StoreError
from codegrant.flow import Effect
from codegrant.sealing import KeyRing
from codegrant.server.administration import ListKeys
from codegrant.stores.operations.settings import FindSetting, KeepSetting, ResealKeys

__all__ = ["bind_issuer", "check_issuer_binding", "check_key_ring", "check_seal", "is_sealed"]

T = TypeVar("T")

_CHECK_PURPOSE = "codegrant store key check"
_CHECK_VALUE = b"codegrant"
_SIGNING_KEY_PURPOSE = "signing key"


class Store(Protocol):
    """Performs the effects of a store."""

    def perform(self, effect: Effect[T]) -> T: ...


def bind_issuer(store: Store, issuer: str) -> None:
    """Bind a database to its issuer, or check that it is bound to this one.

    The first `serve` with an issuer that was set records it; nothing else does.

    Raises:
        StoreError: `store_issuer` when the database belongs to another issuer.
    """
    _check_issuer(store.perform(KeepSetting("issuer", issuer)), issuer)


def check_issuer_binding(store: Store, issuer: str) -> None:
    """Check, recording nothing, that no other issuer was recorded.

    Raises:
        StoreError: `store_issuer`, as `bind_issuer`.
    """
    _check_issuer(store.perform(FindSetting("issuer")) or issuer, issuer)


def is_sealed(store: Store) -> bool:
    """Return whether the database keeps anything that only its key ring opens."""
    return store.perform(FindSetting("key_check")) is not None or bool(store.perform(ListKeys()))


def check_seal(store: Store, ring: KeyRing) -> None:
    """Check, changing nothing, that a key ring opens the check value, if there is one.

    Raises:
        StoreError: `store_key`, as `check_key_ring`.
    """
    sealed = store.perform(FindSetting("key_check"))
    if sealed is None:
        return
    try:
        ring.open(_CHECK_PURPOSE, sealed)
    except SealBroken:
        raise _wrong_key_ring() from None


def check_key_ring(store: Store, ring: KeyRing) -> None:
    """Check that a key ring opens what the database keeps sealed.

    The first ring is remembered by a sealed check value. Once another key of the ring is
    first, check value and signing keys are sealed with that one, so that the old key may go.

    Raises:
        StoreError: `store_key` when none of the ring's keys sealed the check value.
    """
    sealed = store.perform(KeepSetting("key_check", ring.seal(_CHECK_PURPOSE, _CHECK_VALUE)))
    try:
        ring.open(_CHECK_PURPOSE, sealed)
        if _is_sealed_by_first(ring, sealed):
            return
        _reseal(store, ring, sealed)
    except SealBroken:
        raise _wrong_key_ring() from None


def _check_issuer(bound: str, issuer: str) -> None:
    """Check that the recorded issuer is this one."""
    if bound != issuer:
        raise StoreError(
            f"the database belongs to the issuer {bound}, not to {issuer}",
            code="store_issuer",
            stage="store",
            hint="set the issuer it was first served with, or name another database",
        )


def _wrong_key_ring() -> StoreError:
    return StoreError(
        "the key ring does not open this database",
        code="store_key",
        stage="store",
        hint="set CODEGRANT_SECRET, or the key file, that the database was made with",
    )


def _is_sealed_by_first(ring: KeyRing, sealed: str) -> bool:
    """Return whether the key that seals now made this text: bytes 1 to 4 are its id."""
    return urlsafe_b64decode(sealed[:8])[1:5] == ring.key_id


def _reseal(store: Store, ring: KeyRing, sealed: str) -> None:
    """Seal check value and signing keys with the ring's first key."""
    keys = {
        key.kid: ring.seal(
            _SIGNING_KEY_PURPOSE, ring.open(_SIGNING_KEY_PURPOSE, key.sealed_private_key)
        )
        for key in store.perform(ListKeys())
    }
    value = ring.seal(_CHECK_PURPOSE, _CHECK_VALUE)
    store.perform(ResealKeys("key_check", sealed, value, keys))
