"""What the effects of a web login's token store mean. Layer: stores, no I/O."""

from __future__ import annotations

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
from codegrant.flow import Flow
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import LOGIN

_SQL = load_statements("logins")


def claim_callback(effect: ClaimCallback) -> Flow[CallbackClaim]:
    """Give the claim of a callback to the first who asks, and to nobody else until it expires."""
    claimed = yield from matched(
        _SQL["claim_callback"],
        login_digest=effect.login_digest,
        expires_at=effect.expires_at,
        now=effect.now,
    )
    if claimed:
        return Claimed()
    found = yield from execute(_SQL["find_callback"], login_digest=effect.login_digest)
    finished, sealed_answer, answer_until = found[0]
    if not finished:
        return InProgress()
    fresh = isinstance(answer_until, int) and effect.now < answer_until
    return Finished(sealed_answer if fresh and isinstance(sealed_answer, str) else "")


def finish_callback(effect: FinishCallback) -> Flow[None]:
    """Store the answer of a claimed callback and the session that began."""
    finished = yield from matched(
        _SQL["finish_callback"],
        login_digest=effect.login_digest,
        sealed_answer=effect.sealed_answer,
        answer_until=effect.answer_until,
    )
    if not finished:
        raise StoreError("a callback was finished that nobody had claimed", stage="store")
    if effect.session is not None:
        yield from execute(_SQL["begin_login"], **LOGIN.parameters(effect.session))


def save_session(effect: SaveSession) -> Flow[bool]:
    """Replace a session that has not ended."""
    return matched(
        _SQL["replace_login"],
        digest=effect.session.digest,
        sealed=effect.session.sealed,
        expires_at=effect.session.expires_at,
        now=effect.now,
        replacing=effect.replacing,
    )


def find_session(effect: FindSession) -> Flow[StoredSession | None]:
    """Return a session that has not expired."""
    return LOGIN.find(_SQL["find_login"], digest=effect.digest, now=effect.now)


def delete_session(effect: DeleteSession) -> Flow[bool]:
    """Delete a session."""
    return matched(_SQL["delete_login"], digest=effect.digest)


def end_sessions(effect: EndSessions) -> Flow[int | None]:
    """Delete the sessions that a logout token names, unless the token is known."""
    claimed = yield from matched(
        _SQL["claim_callback"],
        login_digest=effect.token_digest,
        expires_at=effect.remember_until,
        now=effect.now,
    )
    if not claimed:
        return None
    person, session = effect.person, effect.provider_session
    if not session:
        statement, named = _SQL["end_logins_of_person"], {"person": person}
    elif not person:
        statement, named = _SQL["end_logins_of_session"], {"provider_session": session}
    else:
        statement = _SQL["end_logins_of_person_in_session"]
        named = {"person": person, "provider_session": session}
    return len((yield from execute(statement, **named)))


def take_lease(effect: TakeLease) -> Flow[bool]:
    """Give a lease to who asks, unless somebody else has it."""
    return matched(
        _SQL["take_lease"],
        key=effect.key,
        owner=effect.owner,
        now=effect.now,
        duration=effect.duration,
    )


def release_lease(effect: ReleaseLease) -> Flow[bool]:
    """Take a lease back from its owner."""
    return matched(_SQL["release_lease"], key=effect.key, owner=effect.owner)
