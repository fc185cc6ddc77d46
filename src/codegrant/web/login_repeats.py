"""What the end of a login leaves for repeats of its callback, and what it ends. Layer: web.

A repeat leads where the login led. It gives the session once more, since the first answer may
have been lost, but never to a browser that has moved on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from codegrant.client.effects import DeleteSession
from codegrant.client.pending import PendingLogin
from codegrant.flow import Flow, ask
from codegrant.http import Headers
from codegrant.sealing import KeyRing, SealBroken
from codegrant.secret import Secret, digest_of
from codegrant.web.login_cookies import LoginCookies

__all__ = ["end_others", "open_answer", "seal_answer", "sessions_of"]

_PURPOSE = "codegrant web answer 2"


def seal_answer(location: str, before: Sequence[str], seed: Secret) -> str:
    """Seal what a repeated callback needs, under a key that only its cookie holds.

    Args:
        location: where the login leads.
        before: what `sessions_of` says of the browser that ended it.
        seed: of the login.
    """
    text = json.dumps([location, before])
    return KeyRing([seed.reveal()]).seal(_PURPOSE, text.encode())


def open_answer(sealed: str, seed: Secret) -> tuple[str, list[str]] | None:
    """Return what `seal_answer` was given, while a repeat is still answered."""
    try:
        raw = KeyRing([seed.reveal()]).open(_PURPOSE, sealed)
    except SealBroken:
        return None
    location, before = json.loads(raw)
    return location, before


def sessions_of(cookies: LoginCookies, headers: Headers) -> list[str]:
    """Return the digests, as hexadecimal digits, of the sessions that a browser brings."""
    return [digest_of(session_id).hex() for session_id in cookies.find_sessions(headers)]


def end_others(
    cookies: LoginCookies, headers: Headers, key_ring: KeyRing, login: PendingLogin
) -> Flow[None]:
    """End the sessions that a browser had before a login, as far as it brings them.

    With a form from another site it brings no session, but the cookies of the logins that it
    has just finished.
    """
    before = dict.fromkeys(cookies.find_sessions(headers))
    before |= dict.fromkeys(one.session_id for one in cookies.find_finished(headers, key_ring))
    for session_id in before:
        if session_id != login.session_id:
            yield from ask(DeleteSession(digest_of(session_id)))
