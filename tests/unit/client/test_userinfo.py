from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.client.userinfo import UserInfo, fetch_userinfo
from codegrant.errors import Refused, ResponseRejected, UsageError
from codegrant.http import Headers, Response
from codegrant.rules.metadata import trust_server_metadata
from tests.support.scripted import Script, json_response
from tests.unit.client.samples import ISSUER, METADATA, NOW, SERVER, TOKENS, client_config

URL = f"{ISSUER}/userinfo"


def test_the_access_token_goes_in_the_header_and_nowhere_else() -> None:
    script = Script({URL: json_response({"sub": "person-1", "name": "Alice"})})
    found = script.run(fetch_userinfo(client_config(), SERVER, TOKENS, NOW))
    assert found == UserInfo(sub="person-1", claims={"sub": "person-1", "name": "Alice"})
    (sent,) = script.sent
    assert (sent.request.method, sent.request.url, sent.request.body) == ("GET", URL, b"")
    assert sent.request.headers.get("authorization") == "Bearer s3cret-access-token"
    assert not sent.guarded


def test_a_server_that_somebody_else_chose_is_asked_with_guard() -> None:
    script = Script({URL: json_response({"sub": "person-1"})})
    script.run(fetch_userinfo(client_config(guarded=True), SERVER, TOKENS, NOW))
    assert script.sent[0].guarded


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(json_response({"sub": "person-2"}), "sub_mismatch", id="somebody else"),
        pytest.param(json_response({"name": "Alice"}), "sub_missing", id="nobody"),
        pytest.param(json_response({"sub": 1}), "malformed_userinfo", id="a number"),
        pytest.param(Response(status=200, body=b"<html>"), "not_json", id="a page"),
        pytest.param(Response(status=404), "not_json", id="nothing there"),
        pytest.param(Response(status=500), "server_failed", id="a failure"),
        pytest.param(Response(status=302), "redirect_refused", id="a redirect"),
        pytest.param(
            Response(status=200, headers=Headers([("content-type", "application/jwt")])),
            "signed_userinfo",
            id="a signed answer",
        ),
    ],
)
def test_an_answer_that_must_not_be_used_is_refused(answer: Response, code: str) -> None:
    with pytest.raises(ResponseRejected) as refused:
        Script({URL: answer}).run(fetch_userinfo(client_config(), SERVER, TOKENS, NOW))
    assert (refused.value.code, refused.value.stage) == (code, "userinfo")
    assert refused.value.facts["endpoint"] == URL


def test_a_refused_token_is_told_from_the_challenge() -> None:
    headers = Headers([("www-authenticate", 'Bearer error="invalid_token"')])
    script = Script({URL: Response(status=401, headers=headers)})
    with pytest.raises(Refused) as refused:
        script.run(fetch_userinfo(client_config(), SERVER, TOKENS, NOW))
    assert (refused.value.error, refused.value.stage) == ("invalid_token", "userinfo")


def test_an_error_does_not_repeat_the_token() -> None:
    token = TOKENS.access_token.reveal()
    answer = json_response({"error": "invalid_token", "error_description": f"{token} is old"})
    for status in (200, 401):
        script = Script({URL: replace(answer, status=status)})
        with pytest.raises((Refused, ResponseRejected)) as refused:
            script.run(fetch_userinfo(client_config(), SERVER, TOKENS, NOW))
        assert token not in str(refused.value)


def test_nothing_is_sent_without_an_identity_or_an_endpoint() -> None:
    script = Script()
    without = trust_server_metadata(replace(METADATA, userinfo_endpoint=""))
    nobody = replace(TOKENS, identity=None)
    for server, tokens, code in ((without, TOKENS, "no_userinfo"), (SERVER, nobody, "no_identity")):
        with pytest.raises(UsageError) as refused:
            script.run(fetch_userinfo(client_config(), server, tokens, NOW))
        assert refused.value.code == code
    assert script.sent == []


CLAIMS: dict[str, Any] = {
    "name": "Alice",
    "preferred_username": "alice",
    "email": "alice@example.test",
    "picture": "https://as.example/alice.png",
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_a_text_or_absent(name: str) -> None:
    assert getattr(UserInfo(sub="1", claims=CLAIMS), name) == CLAIMS[name]
    for value in (None, 1, True, ["x"], {"x": 1}):
        assert getattr(UserInfo(sub="1", claims={name: value}), name) is None
    assert getattr(UserInfo(sub="1", claims={}), name) is None


@pytest.mark.parametrize("value", [False, "true", 1, None, [True]])
def test_an_address_is_verified_by_a_literal_true_alone(value: object) -> None:
    assert UserInfo(sub="1", claims={"email_verified": True}).email_verified
    assert not UserInfo(sub="1", claims={"email_verified": value}).email_verified
    assert not UserInfo(sub="1", claims={}).email_verified


def test_nothing_of_the_person_is_shown_but_the_subject() -> None:
    assert repr(UserInfo(sub="1", claims=CLAIMS)) == "UserInfo(sub='1')"
