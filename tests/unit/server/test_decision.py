from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.errors import OAuthError
from codegrant.messages.authorization import AuthorizationRequest
from codegrant.server.authorization_request import CheckedAuthorization
from codegrant.server.claims import ClaimsRequest
from codegrant.server.decision import (
    Decision,
    NeedConsent,
    NeedLogin,
    Ready,
    decide,
    remembers_consent,
)
from codegrant.server.host import Authentication
from codegrant.server.records import ClientRecord

NOW = 1_800_000_000
CLIENT = ClientRecord(client_id="a", secret_digest=bytes(32))
PUBLIC = replace(CLIENT, secret_digest=None, token_endpoint_auth_method="none")
ALICE = Authentication(subject="alice", auth_time=NOW - 50, sid="sid-1")
AGREED = frozenset({"openid", "email"})

CHECKED = CheckedAuthorization(
    client=CLIENT,
    request=AuthorizationRequest(client_id="a"),
    redirect_uri="https://a.test/cb",
    redirect_uri_sent=True,
    scope=("openid", "email"),
    requested_scope=("openid", "email", "admin"),
    audience="https://issuer.test",
    prompt=frozenset(),
    max_age=None,
    claims=ClaimsRequest(),
    subject="",
    essential_acr=(),
)


def judge(
    authentication: Authentication | None = ALICE,
    remembered: frozenset[str] | None = AGREED,
    login_sid: str = "",
    **changes: Any,
) -> Decision:
    if "prompt" in changes:
        changes["prompt"] = frozenset(changes["prompt"].split())
    checked = replace(CHECKED, **changes)
    return decide(checked, authentication, remembered, NOW, login_sid=login_sid)


def test_session_and_consent_suffice_for_the_scope_that_was_checked() -> None:
    assert judge() == Ready(CHECKED, ALICE, ("openid", "email"))
    assert judge(prompt="none") == Ready(replace(CHECKED, prompt=frozenset({"none"})), ALICE,
                                         ("openid", "email"))  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"authentication": None}, "no_session", id="nobody"),
        pytest.param({"prompt": "login"}, "prompt", id="a demanded login"),
        pytest.param({"prompt": "select_account"}, "prompt", id="a demanded choice"),
        pytest.param({"prompt": "login consent"}, "prompt", id="login before consent"),
        pytest.param({"max_age": 49}, "max_age", id="too old"),
        pytest.param({"max_age": 0}, "max_age", id="no age at all"),
        pytest.param({"subject": "bob"}, "other_person", id="another person"),
        pytest.param({"subject": "Alice"}, "other_person", id="another spelling"),
        pytest.param({"prompt": "login", "login_sid": "sid-0"}, "prompt", id="another login"),
        pytest.param({"prompt": "login", "login_sid": "sid-11"}, "prompt", id="a longer sid"),
        pytest.param({"essential_acr": ("gold",)}, "acr", id="a higher context"),
        pytest.param({"essential_acr": ("gold",), "max_age": 0}, "acr", id="context before age"),
    ],
)
def test_a_login_is_needed(arguments: dict[str, Any], reason: str) -> None:
    found = judge(**arguments)
    assert isinstance(found, NeedLogin)
    assert found.reason == reason
    if "prompt" not in arguments:
        with pytest.raises(OAuthError) as refused:
            judge(prompt="none", **arguments)
        assert refused.value.error == "login_required"


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "login", "login_sid": "sid-1"},
        {"prompt": "select_account", "login_sid": "sid-1"},
        {"max_age": 0, "login_sid": "sid-1"},
        {"max_age": 49, "login_sid": "sid-1"},
        {"max_age": 50},
        {"max_age": 51},
        {"subject": "alice"},
    ],
)
def test_a_login_of_this_very_transaction_is_enough(arguments: dict[str, Any]) -> None:
    assert isinstance(judge(**arguments), Ready)


def test_a_session_without_an_id_is_of_no_transaction() -> None:
    nameless = replace(ALICE, sid="")
    assert isinstance(judge(nameless, prompt="login"), NeedLogin)
    assert isinstance(judge(nameless, prompt="login", login_sid="sid-1"), NeedLogin)


def test_another_person_than_the_hinted_one_ends_the_request() -> None:
    with pytest.raises(OAuthError) as refused:
        judge(subject="bob", login_sid="sid-1")
    assert refused.value.error == "login_required"
    assert "alice" not in refused.value.description
    assert "bob" not in refused.value.description


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"remembered": None}, id="never asked"),
        pytest.param({"remembered": frozenset[str]()}, id="agreed to nothing"),
        pytest.param({"remembered": frozenset({"openid"})}, id="agreed to less"),
        pytest.param({"remembered": frozenset({"openid", "EMAIL"})}, id="agreed to another"),
        pytest.param({"prompt": "consent"}, id="demanded"),
        pytest.param(
            {"prompt": "consent", "client": replace(CLIENT, skip_consent=True)},
            id="demanded of a trusted client",
        ),
        pytest.param(
            {"client": PUBLIC, "redirect_uri": "http://127.0.0.1:9/cb"}, id="public on loopback"
        ),
        pytest.param(
            {"client": PUBLIC, "redirect_uri": "com.example.a:/cb"}, id="public, private scheme"
        ),
    ],
)
def test_consent_is_needed(arguments: dict[str, Any]) -> None:
    found = judge(**arguments)
    assert isinstance(found, NeedConsent)
    assert found.authentication is ALICE
    if "prompt" not in arguments:
        with pytest.raises(OAuthError) as refused:
            judge(prompt="none", **arguments)
        assert refused.value.error == "consent_required"


@pytest.mark.parametrize(
    "arguments",
    [
        {"remembered": AGREED | {"more"}},
        {"remembered": None, "client": replace(CLIENT, skip_consent=True)},
        {"client": PUBLIC},
    ],
)
def test_consent_is_not_asked_for_again(arguments: dict[str, Any]) -> None:
    assert isinstance(judge(**arguments), Ready)


@pytest.mark.parametrize(
    ("client", "redirect_uri", "remembers"),
    [
        (CLIENT, "https://a.test/cb", True),
        (CLIENT, "http://127.0.0.1/cb", True),
        (PUBLIC, "https://a.test/cb", True),
        (PUBLIC, "http://localhost/cb", False),
        (PUBLIC, "com.example.a:/cb", False),
        (PUBLIC, "HTTPS://a.test/cb", False),
    ],
)
def test_consent_is_remembered_where_nobody_else_could_be_the_client(
    client: ClientRecord, redirect_uri: str, remembers: bool
) -> None:
    checked = replace(CHECKED, client=client, redirect_uri=redirect_uri)
    assert remembers_consent(checked) == remembers


def test_an_essential_context_is_reached_or_the_request_ends() -> None:
    reached = replace(ALICE, acr="gold")
    assert isinstance(judge(reached, essential_acr=("silver", "gold")), Ready)
    for acr in ("", "GOLD", "bronze"):
        lower = replace(ALICE, acr=acr)
        # A login of now may reach it, one of before did not.
        assert isinstance(judge(lower, essential_acr=("silver", "gold")), NeedLogin)
        with pytest.raises(OAuthError) as refused:
            judge(lower, essential_acr=("silver", "gold"), login_sid="sid-1")
        assert refused.value.error == "unmet_authentication_requirements"
    assert isinstance(judge(None, essential_acr=("gold",)), NeedLogin)
