"""The key of a client, and the assertions that it signs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from codegrant.errors import ConfigurationError, UsageError
from codegrant.flow import Effect, RandomBytes, run
from codegrant.jose import ALGORITHMS, PrivateKey, base64url, parse_jwt, verify_signature
from codegrant.jose.jwt import VerifiedJwt
from codegrant.remote.client_assertion import ClientKey, client_assertion, read_client_key
from codegrant.secret import Secret

NOW = 1_800_000_000
ISSUER = "https://issuer.example"
KEYS = {alg: PrivateKey.generate(alg) for alg in ALGORITHMS}
RSA_PEM = KEYS["RS256"].to_pem().decode()
EC_PEM = KEYS["ES256"].to_pem().decode()


def private_jwk(**changes: object) -> dict[str, object]:
    """Return a private JWK on P-256, with changes; None takes a member out."""
    key = ec.generate_private_key(ec.SECP256R1())
    raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    jwk: dict[str, object] = dict(PrivateKey.from_pem(raw, "ES256").public.to_jwk())
    jwk["d"] = base64url.encode(key.private_numbers().private_value.to_bytes(32, "big"))
    return {name: value for name, value in {**jwk, **changes}.items() if value is not None}


class Entropy:
    """Draws that differ, and can be foretold."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, effect: Effect[Any]) -> bytes:
        assert isinstance(effect, RandomBytes)
        self.drawn += 1
        return bytes([self.drawn]) * effect.size


def assert_once(
    key: ClientKey,
    entropy: Entropy | None = None,
    audience: str = ISSUER,
    algs: Sequence[str] = (),
) -> VerifiedJwt:
    """Return what one assertion says, verified with the key it should be signed with."""
    flow = client_assertion(key, client_id="app", audience=audience, algs=algs, now=NOW)
    token = run(flow, entropy or Entropy()).reveal()
    return verify_signature(parse_jwt(token), [each.public for each in key.keys])


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_assertion_is_typed_and_signed_with_the_algorithm_of_its_key(alg: str) -> None:
    jwt = assert_once(ClientKey((KEYS[alg],)))

    assert (jwt.alg, jwt.typ) == (alg, "client-authentication+jwt")


def test_an_assertion_names_the_client_twice_and_the_issuer_as_one_text() -> None:
    claims = dict(assert_once(ClientKey((KEYS["ES256"],))).claims)

    assert claims.pop("jti")
    assert claims == {"iss": "app", "sub": "app", "aud": ISSUER, "iat": NOW, "exp": NOW + 60}


def test_no_two_assertions_share_an_id() -> None:
    key, entropy = ClientKey((KEYS["ES256"],)), Entropy()

    ids = {str(assert_once(key, entropy).claims["jti"]) for _ in range(3)}

    assert len(ids) == 3
    assert {len(name) for name in ids} == {43}


def test_an_assertion_without_an_audience_is_refused_before_anything_is_drawn() -> None:
    entropy = Entropy()

    with pytest.raises(UsageError) as refused:
        assert_once(ClientKey((KEYS["ES256"],)), entropy, audience="")

    assert (refused.value.code, entropy.drawn) == ("no_audience", 0)


def test_an_assertion_does_not_print_itself() -> None:
    key = ClientKey((KEYS["ES256"],))
    flow = client_assertion(key, client_id="app", audience=ISSUER, algs=(), now=NOW)
    token = run(flow, Entropy())

    assert token.reveal() not in f"{token!r} {token}"


@pytest.mark.parametrize(
    ("text", "algs", "chosen"),
    [
        pytest.param(RSA_PEM, (), "RS256", id="nothing listed: the usual one"),
        pytest.param(RSA_PEM, ("RS256", "PS256"), "PS256", id="the better one of both"),
        pytest.param(RSA_PEM, ("ES256", "RS256"), "RS256", id="what is listed"),
        pytest.param(EC_PEM, (), "ES256", id="EC"),
        pytest.param(EC_PEM, ("PS256", "ES256"), "ES256", id="EC, listed"),
        pytest.param(KEYS["EdDSA"].to_pem().decode(), (), "EdDSA", id="Ed25519"),
    ],
)
def test_the_algorithm_is_one_of_the_key_that_the_server_takes(
    text: str, algs: Sequence[str], chosen: str
) -> None:
    assert assert_once(read_client_key(text), algs=algs).alg == chosen


@pytest.mark.parametrize(
    ("algs", "name"), [((), "EdDSA"), (("Ed25519",), "Ed25519"), (("Ed25519", "EdDSA"), "EdDSA")]
)
def test_the_header_names_the_algorithm_as_the_server_does(algs: Sequence[str], name: str) -> None:
    key = read_client_key(KEYS["EdDSA"])
    flow = client_assertion(key, client_id="app", audience=ISSUER, algs=algs, now=NOW)
    header = base64url.decode(run(flow, Entropy()).reveal().partition(".")[0])
    assert json.loads(header)["alg"] == name


def test_a_key_that_the_server_cannot_verify_is_told_with_both_sides() -> None:
    with pytest.raises(ConfigurationError) as refused:
        assert_once(read_client_key(RSA_PEM), algs=("ES256", "EdDSA"))

    assert "PS256 or RS256, and the server takes ES256, EdDSA" in refused.value.message
    assert "token_endpoint_auth_signing_alg_values_supported" in refused.value.hint


def test_a_key_comes_as_text_as_a_secret_from_a_file_or_as_a_key(tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_text(EC_PEM)

    for source in (EC_PEM, Secret(EC_PEM), file, str(file), KEYS["ES256"]):
        (key,) = read_client_key(source).keys
        assert key.public.thumbprint == KEYS["ES256"].public.thumbprint


@pytest.mark.parametrize(
    ("kid", "named", "header"),
    [
        pytest.param(None, "", None, id="nobody names it"),
        pytest.param("k-1", "", "k-1", id="the JWK names it"),
        pytest.param("k-1", "k-2", "k-2", id="the program names it"),
        pytest.param(None, "k-2", "k-2", id="the program alone"),
    ],
)
def test_the_name_of_a_key_is_sent_when_it_has_one(
    kid: str | None, named: str, header: str | None
) -> None:
    jwk = json.dumps(private_jwk(kid=kid))

    assert assert_once(read_client_key(jwk, named)).kid == header


def test_a_key_in_pem_has_the_name_that_the_program_gives() -> None:
    assert assert_once(read_client_key(EC_PEM)).kid is None
    assert assert_once(read_client_key(EC_PEM, "k-2")).kid == "k-2"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n", "no unencrypted", id="broken PEM"),
        pytest.param(
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
            .decode(),
            "no unencrypted private key",
            id="with a passphrase",
        ),
        pytest.param(
            ec.generate_private_key(ec.SECP384R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            "only P-256 is allowed",
            id="another curve",
        ),
        pytest.param(
            rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            "RSA of 1024 bits",
            id="weak",
        ),
        pytest.param("{", "JSON", id="broken JSON"),
        pytest.param("{}", "neither RSA, EC", id="no key"),
        pytest.param(json.dumps(private_jwk(d=None)), "d is missing", id="a public key"),
        pytest.param(json.dumps(private_jwk(use="enc")), "use is not sig", id="for encryption"),
        pytest.param(json.dumps(private_jwk(alg="RS256")), "alg is none", id="another alg"),
        pytest.param(json.dumps({"kty": "oct", "k": "c2VjcmV0"}), "neither RSA", id="symmetric"),
        pytest.param(Secret("s3cret"), "no unencrypted private key", id="some secret"),
        pytest.param("s3cret", "cannot be read", id="no such file"),
        pytest.param("s3cret\0", "cannot be read", id="no path at all"),
        pytest.param("/", "cannot be read", id="a folder"),
    ],
)
def test_what_is_no_key_of_ours_is_refused_without_being_told(
    source: str | Secret, reason: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_client_key(source)

    assert refused.value.message.startswith("private_key: ")
    assert reason in refused.value.message
    assert "s3cret" not in str(refused.value)


def test_a_key_does_not_print_itself() -> None:
    told = repr(read_client_key(EC_PEM, "k-2"))

    assert "k-2" in told
    assert "PRIVATE" not in told
    assert KEYS["ES256"].to_pem().decode().split("\n")[1] not in told
