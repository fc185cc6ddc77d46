"""What `manage.py check` says about a login. Layer: web."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string

from codegrant.errors import CodegrantError
from codegrant.web.django.keys import find_keys
from codegrant.web.django.site import find_site_login
from codegrant.web.django.users import LOGIN

__all__ = ["check_addresses", "check_deployment", "check_login", "check_middleware"]

_LOGIN = "codegrant.web.django.middleware.LoginMiddleware"
_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
_USERS = "django.contrib.auth.middleware.AuthenticationMiddleware"
_LONG_KEY = 'make one with python -c "import secrets; print(secrets.token_urlsafe(32))"'
_BACKEND = "codegrant.web.django.backend.LoginBackend"


def check_middleware(**_: object) -> list[CheckMessage]:
    """Return what is missing from `MIDDLEWARE`, or stands in the wrong order."""
    return list(_middleware())


def check_login(**_: object) -> list[CheckMessage]:
    """Return what is wrong with `CODEGRANT`, the keys and the cookies of sessions."""
    return list(_login())


def check_addresses(**_: object) -> list[CheckMessage]:
    """Return what is wrong with where the addresses of the login are."""
    return list(_addresses())


def check_deployment(**_: object) -> list[CheckMessage]:
    """Return what is wrong on a site that everybody reaches, for `check --deploy`."""
    return list(_deployment())


def _middleware() -> Iterator[CheckMessage]:
    ours = _place_of(_LOGIN)
    if ours is None:
        yield Error(
            "LoginMiddleware is not in MIDDLEWARE.",
            hint=f"Add {_LOGIN!r} behind the middleware of sessions and of authentication.",
            id="codegrant.E001",
        )
    for name in (_SESSIONS, _USERS):
        place = _place_of(name)
        if place is None and _has_backend():
            yield Error(
                f"LoginBackend is of no use without {name.rpartition('.')[2]}.",
                hint=f"Add {name!r} to MIDDLEWARE, in front of LoginMiddleware.",
                id="codegrant.E002",
            )
        elif place is not None and ours is not None and ours < place:
            yield Error(
                f"LoginMiddleware stands in front of {name.rpartition('.')[2]} in MIDDLEWARE.",
                hint="Move it behind, or request.user does not follow who is signed in.",
                id="codegrant.E003",
            )


def _login() -> Iterator[CheckMessage]:
    try:
        login = find_site_login()
    except CodegrantError as error:
        yield Error(error.message, hint=error.hint, id="codegrant.E004")
    else:
        if login is None and _has_backend():
            yield Error(
                "LoginBackend is of no use without the setting CODEGRANT.",
                hint='Name the login: CODEGRANT = "shop.views.login".',
                id="codegrant.E005",
            )
        elif login is None:
            yield checks.Warning(
                "The setting CODEGRANT is not there, so request.codegrant is not either.",
                hint='Name the login: CODEGRANT = "shop.views.login".',
                id="codegrant.W001",
            )
    try:
        find_keys()
    except CodegrantError as error:
        yield Error(error.message, hint=error.hint or _LONG_KEY, id="codegrant.E006")
    if str(settings.SESSION_COOKIE_SAMESITE).lower() == "strict" and _has_backend():
        yield checks.Warning(
            "SESSION_COOKIE_SAMESITE is Strict: a browser that comes back from the provider "
            "does not send the cookie, and the person seems to be logged out.",
            hint='Set SESSION_COOKIE_SAMESITE = "Lax".',
            id="codegrant.W002",
        )


def _addresses() -> Iterator[CheckMessage]:
    try:
        login = find_site_login()
    except CodegrantError:
        return  # `check_login` says so
    if login is None:
        return
    for name, at in login.addresses():
        if _login_at(at) is login:
            continue
        try:
            found = reverse(f"codegrant:{name}")
        except NoReverseMatch:
            yield Error(
                f"The login's address {at} is not in the URLconf.",
                hint='Add path("", include(login.urls)) to urlpatterns.',
                id="codegrant.E007",
            )
            return
        if found == get_script_prefix().rstrip("/") + at:
            yield checks.Warning(
                f"The login's address {at} is answered by another view.",
                hint="Include login.urls in front of it; of two logins give one other paths and "
                'a namespace: path("", include(staff.urls, namespace="staff")).',
                id="codegrant.W005",
            )
        else:
            yield Error(
                f"The login's address {at} is at {found}.",
                hint='Include login.urls at the root, path("", ...), and say where the '
                "addresses are to be: Login(client, login_path=..., callback_path=..., "
                "logout_path=...).",
                id="codegrant.E008",
            )


def _login_at(path: str) -> object:
    """Return the login whose view answers a path below the site's root; None without one."""
    try:
        return getattr(resolve(path).func, LOGIN, None)
    except Resolver404:
        return None


def _deployment() -> Iterator[CheckMessage]:
    try:
        login = find_site_login()
    except CodegrantError:
        return  # `check_login` says so
    if login is None:
        return
    if login.public_url is None and "*" in settings.ALLOWED_HOSTS:
        yield checks.Warning(
            "ALLOWED_HOSTS takes every host, and without public_url the host of a request "
            "decides where the provider sends people back to.",
            hint='Name the hosts, or set Login(client, public_url="https://...").',
            id="codegrant.W003",
        )
    if login.public_url is not None and login.public_url.startswith("http:"):
        yield checks.Warning(
            f"public_url is {login.public_url}: without https anybody on the way reads cookies.",
            hint='Set Login(client, public_url="https://...").',
            id="codegrant.W004",
        )


def _place_of(name: str) -> int | None:
    """Return where in `MIDDLEWARE` a class or one made from it stands."""
    wanted, names = import_string(name), _strings(settings.MIDDLEWARE)
    for place, one in enumerate(names):
        found = _import(one)
        if found is wanted or (isinstance(found, type) and issubclass(found, wanted)):
            return place
    return None


def _has_backend() -> bool:
    wanted = import_string(_BACKEND)
    found = map(_import, _strings(settings.AUTHENTICATION_BACKENDS))
    return any(isinstance(one, type) and issubclass(one, wanted) for one in found)


def _strings(values: Sequence[Any]) -> list[str]:
    return [one for one in values if isinstance(one, str)]


def _import(name: str) -> object:
    """Return what a dotted path names; for one that names nothing Django itself complains."""
    try:
        return import_string(name)
    except ImportError:
        return None
