from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.dsa import generate_private_key as generate_dsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256K1,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from codegrant.errors import MetadataRejected, TokenRejected, UsageError
from codegrant.jose import ALGORITHMS, PrivateKey, PublicKey, parse_public_keys
from codegrant.jose.base64url import encode
from codegrant.jose.jwk import thumbprint_of

from .samples import ALGS, PUBLISHED, VECTORS, other_private_key, private_key, public_jwk

DATA = b"header.payload"


@pytest.mark.parametrize("alg", ALGS)
def test_a_generated_key_signs_with_its_algorithm(alg: str) -> None:
    key = other_private_key(alg)
    key.public.verify(key.sign(DATA), DATA)
    assert (key.alg, key.kid) == (alg, key.public.thumbprint)
    assert key.public != private_key(alg).public


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "ed25519", "Ed448", "", "ES384"])
def test_no_key_is_made_for_another_algorithm(alg: str) -> None:
    with pytest.raises(UsageError):
        PrivateKey.generate(alg)
    with pytest.raises(UsageError):
        PrivateKey.from_pem(private_key("RS256").to_pem(), alg)


def test_a_key_signs_under_either_name_of_its_algorithm() -> None:
    key = private_key("EdDSA")
    for named in (
        key.spelled("Ed25519"),
        PrivateKey.from_pem(key.to_pem(), "Ed25519"),
        PrivateKey.from_jwk(VECTORS["keys"][PUBLISHED["EdDSA"]], "Ed25519"),
    ):
        assert (named.alg, named.spelling, named) == ("EdDSA", "Ed25519", key)
        assert named.public.to_jwk()["alg"] == "EdDSA"
        assert named.spelled("EdDSA").spelling == "EdDSA"
    assert PrivateKey.generate("Ed25519").alg == PrivateKey.derive("Ed25519", b"o" * 64).alg
    assert key.spelled("EdDSA") is key
    for alg, other in (("EdDSA", "ES256"), ("RS256", "PS256"), ("ES256", "none")):
        with pytest.raises(UsageError):
            private_key(alg).spelled(other)


@pytest.mark.parametrize("alg", ALGS)
def test_a_published_key_is_the_same_key_when_it_is_read(alg: str) -> None:
    key = private_key(alg)
    jwk = key.public.to_jwk()
    assert (jwk["kty"], jwk["use"]) == (ALGORITHMS[alg].kty, "sig")
    assert (jwk["alg"], jwk["kid"]) == (alg, key.kid)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys()
    assert parse_public_keys(jwk) == (key.public,)


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("trusted", [False, True])
def test_a_stored_key_is_the_same_key_when_it_is_read(alg: str, trusted: bool) -> None:
    key = private_key(alg)
    again = PrivateKey.from_pem(key.to_pem(), alg, key.kid, trusted=trusted)
    assert again.public == key.public
    key.public.verify(again.sign(DATA), DATA)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_the_same_octets_are_the_same_key(alg: str) -> None:
    octets = bytes(range(64))
    key = PrivateKey.derive(alg, octets)
    assert PrivateKey.derive(alg, octets) == key
    assert PrivateKey.derive(alg, octets[::-1]) != key
    key.public.verify(key.sign(DATA), DATA)
    # The remainder by the order of the group, or the seed itself. FIPS 186-5 A.2.1
    order = 115792089210356248762697446949407573529996955224135760342422259061068512044369
    expected = (
        derive_private_key(int.from_bytes(octets, "big") % (order - 1) + 1, SECP256R1())
        if alg == "ES256"
        else Ed25519PrivateKey.from_private_bytes(octets[:32])
    )
    assert key.public.thumbprint == thumbprint_of(expected.public_key())


@pytest.mark.parametrize(
    ("alg", "octets"), [("ES256", 63), ("EdDSA", 32), ("RS256", 64), ("none", 64), ("", 64)]
)
def test_no_key_is_derived_of_too_little_or_for_another_algorithm(alg: str, octets: int) -> None:
    with pytest.raises(UsageError):
        PrivateKey.derive(alg, bytes(octets))


def test_a_key_may_have_a_name_of_its_own() -> None:
    key = PrivateKey.from_pem(private_key("ES256").to_pem(), "ES256", "2026-a")
    assert (key.kid, key.public.kid, key.public.to_jwk()["kid"]) == ("2026-a",) * 3
    with pytest.raises(UsageError):
        PrivateKey.from_pem(private_key("ES256").to_pem(), "ES256", "x" * 257)


@pytest.mark.parametrize("alg", ALGS)
def test_a_private_key_never_shows_itself(alg: str) -> None:
    key = private_key(alg)
    assert repr(key) == f"PrivateKey(alg={alg!r}, kid={key.kid!r})"
    assert f"{key}" == str(key) == repr(key)
    assert repr(key.public) == f"PublicKey(alg={alg!r}, kid={key.kid!r})"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


def test_public_keys_are_equal_when_algorithm_name_and_key_are() -> None:
    rs256, ps256 = parse_public_keys(public_jwk("RS256", kid="a"))
    assert rs256 != ps256
    assert {rs256, ps256} == set(parse_public_keys(public_jwk("RS256", kid="a")))
    assert rs256 not in parse_public_keys(public_jwk("RS256", kid="b"))
    assert rs256 != "a"


@pytest.mark.requirement("CO-JOSE-01")
@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("other", ALGS)
def test_a_key_is_for_algorithms_of_its_kind_only(alg: str, other: str) -> None:
    jwk = public_jwk(alg, alg=other)
    pem = private_key(alg).to_pem()
    if ALGORITHMS[alg].kty == ALGORITHMS[other].kty:
        assert [key.alg for key in parse_public_keys(jwk)] == [other]
        assert PrivateKey.from_pem(pem, other).alg == other
        return
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys(jwk)
    assert refused.value.code == "key_unsupported"
    with pytest.raises(UsageError):
        PrivateKey.from_pem(pem, other)
    with pytest.raises(UsageError):
        PrivateKey.from_jwk(VECTORS["keys"][PUBLISHED[alg]], other)
    with pytest.raises(UsageError):
        PublicKey(other, "", parse_public_keys(public_jwk(alg))[0]._key)


@pytest.mark.parametrize(
    ("alg", "algs"),
    [("RS256", ["RS256", "PS256"]), ("ES256", ["ES256"]), ("EdDSA", ["EdDSA"])],
)
def test_a_key_without_alg_is_one_key_per_algorithm_of_its_kind(alg: str, algs: list[str]) -> None:
    keys = parse_public_keys(public_jwk(alg, kid="a"))
    assert [(key.alg, key.kid) for key in keys] == [(each, "a") for each in algs]
    for key in keys:
        signature = private_key(key.alg).sign(DATA)
        key.verify(signature, DATA)
        for other in keys:
            if other is not key:
                with pytest.raises(TokenRejected):
                    other.verify(signature, DATA)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"use": "sig"}, id="use"),
        pytest.param({"key_ops": ["verify"]}, id="operation"),
        pytest.param({"key_ops": ["sign", "verify"]}, id="operations"),
        pytest.param({"kid": "k" * 256}, id="longest name"),
        pytest.param({"kid": "../../dev/null' OR 1=1--"}, id="a name is a name"),
        pytest.param({"x5c": ["MIIB"], "x5t": "abc", "x5u": "http://127.0.0.1/x"}, id="ignored"),
        pytest.param({"nbf": 1, "exp": 2, "ext": True}, id="unknown members"),
    ],
)
def test_members_that_change_nothing_are_taken(members: dict[str, object]) -> None:
    (key,) = parse_public_keys(public_jwk("ES256", **members))
    assert key.kid == members.get("kid", "")
    assert "x5u" not in key.to_jwk()


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param({"use": "enc"}, "key_not_for_signatures", id="encryption"),
        pytest.param({"use": None}, "key_not_for_signatures", id="use null"),
        pytest.param({"use": ["sig"]}, "key_not_for_signatures", id="use a list"),
        pytest.param({"key_ops": ["sign"]}, "key_not_for_signatures", id="signs only"),
        pytest.param({"key_ops": []}, "key_not_for_signatures", id="no operation"),
        pytest.param({"key_ops": "verify"}, "key_not_for_signatures", id="operation a text"),
        pytest.param({"alg": "ES384"}, "key_unsupported", id="another algorithm"),
        pytest.param({"alg": "HS256"}, "key_unsupported", id="HMAC"),
        pytest.param({"alg": "none"}, "key_unsupported", id="none"),
        pytest.param({"alg": "ECDH-ES"}, "key_unsupported", id="key agreement"),
        pytest.param({"alg": None}, "key_unsupported", id="algorithm null"),
        pytest.param({"alg": ["ES256"]}, "key_unsupported", id="algorithm a list"),
        pytest.param({"alg": ""}, "key_unsupported", id="algorithm empty"),
        pytest.param({"kid": 1}, "key_malformed", id="name a number"),
        pytest.param({"kid": None}, "key_malformed", id="name null"),
        pytest.param({"kid": ""}, "key_malformed", id="name empty"),
        pytest.param({"kid": "k" * 257}, "key_malformed", id="name too long"),
        pytest.param({"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}, "key_private", id="d"),
        pytest.param({"d": None}, "key_private", id="d null"),
        pytest.param({"k": "AAAA"}, "key_private", id="k"),
        pytest.param({"priv": "AAAA"}, "key_private", id="priv"),
    ],
)
def test_a_public_key_with_such_a_member_is_refused(members: dict[str, object], code: str) -> None:
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys({**public_jwk("ES256"), **members})
    assert refused.value.code == code


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("alg", ALGS)
def test_a_private_member_of_any_kind_spoils_any_public_key(alg: str, member: str) -> None:
    parse_public_keys(public_jwk(alg))
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys(public_jwk(alg, **{member: "AQAB"}))
    assert refused.value.code == "key_private"


@pytest.mark.requirement("CO-JOSE-05")
@pytest.mark.parametrize("length", [0, 1, 16, 31, 32, 64])
def test_there_is_no_hmac_key_of_any_length(length: int) -> None:
    secret = encode(bytes(length))
    for alg in ("HS256", "HS512", "PBES2-HS256+A128KW", "A128KW", "RS256"):
        jwk = {"kty": "oct", "k": secret, "alg": alg, "kid": "a"}
        with pytest.raises(MetadataRejected) as refused:
            parse_public_keys(jwk)
        assert refused.value.code == "key_private"
        with pytest.raises(UsageError):
            PrivateKey.from_jwk(jwk)
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys({"kty": "oct", "alg": "HS256"})
    assert refused.value.code == "key_unsupported"
    assert parse_public_keys(public_jwk("RS256", alg="RS256"))


@pytest.mark.requirement("CO-JOSE-05")
@pytest.mark.parametrize("alg", ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"])
def test_there_is_no_rsa_key_for_encryption(alg: str) -> None:
    with pytest.raises(MetadataRejected) as refused:
        parse_public_keys(public_jwk("RS256", alg=alg))
    assert refused.value.code == "key_unsupported"
    with pytest.raises(UsageError):
        PrivateKey.from_jwk({**VECTORS["keys"]["RFC 7515 A.2"], "alg": alg})
    assert parse_public_keys(public_jwk("RS256", alg="RS256"))


def test_a_private_jwk_says_its_algorithm_or_allows_one_only() -> None:
    ec, rsa = VECTORS["keys"]["RFC 7515 A.3"], VECTORS["keys"]["RFC 7515 A.2"]
    assert PrivateKey.from_jwk(ec).alg == "ES256"
    assert PrivateKey.from_jwk({**rsa, "alg": "PS256", "kid": "a"}).alg == "PS256"
    assert PrivateKey.from_jwk({**ec, "key_ops": ["sign"]}).alg == "ES256"
    for jwk, alg in [(rsa, ""), ({**rsa, "alg": "PS256"}, "RS256"), (ec, "RS256"), (ec, "nope")]:
        with pytest.raises(UsageError):
            PrivateKey.from_jwk(jwk, alg)
    for members in ({"use": "enc"}, {"key_ops": ["verify"]}, {"kid": 7}, {"alg": "ES384"}):
        with pytest.raises(UsageError):
            PrivateKey.from_jwk({**ec, **members})


def _pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_the_older_forms_of_a_pem_file_are_read(alg: str) -> None:
    key = private_key(alg)
    pem = _pem(key._key, PrivateFormat.TraditionalOpenSSL)
    assert PrivateKey.from_pem(pem, alg).public == PrivateKey.from_pem(key.to_pem(), alg).public


@pytest.mark.parametrize("curve", [SECP384R1(), SECP521R1(), SECP256K1()], ids=lambda c: c.name)
def test_a_pem_file_with_another_curve_is_refused(curve: EllipticCurve) -> None:
    with pytest.raises(UsageError) as refused:
        PrivateKey.from_pem(_pem(generate_private_key(curve)), "ES256")
    assert refused.value.code == "key_unsupported"


def test_a_pem_file_with_a_weak_rsa_key_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        PrivateKey.from_pem(_pem(generate_rsa(65537, 1024)), "RS256")  # noqa: S505
    assert refused.value.code == "key_weak"


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="rubbish"
        ),
        pytest.param(private_key("ES256").to_pem()[:100], id="cut short"),
        pytest.param(_pem(private_key("ES256")._key, password=b"password"), id="encrypted"),
        pytest.param(
            private_key("ES256")
            ._key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            id="public",
        ),
        pytest.param(_pem(Ed448PrivateKey.generate()), id="Ed448"),
        pytest.param(_pem(X25519PrivateKey.generate()), id="X25519"),
        pytest.param(_pem(generate_dsa(2048)), id="DSA"),
    ],
)
def test_what_is_no_usable_private_key_in_pem_is_refused(pem: bytes) -> None:
    for alg in ALGS:
        with pytest.raises(UsageError):
            PrivateKey.from_pem(pem, alg)


def test_only_a_trusted_pem_file_skips_the_check_of_an_rsa_key() -> None:
    broken = PrivateKey.from_jwk(
        {**VECTORS["keys"]["RFC 7515 A.2"], "qi": "Aw"}, "RS256", trusted=True
    ).to_pem()
    PrivateKey.from_pem(broken, "RS256", trusted=True)
    with pytest.raises(UsageError):
        PrivateKey.from_pem(broken, "RS256")
