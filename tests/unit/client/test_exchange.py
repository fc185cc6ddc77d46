from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.client.exchange import exchange_code
from codegrant.client.login import LoginRequest, start_login
from codegrant.client.pending import PendingLogin
from codegrant.client.tokens import Tokens
from codegrant.errors import (
    CodegrantError,
    MetadataRejected,
    Refused,
    ResponseRejected,
    TransportError,
)
from codegrant.http import Response
from codegrant.messages.authorization import AuthorizationResponse
from codegrant.messages.parameters import Parameters
from codegrant.remote.key_sets import RemoteKeySet
from codegrant.rules.callback import CheckedCallback, check_callback
from codegrant.secret import Secret
from tests.support.scripted import Script, json_response
from tests.unit.client.samples import (
    ISSUER,
    METADATA,
    NOW,
    REDIRECT_URI,
    SERVER,
    client_config,
)

URL = f"{ISSUER}/token"
TOKEN = {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60}


def pending(*scope: str) -> PendingLogin:
    flow = start_login(client_config(), SERVER, LoginRequest(scope=scope), NOW)
    return Script().run(flow)


def checked(login: PendingLogin) -> CheckedCallback:
    answer = AuthorizationResponse(code=Secret("the-code"), state=login.state)
    return check_callback(answer, expected_state=login.state, expected_iss=None, iss_required=False)


def exchange(
    script: Script, login: PendingLogin, keys: RemoteKeySet | None = None, **changes: Any
) -> Tokens:
    config = client_config(**changes)
    flow = exchange_code(config, SERVER, keys, answer=checked(login), login=login, now=NOW)
    return script.run(flow)


def form_of(script: Script) -> dict[str, str]:
    (sent,) = script.sent
    return dict(Parameters.parse(sent.request.body).pairs)


def test_code_and_verifier_go_to_the_token_endpoint_of_the_login() -> None:
    script, login = Script({URL: json_response(TOKEN)}), pending("read")
    tokens = exchange(script, login)
    assert form_of(script) == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": login.code_verifier.reveal(),
    }
    assert script.sent[0].request.headers.get("authorization").startswith("Basic ")
    assert (tokens.expires_at, tokens.received_at) == (NOW + 60, NOW)
    assert (tokens.issuer, tokens.client_id, tokens.identity) == (ISSUER, "app", None)


def test_the_code_goes_nowhere_else_though_the_metadata_has_changed() -> None:
    login = pending("read")
    moved = replace(login, provider=login.provider._replace(token_endpoint="https://old.example/t"))
    script = Script({"https://old.example/t": json_response(TOKEN), URL: Response(status=500)})
    exchange(script, moved)
    assert script.urls == ["https://old.example/t"]


@pytest.mark.requirement("CL-TOK-09")
@pytest.mark.parametrize(
    ("scope", "granted", "missing"),
    [
        (None, {"read", "write"}, set[str]()),
        ("", set[str](), {"read", "write"}),
        ("read", {"read"}, {"write"}),
        ("read write admin", {"read", "write", "admin"}, set[str]()),
        ("READ", {"READ"}, {"read", "write"}),
    ],
)
def test_what_was_granted_is_told_and_what_is_missing(
    scope: str | None, granted: set[str], missing: set[str]
) -> None:
    script = Script({URL: json_response(TOKEN | {"scope": scope})})
    tokens = exchange(script, pending("read", "write"))
    assert tokens.scope == granted
    assert tokens.missing_scope == missing


def test_an_id_token_that_nobody_asked_for_is_neither_verified_nor_kept() -> None:
    answer = json_response(TOKEN | {"id_token": "not.even.one", "x": 1})
    tokens = exchange(Script({URL: answer}), pending("read"))
    assert tokens.identity is None
    assert tokens.id_token is None
    assert tokens.extra == {"x": 1}


@pytest.mark.parametrize(
    ("members", "keys", "kind", "code"),
    [
        pytest.param({}, True, ResponseRejected, "id_token_missing", id="no ID token"),
        pytest.param({"id_token": ""}, True, ResponseRejected, "id_token_missing", id="empty"),
        pytest.param({"id_token": "a.b.c"}, False, MetadataRejected, "no_keys", id="no keys"),
        pytest.param({"id_token": "abc"}, True, CodegrantError, "malformed_token", id="no JWT"),
    ],
)
def test_an_openid_login_is_finished_with_an_id_token_alone(
    members: dict[str, str], keys: bool, kind: type[CodegrantError], code: str
) -> None:
    script = Script({URL: json_response(TOKEN | members)})
    key_set = RemoteKeySet(METADATA.jwks_uri) if keys else None
    with pytest.raises(kind) as refused:
        exchange(script, pending("openid"), key_set)
    assert refused.value.code == code
    assert refused.value.stage in {"token", "id_token"}
    assert script.urls == [URL]


def test_a_method_that_is_named_is_used() -> None:
    script = Script({URL: json_response(TOKEN)})
    exchange(script, pending("read"), token_endpoint_auth_method="client_secret_post")
    form = form_of(script)
    assert (form["client_id"], form["client_secret"]) == ("app", "s3cret-of-the-client")
    assert "authorization" not in script.sent[0].request.headers


def test_an_error_does_not_repeat_what_was_sent() -> None:
    login = pending("read")
    sent = ("the-code", login.code_verifier.reveal(), "s3cret")
    answer = json_response({"error": "invalid_grant", "error_description": " ".join(sent)})
    with pytest.raises(Refused) as refused:
        exchange(Script({URL: answer}), login, client_secret=Secret("s3cret"))
    assert refused.value.description == "*** *** ***"


def test_a_failure_of_the_network_says_where_it_happened() -> None:
    script = Script({URL: TransportError("no way", code="timeout")})
    with pytest.raises(TransportError) as failed:
        exchange(script, pending("read"))
    assert failed.value.stage == "token"
