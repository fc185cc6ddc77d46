"""Browser sessions: who is logged in in a browser. Layer: accounts, no I/O.

The cookie's value is 256 random bits; the store knows its digest alone. A session ends
when it was not used for `session_idle`, at `session_absolute` whatever happens, at logout,
when another login takes its place, when its person ends it from another browser, and with
the password.
"""

from __future__ import annotations

from codegrant.accounts.browsers import describe_browser
from codegrant.accounts.effects import (
    AgreedSession,
    EndSession,
    FindAgreedSession,
    FindSession,
    SaveSession,
    TouchSession,
)
from codegrant.accounts.records import Account, Session
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Headers, Request, find_cookies
from codegrant.jose import base64url
from codegrant.secret import Secret
from codegrant.server.cookies import build_cookie, clear_cookie, cookie_name
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.host import Authentication
from codegrant.server.policy import Policy

__all__ = [
    "authentication_of",
    "end_session",
    "find_agreed_session",
    "find_session",
    "find_session_secret",
    "new_session",
    "session_cookie",
    "start_session",
]

_ROLE = "session"
_TOUCH_AFTER = 60


def find_session_secret(policy: Policy, headers: Headers) -> Secret | None:
    """Return the value of the session cookie, or None when there is none to trust.

    Two cookies of one name mean that somebody else placed one of them: nobody can tell
    which, so neither counts. RFC 6265 §8.6.
    """
    values = find_cookies(headers, cookie_name(policy, _ROLE))
    return Secret(values[0]) if len(values) == 1 and values[0] else None


def find_session(policy: Policy, request: Request, now: int) -> Flow[Session | None]:
    """Return the live session of the browser that asks, and note that it was used."""
    secret = find_session_secret(policy, request.headers)
    if secret is None:
        return None
    session = yield from ask(FindSession(secret.digest(), now, now - policy.session_idle))
    if session is not None:
        yield from _touch(session, now)
    return session


def find_agreed_session(
    policy: Policy, request: Request, client_id: str, audience: str, now: int
) -> Flow[AgreedSession | None]:
    """As `find_session`, with what its person agreed to for this client and audience."""
    secret = find_session_secret(policy, request.headers)
    if secret is None:
        return None
    idle_since = now - policy.session_idle
    found = yield from ask(FindAgreedSession(secret.digest(), now, idle_since, client_id, audience))
    if found is not None:
        yield from _touch(found.session, now)
    return found


def _touch(session: Session, now: int) -> Flow[None]:
    """Note that a session was used; once a minute is exact enough for hours."""
    if now - session.seen_at >= _TOUCH_AFTER:
        yield from ask(TouchSession(session.digest, now))


def start_session(
    policy: Policy, request: Request, account: Account, amr: tuple[str, ...], now: int
) -> Flow[tuple[Session, str] | None]:
    """Log a person in: a new session with a new id, in place of the browser's old one.

    Args:
        account: as read when its password was verified.

    Returns:
        The session and its `Set-Cookie` value; None when the account was disabled or its
        password replaced in the meantime.
    """
    secret = Secret(base64url.encode((yield from ask(RandomBytes(32)))))
    old = find_session_secret(policy, request.headers)
    session = yield from new_session(
        policy, request, subject=account.subject, secret=secret, amr=amr, now=now
    )
    replaces = None if old is None else old.digest()
    if not (yield from ask(SaveSession(session, account.password_hash, replaces))):
        return None
    return session, session_cookie(policy, secret)


def new_session(
    policy: Policy,
    request: Request,
    *,
    subject: str,
    secret: Secret,
    amr: tuple[str, ...],
    now: int,
) -> Flow[Session]:
    """Return a session that is not stored yet, for the browser that sent `request`.

    Args:
        secret: the value of its cookie.
        amr: how the person has just proved who they are.
    """
    return Session(
        digest=secret.digest(),
        sid=base64url.encode((yield from ask(RandomBytes(16)))),
        subject=subject,
        auth_time=now,
        amr=amr,
        created_at=now,
        seen_at=now,
        expires_at=now + policy.session_absolute,
        browser=describe_browser(request.headers.get("user-agent")),
    )


def session_cookie(policy: Policy, secret: Secret) -> str:
    """Return the `Set-Cookie` value that gives a session to the browser."""
    name = cookie_name(policy, _ROLE)
    return build_cookie(policy, name, secret.reveal(), max_age=policy.session_absolute)


def end_session(policy: Policy, session: Session, now: int) -> Flow[str]:
    """Log a person out; return the `Set-Cookie` value that says so to the browser."""
    yield from ask(EndSession(session.digest))
    facts = {"subject": session.subject, "sid": session.sid}
    yield from ask(Emit(Event("logout", now, facts)))
    return clear_cookie(policy, cookie_name(policy, _ROLE))


def authentication_of(session: Session) -> Authentication:
    """Return what the authorization server wants to know about a session."""
    return Authentication(
        subject=session.subject, auth_time=session.auth_time, amr=session.amr, sid=session.sid
    )
