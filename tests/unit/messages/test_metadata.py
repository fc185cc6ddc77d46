from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegrant.errors import MessageError
from codegrant.messages.metadata import ServerMetadata
from tests.unit.messages.samples import JSON_TEXTS, JSON_VALUES

DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(ServerMetadata) if f.name != "extra"}
BY_TYPE = {
    str: JSON_TEXTS,
    bool: st.booleans(),
    tuple: st.lists(JSON_TEXTS, max_size=3).map(tuple),
}

DOCUMENTS = st.builds(
    ServerMetadata,
    extra=st.dictionaries(JSON_TEXTS.filter(lambda name: name not in DEFAULTS), JSON_VALUES),
    **{name: BY_TYPE[type(default)] for name, default in DEFAULTS.items()},
)


@settings(max_examples=30)  # of 43 members each
@given(DOCUMENTS)
def test_metadata_that_was_built_parses_to_itself(metadata: ServerMetadata) -> None:
    assert ServerMetadata.parse(metadata.build()) == metadata


@pytest.mark.requirement("AS-META-05")
@settings(max_examples=30)
@given(DOCUMENTS)
def test_neither_null_nor_an_empty_list_is_written(metadata: ServerMetadata) -> None:
    written = json.loads(replace(metadata, extra={}).build())
    assert all(value not in (None, [], "") for value in written.values())


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_member_has_one_type(name: str) -> None:
    default = DEFAULTS[name]
    right: dict[type, object] = {str: "x", bool: not default, tuple: ["x", "y"]}
    value = right[type(default)]
    found = getattr(ServerMetadata.parse(json.dumps({name: value}).encode()), name)
    assert found == (tuple(value) if isinstance(value, list) else value)
    wrong = [v for kind, v in right.items() if kind is not type(default)]
    for other in [*wrong, 1, 0.5, {}, [1], [None], [["x"]]]:
        with pytest.raises(MessageError) as refused:
            ServerMetadata.parse(json.dumps({name: other}).encode())
        assert refused.value.code == "malformed_member"
        assert refused.value.message.startswith(f"{name}:")
    absent = ServerMetadata.parse(json.dumps({name: None}).encode())
    assert absent == ServerMetadata()


def test_the_defaults_are_those_of_the_specifications() -> None:
    assert {name for name, default in DEFAULTS.items() if default is True} == {
        "request_uri_parameter_supported"
    }


def test_size_is_bounded() -> None:
    document = json.dumps({"issuer": "x" * (1 << 17)}).encode()
    assert len(ServerMetadata.parse(document).issuer) == 1 << 17
    with pytest.raises(MessageError) as refused:
        ServerMetadata.parse(b" " * (1 << 18) + b"{}")
    assert refused.value.code == "too_large"
    with pytest.raises(MessageError):
        ServerMetadata.parse(document, max_bytes=1000)


def test_what_is_known_is_not_replaced_by_what_was_kept_aside() -> None:
    metadata = ServerMetadata(issuer="https://a.example", extra={"issuer": "https://b.example"})
    assert json.loads(metadata.build()) == {"issuer": "https://a.example"}


def test_it_shows_which_server_it_is_about_and_no_more() -> None:
    assert repr(ServerMetadata(issuer="https://a.example")) == "ServerMetadata(https://a.example)"
    described = ServerMetadata(authorization_endpoint="https://a.example/authorize")
    assert repr(described) == "ServerMetadata(https://a.example/authorize)"
