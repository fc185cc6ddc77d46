"""Django's own user: known by (issuer, subject), admitted at the callback, gone at the logout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias
from urllib.parse import urlencode

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Permission, User
from django.db import connections, models
from django.test import override_settings

from codegrant import AsyncClient, Client
from codegrant.rules.identity import read_identity
from codegrant.web.django import Login, SignedIn, make_user
from codegrant.web.django.models import Account, Session
from tests.support import django_project
from tests.support.application import Clock
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, Lie, MockProvider
from tests.support.website import make_client
from tests.unit.web.django.whole_site import SETTINGS, Visitor, place

MakeSite: TypeAlias = Callable[..., Visitor]

E_MAIL = Lie({"email": "person@example.test", "email_verified": True, "given_name": "Ada"})


@pytest.fixture(params=["sync", "async"])
def make_site(
    request: pytest.FixtureRequest, provider: MockProvider, clock: Clock
) -> Iterator[MakeSite]:
    """Makes the site with a login, and a browser; `arguments` are those of `Login`."""
    runner = asyncio.Runner() if request.param == "async" else None
    made: list[Any] = []

    def make(**arguments: Any) -> Visitor:
        kind = Client if runner is None else AsyncClient
        made.append(
            kind(
                provider.issuer,
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                timeout=5.0,
                clock=clock,
            )
        )
        login: Login[Any] = Login(made[-1], public_url="http://127.0.0.1", clock=clock, **arguments)
        django_project.login = login
        place(login)
        return Visitor(runner)

    django_project.renew_default_database()
    with override_settings(**SETTINGS):
        yield make
    for client in made:
        if isinstance(client, Client):
            client.close()
        elif runner is not None:
            runner.run(client.aclose())
    if runner is not None:
        runner.close()
    connections["default"].close()
    django_project.login = None


@pytest.fixture
def visitor(make_site: MakeSite) -> Visitor:
    return make_site()


def another(visitor: Visitor) -> Visitor:
    return Visitor(visitor._runner)


# --- who it is ---


def test_a_person_becomes_a_user_who_stays_the_same(
    visitor: Visitor, provider: MockProvider
) -> None:
    asked = visitor.get("/private?a=b")
    assert asked["Location"] == "/login?next=/private%3Fa%3Db"
    assert visitor.log_in(provider, asked["Location"])["Location"] == "/private?a=b"
    name = visitor.user()
    assert visitor.get("/private").json() == {"user": name}
    second = another(visitor)
    second.log_in(provider)
    assert second.user() == name
    (account,) = Account.objects.all()
    assert (account.issuer, account.subject) == (provider.issuer, "person-1")
    assert account.user.username == name
    assert not account.user.has_usable_password()
    assert str(account) == f"person-1 at {provider.issuer}"


def test_another_person_is_another_user(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    first = visitor.user()
    provider.subject = "Person-1"
    second = another(visitor)
    second.log_in(provider)
    assert second.user() != first
    assert User.objects.count() == 2


def test_another_issuer_is_another_person(
    visitor: Visitor, provider: MockProvider, other_provider: MockProvider
) -> None:
    elsewhere = User.objects.create_user("elsewhere")
    Account.objects.create(issuer=other_provider.issuer, subject="person-1", user=elsewhere)
    visitor.log_in(provider)
    assert visitor.user() not in {"", "elsewhere"}


def test_an_address_is_no_key(visitor: Visitor, provider: MockProvider) -> None:
    """Whoever has the address of an administrator at a provider is none here."""
    admin = User.objects.create_superuser("admin", "person@example.test", "secret")
    provider.claims = Lie({**E_MAIL.members, "preferred_username": "admin"})
    visitor.log_in(provider)
    (account,) = Account.objects.all()
    assert account.user != admin
    assert not account.user.is_superuser
    assert (account.user.email, account.user.first_name) == ("person@example.test", "Ada")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        pytest.param({"given_name": "Ada", "family_name": "Byron"}, ("Ada", "Byron"), id="both"),
        pytest.param({"family_name": "Byron", "name": "A. B."}, ("", "Byron"), id="family"),
        pytest.param({"name": "Ada Byron"}, ("Ada Byron", ""), id="in one"),
        pytest.param({"given_name": "A" * 500}, ("A" * 150, ""), id="too long"),
        pytest.param({"given_name": 5}, ("", ""), id="no text"),
        pytest.param({"given_name": "A\0da"}, ("Ada", ""), id="what PostgreSQL takes in no text"),
    ],
)
def test_a_new_user_has_the_names_of_the_person(
    visitor: Visitor, provider: MockProvider, said: dict[str, object], names: tuple[str, str]
) -> None:
    provider.claims = Lie(said)
    visitor.log_in(provider)
    (user,) = User.objects.all()
    assert (user.first_name, user.last_name) == names


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_is_not_kept(
    visitor: Visitor, provider: MockProvider, verified: object
) -> None:
    provider.claims = Lie({"email": "admin@example.test", "email_verified": verified})
    visitor.log_in(provider)
    assert Account.objects.get().user.email == ""


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        pytest.param(f"{'a' * 241}@example.test", True, id="as long as there is room"),
        pytest.param(f"{'a' * 242}@example.test", False, id="longer than there is room"),
        pytest.param("a\0da@example.test", False, id="what PostgreSQL takes in no text"),
    ],
)
def test_an_address_that_the_database_cannot_take_is_left_out(
    visitor: Visitor, provider: MockProvider, email: str, kept: bool
) -> None:
    """SQLite takes it, PostgreSQL and MySQL answer with an error."""
    provider.claims = Lie({"email": email, "email_verified": True})
    assert visitor.log_in(provider).status_code == 303
    assert Account.objects.get().user.email == (email if kept else "")


def test_a_subject_that_the_database_cannot_take_is_refused(
    visitor: Visitor, provider: MockProvider
) -> None:
    provider.subject = "person\0one"
    assert visitor.log_in(provider).status_code == 403
    assert (User.objects.count(), Session.objects.count()) == (0, 0)


class OneBehind:
    """Reads accounts from a replica that has heard of none yet."""

    def __init__(self, replica: str) -> None:
        self._replica = replica

    def db_for_read(self, model: type[Any], **_: object) -> str | None:
        return self._replica if model is Account else None


def test_a_replica_that_lags_behind_makes_nobody_a_stranger(
    visitor: Visitor, provider: MockProvider, tmp_path: Path
) -> None:
    replica = django_project.make_database(tmp_path)
    with override_settings(DATABASE_ROUTERS=[OneBehind(replica)]):
        visitor.log_in(provider)
        second = another(visitor)
        assert second.log_in(provider).status_code == 303
        assert second.user() == visitor.user() != ""
    connections[replica].close()


def test_an_account_that_was_made_by_hand_is_taken(
    visitor: Visitor, provider: MockProvider
) -> None:
    user = User.objects.create_user("ada")
    Account.objects.create(issuer=provider.issuer, subject="person-1", user=user)
    visitor.log_in(provider)
    assert visitor.user() == "ada"
    assert User.objects.count() == 1


def test_ten_tabs_of_a_new_person_make_one_user(visitor: Visitor, provider: MockProvider) -> None:
    callbacks = [visitor.start(provider) for _ in range(10)]
    assert [visitor.get(one).status_code for one in callbacks] == [303] * 10
    assert (User.objects.count(), Account.objects.count()) == (1, 1)
    assert visitor.user()


class EmailUser(User):
    """As in the projects that log in by an address."""

    USERNAME_FIELD = "email"

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        proxy = True
        app_label = "auth"


@pytest.mark.parametrize(("verified", "status"), [(True, 303), (False, 403)])
def test_where_the_address_is_the_username_it_must_be_a_verified_one(
    visitor: Visitor,
    provider: MockProvider,
    monkeypatch: pytest.MonkeyPatch,
    verified: bool,
    status: int,
) -> None:
    monkeypatch.setattr("django.contrib.auth.get_user_model", lambda: EmailUser)
    provider.claims = Lie({"email": "ada@example.test", "email_verified": verified})
    assert visitor.log_in(provider).status_code == status
    assert list(User.objects.values_list("email")) == [("ada@example.test",)][: int(verified)]


class Plain(AbstractBaseUser):
    """As in the example of Django's documentation: it does not say which field has the address."""

    email: models.EmailField[str, str] = models.EmailField(max_length=40, unique=True)
    first_name: models.CharField[str, str] = models.CharField(max_length=5)
    USERNAME_FIELD = "email"

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        app_label = "auth"


class Terse(AbstractBaseUser):
    """A user with a short name, and without an address."""

    handle: models.CharField[str, str] = models.CharField(max_length=20, unique=True)
    USERNAME_FIELD = "handle"

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        app_label = "auth"


@pytest.fixture
def signed_in(visitor: Visitor, provider: MockProvider) -> Callable[..., SignedIn]:
    """Makes who has signed in."""
    del visitor

    def make(**claims: Any) -> SignedIn:
        identity = read_identity({"sub": provider.subject, **claims}, issuer=provider.issuer)
        return SimpleNamespace(identity=identity)  # type: ignore[return-value]

    return make


@pytest.mark.parametrize(
    ("model", "said", "expected"),
    [
        pytest.param(Plain, {"given_name": "Ada"}, ("ada@x.test", "Ada"), id="a plain one"),
        pytest.param(
            Plain, {"given_name": "Adelaide"}, ("ada@x.test", "Adela"), id="a longer name"
        ),
        pytest.param(Plain, {"email": f"{'a' * 40}@x.test"}, None, id="no room for the address"),
        pytest.param(Plain, {"email_verified": False}, None, id="an address of anybody's"),
        pytest.param(Terse, {}, ("person-", 20), id="a short username"),
    ],
)
def test_a_site_s_own_kind_of_user_gets_what_it_has_room_for(
    signed_in: Callable[..., SignedIn],
    monkeypatch: pytest.MonkeyPatch,
    model: type[Any],
    said: dict[str, object],
    expected: tuple[object, object] | None,
) -> None:
    monkeypatch.setattr("django.contrib.auth.get_user_model", lambda: model)
    with connections["default"].schema_editor() as editor:
        editor.create_model(model)
    user: Any = make_user(
        signed_in(**{"email": "ada@x.test", "email_verified": True, "name": "Ada", **said})
    )
    if expected is None:
        assert user is None
    elif model is Plain:
        assert (user.email, user.first_name) == expected
    else:
        assert (user.handle[:7], len(user.handle)) == expected


# --- who may come in ---


def test_the_site_says_what_becomes_of_a_new_person(
    make_site: MakeSite, provider: MockProvider
) -> None:
    asked: list[SignedIn] = []

    def new_user(signed_in: SignedIn) -> User | None:
        asked.append(signed_in)
        return User.objects.get(username="ada") if signed_in.identity.subject == "ada" else None

    User.objects.create_user("ada")
    visitor = make_site(new_user=new_user)
    page = visitor.log_in(provider)
    assert page.status_code == 403
    assert '<code id="error-code">no_account</code>' in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert visitor.user() == ""
    assert Session.objects.count() == 0
    provider.subject = "ada"
    for _ in range(2):
        assert visitor.log_in(provider).status_code == 303
        assert visitor.user() == "ada"
    assert [one.identity.subject for one in asked] == ["person-1", "ada"]


def test_an_error_of_the_site_leaves_nobody_signed_in(
    make_site: MakeSite, provider: MockProvider
) -> None:
    def new_user(signed_in: SignedIn) -> User:
        raise RuntimeError("the directory does not answer")

    visitor = make_site(new_user=new_user)
    callback = visitor.start(provider)
    with pytest.raises(RuntimeError, match="the directory"):
        visitor.get(callback)
    assert Session.objects.count() == 0
    assert visitor.get(callback).status_code == 303  # a repeat
    assert visitor.user() == ""
    assert "sessionid" not in visitor.browser.cookies


def test_a_user_who_is_not_active_stays_outside(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    User.objects.update(is_active=False)
    assert visitor.user() == ""
    assert visitor.log_in(provider).status_code == 403
    User.objects.update(is_active=True)
    assert visitor.log_in(provider).status_code == 303
    assert visitor.user()


@pytest.mark.parametrize("at", ["/ours", "/ours/later"])
def test_a_view_that_asks_only_the_login_is_closed_to_a_user_who_is_not_active_any_more(
    visitor: Visitor, provider: MockProvider, at: str
) -> None:
    """Somebody who has been let go must not stay inside because a view never reads the user."""
    assert visitor.get(at).status_code == 303
    visitor.log_in(provider)
    assert visitor.get(at).status_code == 200
    User.objects.update(is_active=False)
    assert visitor.get(at)["Location"].startswith("/login?")
    assert Session.objects.count() == 0
    User.objects.update(is_active=True)
    assert visitor.get(at).status_code == 303
    visitor.log_in(provider)
    assert visitor.get(at).status_code == 200


@pytest.mark.parametrize(("welcome", "status"), [(True, 303), (False, 403)])
def test_somebody_whose_user_was_deleted_is_outside_and_then_a_new_person(
    make_site: MakeSite, provider: MockProvider, welcome: bool, status: int
) -> None:
    answers = [True, welcome]
    visitor = make_site(new_user=lambda signed_in: make_user(signed_in) if answers.pop(0) else None)
    visitor.log_in(provider)
    User.objects.update(is_staff=True)
    User.objects.all().delete()
    assert visitor.get("/ours").status_code == 303
    assert (Session.objects.count(), User.objects.count()) == (0, 0)
    assert visitor.log_in(provider).status_code == status
    assert list(User.objects.values_list("is_staff", flat=True)) == [False][: int(welcome)]


def test_without_the_backend_a_view_asks_for_no_user(
    visitor: Visitor, provider: MockProvider
) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"]):
        visitor.log_in(provider)
        assert visitor.get("/ours").status_code == 200
        assert visitor.get("/ours/later").status_code == 200


def test_a_name_that_is_taken_is_given_to_nobody(
    make_site: MakeSite, provider: MockProvider
) -> None:
    def new_user(signed_in: SignedIn) -> User:
        return User.objects.create_user(str(signed_in.identity.raw["preferred_username"]))

    User.objects.create_superuser("admin")
    visitor = make_site(new_user=new_user)
    provider.claims = Lie({"preferred_username": "admin"})
    assert visitor.log_in(provider).status_code == 403
    assert (visitor.user(), Account.objects.count()) == ("", 0)
    provider.claims = Lie({"preferred_username": "ada"})
    visitor.log_in(provider)
    assert visitor.user() == "ada"


def test_a_login_backend_knows_no_password(visitor: Visitor) -> None:
    from django.contrib.auth import authenticate

    User.objects.create_user("ada", password="secret")
    with override_settings(AUTHENTICATION_BACKENDS=["codegrant.web.django.backend.LoginBackend"]):
        assert authenticate(username="ada", password="secret") is None
        assert authenticate(signed_in="person-1") is None
    assert authenticate(username="ada", password="secret") is not None


def test_permissions_are_djangos_own(visitor: Visitor, provider: MockProvider) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=["codegrant.web.django.backend.LoginBackend"]):
        visitor.log_in(provider)
        assert visitor.get("/watched").status_code == 403
        (user,) = User.objects.all()
        ours = Permission.objects.filter(content_type__app_label="codegrant")
        user.user_permissions.add(ours.get(codename="view_session"))
        assert visitor.get("/watched").status_code == 200


# --- the two sessions ---


def test_a_login_gives_djangos_session_a_new_key_and_keeps_what_is_in_it(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.get("/basket")
    before, token = visitor.session_key, visitor.browser.cookies.get("csrftoken")
    visitor.log_in(provider)
    assert visitor.session_key not in {None, before}
    assert visitor.browser.cookies["csrftoken"].value
    assert token is None
    assert visitor.get("/basket").json() == {"basket": "full"}
    fixed = another(visitor)
    fixed.browser.cookies["sessionid"] = before
    assert fixed.user() == ""
    assert fixed.session_key != visitor.session_key


def test_another_person_does_not_get_the_session_of_the_first(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    visitor.get("/basket")
    first = visitor.user()
    provider.subject = "person-2"
    visitor.log_in(provider)
    assert visitor.user() not in {"", first}
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT session_data FROM django_session")
        assert len(cursor.fetchall()) == 1


def test_signing_out_ends_both_sessions(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    stolen = another(visitor)
    stolen.browser.cookies = visitor.browser.cookies.copy()
    assert visitor.post("/logout")["Location"] == "/"
    assert (visitor.user(), stolen.user()) == ("", "")
    assert Session.objects.count() == 0
    assert [r.path for r in provider.received].count("/revoke") == 1


def test_who_only_asks_to_sign_out_is_not_signed_out(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    page = visitor.get("/logout", headers={"sec-fetch-site": "cross-site"})
    assert 'id="logout-yes"' in page.content.decode()
    assert visitor.user()


def test_djangos_own_logout_ends_both_sessions(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    User.objects.update(is_staff=True, is_superuser=True)
    assert visitor.get("/admin/").status_code == 200
    visitor.post("/admin/logout/")
    assert Session.objects.count() == 0
    assert visitor.user() == ""
    assert visitor.get("/template").content == b"nobody False"


def test_a_session_that_has_ended_takes_the_user_with_it(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    visitor.get("/basket")
    assert visitor.user()
    Session.objects.all().delete()
    assert visitor.user() == ""
    assert "basket" not in visitor.browser.session


@pytest.mark.requirement("CL-LO-02")
def test_a_logout_token_of_the_provider_takes_the_user_with_it(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    provider_itself = another(visitor)
    for token, status, stays in (
        (provider.logout_token(sub="person-2"), 200, True),
        ("forged", 400, True),
        (provider.logout_token(), 200, False),
    ):
        answer = provider_itself.post(
            "/logout/backchannel",
            urlencode({"logout_token": token}),
            content_type="application/x-www-form-urlencoded",
        )
        assert (answer.status_code, bool(visitor.user())) == (status, stays)


def test_a_session_that_has_expired_takes_the_user_with_it(
    visitor: Visitor, provider: MockProvider, clock: Clock
) -> None:
    visitor.log_in(provider)
    clock.ahead += 14 * 86_400 - 60
    assert visitor.user()
    clock.ahead += 120
    assert visitor.user() == ""


def test_djangos_session_alone_comes_back_with_ours(
    visitor: Visitor, provider: MockProvider
) -> None:
    """As after a crash between the two, or where Django's session is the shorter one."""
    visitor.log_in(provider)
    name = visitor.user()
    del visitor.browser.cookies["sessionid"]
    assert visitor.get("/private").json() == {"user": name}
    assert visitor.session_key


def test_ours_without_a_user_to_it_ends(make_site: MakeSite, provider: MockProvider) -> None:
    visitor = make_site()
    visitor.log_in(provider)
    del visitor.browser.cookies["sessionid"]
    User.objects.update(is_active=False)
    assert visitor.get("/private").status_code == 302
    assert Session.objects.count() == 0


def test_djangos_session_of_one_person_is_of_no_use_to_another(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    first = visitor.user()
    provider.subject = "person-2"
    second = another(visitor)
    second.log_in(provider)
    name = second.user()
    second.browser.cookies["sessionid"] = visitor.session_key
    assert second.user() == name != first


def test_who_logged_in_by_other_means_is_left_alone(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.force_login(User.objects.create_user("ada", password="secret"))
    assert visitor.user() == "ada"
    visitor.log_in(provider)
    assert visitor.user() not in {"", "ada"}
    visitor.post("/logout")
    visitor.force_login(User.objects.get(username="ada"))
    assert visitor.user() == "ada"
    assert visitor.post("/logout")["Location"] == "/"
    assert visitor.user() == ""


def test_without_the_backend_djangos_user_is_nobodys_business(
    visitor: Visitor, provider: MockProvider
) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"]):
        assert visitor.log_in(provider).status_code == 303
        assert visitor.user() == ""
        assert visitor.get("/template").content == b"person-1 False"
        assert User.objects.count() == 0


def test_a_template_sees_who_is_signed_in(visitor: Visitor, provider: MockProvider) -> None:
    assert visitor.get("/template").content == b"nobody False"
    visitor.log_in(provider)
    assert visitor.get("/template").content == b"person-1 True"


# --- the admin ---


def test_the_admin_is_entered_through_the_provider(
    visitor: Visitor, provider: MockProvider
) -> None:
    asked = visitor.get("/admin/codegrant/account/")
    there = visitor.get(asked["Location"])
    assert there["Location"] == "/login?return_to=%2Fadmin%2Fcodegrant%2Faccount%2F"
    visitor.log_in(provider)
    assert visitor.get("/admin/login/?next=/admin/").status_code == 403
    User.objects.update(is_staff=True, is_superuser=True)
    back = visitor.log_in(provider, there["Location"])
    assert back["Location"] == "/admin/codegrant/account/"
    assert visitor.get(back["Location"]).status_code == 200
    for elsewhere in ("//evil.example", "https://evil.example", "/admin/login/?next=/admin/login/"):
        assert (
            visitor.get("/admin/login/", query_params={"next": elsewhere})["Location"] == "/admin/"
        )
        stranger = another(visitor).get("/admin/login/", query_params={"next": elsewhere})
        assert stranger["Location"] == "/login?return_to=%2Fadmin%2F"


def test_the_admin_shows_no_token_and_nothing_sealed(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    User.objects.update(is_staff=True, is_superuser=True)
    (session,) = Session.objects.all()
    (account,) = Account.objects.all()
    shown = ""
    for at in ("account/", f"account/{account.pk}/change/", "session/"):
        shown += visitor.get(f"/admin/codegrant/{at}").content.decode()
    page = visitor.get(f"/admin/codegrant/session/{session.pk}/change/")
    shown += page.content.decode()
    assert page.status_code == 200
    assert "person-1" in shown
    assert session.digest[:8] in shown
    for secret in [session.sealed, *provider.minted]:
        assert secret not in shown
    assert visitor.get("/admin/codegrant/session/add/").status_code == 403
    assert visitor.post(f"/admin/codegrant/session/{session.pk}/change/").status_code == 403


def test_an_administrator_ends_a_session(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    User.objects.update(is_staff=True, is_superuser=True)
    provider.subject = "person-2"
    other = another(visitor)
    other.log_in(provider)
    mine = visitor.browser.session["_codegrant_session"]
    (its,) = Session.objects.exclude(pk=mine)
    visitor.post(f"/admin/codegrant/session/{its.pk}/delete/", {"post": "yes"})
    assert other.user() == ""
    assert visitor.user()


def test_a_page_of_errors_shows_no_secret_of_the_settings(
    visitor: Visitor, provider: MockProvider
) -> None:
    client = make_client(provider)
    with override_settings(DEBUG=True, SHOP={"login": Login(client)}):
        page = visitor.get("/nowhere").content.decode()
    client.close()
    assert CLIENT_SECRET not in page
