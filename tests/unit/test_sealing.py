"""`codegrant.sealing`: what was sealed for a purpose opens for it, and nothing else does."""

from __future__ import annotations

import pickle
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import ConfigurationError, SealBroken
from codegrant.sealing import KeyRing, derive, open_with, seal_with
from codegrant.secret import Secret

OLD = "an old key that is long enough to be one"
NEW = "a new key that is long enough to be one!"
RING = KeyRing([NEW])


def raw_of(sealed: str) -> bytes:
    return urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))


def text_of(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(data=st.binary(max_size=300), purpose=st.text(max_size=40).filter(str.isascii))
def test_what_was_sealed_opens(data: bytes, purpose: str) -> None:
    sealed = RING.seal(purpose, data)
    assert RING.open(purpose, sealed) == data
    assert set(sealed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_two_seals_are_alike() -> None:
    assert len({RING.seal("cookie", b"same") for _ in range(100)}) == 100


def test_a_sealed_text_has_a_known_length() -> None:
    assert len(raw_of(RING.seal("cookie", b"12345"))) == 1 + 4 + 12 + 5 + 16


def test_every_altered_byte_is_noticed() -> None:
    raw = raw_of(RING.seal("cookie", b"payload"))
    for position in range(len(raw)):
        for bit in range(8):
            altered = bytearray(raw)
            altered[position] ^= 1 << bit
            with pytest.raises(SealBroken):
                RING.open("cookie", text_of(bytes(altered)))


def test_every_cut_is_noticed() -> None:
    sealed = RING.seal("cookie", b"payload")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            RING.open("cookie", sealed[:length])


SEALED = RING.seal("cookie", b"12345")  # 38 bytes: the last character has stray bits


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SEALED + "=", id="padding"),
        pytest.param(SEALED + "A", id="longer"),
        pytest.param(SEALED + "\n", id="line end"),
        pytest.param(" " + SEALED, id="space"),
        pytest.param(SEALED[:9] + "!" + SEALED[9:], id="foreign character"),
        pytest.param(SEALED[:-1] + chr(ord(SEALED[-1]) + 1), id="stray bits"),
        pytest.param(SEALED + "é", id="not ascii"),
        pytest.param("\0" * 50, id="control characters"),
        pytest.param("", id="empty"),
        pytest.param("v1." + SEALED, id="prefix"),
    ],
)
def test_a_seal_has_exactly_one_spelling(text: str) -> None:
    assert RING.open("cookie", SEALED) == b"12345"
    with pytest.raises(SealBroken) as caught:
        RING.open("cookie", text)
    assert caught.value.code == "seal_broken"


@pytest.mark.parametrize("purpose", ["", "Cookie", "cookie ", "cookie\0", "session"])
def test_another_purpose_does_not_open_it(purpose: str) -> None:
    with pytest.raises(SealBroken) as caught:
        RING.open(purpose, SEALED)
    assert caught.value.code == "seal_broken"


def test_another_ring_says_that_the_key_is_unknown() -> None:
    with pytest.raises(SealBroken) as caught:
        KeyRing([OLD]).open("cookie", SEALED)
    assert caught.value.code == "seal_unknown_key"
    assert not KeyRing([OLD]).knows(RING.key_id)


def test_a_rotated_ring_opens_both_and_seals_with_the_first() -> None:
    before = KeyRing([OLD])
    rotated = KeyRing([NEW, OLD])
    assert rotated.open("cookie", before.seal("cookie", b"old")) == b"old"
    assert rotated.open("cookie", RING.seal("cookie", b"new")) == b"new"
    assert rotated.key_id == RING.key_id != before.key_id
    assert RING.open("cookie", rotated.seal("cookie", b"new")) == b"new"
    assert rotated.knows(before.key_id)
    with pytest.raises(SealBroken):
        before.open("cookie", rotated.seal("cookie", b"new"))


def test_a_retired_key_opens_nothing() -> None:
    sealed = KeyRing([OLD]).seal("cookie", b"old")
    with pytest.raises(SealBroken) as caught:
        RING.open("cookie", sealed)
    assert caught.value.code == "seal_unknown_key"


def test_the_key_id_of_another_key_does_not_help() -> None:
    foreign = raw_of(KeyRing([OLD]).seal("cookie", b"mine"))
    forged = foreign[:1] + RING.key_id + foreign[5:]
    with pytest.raises(SealBroken):
        KeyRing([NEW, OLD]).open("cookie", text_of(forged))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param([], "at least one key", id="none"),
        pytest.param([""], "0 characters", id="empty"),
        pytest.param(["x" * 31], "31 characters", id="short"),
        pytest.param([NEW, "x" * 31], "31 characters", id="a short second one"),
        pytest.param(NEW, "got one text", id="a text"),
    ],
)
def test_a_ring_without_good_keys_is_refused(keys: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        KeyRing(keys)
    assert "xxx" not in str(caught.value)


def test_a_key_of_32_characters_is_taken() -> None:
    assert KeyRing(["x" * 32]).open("p", KeyRing(["x" * 32]).seal("p", b"d")) == b"d"


@pytest.mark.parametrize(
    "text", [f"{NEW},{OLD}", f" {NEW} , {OLD} ", f"{NEW},{OLD},", f"{NEW}, ,{OLD}"]
)
def test_a_setting_is_parted_by_commas(text: str) -> None:
    ring = KeyRing.parse(text)
    assert ring.key_id == RING.key_id
    assert ring.knows(KeyRing([OLD]).key_id)


@pytest.mark.parametrize("text", ["", " ", ",", "short", f"{NEW},short"])
def test_a_setting_without_good_keys_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        KeyRing.parse(text)


def test_a_key_from_an_environment_that_is_not_utf8_works() -> None:
    assert KeyRing(["\udcff" * 32]).key_id != KeyRing(["?" * 32]).key_id


def test_a_ring_shows_and_pickles_nothing() -> None:
    assert repr(KeyRing([NEW, OLD])) == "KeyRing(2 keys)"
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(RING)


def test_sub_keys_differ_by_purpose_and_key() -> None:
    keys = {RING.derive("a"), RING.derive("b"), KeyRing([OLD]).derive("a")}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 3
    assert KeyRing([NEW, OLD]).derive("a") == RING.derive("a")


def test_derive_is_hkdf_with_sha256() -> None:
    hkdf = HKDF(algorithm=hashes.SHA256(), length=42, salt=None, info=b"label")
    assert derive(b"\x0b" * 22, "label", 42) == hkdf.derive(b"\x0b" * 22)


TOKEN = Secret("a token of two hundred and fifty-six bits")


@given(data=st.binary(max_size=300), purpose=st.text(max_size=40).filter(str.isascii))
def test_what_was_sealed_with_a_secret_opens_with_it(data: bytes, purpose: str) -> None:
    sealed = seal_with(TOKEN, purpose, data)
    assert open_with(TOKEN, purpose, sealed) == data
    assert len(raw_of(sealed)) == 1 + 12 + len(data) + 16


def test_no_two_seals_with_one_secret_are_alike() -> None:
    assert len({seal_with(TOKEN, "successor", b"same") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("secret", "purpose"),
    [
        pytest.param("a token of two hundred and fifty-six bitz", "successor", id="secret"),
        pytest.param("a token of two hundred and fifty-six bits ", "successor", id="longer secret"),
        pytest.param("x", "successor", id="short secret"),
        pytest.param(TOKEN.reveal(), "Successor", id="purpose"),
        pytest.param(TOKEN.reveal(), "", id="no purpose"),
    ],
)
def test_another_secret_or_purpose_does_not_open(secret: str, purpose: str) -> None:
    sealed = seal_with(TOKEN, "successor", b"payload")
    with pytest.raises(SealBroken):
        open_with(Secret(secret), purpose, sealed)
    assert open_with(TOKEN, "successor", sealed) == b"payload"


def test_every_altered_byte_and_every_cut_of_a_seal_with_a_secret_is_noticed() -> None:
    sealed = seal_with(TOKEN, "successor", b"payload")
    raw = raw_of(sealed)
    altered = [
        bytes([*raw[:at], raw[at] ^ (1 << bit), *raw[at + 1 :]])
        for at in range(len(raw))
        for bit in range(8)
    ]
    for text in (*map(text_of, altered), *(sealed[:length] for length in range(len(sealed)))):
        with pytest.raises(SealBroken):
            open_with(TOKEN, "successor", text)


@pytest.mark.parametrize("text", ["", "A", "AA==", "\u00e9", "a b", "A" * 20, "A" * 200])
def test_what_is_no_seal_with_a_secret_is_refused(text: str) -> None:
    with pytest.raises(SealBroken):
        open_with(TOKEN, "successor", text)


def test_a_seal_with_a_secret_is_none_of_a_key_ring() -> None:
    with pytest.raises(SealBroken):
        RING.open("successor", seal_with(Secret(NEW), "successor", b"payload"))
    with pytest.raises(SealBroken):
        open_with(Secret(NEW), "successor", RING.seal("successor", b"payload"))


def test_nothing_of_the_secret_is_in_the_seal() -> None:
    sealed = seal_with(TOKEN, "successor", b"payload")
    assert TOKEN.reveal().encode() not in raw_of(sealed)
    assert TOKEN.digest() not in raw_of(sealed)
