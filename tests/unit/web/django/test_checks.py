"""`manage.py check`, `makemigrations --check` and `clearlogins`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.urls import clear_url_caches, include, path, reverse

from codegrant.web.django import Login
from codegrant.web.django.middleware import LoginMiddleware
from codegrant.web.django.models import Session
from tests.support import django_project
from tests.support.mock_provider import MockProvider
from tests.unit.web.conftest import MakeClient
from tests.unit.web.django import whole_site

MIDDLEWARE: list[str] = whole_site.SETTINGS["MIDDLEWARE"]
LOGIN = MIDDLEWARE[-1]
USERS = MIDDLEWARE[2]
MODEL_BACKEND = ["django.contrib.auth.backends.ModelBackend"]


@pytest.fixture(autouse=True)
def login(provider: MockProvider, client_of: MakeClient) -> Iterator[Login[Any]]:
    login = Login(client_of(provider))
    django_project.login = login
    whole_site.place(login)
    yield login
    django_project.login = None
    clear_url_caches()


def found(*, deploy: bool = False, **settings: Any) -> list[str | None]:
    """Return the ids of what the checks of ours say."""
    with override_settings(**{**whole_site.SETTINGS, "SECRET_KEY": "k" * 40, **settings}):
        clear_url_caches()
        said = run_checks(include_deployment_checks=deploy)
        ours = [one for one in said if str(one.id).startswith("codegrant.")]
        assert all(one.hint for one in ours)
        return [one.id for one in ours]


def test_a_site_as_it_should_be_gets_no_message() -> None:
    assert found(deploy=True) == []
    assert found(AUTHENTICATION_BACKENDS=MODEL_BACKEND, MIDDLEWARE=[LOGIN]) == []


class Mine(LoginMiddleware):
    """A middleware that a site has made of ours."""


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        pytest.param({"MIDDLEWARE": MIDDLEWARE[:-1]}, ["E001"], id="no middleware"),
        pytest.param(
            {"MIDDLEWARE": [*MIDDLEWARE[:-1], f"{__name__}.Mine"]}, [], id="one made of ours"
        ),
        pytest.param({"MIDDLEWARE": [*MIDDLEWARE[:2], LOGIN]}, ["E002"], id="no users"),
        pytest.param({"MIDDLEWARE": [LOGIN]}, ["E002", "E002"], id="neither sessions nor users"),
        pytest.param(
            {"MIDDLEWARE": [*MIDDLEWARE[:2], LOGIN, USERS]}, ["E003"], id="in the wrong order"
        ),
        pytest.param({"CODEGRANT": "nowhere.login"}, ["E004"], id="a login that is nowhere"),
        pytest.param({"CODEGRANT": f"{__name__}.LOGIN"}, ["E004"], id="a login that is none"),
        pytest.param({"CODEGRANT": {"client": 1}}, ["E004"], id="a dictionary"),
        pytest.param({"CODEGRANT": None}, ["E005"], id="no login, and a backend"),
        pytest.param(
            {"CODEGRANT": None, "AUTHENTICATION_BACKENDS": MODEL_BACKEND}, ["W001"], id="no login"
        ),
        pytest.param({"SECRET_KEY": "short"}, ["E006"], id="a short key"),
        pytest.param({"SECRET_KEY_FALLBACKS": ["short"]}, ["E006"], id="a short older key"),
        pytest.param({"SESSION_COOKIE_SAMESITE": "Strict"}, ["W002"], id="strict cookies"),
        pytest.param(
            {"SESSION_COOKIE_SAMESITE": "Strict", "AUTHENTICATION_BACKENDS": MODEL_BACKEND},
            [],
            id="strict cookies of nobody",
        ),
        pytest.param({"ROOT_URLCONF": "tests.support.django_project"}, ["E007"], id="no addresses"),
        pytest.param({"MIDDLEWARE": [*MIDDLEWARE, "not.there"]}, [], id="Django's own fault"),
    ],
)
def test_each_fault_has_an_id_and_a_hint(settings: dict[str, Any], ids: list[str]) -> None:
    assert found(**settings) == [f"codegrant.{one}" for one in ids]


def test_a_long_secret_of_ours_goes_before_a_short_one_of_djangos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEGRANT_SECRET", "e" * 32)
    assert found(SECRET_KEY="short") == []
    monkeypatch.setenv("CODEGRANT_SECRET", "short")
    assert found() == ["codegrant.E006"]


def test_addresses_below_another_path_are_told(login: Login[Any]) -> None:
    whole_site.urlpatterns[6] = path("accounts/", include(login.urls))
    assert found() == ["codegrant.E008"] * len(list(login.addresses()))


def test_a_view_in_front_of_an_address_is_told(login: Login[Any]) -> None:
    whole_site.urlpatterns.insert(0, path("logout", whole_site.home))
    try:
        assert found() == ["codegrant.W005"]
    finally:
        del whole_site.urlpatterns[0]
    assert found() == []


def test_a_second_login_has_paths_and_a_namespace_of_its_own(
    login: Login[Any], client_of: MakeClient, provider: MockProvider
) -> None:
    staff = Login(
        client_of(provider),
        public_url="https://app.example",
        login_path="/staff/login",
        callback_path="/staff/callback",
        logout_path="/staff/logout",
    )
    whole_site.urlpatterns.append(path("", include(staff.urls, namespace="staff")))
    for one in (login, staff):  # whichever the setting names
        django_project.login = one
        assert found(deploy=True) == []
    with override_settings(**whole_site.SETTINGS):
        clear_url_caches()
        assert reverse("codegrant:login") == "/login"
        assert reverse("staff:login") == "/staff/login"
        assert reverse("staff:callback") == "/staff/callback"


def test_a_site_that_everybody_reaches_names_its_hosts(
    provider: MockProvider, client_of: MakeClient
) -> None:
    assert found(ALLOWED_HOSTS=["*"]) == []
    assert found(deploy=True, ALLOWED_HOSTS=["*"]) == ["codegrant.W003"]
    django_project.login = Login(client_of(provider), public_url="https://app.example")
    whole_site.place(django_project.login)
    assert found(deploy=True, ALLOWED_HOSTS=["*"]) == []
    django_project.login = Login(client_of(provider), public_url="http://localhost:8000")
    whole_site.place(django_project.login)
    assert found() == []
    assert found(deploy=True) == ["codegrant.W004"]


def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "codegrant", check=True, dry_run=True, verbosity=0)


def test_the_migrations_go_back_as_well() -> None:
    django_project.renew_default_database()
    call_command("migrate", "codegrant", "zero", verbosity=0)
    assert "codegrant_session" not in connections["default"].introspection.table_names()
    call_command("migrate", "codegrant", verbosity=0)
    assert "codegrant_session" in connections["default"].introspection.table_names()
    connections["default"].close()


def test_a_command_deletes_what_has_expired() -> None:
    django_project.renew_default_database()
    now = int(time.time())
    for number, ends in enumerate((now - 7200, now - 60, now + 60)):
        Session.objects.create(digest=str(number), sealed="", expires_at=ends)
    for said in ("deleted 1 expired rows\n", "deleted 0 expired rows\n"):
        answer = StringIO()
        call_command("clearlogins", database="default", stdout=answer)
        assert answer.getvalue() == said
    assert [one.digest for one in Session.objects.order_by("digest")] == ["1", "2"]
    connections["default"].close()
