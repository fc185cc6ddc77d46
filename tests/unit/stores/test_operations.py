"""`stores.operations`: every effect of a store has its operation, and only those."""

from __future__ import annotations

import pytest

from codegrant.accounts import effects as accounts
from codegrant.client import effects as client
from codegrant.errors import UsageError
from codegrant.flow import Effect, RandomBytes
from codegrant.secret import Secret
from codegrant.server import administration, refresh_effects
from codegrant.server import effects as server
from codegrant.stores.operations import OPERATIONS, find_operation, settings
from codegrant.stores.sqlite import SqliteStore

# Performed by the event sinks and by the password hasher.
ELSEWHERE = {server.Emit, accounts.HashPassword, accounts.VerifyPassword}


def test_every_effect_of_every_role_is_performed() -> None:
    effects = {
        value
        for module in (server, refresh_effects, administration, accounts, client, settings)
        for name in module.__all__
        if isinstance(value := getattr(module, name), type) and issubclass(value, Effect)
    }
    assert set(OPERATIONS) == effects - ELSEWHERE


@pytest.mark.parametrize(
    "effect",
    [RandomBytes(), accounts.HashPassword(Secret("a password"))],
    ids=lambda e: type(e).__name__,
)
def test_what_is_no_effect_of_a_store_is_refused(effect: Effect[object]) -> None:
    store = SqliteStore(":memory:")
    assert not store.performs(effect)
    with pytest.raises(UsageError, match=type(effect).__name__) as raised:
        find_operation(effect)
    assert "a password" not in str(raised.value)
    with pytest.raises(UsageError):
        store.perform(effect)
