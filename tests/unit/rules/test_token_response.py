from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import CodegrantError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.json import build_json
from codegrant.messages.token import TokenResponse
from codegrant.rules.token_response import judge_token_response

URL = "https://as.example/token"
REQUESTED = ("openid", "profile")


def judge(body: bytes | dict[str, Any], status: int = 200, endpoint: str = URL) -> TokenResponse:
    raw = body if isinstance(body, bytes) else build_json(body)
    return judge_token_response(
        Response(status=status, body=raw), requested_scope=REQUESTED, endpoint=endpoint
    )


def refusal(body: bytes | dict[str, Any], status: int = 200) -> CodegrantError:
    with pytest.raises(CodegrantError) as refused:
        judge(body, status)
    assert refused.value.stage == "token"
    assert refused.value.facts["endpoint"] == URL
    return refused.value


def token(**changes: Any) -> dict[str, Any]:
    return {"access_token": "a.b-c~d+e/f=", "token_type": "Bearer"} | changes


@pytest.mark.requirement("CL-TOK-09")
@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        (None, "openid profile"),
        ("", ""),
        ("openid", "openid"),
        ("profile openid", "profile openid"),
        ("openid  openid admin", "openid admin"),
    ],
)
def test_the_scope_is_what_was_said_else_what_was_asked_for(
    scope: str | None, granted: str
) -> None:
    assert judge(token(scope=scope)).scope == granted


@pytest.mark.requirement("CL-TOK-02")
@pytest.mark.parametrize("token_type", ["mac", "DPoP", "pop", "Bearer2", "", None, "N_A", "béarer"])
def test_a_type_that_is_not_known_is_not_used(token_type: str | None) -> None:
    for fine in ("Bearer", "bearer", "BEARER"):
        assert judge(token(token_type=fine)).token_type == fine
    error = refusal(token(token_type=token_type))
    assert isinstance(error, ResponseRejected)
    assert error.code == "token_type_unknown"
    assert error.message.isascii()


@pytest.mark.requirement("CL-TOK-06")
@pytest.mark.parametrize(
    "access_token", ["a b", "a\nb", "a\r\nX: y", "\x00", "é", "a\x7f", " s3cret"]
)
def test_a_token_that_no_header_carries_is_refused(access_token: str) -> None:
    assert judge(token(access_token="".join(map(chr, range(0x21, 0x7F))))).token_type == "Bearer"
    error = refusal(token(access_token=access_token))
    assert error.code == "malformed_token_response"
    assert access_token not in str(error)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "not_json", id="nothing"),
        pytest.param(b"<!doctype html>", "not_json", id="a page"),
        pytest.param(b"access_token=a&token_type=Bearer", "not_json", id="a form"),
        pytest.param(b'["access_token"]', "not_json", id="a list"),
        pytest.param(b"{}", "malformed_token_response", id="an empty object"),
        pytest.param(b' \n{"access_token":', "malformed_token_response", id="cut off"),
        pytest.param(token(access_token=1), "malformed_token_response", id="a number"),
        pytest.param(token(expires_in="soon"), "malformed_token_response", id="no lifetime"),
        pytest.param(token(scope='a"b'), "malformed_token_response", id="no scope"),
        pytest.param(token(scope="a\tb"), "malformed_token_response", id="a tab in the scope"),
        pytest.param(token(scope=" "), "malformed_token_response", id="a scope of spaces"),
        pytest.param(b'{"a":"' + b"x" * (1 << 20) + b'"}', "too_large", id="too large"),
    ],
)
def test_what_is_no_token_response_is_refused(body: bytes | dict[str, Any], code: str) -> None:
    error = refusal(body)
    assert isinstance(error, ResponseRejected)
    assert error.code == code
    assert error.hint == "is this the address of the token endpoint?"


@pytest.mark.parametrize("status", [200, 201, 400, 401, 500])
@pytest.mark.parametrize("members", [{}, {"access_token": "a", "token_type": "Bearer"}])
def test_an_error_is_an_error_whatever_its_status(status: int, members: dict[str, str]) -> None:
    error = refusal({"error": "invalid_grant"} | members, status)
    assert isinstance(error, Refused)
    assert (error.error, error.status) == ("invalid_grant", status)
    assert judge(token(error="")).token_type == "Bearer"


@pytest.mark.parametrize(
    ("status", "code"), [(201, "not_json"), (204, "not_json"), (302, "redirect_refused"),
                         (404, "not_json"), (503, "server_failed")]
)  # fmt: skip
def test_tokens_come_with_200_alone(status: int, code: str) -> None:
    assert refusal(token(), status).code == code


def test_without_an_address_the_errors_name_none() -> None:
    for body in (token(token_type="mac"), token(access_token="a b")):
        with pytest.raises(ResponseRejected) as refused:
            judge(body, endpoint="")
        assert refused.value.facts == {}
