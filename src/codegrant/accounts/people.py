"""People as the authorization server asks for them, and as an operator administers them.

Layer: accounts, no I/O.
"""

from __future__ import annotations

import re
from dataclasses import replace

from codegrant.accounts.credentials import (
    MAX_PASSWORD_BYTES,
    MAX_USERNAME_LENGTH,
    read_password,
    read_username,
)
from codegrant.accounts.effects import (
    AddAccount,
    FindAccount,
    FindAccountBySubject,
    FindConsent,
    HashPassword,
    ReplacePassword,
    UpdateAccount,
)
from codegrant.accounts.pages.render import Pages
from codegrant.accounts.records import Account
from codegrant.accounts.sessions import authentication_of, find_agreed_session
from codegrant.accounts.subjects import new_subject
from codegrant.errors import ConfigurationError
from codegrant.flow import Flow, ask
from codegrant.http import Request
from codegrant.messages.json import JsonValue
from codegrant.secret import Secret
from codegrant.server.host import Host, Visitor
from codegrant.server.policy import Policy
from codegrant.server.records import Person

__all__ = [
    "add_account",
    "build_host",
    "find_account",
    "person_of",
    "replace_password",
    "set_enabled",
]

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
_MAX_NAME = 200
_EMAIL_CLAIMS = frozenset({"email", "email_verified"})


def build_host(policy: Policy, pages: Pages) -> Host:
    """Return the answers to all that an `AuthorizationServer` asks about people."""

    def find_visitor(
        request: Request, client_id: str, audience: str, now: int
    ) -> Flow[Visitor | None]:
        found = yield from find_agreed_session(policy, request, client_id, audience, now)
        return None if found is None else Visitor(authentication_of(found.session), found.consent)

    def find_consent(subject: str, client_id: str, audience: str) -> Flow[frozenset[str] | None]:
        return (yield from ask(FindConsent(subject, client_id, audience)))

    def find_person(subject: str) -> Flow[Person | None]:
        account = yield from ask(FindAccountBySubject(subject))
        return None if account is None else person_of(account)

    return Host(
        find_visitor=find_visitor,
        find_consent=find_consent,
        find_person=find_person,
        error_page=pages.error,
        ends_grants=True,
    )


def person_of(account: Account) -> Person:
    """Return what the authorization server may know of an account. OIDC Core §5.1."""
    claims: dict[str, JsonValue] = {
        # An address that is not the account's own was never verified here.
        name: value
        for name, value in account.claims.items()
        if name not in _EMAIL_CLAIMS
    }
    claims["preferred_username"] = account.username
    claims["updated_at"] = account.updated_at
    if account.name:
        claims["name"] = account.name
    if account.email:
        claims["email"] = account.email
        claims["email_verified"] = account.email_verified
    return Person(subject=account.subject, claims=claims, enabled=account.enabled)


def add_account(
    username: str,
    password: Secret,
    now: int,
    *,
    email: str = "",
    email_verified: bool = False,
    name: str = "",
) -> Flow[Account]:
    """Return a new account, stored.

    Raises:
        ConfigurationError: a value that is not allowed, or a username that is taken,
            also in another spelling of it.
    """
    username_key = _username_key(username)
    _check_email(email)
    if len(name) > _MAX_NAME or not (name.isprintable() and name == name.strip()):
        raise ConfigurationError(
            f"name: at most {_MAX_NAME} printable characters without surrounding spaces are allowed"
        )
    password_hash = yield from ask(HashPassword(_checked_password(password)))
    account = Account(
        subject=(yield from new_subject()),
        username=username,
        username_key=username_key,
        password_hash=password_hash,
        email=email,
        email_verified=email_verified,
        name=name,
        created_at=now,
        updated_at=now,
    )
    if not (yield from ask(AddAccount(account))):
        raise ConfigurationError(f"user: {username!r} exists already", code="user_exists")
    return account


def find_account(username: str) -> Flow[Account]:
    """Return the account with this username.

    Raises:
        ConfigurationError: there is none.
    """
    username_key = read_username(username)
    account = None if username_key is None else (yield from ask(FindAccount(username_key)))
    if account is None:
        raise ConfigurationError(f"user: {username!r} does not exist", code="user_unknown")
    return account


def replace_password(username: str, password: Secret, now: int) -> Flow[Account]:
    """Give a person another password; every session and grant of theirs ends.

    Raises:
        ConfigurationError: no such person, or a password that is not allowed.
    """
    account = yield from find_account(username)
    password_hash = yield from ask(HashPassword(_checked_password(password)))
    yield from ask(ReplacePassword(account.subject, password_hash, now))
    return replace(account, password_hash=password_hash, updated_at=now)


def set_enabled(username: str, *, enabled: bool, now: int) -> Flow[Account]:
    """Let a person in again, or keep them out at once.

    Raises:
        ConfigurationError: no such person.
    """
    account = yield from find_account(username)
    if account.enabled == enabled:
        return account
    account = replace(account, enabled=enabled, updated_at=now)
    yield from ask(UpdateAccount(account))
    return account


def _username_key(username: str) -> str:
    """Return the comparable form of a username that a new account may have."""
    username_key = read_username(username)
    if username_key is None:
        raise ConfigurationError(
            f"user: {username!r} is not allowed, 1 to {MAX_USERNAME_LENGTH} printable "
            "characters without surrounding spaces are"
        )
    return username_key


def _checked_password(password: Secret) -> Secret:
    """Return a password in the form that is hashed."""
    normalised = read_password(password.reveal())
    if normalised is None:
        raise ConfigurationError(
            f"password: at most {MAX_PASSWORD_BYTES} bytes without control characters are allowed"
        )
    return normalised


def _check_email(email: str) -> None:
    """Check that it can be an address; only a mail sent there would prove more."""
    if email and not _EMAIL.fullmatch(email):
        raise ConfigurationError(f"email: {email!r} is not an address")
