from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import import_key

from codegrant.errors import TokenRejected, UsageError
from codegrant.jose import PrivateKey, parse_jwt
from codegrant.rules.dpop import (
    ALGS,
    MAXIMUM_NONCE_LENGTH,
    build_proof,
    choose_alg,
    find_nonce,
    proof_target,
)
from codegrant.secret import Secret
from tests.support.proofs import ProofRefused, ProofVerifier, header_of

KEYS = {alg: PrivateKey.generate(alg) for alg in ALGS}
STRANGER = PrivateKey.generate("ES256")
URL = "https://api.example/orders/7"
NOW = 1_800_000_000
TOKEN = Secret("an-access-token")
NONCE = "eyJ7S_zG.eyJH0-Z.HX4w-7v"


def _proof(alg: str = "ES256", jti: bytes = b"j" * 16) -> str:
    return build_proof(
        KEYS[alg],
        method="POST",
        url=f"{URL}?page=2#top",
        jti=jti,
        now=NOW,
        access_token=TOKEN,
        nonce=NONCE,
    )


def _refusal(
    proofs: list[str],
    *,
    verifier: ProofVerifier | None = None,
    method: str = "POST",
    url: str = URL,
    now: int = NOW,
    access_token: str = TOKEN.reveal(),
    nonce: str = NONCE,
    jkt: str = KEYS["ES256"].public.thumbprint,
) -> str:
    """Return why the strict verifier refuses; empty when it takes the proof."""
    try:
        (verifier or ProofVerifier()).verify(
            proofs,
            method=method,
            url=url,
            now=now,
            access_token=access_token,
            jkt=jkt,
            nonce=nonce,
        )
    except ProofRefused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("alg", ALGS)
def test_a_strict_verifier_takes_the_proof_and_finds_the_key_it_is_bound_to(alg: str) -> None:
    proof = _proof(alg)
    header = header_of(proof)
    claims = ProofVerifier().verify(
        [proof],
        method="POST",
        url=URL,
        now=NOW,
        access_token=TOKEN.reveal(),
        jkt=KEYS[alg].public.thumbprint,
        nonce=NONCE,
    )
    assert set(claims) == {"jti", "htm", "htu", "iat", "ath", "nonce"}
    assert (claims["htm"], claims["htu"], claims["iat"]) == ("POST", URL, NOW)
    assert (set(header), header["typ"], header["alg"]) == ({"typ", "alg", "jwk"}, "dpop+jwt", alg)
    assert import_key(header["jwk"]).thumbprint() == KEYS[alg].public.thumbprint


@pytest.mark.parametrize("alg", ALGS)
def test_no_proof_shows_the_private_half(alg: str) -> None:
    assert set(header_of(_proof(alg))["jwk"]) <= {"kty", "crv", "x", "y"}


def test_a_proof_for_a_token_endpoint_names_no_token_and_no_nonce() -> None:
    proof = build_proof(KEYS["ES256"], method="POST", url=URL, jti=b"j" * 16, now=NOW)
    claims = ProofVerifier().verify([proof], method="POST", url=URL, now=NOW)
    assert set(claims) == {"jti", "htm", "htu", "iat"}


def test_another_request_has_another_proof() -> None:
    verifier = ProofVerifier()
    assert _refusal([_proof(jti=b"1" * 16)], verifier=verifier) == ""
    assert _refusal([_proof(jti=b"2" * 16)], verifier=verifier) == ""
    assert _refusal([_proof(jti=b"1" * 16)], verifier=verifier) == "replay"


def test_a_proof_holds_for_its_own_request_and_for_no_other() -> None:
    proof = _proof()
    other_key = build_proof(
        STRANGER,
        method="POST",
        url=URL,
        jti=b"j" * 16,
        now=NOW,
        access_token=TOKEN,
        nonce=NONCE,
    )
    head, payload, signature = proof.split(".")
    assert _refusal([proof]) == ""
    assert _refusal([]) == "count"
    assert _refusal([proof, proof]) == "count"
    assert _refusal([proof], method="GET") == "htm"
    assert _refusal([proof], url="https://api.example/orders/8") == "htu"
    assert _refusal([proof], url="https://evil.example/orders/7") == "htu"
    assert _refusal([proof], url="https://api.example:8443/orders/7") == "htu"
    assert _refusal([proof], now=NOW + 61) == "iat"
    assert _refusal([proof], now=NOW - 61) == "iat"
    assert _refusal([proof], nonce="a-later-nonce") == "nonce"
    assert _refusal([proof], access_token="another-token") == "ath"
    assert _refusal([other_key]) == "jkt"
    assert _refusal([f"{head}.{payload}.{other_key.rpartition('.')[2]}"]) == "signature"
    assert _refusal([f"{other_key.partition('.')[0]}.{payload}.{signature}"]) == "signature"


def test_a_proof_is_no_token_of_any_other_kind() -> None:
    with pytest.raises(TokenRejected) as refused:
        parse_jwt(_proof())
    assert refused.value.code == "forbidden_header"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://api.example/a", "https://api.example/a"),
        ("HTTPS://API.Example:443/A/b", "https://api.example/A/b"),
        ("https://api.example", "https://api.example/"),
        ("https://api.example?q=1", "https://api.example/"),
        ("https://api.example/a?q=https://other.example/#x?y", "https://api.example/a"),
        ("https://api.example/a#x?y", "https://api.example/a"),
        ("https://api.example/a/?", "https://api.example/a/"),
        ("https://api.example:8443/%C3%bc%2F", "https://api.example:8443/%C3%bc%2F"),
        ("http://127.0.0.1:80/a", "http://127.0.0.1/a"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        (f"https://api.example/a?{'q' * 9000}", "https://api.example/a"),
        # As HTTP libraries send them, though no URI has them.
        ("https://api.example/a|b/[1]^%zz", "https://api.example/a|b/[1]^%zz"),
        ("https://api.example//a//", "https://api.example//a//"),
        ("https://api.example/a://b", "https://api.example/a://b"),
        ("https://api.example/@b:c", "https://api.example/@b:c"),
    ],
)
def test_the_target_is_the_url_in_its_one_spelling(url: str, target: str) -> None:
    assert proof_target(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "api.example/a",
        "ftp://api.example/a",
        "https:///a",
        "https://me@api.example/a",
        "https://api.example/a b",
        "https://api.example/a\r\nb",
        "https://api.example:99999/",
        f"https://api.example/{'a' * 2049}",
        "https://api.example/ü",
        "https://api.example/a\x7f",
        "https://a[b]/c",
        "https://api.example@evil.example/a",
        "https://api.example\\@evil.example/a",
    ],
)
def test_what_no_request_can_go_to_has_no_target(url: str) -> None:
    with pytest.raises(UsageError):
        proof_target(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        proof_target("https://me:s3cret@api.example/a")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("nonce", ["a", NONCE, "!#[]~", "n" * MAXIMUM_NONCE_LENGTH])
def test_a_nonce_is_taken_as_it_is(nonce: str) -> None:
    assert find_nonce([nonce]) == nonce


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["a", "a"],
        ["a", "b"],
        ["a b"],
        [" a"],
        ['a"b'],
        ["a\\b"],
        ["a\x00"],
        ["a\n"],
        ["a\r\nx: y"],
        ["\x7f"],
        ["ü"],
        ["n" * (MAXIMUM_NONCE_LENGTH + 1)],
        ["n" * 1_000_000],
    ],
    ids=lambda values: f"{ascii(values)[:24]}, {sum(map(len, values))}",
)
def test_a_nonce_that_no_server_may_ask_for_is_none(values: list[str]) -> None:
    assert find_nonce(values) is None


@given(st.text(max_size=40))
def test_whatever_is_found_can_stand_in_a_proof(text: str) -> None:
    nonce = find_nonce([text])
    if nonce is None:
        return
    proof = build_proof(KEYS["EdDSA"], method="GET", url=URL, jti=b"j" * 16, now=NOW, nonce=nonce)
    assert ProofVerifier().verify([proof], method="GET", url=URL, now=NOW, nonce=text)


@pytest.mark.parametrize(
    ("alg", "method", "jti", "nonce", "message"),
    [
        ("RS256", "GET", b"j" * 16, "", "not RS256"),
        ("ES256", "GET", b"j" * 15, "", "jti"),
        ("ES256", "", b"j" * 16, "", "method"),
        ("ES256", "GET /", b"j" * 16, "", "method"),
        ("ES256", "GET\r\n", b"j" * 16, "", "method"),
        ("ES256", "GET", b"j" * 16, "a b", "nonce"),
        ("ES256", "GET", b"j" * 16, "n" * 1025, "nonce"),
    ],
)
def test_a_proof_that_nobody_could_take_is_not_made(
    alg: str, method: str, jti: bytes, nonce: str, message: str
) -> None:
    key = KEYS.get(alg) or PrivateKey.generate(alg)
    with pytest.raises(UsageError, match=message):
        build_proof(key, method=method, url=URL, jti=jti, now=NOW, nonce=nonce)


@pytest.mark.parametrize(
    ("listed", "alg"),
    [
        ([], "ES256"),
        (["ES256"], "ES256"),
        (["EdDSA", "ES256"], "ES256"),
        (["RS256", "EdDSA"], "EdDSA"),
        (["Ed25519"], "Ed25519"),
        (["Ed25519", "EdDSA"], "EdDSA"),
        (["RS256", "PS256"], None),
        (["none"], None),
        (["HS256", "ES384"], None),
    ],
)
def test_proofs_are_signed_with_what_the_server_lists(listed: list[str], alg: str | None) -> None:
    assert choose_alg(listed) == alg
