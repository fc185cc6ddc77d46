"""What opens the userinfo endpoint, and everything that does not or no longer does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from codegrant.accounts.effects import EndSessionsOf, ReplacePassword
from codegrant.http import Response
from codegrant.jose import parse_jwt
from codegrant.server.administration import RemoveClient
from codegrant.server.effects import DenyToken, RevokeGrant
from tests.flows.authorization_server import SECRET, basic, document
from tests.flows.house import FORM_TYPE, Browser, House, hashed, parameters_of
from tests.flows.oidc import claims_in, open_house, redeem, send, sign_in, tokens_of, userinfo


@pytest.fixture(params=["jwt", "opaque"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with open_house(access_format=request.param) as house:
        yield house


@pytest.fixture
def alice(house: House) -> Browser:
    browser = Browser(house)
    sign_in(browser)
    return browser


def assert_invalid(answer: Response) -> None:
    """Check that it says `invalid_token`, and nothing of anybody. RFC 6750 §3.1."""
    assert answer.status == 401
    challenge = answer.headers.get("www-authenticate")
    assert challenge.startswith("Bearer ")
    assert 'error="invalid_token"' in challenge
    assert document(answer)["error"] == "invalid_token"
    assert "alice" not in answer.body.decode().lower()
    assert answer.headers.get("cache-control") == "no-store"


METHODS = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.mark.requirement("AS-UI-07")
@METHODS
def test_an_id_token_is_no_access_token(house: House, alice: Browser, method: str) -> None:
    tokens = tokens_of(house, alice)
    assert_invalid(userinfo(house, tokens["id_token"], method))
    assert userinfo(house, tokens["access_token"], method).status == 200


@pytest.mark.requirement("AS-UI-07")
@METHODS
def test_a_code_is_no_access_token(house: House, alice: Browser, method: str) -> None:
    page = sign_in(alice)
    code = parameters_of(page)["code"]
    assert_invalid(userinfo(house, code, method))
    token = redeem(house, page)["access_token"]  # asking with it did it no harm
    assert_invalid(userinfo(house, code, method))
    assert userinfo(house, token, method).status == 200


@pytest.mark.requirement("AS-UI-07")
@METHODS
def test_a_refresh_token_is_no_access_token(house: House, alice: Browser, method: str) -> None:
    tokens = tokens_of(house, alice, scope="openid offline_access")
    assert_invalid(userinfo(house, tokens["refresh_token"], method))
    assert userinfo(house, tokens["access_token"], method).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_a_session_cookie_and_a_transaction_are_no_access_tokens(
    house: House, alice: Browser
) -> None:
    page = alice.start(prompt="login")
    for secret in (alice.session_cookie or "", page.inputs["transaction"], page.inputs["csrf"]):
        assert_invalid(userinfo(house, secret))
    answer = alice.send("GET", "/userinfo")
    assert answer.status == 401
    assert "error" not in answer.headers.get("www-authenticate")


def revoke_grant(house: House, tokens: dict[str, Any]) -> None:
    grant_id = str(house.last_event("code_redeemed").facts["grant_id"])
    assert house.perform(RevokeGrant(grant_id, house.now))


def disable_person(house: House, tokens: dict[str, Any]) -> None:
    house.change_account("alice", enabled=False)


def replace_password(house: House, tokens: dict[str, Any]) -> None:
    hash_ = hashed("another password")
    assert house.perform(ReplacePassword("person-alice", hash_, house.now))


def disable_client(house: House, tokens: dict[str, Any]) -> None:
    house.change_client("a", enabled=False)


def remove_client(house: House, tokens: dict[str, Any]) -> None:
    assert house.perform(RemoveClient("a"))


def let_it_expire(house: House, tokens: dict[str, Any]) -> None:
    house.now += int(tokens["expires_in"]) - 1
    assert userinfo(house, tokens["access_token"]).status == 200
    house.now += 1


@pytest.mark.requirement("AS-UI-07")
@METHODS
@pytest.mark.parametrize(
    "end",
    [revoke_grant, disable_person, replace_password, disable_client, remove_client, let_it_expire],
    ids=lambda end: end.__name__.replace("_", " "),
)
def test_what_ended_opens_nothing_from_that_moment_on(
    house: House, alice: Browser, end: Callable[[House, dict[str, Any]], None], method: str
) -> None:
    neighbour = tokens_of(house, Browser(house), "bob")
    tokens = tokens_of(house, alice)
    assert userinfo(house, tokens["access_token"], method).status == 200
    end(house, tokens)
    assert_invalid(userinfo(house, tokens["access_token"], method))
    if end in {revoke_grant, disable_person, replace_password}:
        assert userinfo(house, neighbour["access_token"], method).status == 200


@pytest.mark.requirement("AS-UI-07")
@METHODS
def test_a_token_that_its_client_revoked_is_dead(house: House, alice: Browser, method: str) -> None:
    first, second = tokens_of(house, alice), tokens_of(house, alice)
    form = urlencode({"token": first["access_token"]})
    sent = send(house, "POST", "/revoke", form, (FORM_TYPE, basic("a", SECRET)))
    assert sent.status == 200
    assert_invalid(userinfo(house, first["access_token"], method))
    assert userinfo(house, second["access_token"], method).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_a_replay_of_the_code_ends_the_token_that_it_gave(house: House, alice: Browser) -> None:
    page = sign_in(alice)
    token = redeem(house, page)["access_token"]
    assert userinfo(house, token).status == 200
    with pytest.raises(AssertionError, match="invalid_grant"):
        redeem(house, page)
    assert_invalid(userinfo(house, token))


@pytest.mark.requirement("AS-UI-07")
def test_a_denied_token_is_dead_and_the_next_of_its_grant_is_not() -> None:
    with open_house() as house:
        browser = Browser(house)
        first, second = tokens_of(house, browser), tokens_of(house, browser)
        claims = claims_in(house, first["access_token"])
        house.perform(DenyToken(claims["jti"], claims["exp"]))
        assert_invalid(userinfo(house, first["access_token"]))
        assert userinfo(house, second["access_token"]).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_a_token_of_a_person_who_was_disabled_never_comes_back(
    house: House, alice: Browser
) -> None:
    token = tokens_of(house, alice)["access_token"]
    house.change_account("alice", enabled=False)
    assert_invalid(userinfo(house, token))
    house.change_account("alice", enabled=True)
    assert_invalid(userinfo(house, token))
    assert userinfo(house, tokens_of(house, alice)["access_token"]).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_the_end_of_a_session_is_not_the_end_of_a_token(house: House, alice: Browser) -> None:
    token = tokens_of(house, alice)["access_token"]
    house.perform(EndSessionsOf("person-alice"))
    assert userinfo(house, token).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_a_token_that_was_altered_by_one_letter_is_refused(house: House, alice: Browser) -> None:
    token = tokens_of(house, alice)["access_token"]
    for place in (0, len(token) // 2, len(token) - 10):
        letter = "A" if token[place] != "A" else "B"
        assert_invalid(userinfo(house, f"{token[:place]}{letter}{token[place + 1 :]}"))
    for other in (token.upper(), token[:-10], f"{token}AAAA", f"{token}.{token}"):
        assert_invalid(userinfo(house, other))
    assert userinfo(house, token).status == 200


@pytest.mark.requirement("AS-UI-07")
def test_a_token_of_another_issuer_with_our_keys_is_refused() -> None:
    with open_house() as house, open_house(issuer="https://other.test") as other:
        token = tokens_of(other, Browser(other))["access_token"]
        assert parse_jwt(token).claimed["iss"] == "https://other.test"
        assert userinfo(other, token).status == 200
        assert_invalid(userinfo(house, token))


@pytest.mark.requirement("AS-UI-07")
@pytest.mark.parametrize(
    ("body", "query"),
    [
        pytest.param("access_token={}", "", id="form"),
        pytest.param("a=b&access_token={}", "", id="later in the form"),
        pytest.param("", "access_token={}", id="query"),
    ],
)
def test_a_token_stands_in_the_header_or_nowhere(
    house: House, alice: Browser, body: str, query: str
) -> None:
    token = tokens_of(house, alice)["access_token"]
    header = ("authorization", f"Bearer {token}")
    body, query = body.format(token), query.format(token)
    for headers in ((FORM_TYPE,), (FORM_TYPE, header)):
        answer = send(house, "POST", "/userinfo", body, headers, query)
        assert answer.status == 400
        assert document(answer)["error"] == "invalid_request"
        assert token not in answer.body.decode()
    other = urlencode({"unrelated": "x"})
    assert send(house, "POST", "/userinfo", other, (FORM_TYPE, header)).status == 200
    assert send(house, "POST", "/userinfo", "", (header,)).status == 200


@pytest.mark.requirement("AS-UI-07")
@pytest.mark.parametrize("scheme", ["Basic", "DPoP", "Bearer2", "Token"])
def test_another_scheme_is_no_bearer(house: House, alice: Browser, scheme: str) -> None:
    token = tokens_of(house, alice)["access_token"]
    answer = send(house, "GET", "/userinfo", headers=(("authorization", f"{scheme} {token}"),))
    assert answer.status == 401
    assert "error" not in answer.headers.get("www-authenticate")
    lower = send(house, "GET", "/userinfo", headers=(("authorization", f"bearer {token}"),))
    assert lower.status == 200
