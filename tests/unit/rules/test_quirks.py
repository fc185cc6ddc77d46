"""Answers with quirks, written anew as the standard wants them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.http import Headers, Response
from codegrant.messages.json import build_json, parse_object
from codegrant.messages.parameters import Parameters
from codegrant.providers import IDS, Provider, Quirk, find_entry
from codegrant.rules.quirks import callback_scope, standard_answer, standard_token_answer

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def known(name: str) -> Provider:
    return find_entry(name).provider


def answer(body: object, status: int = 200, kind: str = JSON) -> Response:
    raw = body if isinstance(body, bytes) else build_json(body)
    return Response(status=status, headers=Headers([("content-type", kind)]), body=raw)


TOKEN = {"access_token": "t", "token_type": "bearer"}


@pytest.mark.parametrize(
    ("name", "body", "kind", "expected"),
    [
        pytest.param("facebook", b"access_token=t&expires=60", FORM,
                     {"access_token": "t", "expires_in": "60", "token_type": "Bearer"}, id="form"),
        pytest.param("facebook", b"access_token=t", "text/plain; charset=utf-8",
                     {"access_token": "t", "token_type": "Bearer"}, id="form as text"),
        pytest.param("facebook", {"access_token": "t", "expires": 5, "expires_in": 6}, JSON,
                     {"access_token": "t", "expires": 5, "expires_in": 6, "token_type": "Bearer"},
                     id="both lifetimes"),
        pytest.param("linkedin", {"access_token": "t"}, JSON, TOKEN | {"token_type": "Bearer"},
                     id="no type"),
        pytest.param("linkedin", {"access_token": "t", "token_type": None}, JSON,
                     TOKEN | {"token_type": "Bearer"}, id="null for a type"),
        pytest.param("linkedin", {"access_token": "t", "token_type": ""}, JSON,
                     TOKEN | {"token_type": ""}, id="an empty type is one"),
        pytest.param("twitch", TOKEN | {"scope": ["a", "b"]}, JSON, TOKEN | {"scope": "a b"},
                     id="array"),
        pytest.param("twitch", TOKEN | {"scope": []}, JSON, TOKEN | {"scope": ""}, id="no scope"),
        pytest.param("twitch", TOKEN | {"scope": ["a", 1]}, JSON, TOKEN | {"scope": ["a", 1]},
                     id="array of other things stays"),
        pytest.param("github", TOKEN | {"scope": "a,b"}, JSON, TOKEN | {"scope": "a b"},
                     id="commas"),
        pytest.param("github", TOKEN | {"scope": ",a,,b,"}, JSON, TOKEN | {"scope": "a b"},
                     id="commas too many"),
        pytest.param("github", TOKEN | {"scope": ["a"]}, JSON, TOKEN | {"scope": ["a"]},
                     id="no array at GitHub"),
        pytest.param("bitbucket", TOKEN | {"scopes": "a b"}, JSON, TOKEN | {"scope": "a b"},
                     id="plural"),
        pytest.param("bitbucket", TOKEN | {"scope": "a", "scopes": "b"}, JSON,
                     TOKEN | {"scope": "a", "scopes": "b"}, id="both of them"),
    ],
)  # fmt: skip
def test_a_success_gets_the_standard_s_form(
    name: str, body: object, kind: str, expected: dict[str, object]
) -> None:
    found = standard_token_answer(answer(body, kind=kind), known(name))
    assert found.status == 200
    assert parse_object(found.body) == expected


@pytest.mark.parametrize(
    ("name", "body", "status", "error", "description"),
    [
        ("github", {"error": "bad_verification_code", "error_description": "x"}, 200,
         "invalid_grant", "bad_verification_code: x"),
        ("github", {"error": "redirect_uri_mismatch"}, 200, "redirect_uri_mismatch", None),
        ("slack", {"ok": False, "error": "invalid_code"}, 200, "invalid_grant", "invalid_code"),
        ("slack", {"ok": False}, 200, "error", None),
        ("slack", {"ok": False, "error": 7}, 200, "7", None),
        ("facebook", {"error": {"type": "OAuthException", "code": 190, "message": "m"}}, 400,
         "invalid_token", "190: m"),
        ("facebook", {"error": {"type": "OAuthException", "code": 1, "message": "m"}}, 400,
         "OAuthException", "m"),
        ("facebook", {"error": {"code": 2}}, 500, "2", None),
        ("facebook", {"error": {"type": ["x"], "message": {}}}, 400, "error", None),
        ("twitch", {"status": 400, "message": "Invalid refresh token"}, 400,
         "invalid_grant", "Invalid refresh token"),
        ("twitch", {"status": 400, "message": "new words"}, 400, "error", "new words"),
        ("twitch", {"error": "Bad Request", "status": 400, "message": "m"}, 400,
         "Bad Request", "m"),
        ("zoom", {"reason": "r", "error": "invalid_request"}, 400, "invalid_request", "r"),
        ("zoom", {"reason": "r", "error": "e", "error_description": "d"}, 400, "e", "d"),
    ],
)  # fmt: skip
def test_a_refusal_gets_the_standard_s_form(
    name: str, body: object, status: int, error: str, description: str | None
) -> None:
    for judge in (standard_token_answer, standard_answer):
        found = judge(answer(body, status), known(name))
        members = parse_object(found.body)
        assert (members["error"], members.get("error_description")) == (error, description)
        assert set(members) <= {"error", "error_description"}
        assert judge is standard_token_answer or found.status >= 400


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        pytest.param("facebook", b"access_token=a&access_token=b", FORM, id="repeated"),
        pytest.param("facebook", b"access_token=%ff", FORM, id="no UTF-8"),
        pytest.param("facebook", b"access_token=t", "text/html", id="a page"),
        pytest.param("facebook", b'{"access_token":"a","access_token":"b"}', JSON, id="two"),
        pytest.param("github", b"access_token=t&token_type=bearer", FORM, id="no form at GitHub"),
        pytest.param("google", TOKEN, JSON, id="nothing to do"),
        pytest.param("slack", [1], JSON, id="no object"),
        pytest.param("slack", b"", JSON, id="nothing"),
    ],
)
def test_what_no_quirk_names_stays_as_it_came(name: str, body: object, kind: str) -> None:
    came = answer(body, kind=kind)
    assert standard_token_answer(came, known(name)) is came
    assert standard_answer(came, known(name)) is came


def test_without_a_provider_nothing_is_touched() -> None:
    for body in (TOKEN, {"ok": False}, {"error": {"type": "x"}}, b"access_token=t"):
        came = answer(body, kind=FORM)
        assert standard_token_answer(came, None) is came
        assert standard_answer(came, None) is came


def test_somebody_s_profile_may_have_a_member_called_error() -> None:
    for name in ("twitch", "facebook", "zoom"):
        came = answer({"id": 1, "error": "none", "message": "hello"})
        assert standard_answer(came, known(name)) is came


@given(
    name=st.sampled_from(IDS),
    status=st.sampled_from([200, 400, 401, 500]),
    body=st.dictionaries(
        st.sampled_from(
            ["access_token", "token_type", "expires", "expires_in", "scope", "scopes", "ok",
             "error", "message", "reason", "error_description", "code", "type"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["code", "type", "message"]), inner, max_size=3),
            max_leaves=6,
        ),
    ),
)  # fmt: skip
def test_garbage_in_every_field_is_either_kept_or_a_text(
    name: str, status: int, body: dict[str, Any]
) -> None:
    for judge in (standard_token_answer, standard_answer):
        found = judge(answer(body, status), known(name))
        members = parse_object(found.body)
        if isinstance(members.get("error"), str) and found.body != build_json(body):
            assert "access_token" not in members or not members["error"]
        # No quirk makes a success of a refusal.
        if known(name).has(Quirk.OK_FALSE) and body.get("ok") is False:
            assert members.get("error")


def test_the_callback_s_scope_is_read_where_it_comes_there() -> None:
    told = Parameters.parse("code=c&scope=read,activity:read")
    assert callback_scope(told, known("strava")) == ("read", "activity:read")
    assert callback_scope(Parameters.parse("code=c"), known("strava")) is None
    assert callback_scope(told, known("google")) is None
    assert callback_scope(told, None) is None
