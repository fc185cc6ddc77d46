from __future__ import annotations

from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.messages.authorization import (
    AuthorizationErrorResponse,
    AuthorizationRequest,
    AuthorizationResponse,
    CallbackResponse,
    parse_authorization_response,
)
from codegrant.messages.parameters import Parameters, build_query
from codegrant.secret import Secret
from tests.unit.messages.samples import OPTIONAL, SECRETS, TEXTS

OPTIONAL_NAMES = sorted(
    get_type_hints(AuthorizationRequest).keys() - {"client_id", "resource", "unknown"}
)

REQUESTS = st.builds(
    AuthorizationRequest,
    client_id=TEXTS,
    resource=st.lists(TEXTS, max_size=3).map(tuple),
    **dict.fromkeys(OPTIONAL_NAMES, OPTIONAL),
)
RESPONSES = st.builds(AuthorizationResponse, code=SECRETS, state=OPTIONAL, iss=OPTIONAL)
ERRORS = st.builds(
    AuthorizationErrorResponse,
    error=TEXTS,
    error_description=OPTIONAL,
    error_uri=OPTIONAL,
    state=OPTIONAL,
    iss=OPTIONAL,
)


def over_the_wire(pairs: list[tuple[str, str]]) -> Parameters:
    return Parameters.parse(build_query(pairs))


@given(REQUESTS)
def test_a_request_that_was_built_parses_to_itself(request_: AuthorizationRequest) -> None:
    assert AuthorizationRequest.parse(over_the_wire(request_.build())) == request_


@given(RESPONSES | ERRORS)
def test_a_response_that_was_built_parses_to_itself(response: CallbackResponse) -> None:
    assert parse_authorization_response(over_the_wire(response.build())) == response


@pytest.mark.requirement("AS-AZ-07", "AS-AZ-08")
@pytest.mark.parametrize("name", ["client_id", *OPTIONAL_NAMES])
def test_each_known_parameter_may_be_there_once(name: str) -> None:
    others = "" if name == "client_id" else "client_id=a&"
    once = AuthorizationRequest.parse(Parameters.parse(f"{others}{name}=x"))
    assert getattr(once, name) == "x"
    for twice in (f"{name}=x&{name}=y", f"{name}=x&{name}=x", f"{name}=x&{name}="):
        with pytest.raises(MessageError) as refused:
            AuthorizationRequest.parse(Parameters.parse(f"{others}{twice}"))
        assert refused.value.code == "repeated_parameter"
        assert name in refused.value.message
    if others:
        empty = AuthorizationRequest.parse(Parameters.parse(f"{others}{name}="))
        assert empty == AuthorizationRequest(client_id="a")
        assert empty.unknown == ()


def test_absent_and_empty_attributes_are_not_written() -> None:
    request = AuthorizationRequest(client_id="a", state="", scope=None)
    assert request.build() == [("client_id", "a")]


def test_parameters_are_written_in_the_order_of_the_attributes() -> None:
    known = "&".join(f"{name}=x" for name in OPTIONAL_NAMES)
    request = AuthorizationRequest.parse(Parameters.parse(f"{known}&client_id=a"))
    declared = [name for name in get_type_hints(AuthorizationRequest) if name in OPTIONAL_NAMES]
    assert [name for name, _ in request.build()] == ["client_id", *declared]


def test_unknown_names_do_not_make_another_request() -> None:
    plain = AuthorizationRequest.parse(Parameters.parse("client_id=a"))
    more = AuthorizationRequest.parse(Parameters.parse("client_id=a&utm_source=x&utm_source=y"))
    assert plain == more
    assert more.unknown == ("utm_source",)


@pytest.mark.parametrize(
    "shown",
    [
        AuthorizationRequest(
            client_id="a",
            state="s3cret",
            nonce="s3cret",
            code_challenge="s3cret",
            login_hint="s3cret",
            id_token_hint="s3cret",
            claims="s3cret",
            request="s3cret",
            request_uri="s3cret",
            registration="s3cret",
        ),
        AuthorizationResponse(code=Secret("s3cret"), state="s3cret", iss="https://as.example"),
        AuthorizationErrorResponse(error="e", state="s3cret"),
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_no_message_shows_what_is_secret(shown: object) -> None:
    assert "s3cret" not in f"{shown!r} {shown}"


@pytest.mark.requirement("CL-FLOW-09")
@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "foo", "resource", ""])
def test_a_callback_has_no_name_twice(name: str) -> None:
    base = "" if name in {"code", "error"} else "code=c&"
    parse_authorization_response(Parameters.parse(f"{base}{name}=x"))
    for twice in (f"{name}=x&{name}=x", f"{name}=x&{name}=", f"{name}=&{name}=x"):
        with pytest.raises(MessageError) as refused:
            parse_authorization_response(Parameters.parse(f"{base}{twice}"))
        assert refused.value.code == "repeated_parameter"


def test_a_refused_callback_shows_nothing_of_its_code() -> None:
    with pytest.raises(MessageError) as refused:
        parse_authorization_response(Parameters.parse("code=s3cret&error=x"))
    assert refused.value.code == "code_and_error"
    assert "s3cret" not in str(refused.value)
