"""What the effects on accounts, browser sessions and consents mean. Layer: stores, no I/O."""

from __future__ import annotations

from dataclasses import replace

from codegrant.accounts import effects as accounts
from codegrant.accounts.records import Access, Account, Session
from codegrant.flow import Flow
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import ACCESS, ACCOUNT, SESSION, names_of, text_of

_SQL = load_statements("accounts")


def find_account(effect: accounts.FindAccount) -> Flow[Account | None]:
    """Return the account with this username key."""
    return ACCOUNT.find(_SQL["find_account"], username_key=effect.username_key)


def find_account_by_subject(effect: accounts.FindAccountBySubject) -> Flow[Account | None]:
    """Return the account with this subject."""
    return ACCOUNT.find(_SQL["find_account_by_subject"], subject=effect.subject)


def list_accounts(_effect: accounts.ListAccounts) -> Flow[tuple[Account, ...]]:
    """Return every account."""
    return ACCOUNT.find_all(_SQL["list_accounts"])


def add_account(effect: accounts.AddAccount) -> Flow[bool]:
    """Insert an account unless its username key is taken."""
    return matched(_SQL["add_account"], **ACCOUNT.parameters(effect.account))


def update_account(effect: accounts.UpdateAccount) -> Flow[bool]:
    """Update all of an account but its password; a disabled person loses all access."""
    account = effect.account
    if not (yield from matched(_SQL["update_account"], **ACCOUNT.parameters(account))):
        return False
    if not account.enabled:
        yield from _end_everything(account.subject, account.updated_at)
    return True


def replace_password(effect: accounts.ReplacePassword) -> Flow[bool]:
    """Replace a password; sessions end and grants are revoked."""
    replaced = yield from matched(
        _SQL["replace_password"],
        subject=effect.subject,
        password_hash=effect.password_hash,
        now=effect.now,
    )
    if not replaced:
        return False
    yield from _end_everything(effect.subject, effect.now)
    return True


def change_password(effect: accounts.ChangePassword) -> Flow[bool]:
    """Replace a password in a browser that holds a session; only that browser goes on, anew."""
    subject = effect.session.subject
    changed = yield from matched(
        _SQL["change_password"],
        subject=subject,
        verified_hash=effect.verified_hash,
        password_hash=effect.password_hash,
        replaces=effect.replaces,
        now=effect.now,
    )
    if not changed:
        return False
    yield from _end_everything(subject, effect.now)
    return (yield from _save_session(effect.session, effect.password_hash))


def _end_everything(subject: str, now: int) -> Flow[None]:
    """Let nothing that a person was given so far come back to life."""
    yield from execute(_SQL["end_sessions_of"], subject=subject)
    yield from execute(_SQL["revoke_grants_of_subject"], subject=subject, now=now)
    # Whoever had the old password may have agreed to something, too.
    yield from execute(_SQL["forget_consents_of_subject"], subject=subject)


def save_session(effect: accounts.SaveSession) -> Flow[bool]:
    """Insert a session of an enabled person whose password still stands; end the one before."""
    if not (yield from _save_session(effect.session, effect.verified_hash)):
        return False
    if effect.replaces is not None:
        yield from execute(_SQL["end_session"], digest=effect.replaces)
    return True


def _save_session(session: Session, verified_hash: str) -> Flow[bool]:
    """Insert a session while the password hash of its person is the verified one."""
    return matched(_SQL["save_session"], **SESSION.parameters(session), verified_hash=verified_hash)


def find_session(effect: accounts.FindSession) -> Flow[Session | None]:
    """Return a session that holds, of a person who is enabled."""
    return SESSION.find(
        _SQL["find_session"],
        digest=effect.digest,
        now=effect.now,
        idle_since=effect.idle_since,
    )


def find_agreed_session(effect: accounts.FindAgreedSession) -> Flow[accounts.AgreedSession | None]:
    """Return a session that holds, with the scope its person agreed to."""
    found = yield from execute(
        _SQL["find_agreed_session"],
        digest=effect.digest,
        now=effect.now,
        idle_since=effect.idle_since,
        client_id=effect.client_id,
        audience=effect.audience,
    )
    if not found:
        return None
    scope, *columns = found[0]
    consent = None if scope is None else frozenset(names_of(scope))
    return accounts.AgreedSession(SESSION.record(columns), consent)


def touch_session(effect: accounts.TouchSession) -> Flow[None]:
    """Note that a session was used."""
    yield from execute(_SQL["touch_session"], digest=effect.digest, now=effect.now)


def end_session(effect: accounts.EndSession) -> Flow[bool]:
    """Delete a session."""
    return matched(_SQL["end_session"], digest=effect.digest)


def end_sessions_of(effect: accounts.EndSessionsOf) -> Flow[int]:
    """Delete every session of a person."""
    return len((yield from execute(_SQL["end_sessions_of"], subject=effect.subject)))


def list_sessions(effect: accounts.ListSessions) -> Flow[tuple[Session, ...]]:
    """Return the sessions of a person that hold."""
    return SESSION.find_all(
        _SQL["list_sessions"],
        subject=effect.subject,
        now=effect.now,
        idle_since=effect.idle_since,
        limit=effect.limit,
    )


def end_session_of(effect: accounts.EndSessionOf) -> Flow[bool]:
    """Delete a session that is this person's."""
    return matched(_SQL["end_session_of"], subject=effect.subject, sid=effect.sid)


def end_other_sessions(effect: accounts.EndOtherSessions) -> Flow[tuple[str, ...]]:
    """Delete every session of a person but one."""
    ended = yield from execute(_SQL["end_other_sessions"], subject=effect.subject, keep=effect.keep)
    return tuple(str(sid) for (sid,) in ended)


def list_access(effect: accounts.ListAccess) -> Flow[tuple[Access, ...]]:
    """Return what each client may do for a person; the rows of one client follow each other."""
    rows = yield from ACCESS.find_all(
        _SQL["list_access"], subject=effect.subject, now=effect.now, limit=effect.limit
    )
    by_client: dict[str, Access] = {}
    for row in rows:
        one = by_client.setdefault(row.client_id, row)
        scope = tuple(dict.fromkeys((*one.scope, *row.scope)))
        by_client[row.client_id] = replace(one, scope=scope)
    return tuple(by_client.values())


def withdraw_access(effect: accounts.WithdrawAccess) -> Flow[bool]:
    """Revoke a client's grants and forget what its person agreed to."""
    whose = {"subject": effect.subject, "client_id": effect.client_id}
    revoked = yield from matched(_SQL["revoke_grants_to_client"], **whose, now=effect.now)
    forgotten = yield from matched(_SQL["forget_consents"], **whose)
    return revoked or forgotten


def find_consent(effect: accounts.FindConsent) -> Flow[frozenset[str] | None]:
    """Return the scope that a person agreed to for a client and an audience."""
    found = yield from execute(
        _SQL["find_consent"],
        subject=effect.subject,
        client_id=effect.client_id,
        audience=effect.audience,
    )
    return frozenset(names_of(found[0][0])) if found else None


def save_consent(effect: accounts.SaveConsent) -> Flow[None]:
    """Add a scope to what a person agreed to for a client and an audience, if a grant lives."""
    subject, client_id, audience = effect.subject, effect.client_id, effect.audience
    before = yield from find_consent(accounts.FindConsent(subject, client_id, audience))
    yield from execute(
        _SQL["save_consent"],
        subject=subject,
        client_id=client_id,
        audience=audience,
        scope=text_of(sorted(effect.scope | (before or frozenset()))),
        now=effect.now,
    )
