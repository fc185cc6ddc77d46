"""Forged signatures, after the kinds of cases that Project Wycheproof collects."""

from __future__ import annotations

from hashlib import sha1, sha256, sha512

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import TokenRejected
from codegrant.jose.signatures import P256_ORDER as N

from .samples import ALGS, other_private_key, private_key

DATA = b"header.payload"
# The prime of the field of P-256, and the order of the base point of Ed25519.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
L = 2**252 + 27742317777372353535851937790883648493


def _refused(alg: str, signature: bytes, data: bytes = DATA) -> bool:
    with pytest.raises(TokenRejected) as refused:
        private_key(alg).public.verify(signature, data)
    return refused.value.code == "bad_signature"


@pytest.mark.parametrize("alg", ALGS)
def test_a_signature_holds_for_its_data_and_key_alone(alg: str) -> None:
    key = private_key(alg)
    signature = key.sign(DATA)
    key.public.verify(signature, DATA)
    assert _refused(alg, signature, DATA + b"\0")
    assert _refused(alg, signature, DATA[:-1])
    assert _refused(alg, signature, b"")
    assert _refused(alg, other_private_key(alg).sign(DATA))


@pytest.mark.parametrize("alg", ALGS)
def test_a_signature_of_any_other_length_is_refused(alg: str) -> None:
    signature = private_key(alg).sign(DATA)
    assert _refused(alg, b"")
    for wrong in (signature[:-1], signature[1:], signature[: len(signature) // 2]):
        assert _refused(alg, wrong)
    for wrong in (signature + b"\0", b"\0" + signature, signature * 2, bytes(10_000)):
        assert _refused(alg, wrong)


@given(st.sampled_from(ALGS), st.integers(0, 8 * 256 - 1))
def test_a_signature_with_a_bit_flipped_is_refused(alg: str, position: int) -> None:
    signature = bytearray(private_key(alg).sign(DATA))
    octet, bit = divmod(position % (8 * len(signature)), 8)
    signature[octet] ^= 1 << bit
    assert _refused(alg, bytes(signature))


@given(st.sampled_from(ALGS), st.binary(max_size=260))
def test_random_octets_are_refused(alg: str, signature: bytes) -> None:
    assert _refused(alg, signature)


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("octet", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_one_octet_repeated_is_refused(alg: str, octet: int) -> None:
    length = len(private_key(alg).sign(DATA))
    assert _refused(alg, bytes([octet]) * length)


EDGES = {
    "0": 0,
    "1": 1,
    "2": 2,
    "(n-1)/2": (N - 1) // 2,
    "n-1": N - 1,
    "n": N,
    "n+1": N + 1,
    "p-n": P - N,
    "p-1": P - 1,
    "p": P,
    "p+1": P + 1,
    "2^256-1": 2**256 - 1,
}


@pytest.mark.requirement("CO-JOSE-06")
@pytest.mark.parametrize("r", EDGES)
@pytest.mark.parametrize("s", EDGES)
def test_es256_refuses_r_and_s_at_the_edges(r: str, s: str) -> None:
    genuine = private_key("ES256").sign(DATA)
    private_key("ES256").public.verify(genuine, DATA)
    assert _refused("ES256", EDGES[r].to_bytes(32, "big") + EDGES[s].to_bytes(32, "big"))


@pytest.mark.parametrize("edge", EDGES)
def test_es256_refuses_one_genuine_half(edge: str) -> None:
    genuine = private_key("ES256").sign(DATA)
    half = EDGES[edge].to_bytes(32, "big")
    assert _refused("ES256", genuine[:32] + half)
    assert _refused("ES256", half + genuine[32:])


def test_es256_refuses_its_halves_turned_round_or_negated_apart() -> None:
    genuine = private_key("ES256").sign(DATA)
    r, s = (int.from_bytes(half, "big") for half in (genuine[:32], genuine[32:]))
    assert _refused("ES256", genuine[32:] + genuine[:32])
    assert _refused("ES256", (N - r).to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert _refused("ES256", (N - r).to_bytes(32, "big") + (N - s).to_bytes(32, "big"))
    # The same numbers in more octets, as other forms write them.
    assert _refused("ES256", genuine[:32] + b"\0" + genuine[32:])
    assert _refused("ES256", b"\0" + genuine)
    assert _refused("ES256", b"\0" + genuine[:32] + b"\0" + genuine[32:])


def test_es256_refuses_der() -> None:
    genuine = private_key("ES256").sign(DATA)
    r, s = (int.from_bytes(half, "big") for half in (genuine[:32], genuine[32:]))
    der = encode_dss_signature(r, s)
    assert _refused("ES256", der)
    assert _refused("ES256", der[:64])
    assert _refused("ES256", der[-64:])


def test_es256_refuses_another_hash() -> None:
    key = private_key("ES256")._key
    assert isinstance(key, EllipticCurvePrivateKey)
    for other in (SHA1(), SHA384()):  # noqa: S303
        assert _refused("ES256", key.sign(DATA, ECDSA(other)))


def test_eddsa_refuses_s_that_is_not_reduced() -> None:
    genuine = private_key("EdDSA").sign(DATA)
    s = int.from_bytes(genuine[32:], "little")
    for times in (1, 2, 8):
        assert _refused("EdDSA", genuine[:32] + (s + times * L).to_bytes(32, "little"))
    for wrong in (0, 1, L - 1, L, L + 1, 2**255 - 1, 2**256 - 1, L - s):
        assert _refused("EdDSA", genuine[:32] + wrong.to_bytes(32, "little"))


@pytest.mark.parametrize("r", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**255, 2**256 - 1])
def test_eddsa_refuses_r_of_small_order_or_in_a_second_spelling(r: int) -> None:
    genuine = private_key("EdDSA").sign(DATA)
    assert _refused("EdDSA", r.to_bytes(32, "little") + genuine[32:])
    assert _refused("EdDSA", r.to_bytes(32, "little") + bytes(32))


def test_eddsa_refuses_a_signature_of_the_digest() -> None:
    assert _refused("EdDSA", private_key("EdDSA").sign(sha512(DATA).digest()))


def _rsa() -> RSAPrivateKey:
    key = private_key("RS256")._key
    assert isinstance(key, RSAPrivateKey)
    return key


def _raw(message: bytes) -> bytes:
    """The RSA operation of the private key on an encoded message that we choose."""
    numbers = _rsa().private_numbers()
    power = pow(int.from_bytes(message, "big"), numbers.d, numbers.public_numbers.n)
    return power.to_bytes(256, "big")


DIGEST = sha256(DATA).digest()
# The DER of DigestInfo in front of the digest: RFC 8017 §9.2, note 1.
INFO = bytes.fromhex("3031300d060960864801650304020105000420")
INFO_WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201" + "0420")
INFO_LONG_LENGTH = bytes.fromhex("308131300d060960864801650304020105000420")
INFO_SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")


def _padded(info: bytes, digest: bytes = DIGEST, garbage: bytes = b"", kind: int = 1) -> bytes:
    filling = b"\xff" * (256 - 3 - len(info) - len(digest) - len(garbage))
    return b"\0" + bytes([kind]) + filling + b"\0" + info + digest + garbage


def test_the_padding_that_these_tests_forge_is_that_of_rs256() -> None:
    assert _raw(_padded(INFO)) == private_key("RS256").sign(DATA)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(_padded(INFO, kind=2), id="block type 2"),
        pytest.param(_padded(INFO, kind=0), id="block type 0"),
        pytest.param(_padded(INFO, garbage=b"\0"), id="one octet behind"),
        pytest.param(_padded(INFO, garbage=bytes(200)), id="short padding, garbage behind"),
        pytest.param(
            b"\0\1" + b"\xff" * 8 + b"\0" + INFO + DIGEST + b"\xff" * 194, id="least padding"
        ),
        pytest.param(_padded(INFO).replace(b"\xff\xff", b"\xff\xfe", 1), id="padding altered"),
        pytest.param(_padded(INFO).replace(b"\xff", b"\0", 1), id="padding ends at once"),
        pytest.param(_padded(INFO_WITHOUT_NULL), id="no NULL parameter"),
        pytest.param(_padded(INFO_LONG_LENGTH), id="length in the long form"),
        pytest.param(_padded(b""), id="digest without its name"),
        pytest.param(_padded(INFO_SHA1, sha1(DATA).digest()), id="SHA-1"),  # noqa: S324
        pytest.param(_padded(INFO, DIGEST[:-1]), id="digest cut short"),
        pytest.param(_padded(INFO, DIGEST[:-1] + bytes([DIGEST[-1] ^ 1])), id="other digest"),
        pytest.param(b"\0" * 224 + DIGEST, id="no padding"),
    ],
)
def test_rs256_refuses_any_other_padding(message: bytes) -> None:
    assert _refused("RS256", _raw(message))


def test_rsa_refuses_numbers_at_the_edges() -> None:
    n = _rsa().private_numbers().public_numbers.n
    genuine = int.from_bytes(private_key("RS256").sign(DATA), "big")
    for alg in ("RS256", "PS256"):
        for number in (0, 1, 2, n - 1, n, n + 1, n - genuine, 2**2048 - 1):
            assert _refused(alg, number.to_bytes(256, "big"))
        # The same number modulo n, in as many octets and in one more.
        for times in (1, 2):
            length = 256 if genuine + times * n < 2**2048 else 257
            assert _refused(alg, (genuine + times * n).to_bytes(length, "big"))


@pytest.mark.parametrize("salt", [0, 20, 31, 33, 48, 222])
def test_ps256_refuses_a_salt_of_another_length(salt: int) -> None:
    assert _refused("PS256", _rsa().sign(DATA, PSS(MGF1(SHA256()), salt), SHA256()))


def test_ps256_refuses_another_hash_in_either_place() -> None:
    assert _refused("PS256", _rsa().sign(DATA, PSS(MGF1(SHA1()), 32), SHA256()))  # noqa: S303
    assert _refused("PS256", _rsa().sign(DATA, PSS(MGF1(SHA256()), 32), SHA384()))
    assert _refused("PS256", _rsa().sign(DATA, PSS(MGF1(SHA384()), 32), SHA384()))


def test_neither_rsa_algorithm_takes_the_other_ones_signature() -> None:
    assert _refused("PS256", private_key("RS256").sign(DATA))
    assert _refused("RS256", private_key("PS256").sign(DATA))
    for other in (SHA1(), SHA384()):  # noqa: S303
        assert _refused("RS256", _rsa().sign(DATA, PKCS1v15(), other))


def test_signatures_hold_however_their_numbers_begin() -> None:
    key = private_key("ES256")
    wanted = {(r, s) for r in ("low", "high") for s in ("low", "high")}
    wanted |= {("zero", ""), ("", "zero")}
    number = 0
    while wanted:
        number += 1
        data = b"%d" % number
        signature = key.sign(data)
        key.public.verify(signature, data)
        r, s = (_beginning(half[0]) for half in (signature[:32], signature[32:]))
        if {(r, s), (r, ""), ("", s)} & wanted:
            wanted -= {(r, s), (r, ""), ("", s)}
            assert _refused("ES256", signature, data + b".")
            assert _refused("ES256", signature[32:] + signature[:32], data)


def _beginning(octet: int) -> str:
    return "zero" if octet == 0 else "high" if octet & 0x80 else "low"
