"""`DjangoTokenStore`: the token store of a login, in Django's own database. Layer: web.

Each effect is one statement, or one transaction that begins with a write. It is committed
before its answer comes back, whatever becomes of the transaction that a view is in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar, cast

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connections,
    router,
    transaction,
)
from django.db.models import Q

from codegrant.client.effects import (
    CallbackClaim,
    ClaimCallback,
    Claimed,
    DeleteSession,
    EndSessions,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.errors import StoreError
from codegrant.flow import Effect

__all__ = ["DjangoTokenStore", "clear_expired", "leaving_no_connection"]

R = TypeVar("R")
T = TypeVar("T")

# A row goes an hour after its end, for clocks that differ; a few at each login.
_REST = 3600
_FEW = 100


class DjangoTokenStore:
    """Performs the effects of `client/effects.py` through Django's ORM.

    Args:
        using: the database's alias; by default the one that the routers name for writing.
    """

    def __init__(self, using: str | None = None) -> None:
        self._using = using

    def perform(self, effect: Effect[T]) -> T:
        """Carry out one effect and return its answer; not in a thread with an event loop.

        Raises:
            StoreError: the database failed, the effect is none of a token store's, or a
                callback is finished that nobody claimed.
        """
        from codegrant.web.django.models import Session

        using = self._using or router.db_for_write(Session)
        try:
            return cast("T", _committed(using, lambda: _perform(effect, using)))
        except (DatabaseError, InterfaceError) as error:
            raise _store_error(using, error) from None


def clear_expired(now: int, using: str, most: int | None = None) -> int:
    """Delete what has expired, and return how many rows went.

    Args:
        now: epoch seconds.
        using: the database's alias.
        most: of each table; all of them, if there is no limit.
    """
    from codegrant.web.django.models import Callback, Lease, Session

    gone = 0
    for model in (Session, Callback, Lease):
        rows = model.objects.using(using).filter(expires_at__lte=now - _REST)
        if most is not None:
            keys = list(rows.order_by("expires_at").values_list("pk", flat=True)[:most])
            rows = rows.filter(pk__in=keys)
        gone += rows.delete()[0]
    return gone


@contextmanager
def leaving_no_connection() -> Generator[None]:
    """Close the connections that are opened meanwhile in a thread that is none of a request's."""
    before = {one.alias for one in connections.all(initialized_only=True) if one.connection}
    try:
        yield
    finally:
        for one in connections.all(initialized_only=True):
            if one.alias not in before:
                one.close()


def _committed(using: str, operation: Callable[[], R]) -> R:
    """Run an operation so that it is committed when this returns.

    In a view's transaction it runs in a thread, and so over a connection, of its own: what
    rolls the view back must not bring back a refresh token that the server has replaced. In
    a `TestCase`, whose transactions hide from every other connection, it runs in place.
    """
    blocks = connections[using].atomic_blocks
    if not blocks or any(getattr(one, "_from_testcase", False) for one in blocks):
        return operation()
    outcome: list[R | BaseException] = []

    def apart() -> None:
        try:
            outcome.append(operation())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            outcome.append(error)
        finally:
            connections[using].close()

    thread = Thread(target=apart)
    thread.start()
    thread.join()
    (answer,) = outcome
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _perform(effect: object, using: str) -> object:
    match effect:
        case ClaimCallback():
            return _claim(effect, using)
        case FinishCallback():
            _finish(effect, using)
            return None
        case SaveSession():
            return _replace(effect, using)
        case FindSession(digest, now):
            return _find(digest, now, using)
        case DeleteSession(digest):
            return _delete(digest, using)
        case EndSessions():
            return _end(effect, using)
        case TakeLease():
            return _take(effect, using)
        case ReleaseLease():
            return _release(effect, using)
        case _:
            raise StoreError(f"{type(effect).__name__} is no effect of a token store")


def _claim(effect: ClaimCallback, using: str) -> CallbackClaim:
    from codegrant.web.django.models import Callback

    callbacks, digest = Callback.objects.using(using), effect.login_digest.hex()
    while True:
        anew = callbacks.filter(pk=digest, expires_at__lte=effect.now).update(
            expires_at=effect.expires_at, finished=False, sealed_answer="", answer_until=0
        )
        if anew:
            return Claimed()
        try:
            with transaction.atomic(using):
                callbacks.create(digest=digest, expires_at=effect.expires_at)
        except IntegrityError:
            found = callbacks.filter(pk=digest).first()
            if found is None:  # it has just expired and been cleared
                continue
            if not found.finished:
                return InProgress()
            return Finished(found.sealed_answer if effect.now < found.answer_until else "")
        clear_expired(effect.now, using, _FEW)
        return Claimed()


def _finish(effect: FinishCallback, using: str) -> None:
    from codegrant.web.django.models import Callback, Session

    with transaction.atomic(using):
        finished = (
            Callback.objects.using(using)
            .filter(pk=effect.login_digest.hex())
            .update(
                finished=True, sealed_answer=effect.sealed_answer, answer_until=effect.answer_until
            )
        )
        if not finished:
            raise StoreError("a callback was finished that nobody had claimed", stage="store")
        session = effect.session
        if session is not None:
            row = Session(
                digest=session.digest.hex(),
                sealed=session.sealed,
                expires_at=session.expires_at,
                person=session.person.hex(),
                provider_session=session.provider_session.hex(),
            )
            row.save(using=using)


def _replace(effect: SaveSession, using: str) -> bool:
    from codegrant.web.django.models import Session

    session = effect.session
    rows = Session.objects.using(using).filter(pk=session.digest.hex(), expires_at__gt=effect.now)
    if effect.replacing is not None:
        rows = rows.filter(sealed=effect.replacing)
    return rows.update(sealed=session.sealed, expires_at=session.expires_at) == 1


def _find(digest: bytes, now: int, using: str) -> StoredSession | None:
    from codegrant.web.django.models import Session

    row = Session.objects.using(using).filter(pk=digest.hex(), expires_at__gt=now).first()
    if row is None:
        return None
    return StoredSession(
        digest=digest,
        sealed=row.sealed,
        expires_at=row.expires_at,
        person=bytes.fromhex(row.person),
        provider_session=bytes.fromhex(row.provider_session),
    )


def _delete(digest: bytes, using: str) -> bool:
    from codegrant.web.django.models import Session

    return Session.objects.using(using).filter(pk=digest.hex()).delete()[0] == 1


def _end(effect: EndSessions, using: str) -> int | None:
    from codegrant.web.django.models import Session

    claim = ClaimCallback(
        login_digest=effect.token_digest, now=effect.now, expires_at=effect.remember_until
    )
    with transaction.atomic(using):
        if not isinstance(_claim(claim, using), Claimed):
            return None
        named = Session.objects.using(using).all()
        if effect.person:
            named = named.filter(person=effect.person.hex())
        if effect.provider_session:
            own = Q(provider_session=effect.provider_session.hex())
            named = named.filter(own | Q(provider_session="") if effect.person else own)
        return named.delete()[0]


def _take(effect: TakeLease, using: str) -> bool:
    from codegrant.web.django.models import Lease

    leases, key, owner = Lease.objects.using(using), effect.key.hex(), effect.owner.hex()
    until, latest = effect.now + effect.duration, effect.now + 2 * effect.duration
    # The last condition: a clock was set back after that lease was taken.
    free = Q(owner=owner) | Q(expires_at__lte=effect.now) | Q(expires_at__gt=latest)
    if leases.filter(free, pk=key).update(owner=owner, expires_at=until):
        return True
    try:
        with transaction.atomic(using):
            leases.create(key=key, owner=owner, expires_at=until)
    except IntegrityError:
        return False
    return True


def _release(effect: ReleaseLease, using: str) -> bool:
    from codegrant.web.django.models import Lease

    leases = Lease.objects.using(using).filter(pk=effect.key.hex(), owner=effect.owner.hex())
    return leases.delete()[0] == 1


def _store_error(using: str, error: Exception) -> StoreError:
    """Return what a database's error means; its text may hold parameters and stays out."""
    place = f"the database {using!r}"
    # Without the table SQLite says OperationalError, PostgreSQL ProgrammingError.
    if isinstance(error, ProgrammingError) or "no such table" in str(error):
        return StoreError(
            f"{place} lacks the tables of codegrant",
            code="store_not_migrated",
            stage="store",
            hint="run: python manage.py migrate",
        )
    if isinstance(error, OperationalError):
        return StoreError(
            f"{place} cannot be used just now ({type(error).__name__})",
            code="store_busy",
            stage="store",
            hint="see whether it runs, and whether another program locks it",
        )
    return StoreError(f"{place}: the operation failed ({type(error).__name__})", stage="store")
