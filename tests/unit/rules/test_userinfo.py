from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import CodegrantError, Refused, ResponseRejected
from codegrant.http import Headers, Response
from codegrant.messages.userinfo import UserInfoResponse
from codegrant.rules.userinfo import judge_userinfo_response

URL = "https://as.example/userinfo"


def judge(
    body: bytes, *, expected: str = "person-1", status: int = 200, kind: str = "",
    **options: Any,
) -> UserInfoResponse:  # fmt: skip
    options.setdefault("endpoint", URL)
    return judge_userinfo_response(
        Response(status=status, headers=Headers([("content-type", kind)]), body=body),
        expected_subject=expected,
        **options,
    )


def refusal(body: bytes, **options: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as refused:
        judge(body, **options)
    assert refused.value.stage == "userinfo"
    return refused.value


@pytest.mark.requirement("CL-IDT-07")
@pytest.mark.parametrize("sub", ["person-2", "Person-1", "person-1 ", "person-11", "person"])
def test_an_answer_about_somebody_else_is_not_used(sub: str) -> None:
    assert judge(b'{"sub":"person-1","email":"a@b.test"}').claims["email"] == "a@b.test"
    error = refusal(b'{"sub":"%s"}' % sub.encode())
    assert isinstance(error, ResponseRejected)
    assert error.code == "sub_mismatch"
    assert error.facts == {"endpoint": URL}
    assert "person-1" not in str(error)


@pytest.mark.parametrize("body", [b"{}", b'{"sub":""}', b'{"email":"a@b.test"}'])
def test_an_answer_about_nobody_is_not_used(body: bytes) -> None:
    assert refusal(body).code == "sub_missing"
    assert refusal(body, expected="").code == "sub_missing"


@pytest.mark.parametrize("kind", ["application/jwt", "Application/JWT; charset=utf-8"])
def test_a_signed_answer_is_not_read(kind: str) -> None:
    error = refusal(b"e30.e30.AA", kind=kind)
    assert error.code == "signed_userinfo"
    assert "userinfo_signed_response_alg" in error.hint


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"<!doctype html>", "not_json"),
        (b"[]", "not_json"),
        (b'{"sub":', "malformed_userinfo"),
        (b'{"sub":1}', "malformed_userinfo"),
        (b'{"sub":"person-1","sub":"person-2"}', "malformed_userinfo"),
    ],
)
def test_what_is_no_userinfo_is_refused(body: bytes, code: str) -> None:
    error = refusal(body, kind="application/json")
    assert isinstance(error, ResponseRejected)
    assert error.code == code


def test_a_refused_token_is_a_refusal() -> None:
    for body in (b'{"error":"invalid_token"}', b'{"error":"invalid_token","sub":"person-1"}'):
        error = refusal(body, status=401)
        assert isinstance(error, Refused)
        assert error.error == "invalid_token"
    assert refusal(b'{"sub":"person-1"}', status=201).code == "not_json"


def test_without_an_address_the_errors_name_none() -> None:
    assert refusal(b"{}", endpoint="").facts == {}
