"""The two halves of a web login between its start and its callback. Layer: client, no I/O.

The pending cookie holds what must stay with the browser; the `state` parameter what helps
to explain, and to restart, a login whose cookie is gone. Neither is of any use without
the other, and together they make the `PendingLogin` again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codegrant.client.pending import (
    IDENTITY_BYTES,
    LOGIN_ID_BYTES,
    LOGIN_LIFETIME,
    PendingLogin,
    ProviderIdentity,
    login_id_of,
    session_id_of,
)
from codegrant.client.state_errors import other_provider, seal_error, state_error
from codegrant.errors import SealBroken, StateError
from codegrant.jose import base64url
from codegrant.sealing import KeyRing
from codegrant.secret import Secret, digest_of, same_secret

__all__ = [
    "Brought",
    "CookieLogin",
    "LoginState",
    "browser_digest",
    "diagnose",
    "login_digest",
    "open_cookie",
    "resume_login",
    "seal_cookie",
]

MAX_RETURN_TO = 200
MAX_ORIGIN = 100
MAX_PROVIDER_NAME = 40
MAX_ASKED = 16
MAX_PENDING = 12
"""Pending logins that one browser keeps; the oldest go first."""

# Browsers keep at least 150 cookies of a host, and servers take at least 8 KB of them.
_JAR_COOKIES = 150
_JAR_BYTES = 8000

_SEED = 32
_TIME = 5
_BROWSER = 4
_MAX_AGE = 4
_NO_MAX_AGE = 0xFFFFFFFF
_COOKIE_PURPOSE = "codegrant client pending cookie 1"
_STATE_PURPOSE = "codegrant client state 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """What the `state` parameter of a web login tells its application, and nobody else.

    It proves nothing: whoever holds the address holds it. A callback counts only with
    the cookie of the same login id.

    Attributes:
        login_id: 16 bytes, see `PendingLogin.login_id`.
        started_at: epoch seconds.
        origin: where the login began, e.g. `https://app.example`; empty when it has more
            than 100 bytes.
        return_to: where the application wants to continue; `None` when it has more than
            200 bytes.
        browser: 4 bytes that tell one kind of browser from another, see `browser_digest`.
    """

    login_id: bytes
    started_at: int
    origin: str = ""
    return_to: str | None = None
    browser: bytes = bytes(4)

    def seal(self, key_ring: KeyRing) -> str:
        """Return the `state` parameter: under 480 base64url characters."""
        origin = self.origin.encode()
        if len(origin) > MAX_ORIGIN:
            origin = b""
        return_to = (self.return_to or "").encode()
        if len(return_to) > MAX_RETURN_TO:
            return_to = b""
        head = self.login_id + self.started_at.to_bytes(_TIME) + self.browser
        head += len(origin).to_bytes(1)
        return key_ring.seal(_STATE_PURPOSE, head + origin + return_to)

    @classmethod
    def open(cls, sealed: str, key_ring: KeyRing) -> LoginState:
        """Return what `seal` made a `state` of.

        Raises:
            StateError: `state_tampered` when it was altered or is something else,
                `state_unknown` when another key sealed it.
        """
        try:
            raw = key_ring.open(_STATE_PURPOSE, sealed)
        except SealBroken as error:
            raise seal_error(error, "the state parameter") from None
        login_id, rest = raw[:LOGIN_ID_BYTES], raw[LOGIN_ID_BYTES:]
        started_at, rest = int.from_bytes(rest[:_TIME]), rest[_TIME:]
        browser, size, rest = rest[:_BROWSER], rest[_BROWSER], rest[_BROWSER + 1 :]
        origin, return_to = rest[:size], rest[size:]
        return cls(
            login_id=login_id,
            started_at=started_at,
            origin=origin.decode(),
            return_to=return_to.decode() or None,
            browser=browser,
        )


def browser_digest(user_agent: str) -> bytes:
    """Return 4 bytes that differ from browser to browser; they explain, and prove nothing."""
    return digest_of(user_agent)[:_BROWSER]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a browser brought to a callback, as far as it explains a cookie that is missing.

    Attributes:
        method: of the request.
        user_agent: as sent.
        cookies: how many of all applications on this host.
        cookie_bytes: of the whole Cookie field.
        pending: how many other pending logins of this application are among them.
    """

    method: str = "GET"
    user_agent: str = ""
    cookies: int = 0
    cookie_bytes: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieLogin:
    """The part of a pending login that stays with the browser.

    Attributes:
        seed: as in `PendingLogin`.
        identity: `ProviderIdentity.digest()`.
        started_at: epoch seconds.
        max_age: as sent, or `None`.
        provider_name: the application's name for the provider, e.g. `google`.
        asked: the application's name for what the login asks for; empty for the usual.
        with_consent: whether the person is asked for consent once more, for a refresh token.
    """

    seed: Secret = field(repr=False)
    identity: bytes
    started_at: int
    max_age: int | None
    provider_name: str
    asked: str = ""
    with_consent: bool = False

    @property
    def login_id(self) -> bytes:
        """As `PendingLogin.login_id`."""
        return login_id_of(base64url.decode(self.seed.reveal()))

    @property
    def session_id(self) -> str:
        """As `PendingLogin.session_id`."""
        return session_id_of(base64url.decode(self.seed.reveal()))


def seal_cookie(
    login: PendingLogin,
    provider_name: str,
    key_ring: KeyRing,
    asked: str = "",
    *,
    with_consent: bool = False,
) -> str:
    """Return the value of a pending cookie; with a name of 32 characters it is under 220 bytes.

    With a name for what it asks for it is up to 23 bytes longer.

    Args:
        login: what `start_login` returned.
        provider_name: at most 40 bytes.
        key_ring: the application's keys.
        asked: what the application calls the options of this login; at most 16 bytes.
        with_consent: see `CookieLogin`.

    Raises:
        ValueError: a name is longer.
    """
    name = provider_name.encode()
    if len(name) > MAX_PROVIDER_NAME:
        raise ValueError(f"provider_name: at most {MAX_PROVIDER_NAME} bytes")
    if len(asked.encode()) > MAX_ASKED:
        raise ValueError(f"asked: at most {MAX_ASKED} bytes")
    if asked or with_consent:
        name += b"\0" + asked.encode()
    if with_consent:
        name += b"\0"
    max_age = _NO_MAX_AGE if login.max_age is None else min(login.max_age, _NO_MAX_AGE - 1)
    raw = (
        base64url.decode(login.seed.reveal())
        + login.provider.digest()
        + login.started_at.to_bytes(_TIME)
        + max_age.to_bytes(_MAX_AGE)
        + name
    )
    return key_ring.seal(_COOKIE_PURPOSE, raw)


def open_cookie(value: str, key_ring: KeyRing) -> CookieLogin:
    """Return what `seal_cookie` put into the cookie.

    Raises:
        StateError: `state_tampered` when it was altered or is something else,
            `state_unknown` when another key sealed it.
    """
    try:
        raw = key_ring.open(_COOKIE_PURPOSE, value)
    except SealBroken as error:
        raise seal_error(error, "the pending cookie") from None
    seed, identity, rest = (
        raw[:_SEED],
        raw[_SEED : _SEED + IDENTITY_BYTES],
        raw[_SEED + IDENTITY_BYTES :],
    )
    max_age = int.from_bytes(rest[_TIME : _TIME + _MAX_AGE])
    name, _, more = rest[_TIME + _MAX_AGE :].decode().partition("\0")
    asked, consent, _ = more.partition("\0")
    return CookieLogin(
        seed=Secret(base64url.encode(seed)),
        identity=identity,
        started_at=int.from_bytes(rest[:_TIME]),
        max_age=None if max_age == _NO_MAX_AGE else max_age,
        provider_name=name,
        asked=asked,
        with_consent=bool(consent),
    )


def resume_login(
    cookie: CookieLogin,
    raw_state: str,
    provider: ProviderIdentity,
    key_ring: KeyRing,
    *,
    scope: tuple[str, ...],
    resource: tuple[str, ...] = (),
    acr_values: tuple[str, ...] = (),
    acr_essential: bool = False,
) -> PendingLogin:
    """Return the pending login that a cookie and the state of its callback make together.

    Args:
        cookie: what the browser brought back.
        raw_state: the callback's `state` parameter.
        provider: whom this callback address belongs to, as the application is set up.
        key_ring: the application's keys.
        scope: what the application asks this provider for.
        resource: the APIs that it asks for.
        acr_values: as sent.
        acr_essential: as sent.

    Raises:
        StateError: `state_tampered` or `state_unknown` when the state does not open,
            `state_mismatch` when it is another login's, `state_other_provider` when the
            login was started with another provider or other settings.
    """
    state = LoginState.open(raw_state, key_ring)
    if not same_secret(state.login_id, cookie.login_id):
        raise state_error("state_mismatch", "the state belongs to another login than the cookie")
    if not same_secret(cookie.identity, provider.digest()):
        raise other_provider()
    return PendingLogin(
        url="",
        state=raw_state,
        seed=cookie.seed,
        provider=provider,
        started_at=cookie.started_at,
        scope=scope,
        resource=resource,
        max_age=cookie.max_age,
        acr_values=acr_values,
        acr_essential=acr_essential,
        return_to=state.return_to,
    )


def diagnose(
    raw_state: str | None,
    key_ring: KeyRing,
    *,
    now: int,
    origin: str,
    cookie_found: bool = False,
    already_used: bool = False,
    lifetime: int = LOGIN_LIFETIME,
    brought: Brought | None = None,
    by_form: bool = False,
) -> StateError:
    """Return why a callback has no pending login: the likeliest cause and its fix.

    Args:
        raw_state: the callback's `state`, or `None`.
        key_ring: the application's keys.
        now: epoch seconds.
        origin: where the callback arrived, e.g. `http://127.0.0.1:8000`.
        cookie_found: whether the cookie of this state's login came along.
        already_used: whether this login was finished before.
        lifetime: seconds that a login may last.
        brought: what the browser brought, when that is known.
        by_form: whether the provider was asked to answer with a form.
    """
    if brought is not None and brought.method == "POST" and not by_form:
        return state_error("state_posted", "the callback was sent as a form")
    if not raw_state:
        return state_error("state_missing", "the callback has no state")
    try:
        state = LoginState.open(raw_state, key_ring)
    except StateError as error:
        return error
    if already_used:
        return state_error("state_already_used", "this login was finished before")
    age = now - state.started_at
    if age > lifetime:
        return state_error(
            "state_expired",
            f"the login began {age} s ago, {lifetime} s are allowed",
            now=now,
            started_at=state.started_at,
        )
    if state.origin and state.origin != origin:
        return state_error(
            "state_host_changed",
            f"the login began on {state.origin}, the callback arrived on {origin}",
            started_on=state.origin,
            arrived_on=origin,
        )
    if cookie_found:
        return state_error("state_mismatch", "the state is not the one of this login's cookie")
    return _explain_missing_cookie(state, brought or Brought())


def _explain_missing_cookie(state: LoginState, brought: Brought) -> StateError:
    """Return why the browser of this login, if it is that, came without its cookie."""
    if brought.pending >= MAX_PENDING:
        return state_error(
            "state_superseded",
            f"{brought.pending} logins were begun in this browser after this one",
            pending=brought.pending,
        )
    if brought.cookies >= _JAR_COOKIES or brought.cookie_bytes >= _JAR_BYTES:
        return state_error(
            "state_cookies_full",
            f"the browser sent {brought.cookies} cookies of {brought.cookie_bytes} bytes, and not "
            "this login's",
            cookies=brought.cookies,
            cookie_bytes=brought.cookie_bytes,
        )
    if brought.user_agent and state.browser != browser_digest(brought.user_agent):
        return state_error("state_other_browser", "the login began in another browser")
    if brought.method == "POST":
        return state_error("state_form_alone", "the form came without the cookie of this login")
    return state_error("state_cookie_missing", "no cookie of this login came with the callback")


def login_digest(login_id: bytes) -> bytes:
    """Return the 32-byte digest under which a store knows a login."""
    return digest_of(login_id.hex())
