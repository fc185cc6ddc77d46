from __future__ import annotations

import hashlib
from typing import Any, cast

import pytest

from codegrant.errors import TokenRejected
from codegrant.jose import ALGORITHMS, half_hash
from codegrant.jose.algorithms import find_algorithm, find_spelling
from codegrant.jose.base64url import encode

# The rest of the IANA registry, and what people have smuggled past other libraries.
FOREIGN = (
    *("none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS384", "RS512", "RS1"),
    *("ES384", "ES512", "ES256K", "PS384", "PS512", "Ed448", "ESP256", "ML-DSA-44"),
    *("RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "PBES2-HS256+A128KW", "dir", "A128KW", "ECDH-ES"),
    *("rs256", "Rs256", "RS256\x00", " RS256", "RS256 ", "eddsa", "ed25519", ""),
)


def test_the_set_is_closed() -> None:
    assert set(ALGORITHMS) == {"ES256", "EdDSA", "RS256", "PS256"}
    with pytest.raises(TypeError):
        cast("Any", ALGORITHMS)["none"] = ALGORITHMS["RS256"]


@pytest.mark.parametrize("name", [*ALGORITHMS, "Ed25519"])
def test_an_algorithm_of_the_set_is_found(name: str) -> None:
    found = find_algorithm(name)
    assert found is not None
    assert found.name == ("EdDSA" if name == "Ed25519" else name)


@pytest.mark.parametrize(
    ("alg", "listed", "name"),
    [
        ("EdDSA", ["Ed25519"], "Ed25519"),
        ("EdDSA", ["Ed25519", "EdDSA"], "EdDSA"),
        ("ES256", ["Ed25519", "ES256"], "ES256"),
        ("ES256", ["Ed25519", "ESP256"], None),
        ("EdDSA", ["Ed448", "ed25519"], None),
        ("EdDSA", [], None),
    ],
)
def test_an_algorithm_is_named_as_a_list_names_it(
    alg: str, listed: list[str], name: str | None
) -> None:
    assert find_spelling(alg, listed) == name


@pytest.mark.parametrize("name", [*FOREIGN, None, 0, True, ["RS256"], {}], ids=repr)
def test_any_other_name_is_not(name: object) -> None:
    assert find_algorithm(name) is None


@pytest.mark.parametrize(
    ("alg", "hash_name", "length"),
    [
        ("ES256", "sha256", 16),
        ("RS256", "sha256", 16),
        ("PS256", "sha256", 16),
        ("EdDSA", "sha512", 32),
        ("Ed25519", "sha512", 32),
    ],
)
def test_half_a_hash_is_the_left_half(alg: str, hash_name: str, length: int) -> None:
    digest = hashlib.new(hash_name, b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y").digest()
    value = half_hash(alg, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")
    assert value == encode(digest[:length])


def test_half_a_hash_is_that_of_openid_connect_core_appendix_a() -> None:
    # A.3 and A.4, both signed with RS256.
    assert half_hash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == (
        "77QmUPtjPfzWtF2AnpK9RQ"
    )
    assert half_hash("RS256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk") == (
        "LDktKdoQak3Pk0cnXxCltA"
    )


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "", "ES384"])
def test_half_a_hash_of_an_unknown_algorithm_is_refused(alg: str) -> None:
    with pytest.raises(TokenRejected) as refused:
        half_hash(alg, "token")
    assert refused.value.code == "algorithm_refused"
