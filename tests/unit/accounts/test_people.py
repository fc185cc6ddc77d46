"""People as operators make them and as the server sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from codegrant.accounts.effects import (
    AddAccount,
    FindAccountBySubject,
    FindSession,
    SaveConsent,
    SaveSession,
)
from codegrant.accounts.people import (
    add_account,
    build_host,
    find_account,
    person_of,
    replace_password,
    set_enabled,
)
from codegrant.accounts.records import Account, Session
from codegrant.errors import ConfigurationError
from codegrant.http import Headers, Request
from codegrant.secret import Secret, digest_of
from codegrant.server.cookies import cookie_name
from codegrant.server.effects import SaveCode
from tests.flows.authorization_server import NOW
from tests.flows.house import House, account
from tests.unit.stores.examples import issued

PASSWORD = Secret("a long enough password")
AUDIENCE = "https://api.test/notes"


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def test_a_new_person_has_a_random_subject_and_a_hash(house: House) -> None:
    made: Account = house.run(
        add_account("Carol", PASSWORD, NOW, email="carol@people.test", name="Carol C.")
    )
    assert made.subject.startswith("person-")
    assert "carol" not in made.subject
    assert made.password_hash.startswith("$argon2id$")
    assert PASSWORD.reveal() not in repr(made)
    assert made.password_hash not in repr(made)
    assert house.run(find_account("CAROL")) == made
    assert house.perform(FindAccountBySubject(made.subject)) == made


def test_two_people_never_share_a_subject(house: House) -> None:
    one = house.run(add_account("carol", PASSWORD, NOW))
    other = house.run(add_account("dave", PASSWORD, NOW))
    assert one.subject != other.subject
    assert one.password_hash != other.password_hash


@pytest.mark.parametrize(
    ("username", "code"),
    [
        pytest.param("alice", "user_exists", id="taken"),
        pytest.param("ALICE", "user_exists", id="taken in another case"),
        pytest.param("ａlice", "user_exists", id="taken in another width"),  # noqa: RUF001
        pytest.param("", "configuration_error", id="empty"),
        pytest.param("carol ", "configuration_error", id="a space after"),
        pytest.param("ca\nrol", "configuration_error", id="a line end"),
        pytest.param("c" * 151, "configuration_error", id="too long"),
    ],
)
def test_some_usernames_are_refused(house: House, username: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        house.run(add_account(username, PASSWORD, NOW))
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"password": Secret("a" * 1025)}, "password", id="a long password"),
        pytest.param({"password": Secret("a\0b")}, "password", id="NUL in the password"),
        pytest.param({"email": "carol"}, "email", id="no address"),
        pytest.param({"email": "a@b@c"}, "email", id="two @"),
        pytest.param({"email": "a b@c"}, "email", id="a space in the address"),
        pytest.param({"email": "carol@c\r\nBcc: x"}, "email", id="a line end in the address"),
        pytest.param({"name": "C" * 201}, "name", id="a long name"),
        pytest.param({"name": "Ca\0rol"}, "name", id="NUL in the name"),
        pytest.param({"name": " Carol"}, "name", id="a space before the name"),
    ],
)
def test_some_values_are_refused(house: House, changes: dict[str, Any], named: str) -> None:
    values: dict[str, Any] = {"password": PASSWORD, **changes}
    password = values.pop("password")
    with pytest.raises(ConfigurationError, match=f"^{named}: ") as caught:
        house.run(add_account("carol", password, NOW, **values))
    assert house.times(AddAccount) == 2
    assert password.reveal() not in str(caught.value)


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(lambda: find_account("nobody"), id="find"),
        pytest.param(lambda: find_account("no\0body"), id="find a name nobody can have"),
        pytest.param(lambda: replace_password("nobody", PASSWORD, NOW), id="password"),
        pytest.param(lambda: set_enabled("nobody", enabled=False, now=NOW), id="disable"),
    ],
)
def test_an_unknown_person_is_an_error(house: House, flow: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        house.run(flow())
    assert caught.value.code == "user_unknown"


def session_of(username: str) -> Session:
    return Session(
        digest=digest_of("cookie"),
        sid="sid",
        subject=f"person-{username}",
        auth_time=NOW,
        amr=("pwd",),
        created_at=NOW,
        seen_at=NOW,
        expires_at=NOW + 1000,
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda: replace_password("alice", PASSWORD, NOW), id="new password"),
        pytest.param(lambda: set_enabled("alice", enabled=False, now=NOW), id="disabled"),
    ],
)
def test_a_new_password_or_an_end_of_the_account_ends_every_session(
    house: House,
    change: Any,
) -> None:
    session = session_of("alice")
    assert house.perform(SaveSession(session, account("alice").password_hash))
    find = FindSession(session.digest, NOW, NOW - 100)
    assert house.perform(find) == session
    house.run(change())
    assert house.perform(find) is None


def test_a_person_who_is_let_in_again_has_no_old_session(house: House) -> None:
    session = session_of("alice")
    house.perform(SaveSession(session, account("alice").password_hash))
    house.run(set_enabled("alice", enabled=False, now=NOW))
    assert house.run(set_enabled("alice", enabled=True, now=NOW + 1)).enabled
    assert house.perform(FindSession(session.digest, NOW, NOW - 100)) is None


def test_the_server_sees_the_standard_claims_and_no_hash() -> None:
    person = person_of(account("alice", email_verified=True, claims={"locale": "de"}))
    assert person.subject == "person-alice"
    assert person.enabled
    assert person.claims == {
        "preferred_username": "alice",
        "name": "Alice",
        "email": "alice@people.test",
        "email_verified": True,
        "updated_at": NOW - 100,
        "locale": "de",
    }


def test_what_a_person_has_not_is_absent() -> None:
    person = person_of(account("alice", email="", name="", enabled=False))
    assert person.claims.keys() == {"preferred_username", "updated_at"}
    assert not person.enabled


def test_the_host_answers_from_the_database(house: House) -> None:
    host = build_host(house.policy, house.site.pages)
    session = session_of("alice")
    house.perform(SaveSession(session, account("alice").password_hash))
    made = issued(client_id="a", subject="person-alice", sid=session.sid)
    house.perform(SaveCode(replace(made.grant, audience=AUDIENCE), made.code))
    house.perform(SaveConsent("person-alice", "a", AUDIENCE, frozenset({"openid"}), NOW))
    house.perform(SaveConsent("person-alice", "a", AUDIENCE, frozenset({"email"}), NOW))
    cookie = f"{cookie_name(house.policy, 'session')}=cookie"
    request = Request(method="GET", url="x", headers=Headers([("cookie", cookie)]))
    found = house.run(host.find_visitor(request, "a", AUDIENCE, NOW))
    assert (found.authentication.subject, found.authentication.sid) == ("person-alice", "sid")
    assert found.consent == {"openid", "email"}
    for client_id, audience in (("b", AUDIENCE), ("a", "https://other.test/")):
        found = house.run(host.find_visitor(request, client_id, audience, NOW))
        assert found.authentication.sid == "sid"
        assert found.consent is None
    nobody = Request(method="GET", url="x")
    assert house.run(host.find_visitor(nobody, "a", AUDIENCE, NOW)) is None
    assert house.run(host.find_person("person-alice")) == person_of(account("alice"))
    assert house.run(host.find_person("person-nobody")) is None
    assert house.run(host.find_consent("person-alice", "a", AUDIENCE)) == {"openid", "email"}
    assert house.run(host.find_consent("person-alice", "b", AUDIENCE)) is None
    assert house.run(host.find_consent("person-bob", "a", AUDIENCE)) is None
    assert house.run(host.find_consent("person-alice", "a", "https://other.test/")) is None
