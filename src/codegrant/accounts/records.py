"""What is remembered about people and their browsers, as frozen values. Layer: accounts, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.messages.json import JsonValue

__all__ = ["Access", "Account", "Session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who can log in here.

    Attributes:
        subject: the stable `sub`, made by `accounts.subjects.new_subject`; never the username.
        username: as the person writes it.
        username_key: its one comparable form, unique (`accounts.credentials`).
        password_hash: Argon2id in PHC form; empty for a person without a password.
        email: empty for none.
        name: to be shown; empty for none.
        claims: further standard claims (OIDC Core §5.1); absent ones are absent.
        enabled: False keeps the person out at once, whatever sessions and tokens exist.
    """

    subject: str
    username: str
    username_key: str
    password_hash: str = field(default="", repr=False)
    email: str = ""
    email_verified: bool = False
    name: str = ""
    claims: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser in which a person is logged in; new with every login.

    Attributes:
        digest: SHA-256 of the cookie's value, 32 bytes.
        sid: public id, random; names the session in tokens and events.
        auth_time: epoch seconds of the login.
        amr: how the person proved who they are. RFC 8176.
        seen_at: epoch seconds of the last use, exact to a minute.
        expires_at: epoch seconds of its end, however much it is used.
        browser: what it calls itself, in words of `accounts.browsers`; empty for unknown.
    """

    digest: bytes
    sid: str
    subject: str
    auth_time: int
    amr: tuple[str, ...]
    created_at: int
    seen_at: int
    expires_at: int
    browser: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one client may do for one person: all of its live grants and consents together.

    Attributes:
        redirect_uris: as registered; they tell whose client it is.
        scope: every scope token of any of them.
        created_at: epoch seconds of the oldest grant or consent.
        granted_at: epoch seconds of the newest grant or consent.
    """

    client_id: str
    client_name: str
    redirect_uris: tuple[str, ...]
    scope: tuple[str, ...]
    created_at: int
    granted_at: int
