"""`offline_access`: who gets a refresh token, and who is asked for it (D18)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.authorization_server import document
from tests.flows.house import Browser, House, parameters_of
from tests.flows.oidc import (
    answer_of,
    is_page,
    open_house,
    redeem,
    send,
    send_token,
    sign_in,
    tokens_of,
)

WORDS = "Keep this access while you are not using the application"


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def alice(house: House) -> Browser:
    """The browser in which alice has logged in and agreed to `openid`."""
    browser = Browser(house)
    sign_in(browser)
    return browser


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("openid", False),
        ("openid email profile", False),
        ("openid offline_access", True),
        ("offline_access openid", True),
        ("openid Offline_Access", False),
        ("read", True),
        ("offline_access", True),
    ],
)
def test_a_refresh_token_goes_with_offline_access_or_without_openid(
    house: House, alice: Browser, scope: str, *, granted: bool
) -> None:
    tokens = tokens_of(house, alice, scope=scope)
    assert ("refresh_token" in tokens) == granted
    if granted:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert send_token(house, **form).status == 200


@pytest.mark.requirement("AS-RT-10")
@pytest.mark.parametrize("scope", ["openid offline_access", "offline_access openid email"])
def test_it_is_ignored_for_a_client_that_gets_no_refresh_token(
    house: House, alice: Browser, scope: str
) -> None:
    house.change_client("a", grant_types=("authorization_code",))
    page = alice.start(scope=scope, prompt="consent")
    assert WORDS not in page.text
    tokens = redeem(house, alice.submit(page, "consent-allow"))
    assert "refresh_token" not in tokens
    assert "offline_access" not in tokens["scope"].split()
    assert "id_token" in tokens
    # Nobody is asked again for what is not given.
    answered = answer_of(alice.start(scope=scope, prompt="none"))
    assert "code" in answered
    assert answer_of(alice.start(scope="offline_access"))["error"] == "invalid_scope"

    house.change_client("a")  # registered for both grants again
    page = alice.start(scope=scope)
    assert is_page(page, "consent")
    assert WORDS in page.text


def test_it_is_dropped_where_it_is_not_registered(house: House, alice: Browser) -> None:
    house.change_client("a", scope=("openid", "email"))
    tokens = tokens_of(house, alice, scope="openid offline_access")
    assert (tokens["scope"], "refresh_token" in tokens) == ("openid", False)


@pytest.mark.requirement("AS-RT-10")
def test_the_person_is_asked_in_words_and_can_say_no(house: House, alice: Browser) -> None:
    scope = "openid offline_access"
    assert answer_of(alice.start(scope=scope, prompt="none"))["error"] == "consent_required"
    page = alice.start(scope=scope)
    assert is_page(page, "consent")
    assert WORDS in page.text
    assert WORDS not in alice.start(scope="openid email").text
    denied = parameters_of(alice.submit(page, "consent-deny"))
    assert denied["error"] == "access_denied"
    assert is_page(alice.start(scope=scope), "consent")


@pytest.mark.requirement("AS-RT-10")
def test_a_remembered_consent_counts_without_a_demand_for_it(house: House, alice: Browser) -> None:
    scope = "openid offline_access"
    assert "refresh_token" in tokens_of(house, alice, scope=scope)
    again = alice.start(scope=scope, prompt="none")
    assert "refresh_token" in redeem(house, again)
    # Less than what was agreed to is less, and asks nobody.
    assert "refresh_token" not in redeem(house, alice.start(scope="openid", prompt="none"))


def test_another_person_is_asked_for_themselves(house: House, alice: Browser) -> None:
    scope = "openid offline_access"
    tokens_of(house, alice, scope=scope)
    page = alice.log_in(alice.start(scope=scope, prompt="login"), "bob")
    assert is_page(page, "consent")
    assert WORDS in page.text


def test_a_client_that_nobody_is_asked_about_has_it(house: House, alice: Browser) -> None:
    page = alice.start(
        client_id="trusted",
        redirect_uri="https://trusted.test/cb",
        scope="openid offline_access",
    )
    assert "refresh_token" in redeem(house, page, "trusted")


def test_it_is_advertised(house: House) -> None:
    advertised = document(send(house, "GET", "/.well-known/openid-configuration"))
    assert "offline_access" in advertised["scopes_supported"]
    assert "refresh_token" in advertised["grant_types_supported"]
