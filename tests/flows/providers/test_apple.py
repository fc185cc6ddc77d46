"""Apple: a secret that is signed, a name that comes once, an address that may be a relay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from codegrant import ConfigurationError, Refused, Secret, provider
from codegrant.jose import PrivateKey, parse_jwt
from codegrant.testing.personas import Person
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import APPLE_KEY, CLIENT_ID, VARIABLES, Site, find_facts, make_persona

APPLE = VARIABLES["apple"]


def secrets_of(site: Site) -> list[str]:
    forms = [parse_qs(r.body.decode()) for r in site.persona.requests if r.method == "POST"]
    return [form["client_secret"][0] for form in forms]


def test_the_secret_is_a_short_lived_jwt_made_anew_each_time(make: MakeSite) -> None:
    site = make("apple")
    site.refresh(site.log_in())
    first, second = (parse_jwt(text) for text in secrets_of(site))
    for jwt in (first, second):
        assert (jwt.jws.alg, jwt.jws.kid, jwt.jws.typ) == ("ES256", APPLE["key_id"], "")
        claims = jwt.claimed
        assert claims["iss"] == APPLE["team_id"]
        assert claims["sub"] == CLIENT_ID
        assert claims["aud"] == "https://appleid.apple.com"
        assert int(str(claims["exp"])) - int(str(claims["iat"])) <= 300
    assert first.jws.signature != second.jws.signature


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"team_id": "OTHERTEAM0"}, id="another team"),
        pytest.param({"key_id": "OTHERKEY00"}, id="another key's name"),
        pytest.param(
            {"private_key": PrivateKey.generate("ES256").to_pem().decode()}, id="another key"
        ),
    ],
)
def test_a_secret_of_somebody_else_is_refused(make: MakeSite, change: dict[str, str]) -> None:
    site = make("apple", provider("apple", **(APPLE | change)))
    with pytest.raises(Refused) as caught:
        site.log_in()
    assert caught.value.error == "invalid_client"
    shown = f"{caught.value} {caught.value.hint} {caught.value.facts}"
    assert not any(secret in shown for secret in secrets_of(site))


@pytest.mark.parametrize(
    ("private_key", "message"),
    [
        pytest.param("no key", "no unencrypted private key", id="no PEM"),
        pytest.param(Secret("no key"), "no unencrypted private key", id="no PEM in a Secret"),
        pytest.param(
            PrivateKey.generate("EdDSA").to_pem().decode(), "not one for ES256", id="another kind"
        ),
        pytest.param("", "private_key: Sign in with Apple needs it", id="none"),
    ],
)
def test_a_key_that_cannot_sign_is_told_at_once(private_key: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        provider("apple", **{**APPLE, "private_key": private_key})
    assert "no key" not in str(caught.value)


def test_the_key_may_be_a_secret() -> None:
    given: dict[str, Any] = {**APPLE, "private_key": Secret(APPLE_KEY)}
    known = provider("apple", **given)
    assert APPLE_KEY not in repr(known)


def test_the_name_comes_once_and_the_address_always(make: MakeSite) -> None:
    site = make("apple")
    first, second = (site.identity(site.log_in()) for _ in range(2))
    assert (first.name, second.name) == ("Ada Lovelace", None)
    assert first.email == second.email == Person().email
    assert first.email_verified
    assert second.email_verified


def test_a_form_that_the_browser_made_up_names_and_proves_nothing(make: MakeSite) -> None:
    site = make("apple")
    site.log_in()
    person = Person().subject
    made_up: list[object] = [
        {"name": {"firstName": "Eve"}, "email": "victim@example.com"},
        {"sub": "other", "email": "victim@example.com", "email_verified": True},
        {"user": {"name": {"firstName": 1}}},
        [], "text", {"name": None}, 7,
    ]  # fmt: skip
    for user in [*map(json.dumps, made_up), "{", '{"a":1,"a":2}', "x" * 70_000]:
        login = site.start()
        callback = f"{site.persona.authorize(login.url)}&user={quote(user)}"
        if len(callback) > 65_536:
            continue
        found = site.identity(site.finish(callback, login))
        assert (found.subject, found.email) == (person, Person().email)
        assert found.name in {None, "Eve"}


def test_of_a_form_that_anybody_can_make_up_only_the_name_is_kept(make: MakeSite) -> None:
    """A program that trusts an address in `raw` must not find one that nobody vouches for."""
    site = make("apple")
    site.log_in()
    login = site.start()
    made_up = {
        "name": {"firstName": "Eve"},
        "email": "victim@example.com",
        "email_verified": True,
        "sub": "other",
    }
    callback = f"{site.persona.authorize(login.url)}&user={quote(json.dumps(made_up))}"
    tokens = site.finish(callback, login)
    assert tokens.extra["user"] == {"name": {"firstName": "Eve"}}
    assert "victim@example.com" not in str(site.identity(tokens).raw)


@pytest.mark.parametrize(
    ("told", "proven"),
    [(True, True), ("true", True), ("false", False), (False, False), ("yes", False), (1, False)],
)
def test_a_verified_address_is_true_in_either_spelling(
    make: MakeSite, told: object, proven: bool
) -> None:
    def claims(person: Person) -> dict[str, Any]:
        return {"email": person.email, "email_verified": told}

    for name in ("apple", "gitlab"):
        site = make(replace(find_facts(name), claims=claims))
        found = site.identity(site.log_in())
        # The text is Apple's quirk, and nobody else's.
        assert found.email_verified is (proven if name == "apple" else told is True)


def test_the_callback_is_asked_for_as_a_form(make: MakeSite) -> None:
    site = make("apple")
    asked = parse_qs(urlsplit(site.start().url).query)
    assert asked["response_mode"] == ["form_post"]
    assert asked["scope"] == ["name email"]
    assert "nonce" in asked
    assert "code_challenge" not in asked
    # Nothing of this at anybody else's.
    assert "response_mode" not in make("gitlab").start().url


def test_a_key_of_another_name_is_another_key() -> None:
    persona = make_persona("apple")
    assert persona.facts.signed_secret == "https://appleid.apple.com"
