from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.messages.parameters import Parameters, build_query
from codegrant.messages.token import (
    CodeTokenRequest,
    ErrorResponse,
    RefreshTokenRequest,
    TokenResponse,
)
from codegrant.secret import Secret
from tests.unit.messages.samples import JSON_TEXTS, JSON_VALUES, OPTIONAL, SECRETS, TEXTS

KNOWN = {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
MAYBE_SECRET = st.none() | SECRETS

REQUESTS = st.builds(
    CodeTokenRequest,
    code=SECRETS,
    redirect_uri=OPTIONAL,
    code_verifier=MAYBE_SECRET,
    client_id=OPTIONAL,
    resource=st.lists(TEXTS, max_size=3).map(tuple),
)
REFRESHES = st.builds(
    RefreshTokenRequest,
    refresh_token=SECRETS,
    scope=OPTIONAL,
    client_id=OPTIONAL,
    resource=st.lists(TEXTS, max_size=3).map(tuple),
)
RESPONSES = st.builds(
    TokenResponse,
    access_token=SECRETS,
    token_type=JSON_TEXTS,
    expires_in=st.none() | st.integers(0, 9_999_999_999),
    scope=st.none() | JSON_TEXTS,
    refresh_token=MAYBE_SECRET,
    id_token=MAYBE_SECRET,
    extra=st.dictionaries(JSON_TEXTS.filter(lambda name: name not in KNOWN), JSON_VALUES),
)
ERRORS = st.builds(
    ErrorResponse,
    error=TEXTS,
    error_description=st.none() | JSON_TEXTS,
    error_uri=st.none() | JSON_TEXTS,
)


@given(REQUESTS)
def test_a_request_that_was_built_parses_to_itself(request_: CodeTokenRequest) -> None:
    form = Parameters.parse(build_query(request_.build()))
    assert form.single("grant_type") == "authorization_code"
    assert CodeTokenRequest.parse(form) == request_


@given(REFRESHES)
def test_a_refresh_that_was_built_parses_to_itself(request_: RefreshTokenRequest) -> None:
    form = Parameters.parse(build_query(request_.build()))
    assert form.single("grant_type") == "refresh_token"
    assert RefreshTokenRequest.parse(form) == request_


@given(RESPONSES)
def test_a_response_that_was_built_parses_to_itself(response: TokenResponse) -> None:
    assert TokenResponse.parse(response.build()) == response


@given(ERRORS)
def test_an_error_that_was_built_parses_to_itself(error: ErrorResponse) -> None:
    assert ErrorResponse.parse(error.build()) == error


@pytest.mark.requirement("AS-TOK-08", "AS-TOK-09")
@pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier", "client_id"])
def test_each_parameter_of_a_request_may_be_there_once(name: str) -> None:
    others = "" if name == "code" else "code=c&"
    CodeTokenRequest.parse(Parameters.parse(f"{others}{name}=x"))
    for twice in (f"{name}=x&{name}=x", f"{name}=x&{name}=", f"{name}=&{name}=x"):
        with pytest.raises(MessageError) as refused:
            CodeTokenRequest.parse(Parameters.parse(f"{others}{twice}"))
        assert refused.value.code == "repeated_parameter"
    if others:
        empty = CodeTokenRequest.parse(Parameters.parse(f"{others}{name}="))
        assert empty == CodeTokenRequest(code=Secret("c"))
    else:
        with pytest.raises(MessageError) as refused:
            CodeTokenRequest.parse(Parameters.parse("code="))
        assert refused.value.code == "missing_parameter"


def test_known_members_are_not_replaced_by_further_ones() -> None:
    response = TokenResponse(
        access_token=Secret("a"), token_type="Bearer", extra={"access_token": "b", "x": 1}
    )
    assert json.loads(response.build()) == {"access_token": "a", "token_type": "Bearer", "x": 1}


def test_sizes_are_bounded() -> None:
    token = b'{"access_token":"' + b"a" * (1 << 19) + b'"}'
    assert len(TokenResponse.parse(token).access_token.reveal()) == 1 << 19
    with pytest.raises(MessageError) as refused:
        TokenResponse.parse(b" " * (1 << 20) + b"{}")
    assert refused.value.code == "too_large"
    error = b'{"error":"' + b"e" * 60_000 + b'"}'
    assert len(ErrorResponse.parse(error).error) == 60_000
    with pytest.raises(MessageError) as refused:
        ErrorResponse.parse(b'{"error":"' + b"e" * 65_536 + b'"}')
    assert refused.value.code == "too_large"


def test_no_message_shows_what_is_secret() -> None:
    secret = Secret("s3cret")
    for shown in (
        CodeTokenRequest(code=secret, code_verifier=secret, client_id="a"),
        TokenResponse(
            access_token=secret,
            token_type="Bearer",
            refresh_token=secret,
            id_token=secret,
            extra={"device_secret": "s3cret"},
        ),
    ):
        assert "s3cret" not in f"{shown!r} {shown}"
