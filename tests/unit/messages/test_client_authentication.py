from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MessageError, UsageError
from codegrant.http import Headers
from codegrant.messages.client_authentication import (
    BasicCredentials,
    PostCredentials,
    PublicCredentials,
    build_client_authentication,
    parse_client_authentication,
)
from codegrant.messages.parameters import Parameters, build_query
from codegrant.secret import Secret
from tests.unit.messages.samples import SECRETS, TEXTS

# Basic credentials have no control character at all, tab and line ends included.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def parse(authorization: str | None = None, form: str = "") -> object:
    headers = Headers([] if authorization is None else [("authorization", authorization)])
    return parse_client_authentication(headers, Parameters.parse(form))


def basic(credentials: bytes) -> str:
    return f"Basic {b64encode(credentials).decode()}"


def refusal(authorization: str | None = None, form: str = "") -> MessageError:
    with pytest.raises(MessageError) as refused:
        parse(authorization, form)
    return refused.value


@pytest.mark.requirement("AS-CA-02", "CL-TOK-03")
@given(NAMES, st.builds(Secret, NAMES))
def test_basic_credentials_that_were_built_parse_to_themselves(
    client_id: str, secret: Secret
) -> None:
    headers, form = build_client_authentication("client_secret_basic", client_id, secret)
    assert form == []
    found = parse_client_authentication(Headers(headers), Parameters(form))
    assert isinstance(found, BasicCredentials)
    assert found == (client_id, secret)


@given(TEXTS, SECRETS)
def test_post_credentials_that_were_built_parse_to_themselves(
    client_id: str, secret: Secret
) -> None:
    headers, form = build_client_authentication("client_secret_post", client_id, secret)
    assert headers == []
    found = parse_client_authentication(Headers(), Parameters.parse(build_query(form)))
    assert isinstance(found, PostCredentials)
    assert found == (client_id, secret)


@given(TEXTS)
def test_a_public_client_that_was_built_parses_to_itself(client_id: str) -> None:
    headers, form = build_client_authentication("none", client_id, None)
    assert headers == []
    found = parse_client_authentication(Headers(), Parameters.parse(build_query(form)))
    assert isinstance(found, PublicCredentials)
    assert found == (client_id,)


def test_a_request_without_credentials_has_none() -> None:
    assert parse(None, "grant_type=authorization_code&code=c") is None
    assert parse(None, "client_id=&client_secret=") is None


def test_a_secret_of_a_public_client_is_not_sent() -> None:
    assert build_client_authentication("none", "a", Secret("s")) == ([], [("client_id", "a")])


@pytest.mark.parametrize(
    ("method", "secret"),
    [
        pytest.param("client_secret_basic", None, id="basic without a secret"),
        pytest.param("client_secret_post", None, id="post without a secret"),
        pytest.param("private_key_jwt", Secret("s"), id="a method that is not ours"),
        pytest.param("", Secret("s"), id="no method"),
        pytest.param("Client_Secret_Basic", Secret("s"), id="another case"),
    ],
)
def test_what_cannot_be_built_is_the_programs_fault(method: str, secret: Secret | None) -> None:
    with pytest.raises(UsageError):
        build_client_authentication(method, "a", secret)


@pytest.mark.requirement("AS-CA-02")
@pytest.mark.parametrize("encode", [quote_plus, lambda text: quote(text, safe="")])
def test_either_spelling_of_a_space_is_read(encode: type[str]) -> None:
    text = f"{encode('a b')}:{encode('c d:%+ü')}"
    assert parse(basic(text.encode())) == BasicCredentials("a b", Secret("c d:%+ü"))


def test_the_size_of_the_header_is_bounded() -> None:
    longest = b64encode(b"a:" + b"x" * 6133).decode().rjust(8192 - len("Basic "))
    assert isinstance(parse(f"Basic {longest}"), BasicCredentials)
    assert refusal(f"Basic  {longest}").code == "malformed_basic"


@pytest.mark.requirement("AS-CA-04")
@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        (basic(b"a:b"), "client_secret=b"),
        (basic(b"a:b"), "client_id=a&client_secret=b"),
        (basic(b"a:b"), "client_assertion=x&client_assertion_type=y"),
        (basic(b"a:b"), "client_assertion_type=y"),
        (None, "client_id=a&client_secret=b&client_assertion=x"),
        ("Bearer x", "client_secret=b"),
    ],
)
def test_more_than_one_method_is_refused(authorization: str | None, form: str) -> None:
    assert refusal(authorization, form).code == "several_methods"


def test_more_than_one_header_is_refused() -> None:
    lines = Headers([("authorization", basic(b"a:b")), ("Authorization", basic(b"a:b"))])
    with pytest.raises(MessageError) as refused:
        parse_client_authentication(lines, Parameters([]))
    assert refused.value.code == "several_methods"


@pytest.mark.parametrize("form", ["client_assertion=x", "client_assertion_type=x"])
def test_an_assertion_does_not_pass_for_no_proof(form: str) -> None:
    assert parse(None, "client_id=a") == PublicCredentials("a")
    assert refusal(None, f"client_id=a&{form}").code == "unsupported_method"


@pytest.mark.parametrize(
    "authorization",
    [
        basic(b"a%zz:s3cret"),
        basic(b"a%00:s3cret"),
        basic(b"s3cret"),
        basic(b":s3cret"),
        "Basic s3cret!",
        "s3cret",
        "Basic \u00e4",
    ],
)
def test_a_refusal_repeats_nothing_of_the_header(authorization: str) -> None:
    error = refusal(authorization)
    assert error.code == "malformed_basic"
    assert "s3cret" not in str(error)


FIELD_TEXTS = st.text(st.characters(max_codepoint=255, exclude_characters="\0\r\n"))


@given(FIELD_TEXTS | st.binary(max_size=20).map(basic))
def test_no_header_raises_anything_else(line: str) -> None:
    try:
        found = parse(line)
    except MessageError:
        return
    assert isinstance(found, BasicCredentials)
    assert found.client_id


def test_no_credentials_show_their_secret() -> None:
    for shown in (BasicCredentials("a", Secret("s3cret")), PostCredentials("a", Secret("s3cret"))):
        assert "s3cret" not in f"{shown!r} {shown}"
