"""Each quirk is needed, and loosens what it names and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from codegrant import CodegrantError, Provider, Refused, ResponseRejected, Secret, provider
from codegrant.providers import IDS, Quirk, find_entry
from codegrant.testing.personas import Facts, Person
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import SECRET, TENANT, VARIABLES, Site, find_facts, make_persona

OLD_FACEBOOK = replace(
    find_facts("facebook"), form="always", lifetime_name="expires", token_type="", pkce="must_not"
)
# What needs no code: the strict client copes, or the program does.
WORDS_ONLY = {Quirk.ERROR_WITH_200, Quirk.API_KEY_SECRET, Quirk.HOST_CHOSEN}
PAIRS = [
    (name, quirk)
    for name in IDS
    for quirk in sorted(find_entry(name).provider.quirks - WORDS_ONLY, key=lambda one: one.name)
]


def whole(name: str) -> Provider:
    if name == "microsoft":
        return provider("microsoft", tenant="common", allowed_tenants=[TENANT])
    return provider(name, **VARIABLES.get(name, {}))


def persona_arguments(name: str) -> dict[str, Any]:
    return {"variables": {"tenant": "common"}} if name == "microsoft" else {}


def without(known: Provider, quirk: Quirk) -> Provider:
    """Return a provider as if it had no such quirk."""
    user = known.user
    data: Mapping[Quirk, dict[str, Any]] = {
        Quirk.AUTH_METHODS_UNLISTED: {"auth_method": "client_secret_basic"},
        Quirk.EMAIL_LIST: {"emails": None},
        Quirk.FORM_POST: {"response_mode": ""},
        Quirk.HEADERS: {"api_headers": (), "user_agent": ""},
        Quirk.ISSUER_ALIAS: {"issuer_alias": ""},
        Quirk.ISSUER_TEMPLATE: {"tenants": None},
        Quirk.NESTED_USER: {"user": replace(user, in_tokens="")},
        Quirk.SIGNED_SECRET: {"signed_secret": None},
        Quirk.USERINFO_POST: {"user": replace(user, method="GET", token_in_form=False)},
        Quirk.WRAPPED_USER: {"user": replace(user, within=("",), in_tokens="")},
    }
    return replace(known, quirks=known.quirks - {quirk}, **data.get(quirk, {}))


def always(answer: Any) -> Callable[[Person], Any]:
    return lambda _: answer


def told(call: Any) -> object:
    """Return what a call gives, or what it fails with."""
    try:
        return call()
    except CodegrantError as error:
        return type(error).__name__, error.code, getattr(error, "error", "")


def outcome(site: Site) -> list[object]:
    """Return all that a program sees of a provider."""
    facts = site.persona.facts

    # With all scopes asked for and one refused, what was granted is told apart from it.
    site.persona.unticked = frozenset(facts.scopes[1:2])

    def log_in() -> object:
        tokens = site.log_in(scope=facts.scopes)
        kept.append(tokens)
        about = site.identity(tokens)
        return tokens.scope, tokens.missing_scope, tokens.expires_at is None, replace(about, raw={})

    def call() -> object:
        url = site.persona.address(facts.userinfo)
        query = f"?{facts.userinfo_query}" if facts.userinfo_query else ""
        return site.call(kept[0], facts.userinfo_method, url + query).status_code

    def spent_code() -> object:
        login = site.start()
        callback = site.persona.authorize(login.url)
        site.persona.end_codes()
        return site.finish(callback, login)

    def refused_token() -> object:
        site.persona.end_access_tokens()
        return site.identity(kept[0])

    kept: list[Any] = []
    found = [told(log_in), len(site.persona.requests)]
    if kept:
        found += [told(call), told(refused_token)]
        if facts.userinfo:
            found.append(told(call))
    found.append(told(spent_code))
    try:
        spent_code()
    except CodegrantError as error:
        found.append(getattr(error, "description", ""))
    return found


@pytest.mark.parametrize(
    ("name", "quirk"), [pytest.param(n, q, id=f"{n}-{q.name.lower()}") for n, q in PAIRS]
)
def test_without_a_quirk_its_provider_is_not_understood(
    make: MakeSite, name: str, quirk: Quirk
) -> None:
    seen: list[object] = []
    for known in (whole(name), without(whole(name), quirk)):
        each: list[object] = []
        for facts in (
            (OLD_FACEBOOK, find_facts(name)) if name == "facebook" else (find_facts(name),)
        ):
            persona = make_persona(facts, **persona_arguments(name))
            secret = {} if name != "apple" or known.signed_secret else {"client_secret": SECRET}
            each += outcome(make(facts, known, persona=persona, **secret))
        seen.append(each)
    assert seen[0] != seen[1]


def test_every_quirk_is_some_provider_s_and_says_what_it_is() -> None:
    used = frozenset[Quirk]().union(*(find_entry(name).provider.quirks for name in IDS))
    assert used == frozenset(Quirk)
    for quirk in Quirk:
        assert quirk.value
        assert "\n" not in quirk.value
        assert not quirk.value.endswith(".")


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        pytest.param("github", {"form": "always"}, "not_json", id="a form, at GitHub"),
        pytest.param("google", {"token_type": ""}, "token_type_unknown", id="no type, at Google"),
        pytest.param("linkedin", {"token_type": "mac"}, "token_type_unknown", id="another type"),
        pytest.param("facebook", {"token_type": "mac"}, "token_type_unknown", id="Facebook's type"),
        pytest.param("google", {"scope_answer": "array"}, "malformed_token_response", id="array"),
        pytest.param("twitch", {"lifetime": "soon"}, "malformed_token_response", id="lifetime"),
        pytest.param("gitlab", {"errors": "object"}, "not_json", id="an error object, at GitLab"),
        pytest.param("gitlab", {"errors": "message"}, "not_json", id="a message, at GitLab"),
    ],
)
def test_a_quirk_of_another_provider_is_refused(
    make: MakeSite, name: str, change: dict[str, Any], code: str
) -> None:
    site = make(replace(find_facts(name), **change))
    if "errors" in change:
        site.persona.change_secret()
    with pytest.raises(ResponseRejected) as caught:
        site.log_in()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("github", {"pkce": "must_not"}, id="PKCE is sent where it is taken"),
        pytest.param("gitlab", {"nonce": False}, id="a nonce is sent but at LinkedIn"),
        pytest.param("slack", {"pkce": "must"}, id="and no PKCE where it is not known to be"),
        pytest.param("github", {"separator": ","}, id="spaces between scopes"),
    ],
)
def test_a_request_has_what_its_provider_takes_and_no_other_s(
    make: MakeSite, name: str, change: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        make(replace(find_facts(name), **change)).log_in()
    assert make(name).log_in().scope


@pytest.mark.parametrize(
    ("error", "quirk"),
    [
        pytest.param({"error": {"type": "OAuthException"}}, "facebook", id="only a type"),
        pytest.param({"error": {"code": 4}}, "facebook", id="only a number"),
        pytest.param({"error": {}}, "facebook", id="an empty object"),
        pytest.param({"ok": False}, "slack", id="not ok and no word"),
        pytest.param(
            {"ok": False, "access_token": "t", "token_type": "bearer"}, "slack", id="both"
        ),
    ],
)
def test_a_refusal_in_a_shape_of_its_own_is_never_a_success(
    make: MakeSite, error: dict[str, object], quirk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codegrant.http import Headers, Response
    from codegrant.messages.json import build_json

    site = make(quirk)
    login = site.start()
    callback = site.persona.authorize(login.url)
    answer = Response(
        status=200, headers=Headers([("content-type", "application/json")]), body=build_json(error)
    )
    monkeypatch.setattr(site.persona, "_token", lambda _: answer)
    with pytest.raises(Refused):
        site.finish(callback, login)


def test_scopes_that_a_person_unticked_are_missing_at_strava(make: MakeSite) -> None:
    site = make("strava")
    login = site.start(scope="read activity:read")
    callback = site.persona.authorize(login.url).replace("read%2Cactivity%3Aread", "read")
    tokens = site.finish(callback, login)
    assert (tokens.scope, tokens.missing_scope) == (
        frozenset({"read"}),
        frozenset({"activity:read"}),
    )


def test_addresses_of_github_count_only_when_primary_and_verified(make: MakeSite) -> None:
    lists: list[tuple[Any, str | None]] = [
        ([], None),
        ([{"email": "a@b.example", "primary": True, "verified": "true"}], None),
        ([{"email": "a@b.example", "primary": False, "verified": True}], None),
        ([{"email": 7, "primary": True, "verified": True}], None),
        ([None, {"email": "a@b.example", "primary": True, "verified": True}], "a@b.example"),
        ({"message": "no list"}, None),
    ]
    for answer, expected in lists:
        facts = replace(find_facts("github"), email_list=always(answer))
        site = make(facts)
        found = site.identity(site.log_in())
        assert (found.email, found.email_verified) == (expected, expected is not None)


def test_a_profile_s_public_address_at_github_proves_nothing(make: MakeSite) -> None:
    facts = replace(
        find_facts("github"),
        emails="",
        user=lambda person: {"id": person.number, "login": "ada", "email": "victim@example.com"},
    )
    site = make(facts)  # without the scope, /user/emails is a 404
    found = site.identity(site.log_in())
    assert (found.email, found.email_verified) == ("victim@example.com", False)
    assert found.subject == site.persona.person.subject


def test_github_enterprise_has_its_own_host(make: MakeSite) -> None:
    base = {"base_url": "https://github.corp.example"}
    persona = make_persona("github", variables=base)
    site = make("github", provider("github", **base), persona=persona)
    found = site.identity(site.log_in())
    assert found.issuer == "https://github.corp.example/login/oauth"
    assert found.email_verified
    assert all("github.corp.example" in request.url for request in persona.requests)
    assert persona.requests[-1].url == "https://github.corp.example/api/v3/user/emails"


def test_a_subject_of_the_wrong_type_is_nobody(make: MakeSite) -> None:
    for subject in (None, True, "", 1.5, ["1"], {"id": 1}, "x" * 256):
        facts = replace(find_facts("github"), user=always({"id": subject}))
        site = make(facts)
        with pytest.raises(ResponseRejected) as caught:
            site.identity(site.log_in())
        assert caught.value.code == "sub_missing"


def test_userinfo_about_somebody_else_is_refused_beside_an_id_token(make: MakeSite) -> None:
    facts: Facts = find_facts("gitlab")  # whose ID token has no address here
    site = make(replace(facts, subject=lambda person: f"{person.number}"))
    tokens = site.log_in()
    site.persona.facts = replace(facts, subject=lambda _: "somebody-else")
    with pytest.raises(ResponseRejected) as caught:
        site.identity(tokens)
    assert caught.value.code == "sub_mismatch"


def test_an_openid_login_is_good_without_userinfo(make: MakeSite) -> None:
    site = make("okta")  # whose ID token has no address here
    tokens = site.log_in()
    assert site.identity(tokens).email == Person().email
    site.persona.end_access_tokens()
    found = site.identity(tokens)
    assert (found.subject, found.email) == (Person().subject, None)


def test_a_secret_that_is_given_is_not_part_of_what_is_shown() -> None:
    known = provider("apple", **VARIABLES["apple"])
    assert "PRIVATE" not in f"{known!r} {known.signed_secret!r}"
    assert isinstance(known.signed_secret and Secret("x"), Secret)
