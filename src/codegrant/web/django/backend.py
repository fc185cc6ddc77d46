"""`LoginBackend`: makes who is signed in Django's user, with permissions. Layer: web."""

from __future__ import annotations

from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from codegrant.web.django.users import NewUser, find_or_make_user, make_user
from codegrant.web.login_sessions import SignedIn

__all__ = ["LoginBackend"]


class LoginBackend(ModelBackend):
    """Among `AUTHENTICATION_BACKENDS`: logs in by a finished login, never by a password.

    Permissions are those of Django's `ModelBackend`.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: object,
    ) -> Any:  # noqa: ANN401 - the site's own model
        """Return the user of the person in `signed_in`; None for all other credentials.

        Raises:
            UsageError: the login did not say who logged in.
        """
        del request, username, password
        signed_in, new_user = credentials.get("signed_in"), credentials.get("new_user")
        if not isinstance(signed_in, SignedIn):
            return None
        made_by = cast("NewUser", new_user) if callable(new_user) else make_user
        user = find_or_make_user(signed_in, made_by)
        return user if user is not None and self.user_can_authenticate(user) else None

    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: object,
    ) -> Any:  # noqa: ANN401 - the site's own model
        """As `authenticate`."""
        return await sync_to_async(self.authenticate)(request, username, password, **credentials)
