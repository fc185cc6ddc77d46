"""What the effects on authorization transactions mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server.effects import (
    BindTransaction,
    FindAnswer,
    FindTransaction,
    FinishTransaction,
    RecordLogin,
    SaveTransaction,
    TransactionEnd,
)
from codegrant.server.records import Transaction
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import TRANSACTION

_SQL = load_statements("transactions")


def save_transaction(effect: SaveTransaction) -> Flow[None]:
    """Insert a transaction; the oldest unbound ones of its source make room."""
    transaction = effect.transaction
    yield from execute(_SQL["save_transaction"], **TRANSACTION.parameters(transaction))
    if transaction.browser_digest is None:
        yield from execute(
            _SQL["drop_oldest_transactions"], source=transaction.source, limit=effect.limit
        )


def find_transaction(effect: FindTransaction) -> Flow[Transaction | None]:
    """Return the open transaction with this digest."""
    return TRANSACTION.find(_SQL["find_transaction"], digest=effect.digest, now=effect.now)


def bind_transaction(effect: BindTransaction) -> Flow[bool]:
    """Bind an unbound transaction to a browser; the oldest bound ones of its source make room."""
    bound = yield from execute(
        _SQL["bind_transaction"],
        digest=effect.digest,
        browser_digest=effect.browser_digest,
        now=effect.now,
    )
    if not bound:
        return False
    serial, source = bound[0]
    yield from execute(
        _SQL["drop_oldest_bound_transactions"],
        serial=serial,
        source=source,
        others=effect.limit - 1,
    )
    return True


def record_login(effect: RecordLogin) -> Flow[bool]:
    """Remember which session logged in for a transaction."""
    return matched(
        _SQL["record_login"],
        digest=effect.digest,
        browser_digest=effect.browser_digest,
        sid=effect.sid,
        now=effect.now,
    )


def finish_transaction(effect: FinishTransaction) -> Flow[bool]:
    """End a transaction of this browser."""
    return end_transaction(effect.end, effect.now)


def end_transaction(end: TransactionEnd, now: int) -> Flow[bool]:
    """End the open transaction that is bound to this browser; True for one caller."""
    return matched(
        _SQL["finish_transaction"],
        digest=end.digest,
        browser_digest=end.browser_digest,
        sealed_answer=end.sealed_answer,
        answer_until=end.answer_until,
        now=now,
    )


def find_answer(effect: FindAnswer) -> Flow[str | None]:
    """Return the sealed answer that ended a transaction of this browser."""
    found = yield from execute(
        _SQL["find_answer"],
        digest=effect.digest,
        browser_digest=effect.browser_digest,
        now=effect.now,
    )
    return str(found[0][0]) if found else None
