from __future__ import annotations

import pytest

from codegrant.accounts.effects import (
    AddAccount,
    HashPassword,
    ReplacePassword,
    SaveSession,
    UpdateAccount,
    VerifyPassword,
)
from codegrant.accounts.records import Session
from codegrant.flow import Effect
from codegrant.secret import Secret, digest_of
from tests.flows.authorization_server import NOW
from tests.flows.house import account

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
SESSION = Session(
    digest=digest_of("cookie"),
    sid="sid",
    subject="person-alice",
    auth_time=NOW,
    amr=("pwd",),
    created_at=NOW,
    seen_at=NOW,
    expires_at=NOW + 60,
)


@pytest.mark.parametrize(
    "effect",
    [
        AddAccount(account("alice", password_hash=HASH)),
        UpdateAccount(account("alice", password_hash=HASH)),
        ReplacePassword("person-alice", HASH, NOW),
        SaveSession(SESSION, HASH, replaces=digest_of("another cookie")),
        HashPassword(Secret("wonderland")),
        VerifyPassword(Secret("wonderland"), HASH),
    ],
    ids=lambda effect: type(effect).__name__,
)
def test_no_effect_shows_a_password_or_its_hash(effect: Effect[object]) -> None:
    shown = f"{effect!r} {effect}"
    assert type(effect).__name__ in shown
    assert "argon2id" not in shown
    assert "wonderland" not in shown
