"""Django's own user: admitted at the callback, known by (issuer, subject), gone with the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from django.contrib import admin, auth
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import include, path

from codegrant import AsyncClient
from codegrant.web.django import Login, SignedIn
from codegrant.web.django.models import Account, Session
from codegrant.web.django.users import BOUND, make_user
from tests.support import django_project
from tests.support.application import Clock
from tests.support.login_sites import SITES
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient

SETTINGS: dict[str, Any] = {
    "ROOT_URLCONF": "tests.unit.web.django.test_users",
    "CODEGRANT": "tests.support.django_project.login",
    "AUTHENTICATION_BACKENDS": [
        "codegrant.web.django.backend.LoginBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "codegrant.web.django.middleware.LoginMiddleware",
    ],
    "LOGIN_URL": "codegrant:login",
    "ALLOWED_HOSTS": ["127.0.0.1"],
}
