"""The login that the setting `CODEGRANT` names. Layer: web."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from codegrant.errors import ConfigurationError
from codegrant.web.django.login import Login
from codegrant.web.django.users import BOUND

__all__ = ["end_with_user", "find_site_login"]


def find_site_login() -> Login[Any] | None:
    """Return the login of the site; None when the setting is not there.

    Raises:
        ConfigurationError: it names something else, or nothing.
    """
    name = getattr(settings, "CODEGRANT", None)
    if name is None:
        return None
    try:
        found = import_string(name) if isinstance(name, str) else None
    except ImportError as error:
        raise ConfigurationError(
            f"CODEGRANT: {name!r} cannot be imported: {error}", hint=_HINT
        ) from None
    if not isinstance(found, Login):
        raise ConfigurationError(f"CODEGRANT: {name!r} is no Login", hint=_HINT)
    return found  # pyright: ignore[reportUnknownVariableType] - of either colour


def end_with_user(request: HttpRequest | None = None, **_: object) -> None:
    """End the session that a Django user came with; a receiver of `user_logged_out`."""
    session, login = getattr(request, "session", None), find_site_login()
    bound = None if session is None else session.get(BOUND)
    if login is not None and isinstance(bound, str):
        login.end(bytes.fromhex(bound))


_HINT = 'name the object: CODEGRANT = "shop.views.login", where login = Login(client)'
