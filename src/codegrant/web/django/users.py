"""The Django user of who is signed in: admitted at the callback, and followed afterwards.

A person is known by (`issuer`, `subject`). An e-mail address is never the key: at many
providers anybody can have any. Layer: web.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string

from codegrant.client.effects import FinishCallback, StoredSession
from codegrant.flow import Effect
from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.web.login_pages import failure_page
from codegrant.web.login_sessions import SignedIn

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

__all__ = [
    "BOUND",
    "FOLLOWED",
    "LOGIN",
    "NewUser",
    "SessionOf",
    "admit",
    "begun_by",
    "find_or_make_user",
    "follow",
    "has_users",
    "make_user",
    "may_enter",
    "no_account_page",
]

NewUser: TypeAlias = "Callable[[SignedIn], AbstractBaseUser | None]"

_log = logging.getLogger("codegrant.web.django")

# In Django's session: the digest of ours that its user came with.
BOUND = "_codegrant_session"
# In a request: the login that its user follows.
FOLLOWED = "codegrant.followed"
# Of a view that answers an address of a login: that login.
LOGIN = "codegrant_login"
_LONGEST = 255
_LONGEST_NAME = 150
_NUL = "\0"


class SessionOf(Protocol):
    """What `follow` asks of a login."""

    def current(self, request: HttpRequest) -> SignedIn | None:
        """Return who is signed in."""

    def end_current(self, request: HttpRequest) -> None:
        """End the session of who is signed in."""

    def new_user(self, signed_in: SignedIn) -> AbstractBaseUser | None:
        """Return the user of a person who has no account here yet; None refuses them."""


def has_users(request: HttpRequest) -> bool:
    """Return whether who is signed in is to be Django's user as well.

    So it is where `LoginBackend` is among the `AUTHENTICATION_BACKENDS` and the middleware
    of sessions and of authentication has seen the request.
    """
    seen = hasattr(request, "session") and hasattr(request, "user")
    return seen and _has_backend(tuple(settings.AUTHENTICATION_BACKENDS))


def admit(request: HttpRequest, signed_in: SignedIn, new_user: NewUser) -> bool:
    """Log the Django user of a person in, in a Django session with a new key.

    False where there is no user for that person, or one who may not log in.
    """
    user = auth.authenticate(request, signed_in=signed_in, new_user=new_user)
    if user is None:
        return False
    auth.login(request, user)
    request.session[BOUND] = signed_in.session.hex()
    return True


def follow(request: HttpRequest, login: SessionOf) -> AbstractBaseUser | AnonymousUser:
    """Return Django's user of a request, who stays for as long as our session lasts.

    One who logged in by other means is left alone. Where the user of a session is not there any
    more, or not active, the session ends: whoever logs in again is a new person.
    """
    from django.contrib.auth.models import AnonymousUser

    user, bound = auth.get_user(request), request.session.get(BOUND)
    if user.is_authenticated and bound is None:
        return user
    signed_in = login.current(request)
    if user.is_authenticated:
        if signed_in is not None and signed_in.session.hex() == bound:
            return user
        request.user = user  # or `logout` would ask for it, and come here again
        auth.logout(request)
    if signed_in is None:
        return AnonymousUser()
    if signed_in.session.hex() != bound and admit(request, signed_in, login.new_user):
        return request.user
    login.end_current(request)
    return AnonymousUser()


def may_enter(request: HttpRequest, login: SessionOf) -> bool:
    """Return whether somebody is signed in who still is one of Django's users.

    The latter only where those follow this login. A user who is not active any more has not
    logged out by it, so their session is ended here.
    """
    if login.current(request) is None:
        return False
    return request.META.get(FOLLOWED) is not login or request.user.is_authenticated


def begun_by(effect: Effect[Any]) -> list[bytes]:
    """Return the digest of the session that an effect has begun."""
    match effect:
        case FinishCallback(session=StoredSession(digest=digest)):
            return [digest]
        case _:
            return []


def find_or_make_user(signed_in: SignedIn, new_user: NewUser) -> AbstractBaseUser | None:
    """Return the user of a person; with their first login, what `new_user` makes of them.

    Raises:
        UsageError: the login did not say who logged in.
    """
    from codegrant.web.django.models import Account

    issuer, subject = signed_in.identity.issuer, signed_in.identity.subject
    if max(len(issuer), len(subject)) > _LONGEST or _NUL in subject:
        _log.warning(
            "a person was refused: issuer or subject has over %d characters, or a NUL", _LONGEST
        )
        return None
    # Not from a replica: it may not have heard yet of an account that was just made.
    using = router.db_for_write(Account)
    accounts = Account.objects.using(using)
    for _ in range(2):
        found = accounts.select_related("user").filter(issuer=issuer, subject=subject).first()
        if found is not None:
            # Some databases take "A" for "a".
            return found.user if (found.issuer, found.subject) == (issuer, subject) else None
        try:
            with transaction.atomic(using):
                user = new_user(signed_in)
                if user is not None:
                    accounts.create(issuer=issuer, subject=subject, user=user)
        except IntegrityError:
            continue  # the same person's other tab was faster, or the user's name is taken
        return user
    _log.warning("a person was refused: a user with the same name or address is there already")
    return None


def make_user(signed_in: SignedIn) -> AbstractBaseUser | None:
    """Return a new user for a person, with their names and their verified address.

    The username says nothing and is nobody else's, since what a provider calls a person is
    the person's to choose. Where the address is the username, one without a verified one is
    refused, and so is one whose address another user has. A name is cut to the room there is
    for it; an address without room is left out.
    """
    model: Any = auth.get_user_model()
    identity, address = signed_in.identity, model.get_email_field_name()
    values: dict[str, object] = {}
    email = identity.email if identity.email_verified else None
    if email and hasattr(model, address) and _fit(model, address, email) == email:
        values[address] = email
    if address != model.USERNAME_FIELD:
        digest = digest_of(f"{identity.issuer} {identity.subject}")
        username = f"person-{digest.hex()[:24]}"
        values[model.USERNAME_FIELD] = _fit(model, model.USERNAME_FIELD, username)
    elif not values:
        return None
    given, family = identity.raw.get("given_name"), identity.raw.get("family_name")
    first = given if given or family else identity.name
    for field, name in (("first_name", first), ("last_name", family)):
        if isinstance(name, str) and hasattr(model, field):
            values[field] = _fit(model, field, name)
    user: AbstractBaseUser = model(**values)
    user.set_unusable_password()
    user.save()
    return user


def no_account_page(retry: str) -> Response:
    """Return the page for a person who is refused; `retry` starts another login."""
    reference = os.urandom(6).hex()
    _log.warning("login refused, reference %s: there is no user for this person", reference)
    return failure_page(
        title="There is no account for you here",
        advice="The sign-in service knows you, and this application does not. Tell the people "
        "who run it, or sign in as somebody else.",
        code="no_account",
        reference=reference,
        retry=retry,
        status=403,
    )


def _fit(model: Any, name: str, text: str) -> str:  # noqa: ANN401 - the site's own model
    """Return as much of a text as every database takes for a field."""
    try:
        longest = model._meta.get_field(name).max_length  # noqa: SLF001 - Django documents it
    except FieldDoesNotExist:
        longest = None
    return text.replace(_NUL, "")[: longest or _LONGEST_NAME]


@lru_cache(maxsize=8)
def _has_backend(names: tuple[str, ...]) -> bool:
    from codegrant.web.django.backend import LoginBackend

    found = map(import_string, names)
    return any(isinstance(one, type) and issubclass(one, LoginBackend) for one in found)
