from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import OAuthError
from codegrant.http import Headers, Request
from codegrant.messages.bearer import parse_challenges
from codegrant.rules.bearer import (
    MAXIMUM_TOKEN_LENGTH,
    challenge_for,
    has_form,
    read_bearer_token,
    refuse_bearer,
)

FORM = ("content-type", "application/x-www-form-urlencoded")


def request_of(*headers: tuple[str, str], query: str = "", body: bytes = b"") -> Request:
    return Request(
        method="POST",
        url="https://api.example/profile",
        path="/profile",
        query=query,
        headers=Headers(headers),
        body=body,
    )


def bearer(token: str, scheme: str = "Bearer") -> tuple[str, str]:
    return ("authorization", f"{scheme} {token}")


def refusal_of(request: Request) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        read_bearer_token(request)
    return caught.value


@pytest.mark.requirement("RS-BR-01")
@pytest.mark.parametrize(
    ("value", "token"),
    [
        pytest.param("Bearer abc", "abc", id="as registered"),
        pytest.param("bearer abc", "abc", id="lower case"),
        pytest.param("BEARER abc", "abc", id="upper case"),
        pytest.param("Bearer   abc", "abc", id="several spaces"),
        pytest.param("Bearer aZ09-._~+/==", "aZ09-._~+/==", id="every character"),
    ],
)
def test_a_bearer_token_is_read_whatever_the_case_of_its_scheme(value: str, token: str) -> None:
    assert read_bearer_token(request_of(("Authorization", value))) == token


@pytest.mark.requirement("RS-BR-01")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param("   ", id="spaces"),
        pytest.param("a b", id="space inside"),
        pytest.param("abc ", id="space behind"),
        pytest.param("abc\t", id="tab behind"),
        pytest.param("a,b", id="comma"),
        pytest.param('"abc"', id="quotes"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("=abc", id="padding before"),
        pytest.param("a=b", id="padding inside"),
        pytest.param("===", id="padding only"),
        pytest.param("abc\x85", id="control character"),
        pytest.param("äbc", id="latin-1"),
        pytest.param("abc, Bearer def", id="two that a server has joined"),
    ],
)
def test_what_is_no_b64token_is_an_invalid_request(token: str) -> None:
    error = refusal_of(request_of(bearer(token)))
    assert (error.error, error.status) == ("invalid_request", 400)
    assert error.reason == "the access token is malformed"


@pytest.mark.requirement("RS-BR-02")
@pytest.mark.parametrize(
    ("query", "body", "reason"),
    [
        pytest.param("access_token=abc", b"", "the query", id="query"),
        pytest.param("a=1&access_token=abc&b=2", b"", "the query", id="among others"),
        pytest.param("access_token=", b"", "the query", id="empty in the query"),
        pytest.param("", b"access_token=abc", "the body", id="form"),
        pytest.param("", b"a=1&access_token=abc", "the body", id="form among others"),
    ],
)
def test_a_token_in_query_or_form_is_never_taken(query: str, body: bytes, reason: str) -> None:
    error = refusal_of(request_of(FORM, query=query, body=body))
    assert (error.error, error.status) == ("invalid_request", 400)
    assert reason in error.reason
    assert "abc" not in str(error)


@pytest.mark.requirement("RS-BR-02", "RS-BR-03")
@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        pytest.param("my_access_token=abc", [FORM], b"", id="a longer name in the query"),
        pytest.param("access_tokens=abc", [FORM], b"", id="another name in the query"),
        pytest.param("q=access_token", [FORM], b"", id="a value"),
        pytest.param("", [FORM], b"xaccess_token=abc", id="a longer name in a form"),
        pytest.param(
            "", [("content-type", "application/json")], b'"&access_token=abc"', id="no form"
        ),
        pytest.param("", [], b"access_token=abc", id="of no type"),
    ],
)
def test_what_only_looks_like_a_token_does_no_harm(
    query: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    assert read_bearer_token(request_of(bearer("t"), *headers, query=query, body=body)) == "t"


@pytest.mark.requirement("RS-BR-03")
@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        pytest.param([bearer("t"), bearer("u")], "", b"", id="two headers"),
        pytest.param([bearer("t"), bearer("t")], "", b"", id="the same header twice"),
        pytest.param([bearer("t"), ("authorization", "Basic YTpi")], "", b"", id="two schemes"),
        pytest.param([("authorization", "Basic YTpi"), bearer("t")], "", b"", id="the other way"),
        pytest.param([bearer("t")], "access_token=t", b"", id="header and query"),
        pytest.param([bearer("t"), FORM], "", b"access_token=t", id="header and form"),
        pytest.param(
            [bearer("t"), ("content-type", "Application/X-WWW-form-urlencoded ; charset=utf-8")],
            "",
            b"access_token=t",
            id="header and form with parameters",
        ),
    ],
)
def test_more_than_one_way_is_an_invalid_request(
    headers: list[tuple[str, str]], query: str, body: bytes
) -> None:
    error = refusal_of(request_of(*headers, query=query, body=body))
    assert (error.error, error.status) == ("invalid_request", 400)
    assert read_bearer_token(request_of(bearer("t"))) == "t"


@pytest.mark.requirement("RS-BR-04")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no header"),
        pytest.param([("authorization", "")], id="empty header"),
        pytest.param([("authorization", "Basic YTpi")], id="another scheme"),
        pytest.param([("authorization", "DPoP abc")], id="a scheme for bound tokens"),
        pytest.param([("authorization", "Bearerabc")], id="no space"),
        pytest.param([("authorization", "abc")], id="a token alone"),
        pytest.param([("x-access-token", "abc")], id="a header of another name"),
    ],
)
def test_no_credentials_get_a_challenge_without_a_code(headers: list[tuple[str, str]]) -> None:
    error = refusal_of(request_of(*headers))
    answer = refuse_bearer(error)
    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers.get_all("www-authenticate") == ("Bearer",)
    assert "content-type" not in answer.headers


@pytest.mark.requirement("RS-BR-09")
def test_a_token_that_is_too_long_is_refused_unread() -> None:
    longest = "a" * MAXIMUM_TOKEN_LENGTH
    assert read_bearer_token(request_of(bearer(longest))) == longest
    for size in (MAXIMUM_TOKEN_LENGTH + 1, 1 << 20):
        error = refusal_of(request_of(bearer("a" * size)))
        assert (error.error, error.status) == ("invalid_request", 400)
        assert error.reason == "the access token is too long"


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        pytest.param("application/x-www-form-urlencoded", True, id="plain"),
        pytest.param("APPLICATION/x-www-form-urlencoded;charset=utf-8", True, id="parameter"),
        pytest.param("application/json", False, id="json"),
        pytest.param("application/x-www-form-urlencoded-not", False, id="longer"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_form_is_known_by_its_type(content_type: str, form: bool) -> None:
    assert has_form(Headers([("Content-Type", content_type)])) is form
    assert not has_form(Headers())


@pytest.mark.requirement("RS-BR-05")
@pytest.mark.parametrize(
    ("error", "status", "params"),
    [
        pytest.param(
            OAuthError("invalid_token", "expired", status=401),
            401,
            {"error": "invalid_token", "error_description": "expired"},
            id="bad token",
        ),
        pytest.param(
            OAuthError("insufficient_scope", "no", status=403, facts={"scope": "read write"}),
            403,
            {"error": "insufficient_scope", "error_description": "no", "scope": "read write"},
            id="scope",
        ),
        pytest.param(
            OAuthError("invalid_request", "twice"),
            400,
            {"error": "invalid_request", "error_description": "twice"},
            id="bad request",
        ),
        pytest.param(
            OAuthError("invalid_token", "", status=401, facts={"scope": "read"}),
            401,
            {"error": "invalid_token"},
            id="scope is told only where it would help",
        ),
    ],
)
def test_a_refusal_carries_its_challenge(
    error: OAuthError, status: int, params: dict[str, str]
) -> None:
    answer = refuse_bearer(error)
    assert answer.status == status
    (challenge,) = parse_challenges(answer.headers.get("www-authenticate"))
    assert (challenge.scheme, dict(challenge.params)) == ("Bearer", params)
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("content-type") == "application/json"
    assert error.error.encode() in answer.body


def test_a_long_scope_is_not_cut() -> None:
    scope = " ".join(f"scope-token-number-{n}" for n in range(60))
    error = OAuthError("insufficient_scope", status=403, facts={"scope": scope})
    assert challenge_for(error).params["scope"] == scope


def test_a_server_that_cannot_tell_sends_no_challenge() -> None:
    error = OAuthError("temporarily_unavailable", "later", status=503, facts={"retry_after": 7})
    answer = refuse_bearer(error)
    assert answer.status == 503
    assert "www-authenticate" not in answer.headers
    assert answer.headers.get("retry-after") == "7"


# RFC 6750 §3: quoted values, in characters that need no escape.
_PARAMETER = r'[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"'
CHALLENGE = re.compile(rf"Bearer(?: {_PARAMETER}(?:, {_PARAMETER})*)?")


@pytest.mark.requirement("RS-BR-06")
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_out_of_a_challenge(code: str, description: str) -> None:
    error = OAuthError(code, description, status=401, facts={"scope": description})
    header = refuse_bearer(error).headers.get("www-authenticate")
    assert CHALLENGE.fullmatch(header), header
    assert len(parse_challenges(header)) == 1


@pytest.mark.requirement("RS-BR-06")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param('x",realm="evil', id="quotes"),
        pytest.param("x<script>", id="markup"),
        pytest.param("x;evil=1", id="semicolon"),
    ],
)
def test_nothing_of_the_token_comes_back(token: str) -> None:
    answer = refuse_bearer(refusal_of(request_of(bearer(token))))
    shown = repr(answer.headers.pairs()) + answer.body.decode()
    assert not any(part in shown for part in ("evil", "<script", "realm"))
    assert "the access token is malformed" in shown
