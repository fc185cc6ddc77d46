from __future__ import annotations

import json
from typing import Any

import pytest

from codegrant.errors import CodegrantError, Refused, ResponseRejected
from codegrant.http import Headers, Response
from codegrant.messages.bearer import Challenge
from codegrant.rules.answers import refuse_answer
from codegrant.secret import Secret

URL = "https://as.example/token"


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status=status, headers=Headers(pairs), body=body)


def judge(response: Response, **options: Any) -> CodegrantError:
    given: dict[str, Any] = {"stage": "token", "endpoint": URL, **options}
    error = refuse_answer(response, **given)
    assert error.stage == options.get("stage", "token")
    assert error.facts["status"] == response.status
    return error


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500, 503, 302])
def test_an_oauth_error_is_a_refusal_whatever_its_status(status: int) -> None:
    body = b'{"error":"invalid_grant","error_description":"old","error_uri":"https://as.example/e"}'
    error = judge(answer(status, body), method="client_secret_basic")
    assert isinstance(error, Refused)
    assert (error.error, error.code, error.description, error.uri, error.status) == (
        "invalid_grant", "invalid_grant", "old", "https://as.example/e", status,
    )  # fmt: skip
    assert error.facts == {"status": status, "endpoint": URL, "method": "client_secret_basic"}
    assert "start the login again" in error.hint


def test_the_texts_of_the_peer_are_cleaned() -> None:
    body = b'{"error":"<b>\\n","error_description":"\\"x\\u00e9","error_uri":"\\\\"}'
    error = judge(answer(400, body))
    assert isinstance(error, Refused)
    assert (error.error, error.description, error.uri) == ("<b> ", "'x?", "/")


@pytest.mark.parametrize("place", ["error", "error_description", "error_uri"])
def test_what_the_request_held_is_not_told(place: str) -> None:
    members = {"error": "invalid_grant", place: "no code c0de for s3cret, c0de"}
    for response in (
        answer(400, json.dumps(members).encode()),
        answer(401, www_authenticate=Challenge("Bearer", members).build()),
    ):
        error = judge(response, secrets=[Secret("s3cret"), Secret("c0de")])
        assert isinstance(error, Refused)
        told = {"error": error.error, "error_description": error.description}
        assert {**told, "error_uri": error.uri}[place] == "no code *** for ***, ***"
        assert "c0de" not in f"{error} {error.code} {error!r}"


@pytest.mark.parametrize(
    ("method", "supported", "hint"),
    [
        ("", (), "wrong client_id or secret, or not the method it expects"),
        ("client_secret_post", (), "not the method it expects: sent client_secret_post"),
        (
            "client_secret_basic",
            ("client_secret_post", "none"),
            "sent client_secret_basic; the server's metadata names client_secret_post, none",
        ),
    ],
)
def test_a_refused_client_learns_what_it_sent_and_what_is_taken(
    method: str, supported: tuple[str, ...], hint: str
) -> None:
    body = b'{"error":"invalid_client"}'
    error = judge(answer(401, body), method=method, supported=supported)
    assert error.hint.endswith(hint)


@pytest.mark.parametrize(
    ("challenge", "error", "description"),
    [
        ('Bearer error="invalid_token", error_description="expired"', "invalid_token", "expired"),
        ('Basic realm="x", Bearer error="insufficient_scope"', "insufficient_scope", ""),
        ('DPoP error="invalid_dpop_proof"', "invalid_dpop_proof", ""),
    ],
)
def test_an_error_may_stand_in_the_challenge(challenge: str, error: str, description: str) -> None:
    found = judge(answer(401, b"<html>", www_authenticate=challenge), stage="userinfo")
    assert isinstance(found, Refused)
    assert (found.error, found.description) == (error, description)


@pytest.mark.parametrize("challenge", ["", "Bearer", 'Basic realm="x"', 'Bearer error=""', '"'])
def test_a_challenge_without_an_error_is_no_refusal(challenge: str) -> None:
    error = judge(answer(401, b"", www_authenticate=challenge))
    assert isinstance(error, ResponseRejected)
    assert error.code == "not_json"


def test_the_body_goes_before_the_challenge() -> None:
    challenge = 'Bearer error="invalid_token"'
    found = judge(answer(403, b'{"error":"insufficient_scope"}', www_authenticate=challenge))
    assert isinstance(found, Refused)
    assert found.error == "insufficient_scope"
    assert "missing scope" in found.hint


def test_a_proof_that_is_refused_tells_the_time_of_the_server() -> None:
    date = "Fri, 27 Nov 2026 03:23:06 GMT"
    body = b'{"error":"invalid_dpop_proof"}'
    for error, told in (
        (judge(answer(400, body, date=date)), f"its answer is dated {date}"),
        (judge(answer(400, body, date="x" * 99)), f"its answer is dated {'x' * 40}"),
        (judge(answer(400, body)), "the address that the proof was sent to"),
    ):
        assert "clock" in error.hint
        assert error.hint.endswith(told)
    assert date not in judge(answer(400, b'{"error":"invalid_grant"}', date=date)).hint


@pytest.mark.requirement("CL-TOK-01")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://other.example:8443/token?code=s3cret", " to other.example:8443"),
        ("/token/", ""),
        ("https://u:s3cret@other.example/", ""),
        ("https://other.example/\u00e9", ""),
        ("", ""),
    ],
)
def test_a_redirect_is_named_and_not_followed(status: int, location: str, told: str) -> None:
    error = judge(answer(status, location=location))
    assert isinstance(error, ResponseRejected)
    assert error.code == "redirect_refused"
    assert error.message == f"{URL} redirects{told}"
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_server_that_failed_is_no_refusal(status: int) -> None:
    error = judge(answer(status, b"<html>", content_type="text/html"))
    assert isinstance(error, ResponseRejected)
    assert (error.code, error.message) == ("server_failed", f"{URL} answered {status}")


@pytest.mark.parametrize(
    ("content_type", "told"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("", "no type"),
        ("; x", "no type"),
        ('a"\\b', "a'/b"),
        ("x" * 100, "x" * 80),
    ],
)
def test_anything_else_is_not_json_of_this_endpoint(content_type: str, told: str) -> None:
    error = judge(answer(404, b"<html>", content_type=content_type))
    assert isinstance(error, ResponseRejected)
    assert error.code == "not_json"
    assert error.message == f"{URL} answered 404 with {told}, not OAuth JSON"
    assert error.hint == "there is nothing at this address: is it the token endpoint?"


def test_without_an_address_the_endpoint_is_named_by_its_stage() -> None:
    error = refuse_answer(answer(500), stage="introspection")
    assert error.message == "the introspection endpoint answered 500"
    assert error.facts == {"status": 500}
