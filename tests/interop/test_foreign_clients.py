"""Foreign libraries as clients of our server, through the whole life of a login.

The login itself, its checks and its algorithms have further tests in modules of their own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import quote

import pytest

from tests.interop.authlib_client import AuthlibClient
from tests.interop.conftest import API, WHOLE_SCOPE, Scripts, Site
from tests.interop.foreign_client import ForeignClient, ForeignRefusal, NodeClient
from tests.interop.idpyoidc_client import IdpyoidcClient
from tests.support.person import Person
from tests.support.relying_party import RelyingParty

BASIC, POST, NONE = "client_secret_basic", "client_secret_post", "none"
LIBRARIES = [
    pytest.param("openid-client", marks=pytest.mark.needs("node")),
    pytest.param("oauth4webapi", marks=pytest.mark.needs("node")),
    pytest.param("requests"),
    pytest.param("httpx2"),
    pytest.param("httpx2 async"),
    pytest.param("idpyoidc"),
]
# RFC 9207; Authlib leaves it to the application.
CALLBACK_JUDGES = {"openid-client", "oauth4webapi", "idpyoidc"}
EVERY_METHOD = [
    pytest.param(*library.values, method, marks=library.marks)
    for library in LIBRARIES
    for method in (BASIC, POST, NONE)
    # Its clients have a secret.
    if (*library.values, method) != ("idpyoidc", NONE)
]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Connect = Callable[[RelyingParty], ForeignClient]


@pytest.fixture
def connect(library: str, scripts: Scripts) -> Iterator[Connect]:
    """Makes clients of one library."""
    made: list[ForeignClient] = []

    def make(party: RelyingParty) -> ForeignClient:
        if library == "idpyoidc":
            made.append(IdpyoidcClient(party))
        elif library in {"openid-client", "oauth4webapi"}:
            made.append(NodeClient(scripts(library), party))
        else:
            made.append(AuthlibClient(library, party))
        return made[-1]

    yield make
    for client in made:
        client.close()


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(ForeignRefusal) as caught:
        call()
    return caught.value.error


def whole_login(client: ForeignClient, site: Site) -> tuple[str, str]:
    """Log alice in for the API, offline; return the access token and the refresh token."""
    url = client.start(WHOLE_SCOPE, prompt="consent", resource=API)
    tokens = client.finish(site.alice.authorize(url))
    assert tokens["claims"]["sub"] == site.subject
    return str(tokens["access_token"]), str(tokens["refresh_token"])


@pytest.mark.parametrize(("library", "method"), EVERY_METHOD, indirect=["library"])
def test_a_library_goes_through_the_life_of_a_login(
    root_site: Site, connect: Connect, method: str
) -> None:
    client = connect(root_site.whole_party(method))
    url = client.start(WHOLE_SCOPE, prompt="consent", resource=API)
    tokens = client.finish(root_site.alice.authorize(url))
    assert set(str(tokens["scope"]).split()) == set(WHOLE_SCOPE.split())
    assert (tokens["expires_in"], tokens["token_type"].lower()) == (300, "bearer")
    assert tokens["claims"]["iss"] == root_site.issuer
    for how in ("GET", "POST"):
        info = client.userinfo(tokens["access_token"], root_site.subject, how)
        assert (info["name"], info["email"]) == ("Alice L", "alice@example.test")
    refreshed = client.refresh(tokens["refresh_token"])
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert refreshed["access_token"] != tokens["access_token"]
    assert refreshed["claims"]["sub"] == root_site.subject
    assert client.userinfo(refreshed["access_token"], root_site.subject)["name"] == "Alice L"
    client.revoke(refreshed["refresh_token"], "refresh_token")
    assert error_of(lambda: client.refresh(refreshed["refresh_token"])) == "invalid_grant"
    with pytest.raises(ForeignRefusal):
        client.userinfo(refreshed["access_token"], root_site.subject)


@pytest.mark.parametrize("method", [BASIC, POST])
def test_a_library_asks_what_its_tokens_are_good_for(
    root_site: Site, connect: Connect, method: str
) -> None:
    client = connect(root_site.whole_party(method))
    access_token, refresh_token = whole_login(client, root_site)
    told = client.introspect(access_token)
    assert told["active"] is True
    assert (told["sub"], told["client_id"]) == (root_site.subject, client.party.client_id)
    assert set(str(told["scope"]).split()) == set(WHOLE_SCOPE.split())
    assert client.introspect(refresh_token)["active"] is True
    client.revoke(access_token, "access_token")
    assert dict(client.introspect(access_token)) == {"active": False}
    # That was one access token; the grant goes on.
    assert client.introspect(refresh_token)["active"] is True
    client.revoke(refresh_token, "refresh_token")
    for token in (refresh_token, "x" * 43):
        assert dict(client.introspect(token)) == {"active": False}


def test_a_spent_refresh_token_is_refused_and_its_successor_is_not(
    root_site: Site, connect: Connect
) -> None:
    client = connect(root_site.whole_party())
    _, first = whole_login(client, root_site)
    second = client.refresh(first)["refresh_token"]
    # The answer may have been lost: the successor once more, until it was used.
    assert client.refresh(first)["refresh_token"] == second
    third = client.refresh(second)["refresh_token"]
    assert error_of(lambda: client.refresh(first)) == "invalid_grant"
    assert client.refresh(third)["claims"]["sub"] == root_site.subject


def test_a_library_acts_for_itself(root_site: Site, connect: Connect) -> None:
    party = root_site.whole_party()
    client = connect(party)
    tokens = client.client_credentials("read", API)
    assert tokens["scope"] == "read"
    assert "refresh_token" not in tokens
    told = client.introspect(tokens["access_token"])
    assert told["sub"] == party.client_id
    assert told["aud"] in (API, [API])
    assert error_of(lambda: client.client_credentials("admin", API)) == "invalid_scope"
    other = "https://other.example"
    assert error_of(lambda: client.client_credentials("read", other)) == "invalid_target"
    may_not = connect(root_site.party())
    assert error_of(lambda: may_not.client_credentials("read", API)) == "unauthorized_client"


@pytest.mark.parametrize("method", [BASIC, POST])
def test_a_library_reads_that_its_secret_is_wrong_wherever_it_shows_it(
    root_site: Site, connect: Connect, library: str, method: str
) -> None:
    # A client of its own, which is shut out after ten of these.
    party = root_site.whole_party(method, owner=library)
    _, refresh_token = whole_login(connect(party), root_site)
    impostor = connect(
        RelyingParty(party.issuer, party.client_id, "w" * 43, party.redirect_uri, method=method)
    )
    for refused in (
        lambda: impostor.refresh(refresh_token),
        lambda: impostor.revoke(refresh_token, "refresh_token"),
        lambda: impostor.introspect(refresh_token),
        lambda: impostor.client_credentials("read", API),
    ):
        assert error_of(refused) == "invalid_client"
    assert connect(party).introspect(refresh_token)["active"] is True


def test_a_library_says_how_the_person_has_to_log_in(root_site: Site, connect: Connect) -> None:
    client = connect(root_site.whole_party())
    claims = json.dumps({"id_token": {"email": None}, "userinfo": {"name": {"essential": True}}})
    url = client.start(WHOLE_SCOPE, prompt="login", max_age="60", claims=claims)
    tokens = client.finish(root_site.alice.authorize(url))
    assert tokens["claims"]["email"] == "alice@example.test"
    assert isinstance(tokens["claims"]["auth_time"], int)
    assert client.userinfo(tokens["access_token"], root_site.subject)["name"] == "Alice L"
    # Nobody agreed to offline access: it was not asked for with a consent page.
    plain = client.finish(root_site.alice.authorize(client.start("openid")))
    assert "refresh_token" not in plain
    assert "email" not in plain["claims"]


@pytest.mark.parametrize(
    "library", [one for one in LIBRARIES if one.values[0] in CALLBACK_JUDGES], indirect=True
)
def test_a_library_compares_the_iss_of_our_callback(root_site: Site, connect: Connect) -> None:
    client = connect(root_site.party())
    callback = root_site.alice.authorize(client.start("openid"))
    forged = callback.replace(quote(root_site.issuer, safe=""), "https%3A%2F%2Fother.example")
    assert forged != callback
    with pytest.raises(ForeignRefusal, match=r"(?i)iss"):
        client.finish(forged)
    assert client.finish(callback)["claims"]["sub"] == root_site.subject


def test_a_library_reads_that_nobody_is_logged_in(root_site: Site, connect: Connect) -> None:
    client = connect(root_site.party())
    url = client.start("openid", prompt="none")
    assert error_of(lambda: client.finish(root_site.alice.authorize(url))) == "login_required"


def test_a_library_reads_that_the_person_denied(root_site: Site, connect: Connect) -> None:
    client = connect(root_site.party())
    url = client.start("openid", prompt="consent")
    unwilling = Person(root_site.issuer, button="consent-deny")
    assert error_of(lambda: client.finish(unwilling.authorize(url))) == "access_denied"
    willing = client.finish(root_site.alice.authorize(client.start("openid")))
    assert willing["claims"]["sub"] == root_site.subject


def expire_codes(site: Site) -> None:
    """End the time of every code that was given out."""
    database = site.server.folder / "codegrant.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE codes SET expires_at = 1")


@pytest.mark.parametrize("method", [BASIC, POST])
def test_a_library_reads_that_its_code_has_expired(
    root_site: Site, connect: Connect, method: str
) -> None:
    client = connect(root_site.party(method))
    callback = root_site.alice.authorize(client.start("openid"))
    expire_codes(root_site)
    assert error_of(lambda: client.finish(callback)) == "invalid_grant"


def test_a_library_reads_that_a_code_came_twice(root_site: Site, connect: Connect) -> None:
    client = connect(root_site.whole_party())
    url = client.start(WHOLE_SCOPE, prompt="consent", resource=API)
    callback = root_site.alice.authorize(url)
    tokens = client.finish(callback)
    assert error_of(lambda: client.finish(callback)) == "invalid_grant"
    # RFC 6749 §4.1.2: and what the first one was given is void.
    assert error_of(lambda: client.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert dict(client.introspect(tokens["access_token"])) == {"active": False}
