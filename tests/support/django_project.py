"""One Django project for all tests of a process: settings, and a database for each site.

Imported, it configures Django. A request says by itself which site it is for, so that several
sites, as workers of one application or of two, answer side by side.
"""

from __future__ import annotations

import atexit
import functools
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import django
import psycopg
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from psycopg import sql

__all__ = [
    "SITE",
    "Urls",
    "add_database",
    "asgi",
    "copy_database",
    "create_postgres",
    "drop_postgres",
    "file_of",
    "login",
    "make_database",
    "read_database",
    "renew_default_database",
    "wsgi",
]

SITE = "test.site"

_folder = Path(tempfile.mkdtemp(prefix="django-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

settings.configure(
    SECRET_KEY="test-" * 10,
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "app.example", "api.example"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.admin",
        "codegrant.web.django",
    ],
    MIDDLEWARE=[
        f"{__name__}.ChooseSite",
        "django.middleware.csrf.CsrfViewMiddleware",
        "codegrant.web.django.middleware.LoginMiddleware",
    ],
    DATABASES={
        name: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(_folder / f"{name}.db")}
        for name in ("default", "template")
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    LOGGING_CONFIG=None,
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()
logging.getLogger("django.db").setLevel(logging.INFO)  # a migration has a great deal to say

urlpatterns: list[URLPattern | URLResolver] = []  # each site has its own


class Urls:
    """What stands in for the module of `ROOT_URLCONF`."""

    def __init__(self, urlpatterns: list[URLPattern | URLResolver]) -> None:
        self.urlpatterns = urlpatterns


class ChooseSite:
    """Takes the addresses of a request's site."""

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        found: dict[str, Any] = getattr(request, "scope", request.META)
        request.urlconf = found[SITE]
        return self._get_response(request)


@functools.cache
def wsgi() -> WSGIHandler:
    """Return the WSGI application; a request's environment names its site."""
    return WSGIHandler()


@functools.cache
def asgi() -> ASGIHandler:
    """Return the ASGI application; a request's scope names its site."""
    return ASGIHandler()


# What the setting `CODEGRANT` names, in the tests that set it.
login: Any = None


def renew_default_database() -> None:
    """Empty the database that models and sessions use unless told otherwise."""
    connections["default"].close()
    shutil.copyfile(_template(), connections.settings["default"]["NAME"])


@functools.cache
def make_database(place: Path) -> str:
    """Return the alias of the database of a site that lives in `place`."""
    alias, file = str(place), _folder / f"{len(connections.settings)}.db"
    shutil.copyfile(_template(), file)
    return add_database(alias, {"NAME": str(file)})


def add_database(alias: str, settings: Mapping[str, str]) -> str:
    """Name a database that is there; a second time it stays as it is."""
    connections.settings.setdefault(alias, {**connections.settings["template"], **settings})
    return alias


def copy_database(file: Path) -> None:
    """Make a database of SQLite with all tables."""
    shutil.copyfile(_template(), file)


def create_postgres(url: str, name: str) -> dict[str, str]:
    """Return what Django's settings say of a new database with all tables, at a server."""
    _on_server(url, "CREATE DATABASE {}", name)
    parts = urlsplit(url)
    settings = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }
    add_database(name, settings)
    call_command("migrate", database=name, verbosity=0)
    connections[name].close()
    return settings


def drop_postgres(url: str, name: str) -> None:
    """Delete a database again."""
    if name in connections.settings:
        connections[name].close()
        del connections.settings[name]
    _on_server(url, "DROP DATABASE {} WITH (FORCE)", name)


def _on_server(url: str, statement: LiteralString, name: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as server:
        server.execute(sql.SQL(statement).format(sql.Identifier(name)))


def file_of(alias: str) -> Path:
    """Return where a database is."""
    return Path(connections.settings[alias]["NAME"])


def read_database(alias: str) -> bytes:
    """Return all that a database has on its disk."""
    file = file_of(alias)
    return b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))


def _template() -> Path:
    """Return a database with all tables, made on first use."""
    file = Path(connections.settings["template"]["NAME"])
    if not file.exists():
        call_command("migrate", database="template", verbosity=0)
        connections["template"].close()
    return file
