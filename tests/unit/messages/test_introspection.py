from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.messages.introspection import IntrospectionRequest, IntrospectionResponse
from codegrant.messages.parameters import Parameters, build_query
from codegrant.secret import Secret
from tests.unit.messages.samples import JSON_TEXTS, JSON_VALUES, OPTIONAL, SECRETS

KNOWN = {
    "active", "scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "sub", "aud",
    "iss", "jti",
}  # fmt: skip
SOME_TEXT = JSON_TEXTS.filter(bool)
MAYBE_TEXT = st.none() | SOME_TEXT
MAYBE_TIME = st.none() | st.integers(0, 253_402_300_799)

ACTIVE = st.builds(
    IntrospectionResponse,
    active=st.just(value=True),
    scope=st.none() | JSON_TEXTS,
    client_id=MAYBE_TEXT,
    username=MAYBE_TEXT,
    token_type=MAYBE_TEXT,
    exp=MAYBE_TIME,
    iat=MAYBE_TIME,
    nbf=MAYBE_TIME,
    sub=MAYBE_TEXT,
    aud=st.lists(SOME_TEXT, max_size=3).map(tuple),
    iss=MAYBE_TEXT,
    jti=MAYBE_TEXT,
    extra=st.dictionaries(JSON_TEXTS.filter(lambda name: name not in KNOWN), JSON_VALUES),
)


@given(st.builds(IntrospectionRequest, token=SECRETS, token_type_hint=OPTIONAL))
def test_a_request_that_was_built_parses_to_itself(request_: IntrospectionRequest) -> None:
    form = Parameters.parse(build_query(request_.build()))
    assert IntrospectionRequest.parse(form) == request_


@given(ACTIVE)
def test_a_response_that_was_built_parses_to_itself(response: IntrospectionResponse) -> None:
    assert IntrospectionResponse.parse(response.build()) == response


@pytest.mark.parametrize("name", ["token", "token_type_hint"])
def test_each_parameter_of_a_request_may_be_there_once(name: str) -> None:
    others = "" if name == "token" else "token=t&"
    IntrospectionRequest.parse(Parameters.parse(f"{others}{name}=x"))
    for twice in (f"{name}=x&{name}=x", f"{name}=x&{name}=", f"{name}=&{name}=x"):
        with pytest.raises(MessageError) as refused:
            IntrospectionRequest.parse(Parameters.parse(f"{others}{twice}"))
        assert refused.value.code == "repeated_parameter"


@pytest.mark.parametrize("form", ["", "token=", "token_type_hint=access_token"])
def test_a_request_names_a_token(form: str) -> None:
    with pytest.raises(MessageError) as refused:
        IntrospectionRequest.parse(Parameters.parse(form))
    assert refused.value.code == "missing_parameter"
    both = IntrospectionRequest.parse(Parameters.parse("token=t&token_type_hint=access_token"))
    assert both == IntrospectionRequest(token=Secret("t"), token_type_hint="access_token")


def test_of_a_token_that_is_not_active_nothing_more_is_told() -> None:
    response = IntrospectionResponse(active=False, sub="person-1", extra={"x": 1})
    assert response.build() == b'{"active":false}'
    told = IntrospectionResponse.parse(b'{"active":false,"sub":"person-1","exp":"never","x":1}')
    assert told == IntrospectionResponse(active=False)


def test_further_members_are_kept_aside_and_replace_no_known_one() -> None:
    response = IntrospectionResponse.parse(b'{"active":true,"cnf":{"jkt":"x"},"sub":"a"}')
    assert response.extra == {"cnf": {"jkt": "x"}}
    assert "jkt" not in repr(response)
    forged = IntrospectionResponse(active=True, sub="a", extra={"sub": "b", "active": False})
    assert IntrospectionResponse.parse(forged.build()).sub == "a"


@pytest.mark.parametrize(
    ("wire", "aud"),
    [
        pytest.param(b'{"active":true,"aud":"a"}', ("a",), id="one text"),
        pytest.param(b'{"active":true,"aud":["a"]}', ("a",), id="a list of one"),
        pytest.param(b'{"active":true,"aud":["a","b"]}', ("a", "b"), id="a list"),
        pytest.param(b'{"active":true,"aud":null}', (), id="null"),
        pytest.param(b'{"active":true}', (), id="absent"),
    ],
)
def test_an_audience_is_one_text_or_several(wire: bytes, aud: tuple[str, ...]) -> None:
    assert IntrospectionResponse.parse(wire).aud == aud


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize(
    ("wire", "code"),
    [
        pytest.param(b'{"active":"true"}', "malformed_member", id="a text"),
        pytest.param(b'{"active":1}', "malformed_member", id="one"),
        pytest.param(b'{"active":0}', "malformed_member", id="zero"),
        pytest.param(b'{"active":null}', "malformed_member", id="null"),
        pytest.param(b'{"active":[true]}', "malformed_member", id="in a list"),
        pytest.param(b'{"Active":true}', "missing_member", id="another case"),
        pytest.param(b"{}", "missing_member", id="absent"),
        pytest.param(b"true", "malformed_json", id="no object"),
        pytest.param(b"[]", "malformed_json", id="a list"),
        pytest.param(b"", "malformed_json", id="nothing"),
        pytest.param(b"<html>", "malformed_json", id="a page"),
        pytest.param(b'{"active":true,"active":true}', "repeated_member", id="twice"),
        pytest.param(b'{"active":false,"active":true}', "repeated_member", id="no, then yes"),
        pytest.param(b'{"active":true,"x":"' + b"y" * 65536 + b'"}', "too_large", id="large"),
    ],
)
def test_active_is_true_or_false_and_nothing_like_it(wire: bytes, code: str) -> None:
    assert IntrospectionResponse.parse(b'{"active":true}').active
    assert not IntrospectionResponse.parse(b'{"active":false}').active
    with pytest.raises(MessageError) as refused:
        IntrospectionResponse.parse(wire)
    assert refused.value.code == code


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize("name", ["client_id", "username", "token_type", "sub", "iss", "jti"])
@pytest.mark.parametrize("value", ["1", "true", "[]", '["a"]', "{}", '""'])
def test_a_text_is_a_text_and_not_empty(name: str, value: str) -> None:
    good = IntrospectionResponse.parse(f'{{"active":true,"{name}":"a"}}'.encode())
    assert good.members()[name] == "a"
    assert name not in IntrospectionResponse.parse(
        f'{{"active":true,"{name}":null}}'.encode()
    ).members()  # fmt: skip
    with pytest.raises(MessageError) as refused:
        IntrospectionResponse.parse(f'{{"active":true,"{name}":{value}}}'.encode())
    assert refused.value.code == "malformed_member"


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ['"1800000000"', "true", "-1", "253402300800", "1e30", "[1]", "{}", '""']
)
def test_a_time_is_a_number_of_seconds(name: str, value: str) -> None:
    good = IntrospectionResponse.parse(f'{{"active":true,"{name}":1800000000.9}}'.encode())
    assert good.members()[name] == 1_800_000_000
    with pytest.raises(MessageError) as refused:
        IntrospectionResponse.parse(f'{{"active":true,"{name}":{value}}}'.encode())
    assert refused.value.code == "malformed_member"


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize(
    "member",
    ['"aud":[]', '"aud":""', '"aud":[""]', '"aud":["a",1]', '"aud":{"a":1}', '"aud":1',
     '"scope":["a"]', '"scope":1'],
)  # fmt: skip
def test_audience_and_scope_have_their_forms(member: str) -> None:
    assert IntrospectionResponse.parse(b'{"active":true,"scope":""}').scope == ""
    with pytest.raises(MessageError) as refused:
        IntrospectionResponse.parse(f'{{"active":true,{member}}}'.encode())
    assert refused.value.code == "malformed_member"
