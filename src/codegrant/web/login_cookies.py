"""The cookies of a web login: names, attributes, and which of them are too many. Layer: web.

Names carry six characters of a digest, since browsers ignore ports and `Path=/` is forced:
two applications on one host never collide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256

from codegrant.client.state import MAX_PENDING, Brought, CookieLogin, open_cookie
from codegrant.errors import CodegrantError
from codegrant.http import Headers, Request, find_cookies
from codegrant.sealing import KeyRing

__all__ = ["LoginCookies"]

_SESSIONS = 4
# Behind the cookie of a login that is finished. It is not sealed: who can write cookies could
# drop the whole as well.
_FINISHED = "."


class LoginCookies:
    """The cookies of one application.

    Args:
        root: its address, for example `https://app.example/shop`; on https the names take
            `__Host-`.
        client_ids: of all providers, so that two applications at one address differ.

    Attributes:
        session: name of the session's cookie.
        restarted: name of the cookie that says that a login was restarted a moment ago.
    """

    __slots__ = ("_attributes", "_pending_prefix", "restarted", "session")

    # Browsers bring a cookie with a form from another site only so. Secure on http as well:
    # without it they refuse the other, and most of them keep it on loopback.
    _CROSS_SITE = "Path=/; HttpOnly; SameSite=None; Secure"

    def __init__(self, root: str, client_ids: Iterable[str]) -> None:
        secure = root.startswith("https://")
        text = "\0".join(["codegrant application", root, *sorted(client_ids)])
        digest = sha256(text.encode()).hexdigest()[:6]
        host = "__Host-" if secure else ""
        self.session: str = f"{host}cg-app-{digest}"
        self.restarted: str = f"{host}cg-again-{digest}"
        self._pending_prefix = f"{host}cg-login-{digest}-"
        self._attributes = f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"

    def pending(self, login_id: bytes) -> str:
        """Return the name of the cookie of one pending login: ten tabs have ten."""
        return self._pending_prefix + login_id.hex()[:8]

    def find_pending(self, headers: Headers, login_id: bytes) -> tuple[str, ...]:
        """Return the values of the cookie of one pending login: one, unless somebody meddles."""
        values = find_cookies(headers, self.pending(login_id))
        return tuple(value.removesuffix(_FINISHED) for value in values)

    def find_finished(self, headers: Headers, key_ring: KeyRing) -> Iterator[CookieLogin]:
        """Yield the logins that this browser has finished in the last minute."""
        for name in self._pending_names(headers):
            for value in find_cookies(headers, name):
                if value.endswith(_FINISHED):
                    with suppress(CodegrantError):
                        yield open_cookie(value.removesuffix(_FINISHED), key_ring)

    def build(self, name: str, value: str, *, max_age: int) -> tuple[str, str]:
        """Return the `Set-Cookie` field. RFC 6265 §4.1."""
        return ("set-cookie", f"{name}={value}; Max-Age={max_age}; {self._attributes}")

    def build_pending(
        self, login_id: bytes, value: str, *, max_age: int, by_form: bool, finished: bool = False
    ) -> tuple[str, str]:
        """Return the `Set-Cookie` field of a pending login.

        Args:
            value: as `seal_cookie` made it.
            max_age: seconds.
            by_form: whether the callback is a form of the provider's site.
            finished: whether it is kept only for repeats of the callback.
        """
        value += _FINISHED if finished else ""
        if not by_form:
            return self.build(self.pending(login_id), value, max_age=max_age)
        name = self.pending(login_id)
        return ("set-cookie", f"{name}={value}; Max-Age={max_age}; {self._CROSS_SITE}")

    def clear_pending(self, names: Sequence[str], *, by_form: bool) -> list[tuple[str, str]]:
        """Return the `Set-Cookie` fields that make the browser drop pending cookies.

        Args:
            names: of the cookies.
            by_form: whether the callback of any provider is a form: on http its cookie is
                Secure all the same, and only a field that is so makes a browser drop it.
        """
        fields = [self.clear(name) for name in names]
        if by_form and "Secure" not in self._attributes:
            fields += [("set-cookie", f"{n}=; Max-Age=0; {self._CROSS_SITE}") for n in names]
        return fields

    def clear(self, name: str) -> tuple[str, str]:
        """Return the `Set-Cookie` field that makes the browser drop `name`."""
        return self.build(name, "", max_age=0)

    def find_session(self, headers: Headers) -> str | None:
        """Return the session id, or None when there is none or when two compete for it."""
        values = find_cookies(headers, self.session)
        return values[0] if len(values) == 1 and values[0] else None

    def find_sessions(self, headers: Headers) -> tuple[str, ...]:
        """Return every session id that came along, a few at most: one of them may be planted."""
        return tuple(dict.fromkeys(filter(None, find_cookies(headers, self.session))))[:_SESSIONS]

    def was_restarted(self, headers: Headers) -> bool:
        """Return whether a login was restarted in this browser a moment ago."""
        return bool(find_cookies(headers, self.restarted))

    def brought(self, request: Request) -> Brought:
        """Return what the browser brought, for the explanation of a cookie that is missing."""
        fields = request.headers.get_all("cookie")
        return Brought(
            method=request.method,
            user_agent=request.headers.get("user-agent"),
            cookies=sum(field.count(";") + 1 for field in fields),
            cookie_bytes=sum(map(len, fields)),
            pending=len(self._pending_names(request.headers)),
        )

    def surplus(self, headers: Headers, key_ring: KeyRing, now: int, lifetime: int) -> list[str]:
        """Return the names of pending cookies that must go before one more is set.

        Those that do not open or have expired go, then the oldest above the limit.
        """
        gone: list[str] = []
        kept: list[tuple[int, str]] = []
        for name in self._pending_names(headers):
            values = find_cookies(headers, name)
            try:
                started_at = open_cookie(values[0].removesuffix(_FINISHED), key_ring).started_at
            except CodegrantError:
                gone.append(name)
                continue
            if len(values) > 1 or now - started_at > lifetime:
                gone.append(name)
            else:
                kept.append((started_at, name))
        kept.sort()
        return gone + [name for _, name in kept[: max(0, len(kept) - MAX_PENDING + 1)]]

    def _pending_names(self, headers: Headers) -> list[str]:
        """Return the names of pending cookies, as we make them and no others."""
        own = re.compile(re.escape(self._pending_prefix) + "[0-9a-f]{8}")
        names = (
            part.strip(" \t").partition("=")
            for line in headers.get_all("cookie")
            for part in line.split(";")
        )
        return list(dict.fromkeys(n for n, equals, _ in names if equals and own.fullmatch(n)))
