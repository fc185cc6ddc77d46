"""The page of one's own account: password, sessions, applications. Layer: accounts, no I/O.

Every form on it posts to its own address, with the session's `csrf` and the name of one
button, and is answered by a 303 back; only a new password that cannot be taken shows the page
at once. What is ended or withdrawn is looked up under the person of the session, whatever a
form says.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from codegrant.accounts.authentication import Limited, Wrong, check_password
from codegrant.accounts.credentials import MIN_PASSWORD_LENGTH, read_password
from codegrant.accounts.effects import (
    ChangePassword,
    EndOtherSessions,
    EndSessionOf,
    FindAccountBySubject,
    FindSession,
    HashPassword,
    ListAccess,
    ListSessions,
    WithdrawAccess,
)
from codegrant.accounts.forms import check_csrf, csrf_of, read_form, read_query, tag_of
from codegrant.accounts.pages.render import AccountView, Form, Pages
from codegrant.accounts.pages.words import too_many_attempts
from codegrant.accounts.records import Account, Session
from codegrant.accounts.sessions import (
    find_session,
    find_session_secret,
    new_session,
    session_cookie,
)
from codegrant.errors import MessageError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.jose import base64url
from codegrant.messages.parameters import Parameters
from codegrant.secret import Secret, same_secret
from codegrant.server.answers import redirect
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.interaction import ANSWER_SECONDS
from codegrant.server.rate_limits import source_of
from codegrant.server.server import AuthorizationServer

__all__ = ["answer_account", "show_account"]

MOST_LISTED = 50
_SECRET_PURPOSE = "session of a new password"
_FORM_PURPOSE = "form of a new password"
_RANDOM_BYTES = 32

_WRONG = "The current password is not right."
_SHORT = f"Choose a new password of at least {MIN_PASSWORD_LENGTH} characters."
_UNUSABLE = "This new password is too long, or has a character that no key makes."
_DIFFERENT = "The two new passwords are not the same."

# What a form has done, by the name of the button that was pressed.
_DONE = {
    "change_password": (
        "Your password is changed. Every other browser is signed out, and applications have to "
        "sign you in anew."
    ),
    "end": "That browser is signed out.",
    "end_others": "Every other browser is signed out.",
    "withdraw": "The access is withdrawn.",
}


def show_account(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the page of whoever is logged in in this browser; nobody is sent to log in.

    Raises:
        MessageError: the query is malformed.
    """
    tag = read_query(request).single("done") or ""
    session = yield from find_session(server.policy, request, now)
    if session is None:
        return redirect(server.policy.endpoint("login"))
    # Only a tag that this session was given counts: no link makes the page say anything.
    done = (text for name, text in _DONE.items() if same_secret(tag, tag_of(server, session, name)))
    return (yield from _page(server, pages, session, now, notice=next(done, "")))


def answer_account(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the answer to a form of the account page.

    It is a 303 back to it, also when nobody is logged in any more or there is nothing left
    to end; for a password that is not taken it is the page, with 400 or 429.

    Raises:
        OAuthError, MessageError: the form is malformed, or is not this session's.
        StoreError: also when too many passwords wait to be hashed.

    RFC 6749 §10.2, §10.12.
    """
    form = read_form(request)
    session = yield from find_session(server.policy, request, now)
    # A form from another site brings no Lax cookie: it sees nobody, and changes nothing.
    if session is None:
        repeated = yield from _repeat_change(server, request, now)
        return repeated or redirect(server.policy.endpoint("account"))
    if now - session.created_at < ANSWER_SECONDS and _began_with_this(server, request):
        return _back(server, session, "change_password")
    check_csrf(server, session, form)
    pressed = [name for name in _DONE if form.single(name) is not None]
    if len(pressed) != 1:
        raise OAuthError("invalid_request", "the form does not say what to do")
    (name,) = pressed
    if name == "change_password":
        return (yield from _change_password(server, pages, request, form, session, now=now))
    subject, value = session.subject, form.single(name) or ""
    if name == "withdraw":
        if (yield from ask(WithdrawAccess(subject, value, now))):
            facts = {"client_id": value, "subject": subject}
            yield from ask(Emit(Event("access_withdrawn", now, facts)))
    elif name == "end":
        if (yield from ask(EndSessionOf(subject, value))):
            yield from _emit_logout(subject, value, now)
    else:
        for sid in (yield from ask(EndOtherSessions(subject, session.digest))):
            yield from _emit_logout(subject, sid, now)
    return _back(server, session, name)


def _change_password(
    server: AuthorizationServer,
    pages: Pages,
    request: Request,
    form: Parameters,
    session: Session,
    *,
    now: int,
) -> Flow[Response]:
    """Give the person another password; this browser stays logged in on a new session."""
    password = _new_password(form)
    if isinstance(password, str):
        return (yield from _page(server, pages, session, now, error=password))
    policy, current = server.policy, form.single("current_password") or ""
    account = yield from _account_of(session)
    outcome = yield from check_password(policy, request, account.username, current, now)
    if isinstance(outcome, Limited):
        yield from _emit_refusal(request, session, "limited", now)
        error = too_many_attempts(outcome.seconds)
        return (yield from _page(server, pages, session, now, error=error, wait=outcome.seconds))
    if isinstance(outcome, Wrong) or outcome.subject != session.subject:
        yield from _emit_refusal(request, session, "password", now)
        return (yield from _page(server, pages, session, now, error=_WRONG))
    secret = _next_secret(server, request)
    fresh = yield from new_session(
        policy, request, subject=session.subject, secret=secret, amr=("pwd",), now=now
    )
    password_hash = yield from ask(HashPassword(password))
    change = ChangePassword(fresh, outcome.password_hash, password_hash, session.digest, now)
    if (yield from ask(change)):
        facts = {"subject": session.subject, "source": source_of(request.peer)}
        yield from ask(Emit(Event("password_changed", now, facts)))
        return _back(server, fresh, "change_password", (session_cookie(policy, secret),))
    repeated = yield from _repeat_change(server, request, now)
    if repeated is None:
        yield from _emit_refusal(request, session, "changed", now)
    return repeated or redirect(policy.endpoint("account"))


def _new_password(form: Parameters) -> Secret | str:
    """Return the password that a form chooses, or what is wrong with it."""
    typed = form.single("new_password") or ""
    if len(typed) < MIN_PASSWORD_LENGTH:
        return _SHORT
    password = read_password(typed)
    if password is None:
        return _UNUSABLE
    if password != read_password(form.single("new_password_again") or ""):
        return _DIFFERENT
    return password


def _repeat_change(
    server: AuthorizationServer, request: Request, now: int
) -> Flow[Response | None]:
    """Return the answer to a change of the password a moment ago, to the very same form again.

    Somebody who presses the button twice sends the form twice, and the browser may keep
    only the answer to the second; its session ended with the first.
    """
    secret = _next_secret(server, request)
    session = yield from ask(FindSession(secret.digest(), now, now - server.policy.session_idle))
    if session is None or now - session.created_at >= ANSWER_SECONDS:
        return None
    return _back(server, session, "change_password", (session_cookie(server.policy, secret),))


def _next_secret(server: AuthorizationServer, request: Request) -> Secret:
    """Return the cookie that follows this browser's when this very form changes the password.

    As hard to guess as the one before, to anybody who does not know both that and our key.
    Its last bytes say by which form it began.
    """
    old = find_session_secret(server.policy, request.headers)
    key = server.key_ring.derive(_SECRET_PURPOSE)
    known = b"" if old is None else old.digest()
    random = hmac.digest(key, known + request.body, sha256)
    return Secret(base64url.encode(random + _form_tag(server, random, request)))


def _began_with_this(server: AuthorizationServer, request: Request) -> bool:
    """Return whether this browser's session began with this very form.

    The second press of a button may come when the answer to the first has given the browser
    its new cookie, and not yet its new page.
    """
    secret = find_session_secret(server.policy, request.headers)
    try:
        raw = b"" if secret is None else base64url.decode(secret.reveal())
    except MessageError:
        return False
    random, tag = raw[:_RANDOM_BYTES], raw[_RANDOM_BYTES:]
    return hmac.compare_digest(tag, _form_tag(server, random, request))


def _form_tag(server: AuthorizationServer, random: bytes, request: Request) -> bytes:
    """Return 16 bytes that tie a session to the form that it begins with."""
    key = server.key_ring.derive(_FORM_PURPOSE)
    return hmac.digest(key, random + request.body, sha256)[:16]


def _page(
    server: AuthorizationServer,
    pages: Pages,
    session: Session,
    now: int,
    *,
    notice: str = "",
    error: str = "",
    wait: int | None = None,
) -> Flow[Response]:
    """Return the account page of a session.

    Args:
        notice: what has been done.
        error: why the password was not changed.
        wait: seconds until another attempt at it is taken.
    """
    subject = session.subject
    account = yield from _account_of(session)
    idle_since = now - server.policy.session_idle
    sessions = yield from ask(ListSessions(subject, now, idle_since, MOST_LISTED + 1))
    access = yield from ask(ListAccess(subject, now, MOST_LISTED + 1))
    view = AccountView(
        account=account,
        sid=session.sid,
        sessions=sessions[:MOST_LISTED],
        access=access[:MOST_LISTED],
        more_sessions=len(sessions) > MOST_LISTED,
        more_access=len(access) > MOST_LISTED,
        now=now,
        notice=notice,
        error=error,
        retry_after=wait,
    )
    return pages.account(Form(csrf=csrf_of(server, session)), view)


def _account_of(session: Session) -> Flow[Account]:
    """Return the account of a session that was found a moment ago."""
    account = yield from ask(FindAccountBySubject(session.subject))
    if account is None:
        raise OAuthError("access_denied", "you are not signed in any more", status=403)
    return account


def _back(
    server: AuthorizationServer, session: Session, done: str, cookies: tuple[str, ...] = ()
) -> Response:
    """Return a 303 to the account page, which then says to this session what has been done."""
    tag = tag_of(server, session, done)
    return redirect(server.policy.endpoint(f"account?done={tag}"), cookies)


def _emit_logout(subject: str, sid: str, now: int) -> Flow[None]:
    yield from ask(Emit(Event("logout", now, {"subject": subject, "sid": sid})))


def _emit_refusal(request: Request, session: Session, reason: str, now: int) -> Flow[None]:
    facts = {"subject": session.subject, "source": source_of(request.peer), "reason": reason}
    yield from ask(Emit(Event("password_refused", now, facts)))
