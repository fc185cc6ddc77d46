from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import MetadataRejected
from codegrant.jose import KeySet, parse_public_keys

from .samples import ALGS, VECTORS, private_key, public_jwk


def _document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


KEYS = KeySet(private_key(alg).public for alg in ALGS)


def test_a_published_set_is_read_as_it_was() -> None:
    assert KeySet.parse(KEYS.to_json()) == KEYS
    assert KEYS.kids == {private_key(alg).kid for alg in ALGS}
    assert hash(KeySet.parse(KEYS.to_json())) == hash(KEYS)
    assert KeySet.parse(KEYS.to_json()) != KeySet(KEYS.keys[:1])
    assert KeySet(KEYS.keys[:1]) != KEYS.keys[:1]
    assert repr(KEYS) == "KeySet(4 keys, 0 dropped)"


def test_a_published_set_has_no_private_member() -> None:
    assert all(
        not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & jwk.keys()
        for jwk in json.loads(KEYS.to_json())["keys"]
    )


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_is_found_by_its_name_and_algorithm(alg: str) -> None:
    key = private_key(alg).public
    assert KEYS.find(key.kid, alg) == (key,)
    assert KEYS.find(None, alg) == (key,)


@pytest.mark.parametrize(
    ("kid", "alg"),
    [
        pytest.param("another", "ES256", id="unknown name"),
        pytest.param("", "ES256", id="empty name"),
        pytest.param(private_key("RS256").kid, "ES256", id="name of another algorithm's key"),
        pytest.param(private_key("ES256").kid, "HS256", id="no algorithm of ours"),
        pytest.param(private_key("ES256").kid, "none", id="none"),
        pytest.param(None, "HS256", id="no name, no algorithm of ours"),
        pytest.param(private_key("ES256").kid[:-1], "ES256", id="part of a name"),
    ],
)
def test_no_other_name_and_algorithm_finds_one(kid: str | None, alg: str) -> None:
    assert KEYS.find(kid, alg) == ()


def test_several_keys_of_one_name_or_without_one_are_all_candidates() -> None:
    one = public_jwk("RS256", alg="RS256")
    other = {**VECTORS["keys"]["RFC 7520 3.3"], "alg": "RS256"}
    named = KeySet.parse(_document({**one, "kid": "a"}, {**other, "kid": "a"}))
    assert len(named.find("a", "RS256")) == len(named.find(None, "RS256")) == 2
    nameless = KeySet.parse(_document(one, {**other, "kid": "a"}))
    assert nameless.kids == {"a"}
    assert len(nameless.find(None, "RS256")) == 2
    assert len(nameless.find("a", "RS256")) == 1
    assert nameless.find("", "RS256") == ()


def test_an_rsa_key_without_alg_is_found_for_both_of_its_algorithms() -> None:
    keys = KeySet.parse(_document(public_jwk("RS256", kid="a")))
    assert [key.alg for key in keys.keys] == ["RS256", "PS256"]
    assert [key.alg for key in keys.find("a", "PS256")] == ["PS256"]


def test_a_key_that_is_refused_leaves_the_others_and_its_reason() -> None:
    entries = [
        VECTORS["keys"]["RFC 7520 3.5"],
        public_jwk("ES256", kid="good"),
        VECTORS["keys"]["RFC 7520 3.1"],
        VECTORS["keys"]["RFC 7515 A.3"],
        public_jwk("RS256", n="AQAB"),
        {},
        "text",
        None,
        public_jwk("ES256", y="AAAA"),
        public_jwk("ES256", use="enc"),
        public_jwk("EdDSA", kid=7),
    ]
    keys = KeySet.parse(_document(*entries))
    assert [key.kid for key in keys.keys] == ["good"]
    assert [reason.partition(": ")[0] for reason in keys.dropped] == [
        f"keys[{index}]" for index in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    ]
    assert keys.dropped[0] == "keys[0]: key: it has private or symmetric members"
    assert not any(VECTORS["keys"]["RFC 7520 3.5"]["k"] in reason for reason in keys.dropped)
    assert not any(VECTORS["keys"]["RFC 7515 A.3"]["d"] in reason for reason in keys.dropped)


def test_an_empty_set_is_a_set() -> None:
    assert KeySet.parse(b'{"keys":[]}') == KeySet()
    assert KeySet().find(None, "ES256") == ()
    assert KeySet().to_json() == b'{"keys":[]}'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"", "malformed_json", id="nothing"),
        pytest.param(b"[]", "malformed_json", id="list"),
        pytest.param(b"{}", "malformed_json", id="no keys"),
        pytest.param(b'{"keys":{}}', "malformed_json", id="keys an object"),
        pytest.param(b'{"keys":null}', "malformed_json", id="keys null"),
        pytest.param(b'{"Keys":[]}', "malformed_json", id="other case"),
        pytest.param(b'{"keys":[],"keys":[]}', "repeated_member", id="keys twice"),
        pytest.param(b'{"keys":[{"kid":"a","kid":"b"}]}', "repeated_member", id="name twice"),
        pytest.param(b'{"keys":[NaN]}', "malformed_json", id="NaN"),
        pytest.param(b'{"keys":' + b"[" * 40, "too_deep", id="deep"),
        pytest.param(b"\xff\xfe", "malformed_encoding", id="not UTF-8"),
        pytest.param(b" " * (1 << 20) + b"{}", "too_large", id="large"),
        pytest.param(_document(*[{}] * 101), "too_many_keys", id="101 keys"),
    ],
)
def test_what_is_no_set_is_refused_whole(text: bytes, code: str) -> None:
    with pytest.raises(MetadataRejected) as refused:
        KeySet.parse(text)
    assert refused.value.code == code


def test_a_hundred_keys_are_read() -> None:
    entries = [public_jwk("ES256", kid=str(number)) for number in range(100)]
    assert len(KeySet.parse(_document(*entries)).keys) == 100


def test_a_set_does_not_change() -> None:
    keys = list(parse_public_keys(public_jwk("ES256")))
    held = KeySet(keys)
    keys.clear()
    assert len(held.keys) == 1
    with pytest.raises(AttributeError):
        cast("Any", held.kids).add("a")
    with pytest.raises(AttributeError):
        cast("Any", held).further = ()


@given(st.binary(max_size=80) | st.text('{}[]":,keystyRSAEC0', max_size=80).map(str.encode))
def test_no_text_raises_anything_else(text: bytes) -> None:
    with suppress(MetadataRejected):
        KeySet.parse(text)
