"""One suite over all providers of the catalogue, each played by its persona."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegrant import LoginRequired, Refused, ResponseRejected, TokenRejected
from codegrant.providers import IDS
from codegrant.testing.personas import Person
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import PUBLIC, find_facts

# Written here a second time, so that neither the catalogue nor the personas can be wrong alone.
NO_EMAIL = {"reddit", "strava", "mastodon", "bluesky"}
UNPROVEN = {
    "microsoft", "facebook", "spotify", "notion", "atlassian", "amazon", "stripe", "hubspot",
}  # fmt: skip
NO_NAME = {"hubspot", "bluesky"}
SHORT_NAME = {"zoom"}
NO_PICTURE = {
    "microsoft", "apple", "discord", "twitch", "amazon", "stripe", "hubspot",
    "bluesky",
}  # fmt: skip
NO_REFRESH = {"facebook", "mastodon"}
ISSUERS = {
    "github": "https://github.com/login/oauth",
    "facebook": "https://www.facebook.com",
    "discord": "https://discord.com",
    "x": "https://x.com",
    "spotify": "https://accounts.spotify.com",
    "dropbox": "https://www.dropbox.com",
    "notion": "https://api.notion.com",
    "atlassian": "https://auth.atlassian.com",
    "zoom": "https://zoom.us",
    "amazon": "https://www.amazon.com",
    "stripe": "https://connect.stripe.com",
    "hubspot": "https://app.hubspot.com",
    "reddit": "https://www.reddit.com",
    "strava": "https://www.strava.com",
    "bitbucket": "https://bitbucket.org",
    "mastodon": "https://social.example",
    "bluesky": "https://bsky.social",
}
# What a refusal is called by those that have a word of their own which means no OAuth code.
BAD_CODE = {"facebook": "OAuthException"}
BAD_SECRET = {"facebook": "OAuthException"}

WITH_ID_TOKEN = [one for one in IDS if find_facts(one).issuer]
# Apple has no API, and HubSpot's userinfo is one that the client itself authenticates at.
WITH_API = [one for one in IDS if one not in {"apple", "hubspot"}]
# Who tells of the person without being asked, in an ID token or beside the access token.
ASKED = [one for one in IDS if one not in {*WITH_ID_TOKEN, "notion", "strava", "bluesky"}]
EVERY = pytest.mark.parametrize("name", IDS)
REFRESHING = pytest.mark.parametrize("name", [one for one in IDS if one not in NO_REFRESH])


@EVERY
def test_a_first_and_a_second_login_are_of_one_person(make: MakeSite, name: str) -> None:
    site = make(name)
    person = site.persona.person
    first, second = (site.identity(site.log_in()) for _ in range(2))
    assert first.subject == second.subject == site.persona.facts.subject(person)
    assert first.issuer == second.issuer == ISSUERS.get(name, site.persona.issuer)
    assert first.email == second.email == (None if name in NO_EMAIL else person.email)
    assert first.email_verified is (name not in NO_EMAIL | UNPROVEN)
    assert first.name == (
        None if name in NO_NAME else "Ada Lovelace" if name != "reddit" else person.name
    )
    assert first.picture == (None if name in NO_PICTURE else person.picture)
    assert first.raw


@EVERY
def test_another_person_is_another_subject(make: MakeSite, name: str) -> None:
    site = make(name)
    ada = site.identity(site.log_in())
    site.persona.person = Person(number=99, email=str(ada.email), name="Eve Other")
    eve = site.identity(site.log_in())
    assert eve.subject != ada.subject
    assert eve.issuer == ada.issuer


@EVERY
def test_an_address_that_the_provider_has_not_proven_is_not_verified(
    make: MakeSite, name: str
) -> None:
    site = make(name)
    site.persona.person = Person(email_verified=False)
    found = site.identity(site.log_in())
    # X gives only addresses that were confirmed.
    assert found.email_verified is (name == "x")


@EVERY
def test_scope_and_lifetime_are_read_in_the_provider_s_way(make: MakeSite, name: str) -> None:
    site = make(name)
    tokens = site.log_in()
    assert tokens.token_type == ("DPoP" if name == "bluesky" else "Bearer")
    assert tokens.scope <= set(site.persona.facts.scopes)
    assert tokens.missing_scope == frozenset()
    lifetime = site.persona.facts.lifetime
    if lifetime is None:
        assert tokens.expires_at is None
    else:
        assert tokens.expires_at == tokens.received_at + int(str(lifetime))


@pytest.mark.parametrize("name", WITH_API)
def test_an_api_is_called_with_the_token_and_what_it_wants_besides(
    make: MakeSite, name: str
) -> None:
    site = make(name)
    facts, tokens = site.persona.facts, site.log_in()
    query = f"?{facts.userinfo_query}" if facts.userinfo_query else ""
    url = site.persona.address(facts.userinfo) + query
    assert site.call(tokens, facts.userinfo_method, url).status_code == 200
    site.persona.end_access_tokens()
    if facts.errors == "ok_false":
        assert site.call(tokens, facts.userinfo_method, url).json()["ok"] is False
    elif name in NO_REFRESH:
        assert site.call(tokens, facts.userinfo_method, url).status_code == 401
    else:
        assert site.call(tokens, facts.userinfo_method, url).status_code == 200


@REFRESHING
def test_a_refresh_gives_tokens_of_the_same_person(make: MakeSite, name: str) -> None:
    site = make(name)
    tokens = site.log_in()
    assert tokens.refresh_token is not None
    newer = site.refresh(tokens)
    assert newer.access_token != tokens.access_token
    assert (newer.refresh_token == tokens.refresh_token) is not site.persona.facts.rotates
    assert newer.scope == tokens.scope
    assert site.identity(newer).subject == site.identity(tokens).subject


@REFRESHING
def test_a_refresh_token_that_is_gone_sends_the_person_to_log_in(make: MakeSite, name: str) -> None:
    site = make(name)
    tokens = site.log_in()
    site.persona.end_refresh_tokens()
    with pytest.raises(LoginRequired) as caught:
        site.refresh(tokens)
    assert caught.value.error == "invalid_grant"
    assert site.log_in(prompt="consent").refresh_token is not None


@EVERY
def test_a_code_that_is_spent_is_refused_in_the_provider_s_words(make: MakeSite, name: str) -> None:
    site = make(name)
    login = site.start()
    callback = site.persona.authorize(login.url)
    site.persona.end_codes()
    with pytest.raises(Refused) as caught:
        site.finish(callback, login)
    assert caught.value.error == BAD_CODE.get(name, "invalid_grant")
    assert caught.value.stage == "token"
    code = site.persona.facts.codes.get("invalid_grant", "")
    assert name == "facebook" or code in caught.value.description
    assert site.log_in().received_at


@pytest.mark.parametrize("name", [one for one in IDS if one not in PUBLIC])
def test_a_wrong_secret_is_refused_and_never_shown(make: MakeSite, name: str) -> None:
    site = make(name)
    site.persona.change_secret()
    with pytest.raises(Refused) as caught:
        site.log_in()
    assert caught.value.error == BAD_SECRET.get(name, "invalid_client")
    assert "sk_live" not in f"{caught.value} {caught.value.hint} {caught.value.facts}"


@EVERY
def test_a_person_who_says_no_is_told_so(make: MakeSite, name: str) -> None:
    site = make(name)
    site.persona.denies = True
    with pytest.raises(Refused) as caught:
        site.log_in()
    assert (caught.value.error, caught.value.stage) == ("access_denied", "callback")
    site.persona.denies = False
    assert site.identity(site.log_in()).subject


@pytest.mark.parametrize("name", ASKED)
def test_a_token_that_userinfo_refuses_is_a_refusal(make: MakeSite, name: str) -> None:
    site = make(name)
    tokens = site.log_in()
    site.persona.end_access_tokens()
    with pytest.raises((Refused, ResponseRejected)) as caught:
        site.identity(tokens)
    assert caught.value.stage == "userinfo"


@pytest.mark.parametrize("name", WITH_ID_TOKEN)
def test_an_id_token_of_another_issuer_is_refused(make: MakeSite, name: str) -> None:
    facts = replace(find_facts(name), second_issuer="https://evil.example")
    with pytest.raises(TokenRejected) as caught:
        make(facts).log_in()
    assert caught.value.code == "issuer_mismatch"


@pytest.mark.parametrize("name", [one for one in WITH_ID_TOKEN if find_facts(one).nonce])
def test_an_id_token_without_the_nonce_is_refused(make: MakeSite, name: str) -> None:
    site = make(name)
    login = site.start()
    callback = site.persona.authorize(login.url)
    site.persona.forget_nonces()
    with pytest.raises(TokenRejected) as caught:
        site.finish(callback, login)
    assert caught.value.code == "nonce_mismatch"
