"""The messages on the wire: one table of cases for the reader and for the writer.

Each file beside this one belongs to one message. An accepted case has the `wire` text, the
`value` that it means, and, where the writer spells it differently, what is `built` of it.
A refused case has the wire text and the code of the refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from codegrant.errors import MessageError
from codegrant.http import Headers
from codegrant.messages.authorization import (
    AuthorizationErrorResponse,
    AuthorizationRequest,
    AuthorizationResponse,
    parse_authorization_response,
)
from codegrant.messages.client_authentication import (
    BasicCredentials,
    PostCredentials,
    PublicCredentials,
    build_client_authentication,
    parse_client_authentication,
)
from codegrant.messages.introspection import IntrospectionRequest, IntrospectionResponse
from codegrant.messages.metadata import ServerMetadata
from codegrant.messages.parameters import Parameters, build_query
from codegrant.messages.resource_metadata import ResourceMetadata
from codegrant.messages.revocation import RevocationRequest
from codegrant.messages.token import (
    CodeTokenRequest,
    ErrorResponse,
    RefreshTokenRequest,
    TokenResponse,
)
from codegrant.messages.userinfo import UserInfoResponse
from codegrant.secret import Secret

FOLDER = Path(__file__).parent
SECRETS = {"code", "code_verifier", "access_token", "refresh_token", "id_token", "token"}


class Message(NamedTuple):
    """How one message is read, written and made from the `value` of a case."""

    parse: Callable[[Any], object]
    build: Callable[[Any], object]
    make: Callable[[Mapping[str, Any]], object]


def members(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a message: secrets as such, lists as tuples."""
    return {
        name: Secret(each) if name in SECRETS else tuple(each) if isinstance(each, list) else each
        for name, each in value.items()
    }


def form(parse: Callable[[Parameters], object], make: Callable[..., object]) -> Message:
    return Message(
        lambda text: parse(Parameters.parse(text)),
        lambda message: build_query(message.build()),
        lambda value: make(**members(value)),
    )


def json_body(kind: Any) -> Message:
    return Message(
        lambda body: kind.parse(json_text(body)),
        lambda message: message.build(),
        lambda value: kind(**members(value)),
    )


def json_text(body: object) -> bytes:
    """Return the bytes of a body: a text stands for itself, anything else for its JSON."""
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def make_callback(**values: Any) -> object:
    return (AuthorizationResponse if "code" in values else AuthorizationErrorResponse)(**values)


def parse_credentials(wire: Mapping[str, str]) -> object:
    headers = [("authorization", wire["authorization"])] if "authorization" in wire else []
    return parse_client_authentication(Headers(headers), Parameters.parse(wire.get("form", "")))


METHODS = {
    BasicCredentials: "client_secret_basic",
    PostCredentials: "client_secret_post",
    PublicCredentials: "none",
}


def build_credentials(credentials: Any) -> dict[str, str]:
    secret = getattr(credentials, "secret", None)
    method = METHODS[type(credentials)]
    headers, pairs = build_client_authentication(method, credentials.client_id, secret)
    return dict(headers) | ({"form": build_query(pairs)} if pairs else {})


def make_credentials(value: Mapping[str, str]) -> object:
    kind = next(kind for kind, method in METHODS.items() if method == value["method"])
    if kind is PublicCredentials:
        return kind(value["client_id"])
    return kind(value["client_id"], Secret(value["secret"]))


MESSAGES = {
    "authorization_request": form(AuthorizationRequest.parse, AuthorizationRequest),
    "authorization_response": form(parse_authorization_response, make_callback),
    "code_token_request": form(CodeTokenRequest.parse, CodeTokenRequest),
    "refresh_token_request": form(RefreshTokenRequest.parse, RefreshTokenRequest),
    "introspection_request": form(IntrospectionRequest.parse, IntrospectionRequest),
    "introspection_response": json_body(IntrospectionResponse),
    "resource_metadata": json_body(ResourceMetadata),
    "revocation_request": form(RevocationRequest.parse, RevocationRequest),
    "client_authentication": Message(parse_credentials, build_credentials, make_credentials),
    "token_response": json_body(TokenResponse),
    "error_response": json_body(ErrorResponse),
    "userinfo_response": json_body(UserInfoResponse),
    "server_metadata": json_body(ServerMetadata),
}


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}: {case['name']}")
        for name in MESSAGES
        for case in load(name)[kind]
    ]


def spelled(name: str, wire: object) -> object:
    """Return what the writer should give, in the type that it gives it in."""
    return wire if isinstance(wire, str) or name == "client_authentication" else json_text(wire)


@pytest.mark.parametrize(("name", "case"), cases("accepted"))
def test_reader_and_writer_agree(name: str, case: Mapping[str, Any]) -> None:
    message = MESSAGES[name]
    value = message.make(case["value"])
    found = message.parse(case["wire"])
    assert found == value
    assert type(found) is type(value)
    assert getattr(found, "unknown", ()) == getattr(value, "unknown", ())
    built = message.build(value)
    assert built == spelled(name, case.get("built", case["wire"]))
    read_again = message.parse(built.decode() if isinstance(built, bytes) else built)
    assert read_again == value
    assert type(read_again) is type(value)


@pytest.mark.parametrize(("name", "case"), cases("refused"))
def test_the_reader_refuses(name: str, case: Mapping[str, Any]) -> None:
    with pytest.raises(MessageError) as refused:
        MESSAGES[name].parse(case["wire"])
    assert refused.value.code == case["code"]


def test_every_file_has_a_message_and_is_used() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(MESSAGES)


@pytest.mark.parametrize("name", list(MESSAGES))
def test_no_two_cases_share_a_name(name: str) -> None:
    table = load(name)
    names = [case["name"] for kind in ("accepted", "refused") for case in table[kind]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "name",
    [
        "authorization_request",
        "code_token_request",
        "refresh_token_request",
        "introspection_request",
        "revocation_request",
    ],
)
def test_what_is_written_is_what_any_form_reader_reads(name: str) -> None:
    for case in load(name)["accepted"]:
        message = MESSAGES[name].make(case["value"])
        read = parse_qsl(str(MESSAGES[name].build(message)), strict_parsing=True)
        assert {(k, v) for k, v in read if k != "grant_type"} == {
            (k, each)
            for k, v in case["value"].items()
            if k != "unknown"
            for each in (v if isinstance(v, list) else [v])
        }
